use std::collections::BTreeMap;

use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::ROWS;
use crate::domain::{Batch, BatchId, RecordResult};

/// Results kept in one row.
const CHUNK: usize = 500;

pub(crate) async fn get(tx: &mut Tx, batch_id: BatchId) -> Result<Option<Batch>> {
    Ok(any(tx, &[batch_id]).await?.remove(&batch_id))
}

/// Those of the batches that there are.
pub(crate) async fn any(tx: &mut Tx, ids: &[BatchId]) -> Result<BTreeMap<BatchId, Batch>> {
    let ids: Vec<Uuid> = ids.iter().map(|it| it.0).collect();
    let rows: Vec<(BatchId, String)> =
        db::fetch_any(tx, "SELECT batch_id, document FROM batch WHERE batch_id = ANY($1)", &ids)
            .await?;
    let read = |it: String| serde_json::from_str(&it).map_err(Error::internal);
    rows.into_iter().map(|(batch_id, it)| Ok((batch_id, read(it)?))).collect()
}

/// Stores batches as they are now, whatever was stored of them before.
pub(crate) async fn put(tx: &mut Tx, batches: &[Batch]) -> Result<()> {
    let write = |it: &Batch| serde_json::to_string(it).map_err(Error::internal);
    let documents: Vec<String> = batches.iter().map(write).collect::<Result<_>>()?;
    match tx {
        // One statement however many: a group of pushes has a batch for each.
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO batch (batch_id, trust_id, feed_id, state, received_at, document)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::text[])
                 ON CONFLICT (batch_id) DO UPDATE SET state = excluded.state, document = excluded.document",
            )
            .bind(batches.iter().map(|it| it.batch_id.0).collect::<Vec<_>>())
            .bind(batches.iter().map(|it| it.trust_id.0).collect::<Vec<_>>())
            .bind(batches.iter().map(|it| it.feed_id.0).collect::<Vec<_>>())
            .bind(batches.iter().map(|it| it.state.name()).collect::<Vec<_>>())
            .bind(batches.iter().map(|it| it.received_at).collect::<Vec<_>>())
            .bind(documents)
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            let rows: Vec<_> = batches.iter().zip(&documents).collect();
            for rows in rows.chunks(ROWS) {
                QueryBuilder::new("INSERT INTO batch (batch_id, trust_id, feed_id, state, received_at, document) ")
                    .push_values(rows, |mut row, (batch, document)| {
                        row.push_bind(batch.batch_id)
                            .push_bind(batch.trust_id)
                            .push_bind(batch.feed_id)
                            .push_bind(batch.state.name())
                            .push_bind(batch.received_at)
                            .push_bind(document);
                    })
                    .push(" ON CONFLICT (batch_id) DO UPDATE SET state = excluded.state, document = excluded.document")
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
        }
    }
    Ok(())
}

/// A stretch of a batch's results, to be kept in one row.
struct Stretch {
    batch_id: BatchId,
    trust_id: TrustId,
    first_ordinal: i32,
    results: String,
}

impl Stretch {
    fn of(batch: &Batch, results: &[RecordResult]) -> Result<Vec<Self>> {
        let stretch = |it: &[RecordResult]| {
            let first_ordinal = it.first().map_or(0, |it| it.ordinal);
            Ok(Self {
                batch_id: batch.batch_id,
                trust_id: batch.trust_id,
                first_ordinal: i32::try_from(first_ordinal).map_err(Error::internal)?,
                results: serde_json::to_string(it).map_err(Error::internal)?,
            })
        };
        results.chunks(CHUNK).map(stretch).collect()
    }
}

