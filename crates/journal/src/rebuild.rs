//! Proof that the log holds the state: replay it and compare the tables, beside the service or in its place.

use std::time::{Duration, Instant};

use db::{Db, Tx, on};
use rpc::Result;
use sqlx::AssertSqlSafe;

use crate::{Comparison, Filter, Journal, compare::compare, lock, read::events, subject, text};

const CHUNK: i64 = 1000;

/// What a replay came to.
#[derive(Clone, Debug)]
pub struct Rebuilt {
    pub events: i64,
    /// How long the replay took; comparing is not counted.
    pub took: Duration,
    pub tables: Vec<Comparison>,
}

impl Rebuilt {
    pub fn is_equal(&self) -> bool {
        self.tables.iter().all(|it| it.equal)
    }
}

/// Replays a journal into an empty database with the same schema, and compares every derived table. The service goes on
/// meanwhile.
pub async fn rebuild(journal: &Journal, empty: &Db) -> Result<Rebuilt> {
    // One snapshot for the log and the tables it is compared with.
    let mut from = journal.db().read().await?;
    let mut into = empty.begin().await?;
    let rebuilt = replay(journal, &mut from, &mut into, false).await?;
    into.rollback().await?;
    Ok(rebuilt)
}

/// Empties the derived tables of the database itself and replays the journal into them, in one transaction under the
/// log's lock: writers wait, readers see what there was. It stays only if it equals what there was, or is accepted
/// whatever it is.
pub async fn rebuild_in_place(journal: &Journal, accept: bool) -> Result<Rebuilt> {
    let mut into = journal.db().begin().await?;
    lock(&mut into).await?;
    // Nobody commits under the lock, so this snapshot is of the tables as they were, for as long as it takes.
    let mut from = journal.db().read().await?;
    for table in journal.projection().tables().iter().chain([&SUBJECTS]) {
        let empty = AssertSqlSafe(format!("DELETE FROM \"{table}\""));
        on!(&mut into, |c| sqlx::query(empty).execute(c).await.map(drop))?;
    }
    let rebuilt = replay(journal, &mut from, &mut into, true).await?;
    from.rollback().await?;
    if accept || rebuilt.is_equal() {
        into.commit().await?;
    } else {
        into.rollback().await?;
    }
    Ok(rebuilt)
}

/// Derived as well, but from events that are there: not made beside a log.
const SUBJECTS: &str = "event_subject";

async fn replay(
    journal: &Journal,
    from: &mut Tx,
    into: &mut Tx,
    in_place: bool,
) -> Result<Rebuilt> {
    let started = Instant::now();
    let (mut after, mut known) = (0, subject::Known::new());
    loop {
        let mut chunk = events(from, after, &Filter::default(), CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        after = last.position;
        text::load(from, &mut chunk).await?;
        if in_place {
            let about = subject::about(into, &mut known, &chunk.iter().collect::<Vec<_>>()).await?;
            subject::keep(into, &about).await?;
        }
        journal.log.project(into, &chunk).await?;
    }
    let took = started.elapsed();
    let mut tables = Vec::new();
    for table in journal.projection().tables().iter().chain(in_place.then_some(&SUBJECTS)) {
        tables.push(compare(from, into, table).await?);
    }
    Ok(Rebuilt { events: after, took, tables })
}
