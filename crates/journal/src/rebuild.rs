//! Proof that the log holds the state: replay it into an empty database and compare the tables.

use db::{Db, Tx};
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
        journal.projection().project(&mut into, &chunk).await?;
    }
    let comparisons = compare(&mut from, &mut into, journal.projection()).await?;
    into.rollback().await?;
    Ok(comparisons)
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