/// Keeps what became of each record of some batches, in the order pushed. What is kept
/// under the same numbers is replaced.
pub(crate) async fn keep_results(tx: &mut Tx, kept: &[(&Batch, &[RecordResult])]) -> Result<()> {
    let rows: Vec<Vec<Stretch>> =
        kept.iter().map(|(batch, it)| Stretch::of(batch, it)).collect::<Result<_>>()?;
    let rows: Vec<Stretch> = rows.into_iter().flatten().collect();
    match tx {
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO batch_result (batch_id, trust_id, first_ordinal, results)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::integer[], $4::text[])
                 ON CONFLICT (batch_id, first_ordinal) DO UPDATE SET results = excluded.results",
            )
            .bind(rows.iter().map(|it| it.batch_id.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.trust_id.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.first_ordinal).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.results.as_str()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            for rows in rows.chunks(ROWS) {
                QueryBuilder::new(
                    "INSERT INTO batch_result (batch_id, trust_id, first_ordinal, results) ",
                )
                .push_values(rows, |mut row, it| {
                    row.push_bind(it.batch_id)
                        .push_bind(it.trust_id)
                        .push_bind(it.first_ordinal)
                        .push_bind(&it.results);
                })
                .push(
                    " ON CONFLICT (batch_id, first_ordinal) DO UPDATE SET results = excluded.results",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
        }
    }
    Ok(())
}

/// Forgets some of the results of batches before one; says how many rows went.
pub(crate) async fn forget_results(tx: &mut Tx, before: BatchId, most: i64) -> Result<u64> {
    Ok(on!(tx, |c| sqlx::query(
        "DELETE FROM batch_result WHERE (batch_id, first_ordinal) IN (
             SELECT batch_id, first_ordinal FROM batch_result WHERE batch_id < $1
             ORDER BY batch_id, first_ordinal LIMIT $2)"
    )
    .bind(before)
    .bind(most)
    .execute(c)
    .await?
    .rows_affected()))
}

/// The stretch of results that holds the one of a number, or begins at the first kept after it; none at the end.
pub(crate) async fn results_from(
    tx: &mut Tx,
    batch_id: BatchId,
    ordinal: u32,
) -> Result<Option<Vec<RecordResult>>> {
    let found: Option<(i32, String)> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT first_ordinal, results FROM batch_result WHERE batch_id = $1 AND first_ordinal >= coalesce(
             (SELECT max(first_ordinal) FROM batch_result WHERE batch_id = $1 AND first_ordinal <= $2), 0)
         ORDER BY first_ordinal LIMIT 1"
    )
    .bind(batch_id)
    .bind(i32::try_from(ordinal).map_err(Error::internal)?)
    .fetch_optional(c)
    .await
    })?;
    let Some((first, text)) = found else { return Ok(None) };
    let mut results: Vec<RecordResult> = serde_json::from_str(&text).map_err(Error::internal)?;
    for (it, ordinal) in results.iter_mut().zip(u32::try_from(first).map_err(Error::internal)?..) {
        it.ordinal = ordinal;
    }
    Ok(Some(results))
}

/// A stretch of results, and of which batch.
pub(crate) type Found = (BatchId, Vec<RecordResult>);

/// The stretches of a trust's results in which a text stands, as JSON writes it.
pub(crate) async fn results_with(tx: &mut Tx, trust_id: TrustId, text: &str) -> Result<Vec<Found>> {
    let json = serde_json::to_string(text).map_err(Error::internal)?;
    let json = json.trim_matches('"');
    let rows: Vec<(BatchId, i32, String)> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT batch_id, first_ordinal, results FROM batch_result
                 WHERE trust_id = $1 AND instr(results, $2) > 0",
            )
            .bind(trust_id)
            .bind(json)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_as(
                "SELECT batch_id, first_ordinal, results FROM batch_result
                 WHERE trust_id = $1 AND position($2 IN results) > 0",
            )
            .bind(trust_id)
            .bind(json)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    let read = |(batch_id, first, text): (BatchId, i32, String)| {
        let mut results: Vec<RecordResult> =
            serde_json::from_str(&text).map_err(Error::internal)?;
        let first = u32::try_from(first).map_err(Error::internal)?;
        for (it, ordinal) in results.iter_mut().zip(first..) {
            it.ordinal = ordinal;
        }
        Ok((batch_id, results))
    };
    rows.into_iter().map(read).collect()
}

/// Puts a stretch of results in the place of the one under the same number.
pub(crate) async fn replace_results(tx: &mut Tx, (batch_id, results): &Found) -> Result<()> {
    let first =
        i32::try_from(results.first().map_or(0, |it| it.ordinal)).map_err(Error::internal)?;
    on!(tx, |c| sqlx::query(
        "UPDATE batch_result SET results = $3 WHERE batch_id = $1 AND first_ordinal = $2"
    )
    .bind(*batch_id)
    .bind(first)
    .bind(serde_json::to_string(results).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
