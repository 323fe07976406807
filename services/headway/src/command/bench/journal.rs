//! How fast events become durable: ours beside message-db's and beside the bare disk, in turns, so that all meet the
//! same noise.

use std::{
    collections::BTreeMap,
    future::Future,
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use host::telemetry;
use tokio::task::JoinSet;

use super::{
    flush, guarded,
    log::{self, Place},
    message_db::MessageDb,
    milliseconds_at,
    scratch::Scratch,
};
use crate::command::say;

/// Callers of guarded transitions.
const GUARDED: u32 = 256;
const GUARDED_POSTGRES: &str = "guarded over gRPC, PostgreSQL";
const GUARDED_SQLITE: &str = "guarded over gRPC, SQLite";
const CALLERS: [u32; 4] = [1, 8, 32, 256];
/// Bytes of text in each event.
const PAYLOAD: usize = 256;
/// Not timed: connections and caches fill.
const WARMING: Duration = Duration::from_millis(500);

/// What is measured.
pub(crate) struct Plan {
    pub(crate) database_url: Option<String>,
    pub(crate) message_db: Option<PathBuf>,
    pub(crate) seconds: f64,
    pub(crate) rounds: u32,
    /// Guarded transitions of each round.
    pub(crate) transitions: u32,
}

/// Answers' times of one run.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) per_second: f64,
    pub(super) p50: f64,
    pub(super) p99: f64,
}

impl Times {
    /// Lets so many callers do something again and again for that long.
    pub(super) async fn of<F>(
        callers: u32,
        lasting: Duration,
        act: impl Fn(u32, u64) -> F + Clone + Send + 'static,
    ) -> Result<Self>
    where
        F: Future<Output = Result<()>> + Send + 'static,
    {
        let begin = Instant::now() + WARMING;
        let end = begin + lasting;
        let mut tasks = JoinSet::new();
        for caller in 0..callers {
            let act = act.clone();
            tasks.spawn(async move {
                let mut times = Vec::new();
                for number in 0.. {
                    let asked = Instant::now();
                    if asked >= end {
                        break;
                    }
                    act(caller, number).await?;
                    let answered = Instant::now();
                    if answered >= begin && answered < end {
                        times.push(answered - asked);
                    }
                }
                anyhow::Ok(times)
            });
        }
        let mut times = Vec::new();
        while let Some(done) = tasks.join_next().await {
            times.extend(done??);
        }
        Ok(Self::from(times, lasting))
    }

    pub(super) fn from(mut times: Vec<Duration>, lasting: Duration) -> Self {
        times.sort_unstable();
        let at = |permille| milliseconds_at(&times, permille);
        let count = u32::try_from(times.len()).unwrap_or(u32::MAX);
        Self { per_second: f64::from(count) / lasting.as_secs_f64(), p50: at(500), p99: at(990) }
    }

    /// The run in the middle, by rate.
    fn median(runs: &[Self]) -> Result<Self> {
        let mut runs = runs.to_vec();
        runs.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        runs.get(runs.len() / 2).cloned().context("no run")
    }
}

/// Single events through [`journal::Journal::append`], each caller to a stream of its own.
async fn ours(server: Option<String>, callers: u32, lasting: Duration) -> Result<Times> {
    let place = Place::new(server).await?;
    let journal = log::open(&place.url).await?;
    let appending = journal.clone();
    let times = Times::of(callers, lasting, move |caller, number| {
        let journal = appending.clone();
        async move {
            let version = u32::try_from(number + 1)?;
            log::append(&journal, &format!("bench/{caller}"), version).await?;
            Ok(())
        }
    })
    .await;
    journal.close();
    journal.db().close().await;
    place.remove().await?;
    times
}

type Runs = BTreeMap<(String, u32), Vec<Times>>;

