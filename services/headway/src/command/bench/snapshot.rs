//! What a long snapshot elsewhere, a backup or a report, costs those who append meanwhile.

use std::time::{Duration, Instant};

use anyhow::Result;
use db::{Db, Tx};
use journal::Journal;
use sqlx::{Connection, Executor, PgConnection};
use tokio::task::JoinSet;

use super::log::{self, Place};
use crate::command::say;

const CALLERS: u32 = 32;
/// Streams each caller takes turns with.
const STREAMS: u32 = 16;

/// Appends for so long without and with a snapshot open, in turns, and says what it cost.
pub(crate) async fn measure(
    seconds: u64,
    rounds: usize,
    database_url: Option<String>,
) -> Result<()> {
    let place = Place::new(database_url).await?;
    let journal = log::open(&place.url).await?;
    let mut written = 0;
    rate(&journal, 1, &mut written).await?;
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        // Which comes first changes, for the log only ever grows.
        for held in if round % 2 == 0 { [false, true] } else { [true, false] } {
            let reader = if held { Some(Reader::hold(&place.url, &journal).await?) } else { None };
            let rate = rate(&journal, seconds, &mut written).await?;
            if let Some(reader) = reader {
                reader.release().await?;
            }
            say(format_args!(
                "{} a snapshot held for {seconds} s: {rate:.0} events a second",
                if held { "with" } else { "without" }
            ))?;
            if held { with.push(rate) } else { without.push(rate) }
        }
    }
    let (without, with) = (median(without), median(with));
    say(format_args!(
        "medians of {rounds}: {without:.0} without, {with:.0} with, a cost of {:.1} %",
        100.0 * (1.0 - with / without)
    ))?;
    drop(journal);
    place.remove().await
}

/// A reader with a snapshot open.
enum Reader {
    Sqlite(Tx),
    /// A session of its own: ours are cut off when they idle in a transaction.
    Postgres(PgConnection),
}

impl Reader {
    /// A snapshot is taken by the first statement.
    async fn hold(url: &str, journal: &Journal) -> Result<Self> {
        if let Db::Postgres(_) = journal.db() {
            let mut session = PgConnection::connect(url).await?;
            session.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1").await?;
            return Ok(Self::Postgres(session));
        }
        let mut tx = journal.db().read().await?;
        let count = "SELECT count(*) FROM event";
        db::on!(&mut tx, |c| sqlx::query(count).execute(c).await.map(drop))?;
        Ok(Self::Sqlite(tx))
    }

    /// Gives it up; an error if it was not held until now.
    async fn release(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await?,
            Self::Postgres(mut session) => {
                session.execute("COMMIT").await?;
                session.close().await?;
            }
        }
        Ok(())
    }
}

async fn rate(journal: &Journal, seconds: u64, before: &mut u32) -> Result<f64> {
    let started = Instant::now();
    let until = started + Duration::from_secs(seconds);
    let run = *before;
    let mut callers = JoinSet::new();
    for caller in 0..CALLERS {
        let journal = journal.clone();
        callers.spawn(async move {
            let mut written = 0;
            while Instant::now() < until {
                let stream = format!("snapshot/{run}-{caller}-{}", written % STREAMS);
                log::append(&journal, &stream, written / STREAMS + 1).await?;
                written += 1;
            }
            anyhow::Ok(written)
        });
    }
    let mut written = 0;
    while let Some(done) = callers.join_next().await {
        written += done??;
    }
    *before += written;
    Ok(f64::from(written) / started.elapsed().as_secs_f64())
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_unstable_by(f64::total_cmp);
    rates.get(rates.len() / 2).copied().unwrap_or_default()
}
