//! message-db, the event store that people pick on PostgreSQL, from its published SQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use sqlx::{
    AssertSqlSafe, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::process::Command;

use super::journal::Times;

const PACKAGE: &str = "@eventide/message-db@1.3.1";
/// In the order in which its own installer runs them; indexes last.
const FOLDERS: [&str; 3] = ["schema", "extensions", "tables"];
const FUNCTIONS: [&str; 6] =
    ["message-store-version", "hash-64", "id", "is-category", "category", "cardinal-id"];
const LATER_FUNCTIONS: [&str; 3] = ["stream-version", "acquire-lock", "write-message"];
/// Streams written to in turn, as ours.
const STREAMS: u64 = 1000;
/// Connections at the most: more only wait for one another.
const CONNECTIONS: u32 = 64;

pub(super) struct MessageDb(PgPool);

impl MessageDb {
    /// Installs it in a database, from a folder with its SQL or else from the npm registry.
    pub(super) async fn install(
        options: PgConnectOptions,
        folder: Option<PathBuf>,
    ) -> Result<Self> {
        let unpacked = tempfile::tempdir()?;
        let folder = match folder {
            Some(folder) => folder,
            None => fetch(unpacked.path()).await?,
        };
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(Duration::from_mins(1))
            .test_before_acquire(false)
            .connect_with(options.options([("search_path", "message_store,public")]))
            .await?;
        let mut files: Vec<PathBuf> = Vec::new();
        for kind in FOLDERS {
            files.extend(sql_files(&folder.join(kind))?);
        }
        for name in FUNCTIONS.into_iter().chain(LATER_FUNCTIONS) {
            files.push(folder.join("functions").join(name).with_extension("sql"));
        }
        files.extend(sql_files(&folder.join("indexes"))?);
        for file in files {
            let sql = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
            sqlx::raw_sql(AssertSqlSafe(sql))
                .execute(&pool)
                .await
                .with_context(|| file.display().to_string())?;
        }
        Ok(Self(pool))
    }

    /// Writes messages from so many callers for that long, into one category or spread over several.
    pub(super) async fn run(
        &self,
        callers: u32,
        categories: u64,
        payload: usize,
        lasting: Duration,
    ) -> Result<Times> {
        sqlx::raw_sql("TRUNCATE message_store.messages RESTART IDENTITY; CHECKPOINT")
            .execute(&self.0)
            .await?;
        let data: Arc<str> = format!("{{\"name\": \"{}\"}}", "x".repeat(payload)).into();
        let (pool, spread) = (self.0.clone(), categories.max(1));
        Times::of(callers, lasting, move |caller, number| {
            let (pool, data) = (pool.clone(), Arc::clone(&data));
            async move {
                let stream = (u64::from(caller) + number * 31) % STREAMS;
                let name = format!("bench{}-{stream}", stream % spread);
                let id = rpc::new_id().to_string();
                sqlx::query("SELECT message_store.write_message($1, $2, 'Noted', $3::jsonb)")
                    .bind(id)
                    .bind(name)
                    .bind(&*data)
                    .execute(&pool)
                    .await?;
                anyhow::Ok(())
            }
        })
        .await
    }

    pub(super) async fn close(self) {
        self.0.close().await;
    }
}

async fn fetch(into: &Path) -> Result<PathBuf> {
    let run = async |program: &str, arguments: &[&str]| {
        let done = Command::new(program)
            .args(arguments)
            .current_dir(into)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .output()
            .await
            .with_context(|| format!("{program} is needed to fetch {PACKAGE}"))?;
        if !done.status.success() {
            bail!("{program} {} failed", arguments.join(" "));
        }
        Ok(String::from_utf8(done.stdout)?)
    };
    let said = run("npm", &["pack", "--silent", PACKAGE]).await?;
    run("tar", &["-xf", said.trim()]).await?;
    Ok(into.join("package/database"))
}

fn sql_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = fs::read_dir(folder)
        .with_context(|| folder.display().to_string())?
        .map(|it| Ok(it?.path()))
        .collect::<Result<Vec<_>>>()?;
    files.retain(|it| it.extension().is_some_and(|it| it == "sql"));
    files.sort();
    Ok(files)
}
