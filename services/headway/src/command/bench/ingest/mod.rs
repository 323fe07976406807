//! England's morning: every school's register through the public API of the running system, and the same marks copied
//! bare into the same database, in the same run.

mod bare;
mod england;
mod figures;
mod morning;
mod process;
mod server;
mod setting;
mod sizes;

use std::{path::PathBuf, sync::Arc};

use anyhow::Result;
use clap::Args;
use indicatif::ProgressBar;
use rpc::Scope;
use sqlx::{ConnectOptions, PgConnection};

use self::{
    bare::Bare,
    england::England,
    figures::{Figures, Groups},
    morning::Post,
    server::Server,
};
use super::{scratch::Scratch, status_kib};
use crate::command::say;

/// What is measured.
#[derive(Clone, Debug, Args)]
pub(crate) struct Plan {
    /// Schools; together they have their share of 9 million pupils
    #[arg(long, default_value_t = 22_000, value_parser = clap::value_parser!(u32).range(1..=500_000))]
    schools: u32,
    /// Pushing at the same time, each waiting for its answer
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    callers: u32,
    /// `PostgreSQL` to use instead of SQLite files in a temporary folder; a database is made on it and removed
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
    /// Processes that share the work of applying enrolments, on `PostgreSQL`; callers push to the first
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64), requires = "database_url")]
    processes: u32,
    /// A NATS server without streams, by which parts of batches travel then
    #[arg(long, value_name = "URL", requires = "database_url")]
    nats_url: Option<String>,
    /// A GIAS file of establishments whose numbers of pupils are taken instead of the built-in distribution
    #[arg(long, value_name = "FILE")]
    gias: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Measures, and leaves nothing behind.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let today = calendar::london_date(rpc::now());
    let england = Arc::new(England::draw(plan.schools as usize, plan.gias.as_deref(), today)?);
    let scratch = match &plan.database_url {
        Some(url) => Some(Scratch::create(url).await?),
        None => None,
    };
    let figures = measure(&plan, &england, scratch.as_ref()).await;
    if let Some(scratch) = scratch {
        scratch.remove().await?;
    }
    let figures = figures?;
    if plan.json {
        say(serde_json::to_string(&figures)?)?;
        return Ok(());
    }
    figures.print()
}

async fn measure(
    plan: &Plan,
    england: &Arc<England>,
    scratch: Option<&Scratch>,
) -> Result<Figures> {
    let mut postgres = match scratch {
        Some(it) => Some(Postgres::connect(it).await?),
        None => None,
    };
    let server = Server::start(plan, scratch.map(Scratch::url).as_deref()).await?;
    let bar = if plan.json { ProgressBar::hidden() } else { ProgressBar::no_length() };
    let (doors, setting) = setting::prepare(&server, england, &bar).await?;
    let setting_peak_kib = status_kib(&server.process, "VmHWM:");
    let post = Arc::new(Post::write(england)?);
    let bytes = post.bytes;
    if let Some(it) = &mut postgres {
        bare::checkpoint(&mut it.connection).await;
    }

    process::forget_peak(&server.process)?;
    let mut operator = server.caller(None, &[Scope::MetricsRead]).await?;
    let groups = Groups::read(&mut operator).await?;
    let before = Used::now(&server, postgres.as_ref());
    let pushing = (plan.callers, plan.nats_url.is_some());
    let times = morning::push(&server, england, &doors, Arc::clone(&post), pushing).await?;
    let used = Used::now(&server, postgres.as_ref()).since(&before);
    let groups = Groups::read(&mut operator).await?.since(&groups);
    let peak_kib = status_kib(&server.process, "VmHWM:");

    let truth = morning::check(&server, england, &doors, &post).await?;
    drop(post);
    let bare: Bare = match scratch {
        Some(scratch) => bare::copy(scratch.options(), england).await?,
        None => bare::import(server.folder.path(), england)?,
    };
    server.stop().await?;
    Ok(Figures {
        schools: england.schools.len(),
        trusts: england.trusts.len(),
        marks: england.pupils(),
        date: england.date,
        callers: plan.callers,
        processes: plan.processes,
        bytes,
        database: postgres.map_or_else(|| "SQLite".to_owned(), |it| it.settings),
        setting,
        setting_peak_kib,
        times,
        used,
        groups,
        peak_kib,
        truth,
        bare,
    })
}

/// The server beside which is measured.
struct Postgres {
    connection: PgConnection,
    /// Its version and what it promises of durability.
    settings: String,
    /// The process that starts all others, where it runs on this machine.
    postmaster: Option<u32>,
}

impl Postgres {
    async fn connect(scratch: &Scratch) -> Result<Self> {
        let mut connection = scratch.options().connect().await?;
        let settings = sqlx::query_scalar(
            "SELECT 'PostgreSQL ' || current_setting('server_version') || ', fsync ' || current_setting('fsync')
             || ', synchronous_commit ' || current_setting('synchronous_commit')",
        )
        .fetch_one(&mut connection)
        .await?;
        let backend: i32 =
            sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await?;
        Ok(Self { connection, settings, postmaster: process::parent(backend) })
    }
}

/// Processor seconds.
#[derive(Clone, Copy, Debug)]
struct Used {
    headway: f64,
    bench: f64,
    /// All processes of the PostgreSQL server, where it runs here.
    postgres: Option<f64>,
}

impl Used {
    fn now(server: &Server, postgres: Option<&Postgres>) -> Self {
        let postmaster = postgres.and_then(|it| it.postmaster);
        Self {
            headway: process::processor(&server.process),
            bench: process::processor("self"),
            postgres: postmaster.and_then(process::processor_of_family),
        }
    }

    fn since(self, before: &Self) -> Self {
        Self {
            headway: self.headway - before.headway,
            bench: self.bench - before.bench,
            postgres: self.postgres.zip(before.postgres).map(|(now, then)| now - then),
        }
    }
}
