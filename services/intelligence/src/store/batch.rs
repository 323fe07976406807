use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

use crate::domain::{Batch, BatchId, BatchState, FeedId, RecordResult, Totals};

/// Results kept in one row.
const CHUNK: usize = 500;

#[derive(sqlx::FromRow)]
struct Row {
    batch_id: BatchId,
    feed_id: FeedId,
    trust_id: TrustId,
    state: BatchState,
    records: i32,
    accepted: i32,
    unchanged: i32,
    corrected: i32,
    parked: i32,
    rejected: i32,
    received_at: DateTime<Utc>,
}

pub(crate) async fn get(tx: &mut Tx, batch_id: BatchId) -> Result<Option<Batch>> {
    let row: Option<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT batch_id, feed_id, trust_id, state, records, accepted, unchanged, corrected, parked, rejected,
             received_at
         FROM batch WHERE batch_id = $1"
    )
    .bind(batch_id)
    .fetch_optional(c)
    .await
    })?;
    row.map(Batch::try_from).transpose()
}

pub(crate) async fn insert(tx: &mut Tx, batch: &Batch) -> Result<()> {
    let count = |it: u32| i32::try_from(it).map_err(Error::internal);
    let totals = &batch.totals;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO batch (batch_id, feed_id, trust_id, state, records, accepted, unchanged, corrected, parked,
             rejected, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    )
    .bind(batch.batch_id)
    .bind(batch.feed_id)
    .bind(batch.trust_id)
    .bind(batch.state)
    .bind(count(totals.records)?)
    .bind(count(totals.accepted)?)
    .bind(count(totals.unchanged)?)
    .bind(count(totals.corrected)?)
    .bind(count(totals.parked)?)
    .bind(count(totals.rejected)?)
    .bind(batch.received_at)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Keeps what became of each record, in the order pushed.
pub(crate) async fn keep_results(
    tx: &mut Tx,
    batch_id: BatchId,
    results: &[RecordResult],
) -> Result<()> {
    for chunk in results.chunks(CHUNK) {
        let first_line = chunk.first().map_or(0, |it| it.line);
        let text = serde_json::to_string(chunk).map_err(Error::internal)?;
        on!(tx, |c| sqlx::query(
            "INSERT INTO batch_result (batch_id, first_line, results) VALUES ($1, $2, $3)"
        )
        .bind(batch_id)
        .bind(i32::try_from(first_line).map_err(Error::internal)?)
        .bind(&text)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(())
}

/// Forgets the results of every batch before one.
pub(crate) async fn forget_results(tx: &mut Tx, before: BatchId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM batch_result WHERE batch_id < $1")
        .bind(before)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// The stretch of results that begins at the first kept after a line, or holds it; none at the end.
pub(crate) async fn results_from(
    tx: &mut Tx,
    batch_id: BatchId,
    line: i32,
) -> Result<Option<Vec<RecordResult>>> {
    let text: Option<String> = on!(tx, |c| sqlx::query_scalar(
        "SELECT results FROM batch_result WHERE batch_id = $1 AND first_line >= coalesce(
             (SELECT max(first_line) FROM batch_result WHERE batch_id = $1 AND first_line <= $2), 0)
         ORDER BY first_line LIMIT 1"
    )
    .bind(batch_id)
    .bind(line)
    .fetch_optional(c)
    .await)?;
    text.map(|it| serde_json::from_str(&it).map_err(Error::internal)).transpose()
}

impl TryFrom<Row> for Batch {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let count = |it: i32| u32::try_from(it).map_err(Error::internal);
        Ok(Self {
            batch_id: row.batch_id,
            feed_id: row.feed_id,
            trust_id: row.trust_id,
            state: row.state,
            totals: Totals {
                records: count(row.records)?,
                accepted: count(row.accepted)?,
                unchanged: count(row.unchanged)?,
                corrected: count(row.corrected)?,
                parked: count(row.parked)?,
                rejected: count(row.rejected)?,
            },
            received_at: row.received_at,
        })
    }
}