/// Runs everything and says what came of it.
pub(crate) async fn run(plan: Plan) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let metrics = telemetry::start_metrics()?;
    let lasting = Duration::from_secs_f64(plan.seconds);
    let mut flushes = Vec::new();
    let mut runs = Runs::new();
    let server = match &plan.database_url {
        Some(url) => Some(Server::start(url, plan.message_db.clone()).await?),
        None => None,
    };
    for _ in 0..plan.rounds {
        for callers in CALLERS {
            flushes.push(flush::rate(folder.path())?);
            let mut add = |what: &str, times| {
                runs.entry((what.to_owned(), callers)).or_default().push(times);
            };
            add("SQLite", ours(None, callers, lasting).await?);
            let Some(server) = &server else { continue };
            add("PostgreSQL", ours(plan.database_url.clone(), callers, lasting).await?);
            if let Some(other) = &server.message_db {
                add("message-db, 1 category", other.run(callers, 1, PAYLOAD, lasting).await?);
                add("message-db, 64 categories", other.run(callers, 64, PAYLOAD, lasting).await?);
            }
        }
        let mut add = |what: &str, times| {
            runs.entry((what.to_owned(), GUARDED)).or_default().push(times);
        };
        add(GUARDED_SQLITE, guarded::run(None, GUARDED, plan.transitions, &metrics).await?);
        if let Some(url) = &plan.database_url {
            let scratch = Scratch::create(url).await?;
            let url = Some(scratch.url());
            add(GUARDED_POSTGRES, guarded::run(url, GUARDED, plan.transitions, &metrics).await?);
            scratch.remove().await?;
        }
    }
    if let Some(server) = server {
        server.stop().await?;
    }
    report(&runs, &mut flushes)
}

/// message-db on a PostgreSQL server.
struct Server {
    scratch: Scratch,
    message_db: Option<MessageDb>,
}

impl Server {
    async fn start(url: &str, folder: Option<PathBuf>) -> Result<Self> {
        let scratch = Scratch::create(url).await?;
        let message_db = match MessageDb::install(scratch.options(), folder).await {
            Ok(it) => Some(it),
            Err(error) => {
                say(format_args!("without message-db: {error:#}"))?;
                None
            }
        };
        Ok(Self { scratch, message_db })
    }

    async fn stop(self) -> Result<()> {
        if let Some(it) = self.message_db {
            it.close().await;
        }
        self.scratch.remove().await
    }
}

fn report(runs: &Runs, flushes: &mut [f64]) -> Result<()> {
    flushes.sort_by(f64::total_cmp);
    let middle = flushes.get(flushes.len() / 2).copied().unwrap_or_default();
    say(format_args!("bare flushes of the disk, one after the other: {middle:.0} a second"))?;
    say("medians; events a second, p50 and p99 in ms")?;
    for ((what, callers), times) in runs {
        let it = Times::median(times)?;
        say(format_args!(
            "{what:>30} {callers:>4} callers {:>8.0} {:>8.2} {:>8.2}",
            it.per_second, it.p50, it.p99
        ))?;
    }
    let ratio = |what: &str, callers: u32, other: &str, others: u32| -> Result<()> {
        let of = |what: &str, callers| {
            runs.get(&(what.to_owned(), callers)).map(|it| Times::median(it)).transpose()
        };
        if let (Some(a), Some(b)) = (of(what, callers)?, of(other, others)?) {
            say(format_args!(
                "{what} at {callers} is {:.2} × {other} at {others}, its p99 {:.2} ×",
                a.per_second / b.per_second,
                a.p99 / b.p99
            ))?;
        }
        Ok(())
    };
    ratio("PostgreSQL", 1, "message-db, 1 category", 1)?;
    ratio("PostgreSQL", 32, "message-db, 1 category", 32)?;
    ratio("PostgreSQL", 32, "message-db, 64 categories", 32)?;
    for callers in [32, 256] {
        ratio(GUARDED_POSTGRES, GUARDED, "message-db, 1 category", callers)?;
    }
    if let Some(times) = runs.get(&("SQLite".to_owned(), 256)) {
        let it = Times::median(times)?.per_second;
        say(format_args!("SQLite at 256 is {:.2} × the bare flushes", it / middle))?;
    }
    Ok(())
}
