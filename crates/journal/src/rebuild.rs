//! Proof that the log holds the state: replay it into an empty database and compare the tables.

use db::{Db, Tx, on};
use rpc::Result;
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

use crate::{Filter, Journal, Projection, read::events, text};

const CHUNK: i64 = 1000;

/// A table as it is and as the log makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub table: &'static str,
    pub rows: i64,
    pub equal: bool,
}

/// Something wrong with the log itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    pub position: i64,
    pub what: &'static str,
}

/// Replays a journal into an empty database with the same schema, and compares every derived table.
pub async fn rebuild(journal: &Journal, empty: &Db) -> Result<Vec<Comparison>> {
    // One snapshot for the log and the tables it is compared with: the service goes on meanwhile.
    let mut from = journal.db().read().await?;
    let mut into = empty.begin().await?;
    let mut after = 0;
    loop {
        let mut chunk = events(&mut from, after, &Filter::default(), CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        after = last.position;
        text::load(&mut from, &mut chunk).await?;
        journal.log.project(&mut into, &chunk).await?;
    }
    let comparisons = compare(&mut from, &mut into, journal.projection()).await?;
    into.rollback().await?;
    Ok(comparisons)
}

/// Checks the log by itself: dense positions, versions without holes, contents that match their hashes.
pub async fn verify(journal: &Journal) -> Result<(i64, Vec<Flaw>)> {
    let mut tx = journal.db().read().await?;
    let (mut after, mut flaws) = (0, Vec::new());
    let mut recorded_at = None;
    loop {
        let chunk = events(&mut tx, after, &Filter::default(), CHUNK).await?;
        if chunk.is_empty() {
            break;
        }
        let hashes = content_hashes(&mut tx, after).await?;
        for (event, hash) in chunk.into_iter().zip(hashes) {
            let mut flaw = |what| flaws.push(Flaw { position: event.position, what });
            if event.position != after + 1 {
                flaw("does not follow the one before");
            }
            if recorded_at.is_some_and(|it| it > event.recorded_at) {
                flaw("was recorded before the one before");
            }
            if hash != event.content_hash() {
                flaw("is not what was recorded");
            }
            after = event.position;
            recorded_at = Some(event.recorded_at);
        }
    }
    for position in broken_streams(&mut tx).await? {
        flaws.push(Flaw { position, what: "leaves a hole in the versions of its stream" });
    }
    Ok((after, flaws))
}

/// The hashes of the same events that a chunk after that position holds.
async fn content_hashes(tx: &mut Tx, after: i64) -> Result<Vec<Vec<u8>>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT content_hash FROM event WHERE position > $1 ORDER BY position LIMIT $2"
    )
    .bind(after)
    .bind(CHUNK)
    .fetch_all(c)
    .await)?)
}

async fn broken_streams(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT max(position) FROM event GROUP BY stream HAVING max(version) <> count(*)"
    )
    .fetch_all(c)
    .await)?)
}

async fn compare(a: &mut Tx, b: &mut Tx, projection: &dyn Projection) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    for table in projection.tables() {
        let (rows, was) = digest(a, table).await?;
        let (_, made) = digest(b, table).await?;
        comparisons.push(Comparison { table, rows, equal: was == made });
    }
    Ok(comparisons)
}

/// The number of rows of a table, and a hash over them in an order of their own.
async fn digest(tx: &mut Tx, table: &'static str) -> Result<(i64, [u8; 32])> {
    let mut rows: Vec<String> = match tx {
        Tx::Sqlite(tx) => {
            let columns: Vec<String> = sqlx::query_scalar("SELECT name FROM pragma_table_info($1)")
                .bind(table)
                .fetch_all(&mut **tx)
                .await?;
            let row: Vec<String> = columns.iter().map(|it| format!("quote(\"{it}\")")).collect();
            let sql = format!("SELECT {} FROM \"{table}\"", row.join(" || ',' || "));
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut **tx).await?
        }
        Tx::Postgres(tx) => {
            let sql = format!("SELECT to_jsonb(t)::text FROM \"{table}\" t");
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut **tx).await?
        }
    };
    rows.sort_unstable();
    let mut hash = Sha256::new();
    for row in &rows {
        hash.update(row);
        hash.update([0]);
    }
    Ok((i64::try_from(rows.len()).unwrap_or(i64::MAX), hash.finalize().into()))
}
