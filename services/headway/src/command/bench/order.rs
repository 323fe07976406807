//! The order audit: several writers in two processes, and a reader that keeps no more than the last position it saw.

use std::{
    collections::HashMap,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use journal::{Filter, Journal, events};
use sqlx::{Executor, PgPool, postgres::PgPoolOptions};
use tokio::{process::Command, task::JoinSet};

use super::log::{self, Place};
use crate::command::say;

const PROCESSES: u32 = 2;
const WRITERS: u32 = 4;
/// Streams each writer takes turns with.
const STREAMS: u32 = 16;
const PAGE: i64 = 1000;
/// The longest a transaction of the plain table takes between its insert and its commit.
const DELAY_MICROS: u64 = 3000;

/// What is audited.
enum Log {
    Journal(Journal),
    /// A table whose positions a sequence gives, as many stores have it.
    Plain(PgPool),
}

struct Entry {
    position: i64,
    stream: String,
    version: u32,
}

/// What the reader counted.
#[derive(Debug, Default)]
struct Findings {
    seen: u64,
    missed: i64,
    gaps: u64,
    inverted: u64,
    duplicated: u64,
}

/// Audits for so long. The journal must hold; the plain table must be found out.
pub(crate) async fn audit(seconds: u64, database_url: Option<String>, plain: bool) -> Result<()> {
    ensure!(!plain || database_url.is_some(), "the plain table needs --database-url");
    let place = Place::new(database_url).await?;
    let log = Log::open(&place.url, plain).await?;
    let mut writers = JoinSet::new();
    for process in 0..PROCESSES {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["bench", "order-writers", "--url", &place.url]);
        command.args(["--seconds", &seconds.to_string(), "--process", &process.to_string()]);
        if plain {
            command.arg("--plain");
        }
        let child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        writers.spawn(child.wait_with_output());
    }
    let (findings, acknowledged) = follow(&log, writers).await?;
    say(format_args!(
        "{acknowledged} events acknowledged in {seconds} s by {} writers in {PROCESSES} processes: {} seen, {} missed, \
         {} gaps, {} inverted, {} duplicated",
        PROCESSES * WRITERS,
        findings.seen,
        findings.missed,
        findings.gaps,
        findings.inverted,
        findings.duplicated
    ))?;
    drop(log);
    place.remove().await?;
    if plain {
        ensure!(findings.missed > 0, "the audit found nothing wrong with a log that loses events");
        return say("as it must, the audit caught the plain table").map_err(Into::into);
    }
    let Findings { seen, missed: 0, gaps: 0, inverted: 0, duplicated: 0 } = findings else {
        bail!("the journal does not keep its order");
    };
    ensure!(seen == acknowledged, "{acknowledged} were acknowledged");
    Ok(())
}

/// Reads until every writer has ended and nothing comes any more.
async fn follow(
    log: &Log,
    mut writers: JoinSet<std::io::Result<std::process::Output>>,
) -> Result<(Findings, u64)> {
    let (mut findings, mut acknowledged, mut last) = (Findings::default(), 0, 0);
    let mut versions: HashMap<String, u32> = HashMap::new();
    loop {
        while let Some(ended) = writers.try_join_next() {
            let output = ended??;
            ensure!(output.status.success(), "a writer failed");
            acknowledged += String::from_utf8(output.stdout)?.trim().parse::<u64>()?;
        }
        let over = writers.is_empty();
        let page = log.after(last).await?;
        if page.is_empty() {
            if over {
                break;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        for entry in page {
            findings.seen += 1;
            findings.gaps += u64::from(entry.position != last + 1);
            last = entry.position;
            let version = versions.entry(entry.stream).or_default();
            findings.duplicated += u64::from(entry.version == *version);
            findings.inverted += u64::from(entry.version < *version);
            *version = entry.version;
        }
    }
    findings.missed = log.count().await? - i64::try_from(findings.seen)?;
    Ok((findings, acknowledged))
}

/// One of the audit's processes: writes for so long, and prints how many were acknowledged.
pub(crate) async fn write(url: &str, seconds: u64, process: u32, plain: bool) -> Result<()> {
    let log = std::sync::Arc::new(Log::open(url, plain).await?);
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let log = std::sync::Arc::clone(&log);
        writers.spawn(async move {
            let mut written = 0;
            while Instant::now() < until {
                let stream = format!("order/{process}-{writer}-{}", written % STREAMS);
                log.append(&stream, written / STREAMS + 1).await?;
                written += 1;
            }
            anyhow::Ok(written)
        });
    }
    let mut written = 0;
    while let Some(done) = writers.join_next().await {
        written += done??;
    }
    say(written)?;
    Ok(())
}

impl Log {
    async fn open(url: &str, plain: bool) -> Result<Self> {
        if !plain {
            return Ok(Self::Journal(log::open(url).await?));
        }
        let pool = PgPoolOptions::new().max_connections(WRITERS + 1).connect(url).await?;
        // The audit itself comes first; its writers find the table there.
        pool.execute(
            "CREATE TABLE IF NOT EXISTS plain (position BIGSERIAL PRIMARY KEY, stream TEXT NOT NULL,
                 version INTEGER NOT NULL)",
        )
        .await?;
        Ok(Self::Plain(pool))
    }

    async fn append(&self, stream: &str, version: u32) -> Result<()> {
        match self {
            Self::Journal(journal) => log::append(journal, stream, version).await.map(drop),
            Self::Plain(pool) => {
                let mut tx = pool.begin().await?;
                sqlx::query("INSERT INTO plain (stream, version) VALUES ($1, $2)")
                    .bind(stream)
                    .bind(i32::try_from(version)?)
                    .execute(&mut *tx)
                    .await?;
                let mut chance = [0; 2];
                getrandom::fill(&mut chance).context("chance")?;
                let share = u64::from(u16::from_ne_bytes(chance));
                tokio::time::sleep(Duration::from_micros((share * DELAY_MICROS) >> 16)).await;
                Ok(tx.commit().await?)
            }
        }
    }

    async fn after(&self, last: i64) -> Result<Vec<Entry>> {
        Ok(match self {
            Self::Journal(journal) => {
                let mut tx = journal.db().read().await?;
                let page = events(&mut tx, last, &Filter::default(), PAGE).await?;
                let entry = |it: journal::Recorded| Entry {
                    position: it.position,
                    stream: it.stream,
                    version: it.version,
                };
                page.into_iter().map(entry).collect()
            }
            Self::Plain(pool) => {
                let rows: Vec<(i64, String, i32)> = sqlx::query_as(
                    "SELECT position, stream, version FROM plain WHERE position > $1
                     ORDER BY position LIMIT $2",
                )
                .bind(last)
                .bind(PAGE)
                .fetch_all(pool)
                .await?;
                rows.into_iter()
                    .map(|(position, stream, version)| {
                        Ok(Entry { position, stream, version: u32::try_from(version)? })
                    })
                    .collect::<Result<_>>()?
            }
        })
    }

    /// Events that are there.
    async fn count(&self) -> Result<i64> {
        Ok(match self {
            Self::Journal(journal) => {
                let mut tx = journal.db().read().await?;
                db::on!(&mut tx, |c| sqlx::query_scalar("SELECT count(*) FROM event")
                    .fetch_one(c)
                    .await)?
            }
            Self::Plain(pool) => {
                sqlx::query_scalar("SELECT count(*) FROM plain").fetch_one(pool).await?
            }
        })
    }
}
