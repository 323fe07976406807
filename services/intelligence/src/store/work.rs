//! Received batches on their way, and the parts of their bodies.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Permit, Result};

use crate::domain::{BatchId, FeedId, Format, Totals, Work};

#[derive(sqlx::FromRow)]
struct Row {
    batch_id: BatchId,
    trust_id: TrustId,
    feed_id: FeedId,
    client_id: String,
    permit: Option<String>,
    partition: i32,
    place: i64,
    dry_run: bool,
    header: Vec<u8>,
    parts: i32,
    done: i32,
    totals: String,
    received_at: DateTime<Utc>,
}

/// A part as it is stored: nobody reads it without the key.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct Sealed {
    pub format: Format,
    pub first_line: i32,
    pub records: i32,
    pub sealed: Vec<u8>,
}

pub(crate) async fn get(tx: &mut Tx, batch_id: BatchId) -> Result<Option<Work>> {
    let row: Option<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT batch_id, trust_id, feed_id, client_id, permit, partition, place, dry_run, header, parts, done, totals,
             received_at
         FROM batch_work WHERE batch_id = $1"
    )
    .bind(batch_id)
    .fetch_optional(c)
    .await
    })?;
    row.map(Work::try_from).transpose()
}

/// The first batch of every trust that waits in some partitions, whose bits are set, after a trust.
pub(crate) async fn heads(
    tx: &mut Tx,
    partitions: i64,
    after: Option<TrustId>,
    limit: i64,
) -> Result<Vec<Work>> {
    let rows: Vec<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT batch_id, trust_id, feed_id, client_id, permit, partition, place, dry_run, header, parts, done, totals,
             received_at
         FROM batch_work w
         WHERE ($1 >> w.partition) & 1 = 1 AND ($2 IS NULL OR w.trust_id > $2)
             AND (w.trust_id, w.place) IN (SELECT trust_id, min(place) FROM batch_work GROUP BY trust_id)
         ORDER BY w.trust_id LIMIT $3"
    )
    .bind(partitions)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await
    })?;
    rows.into_iter().map(Work::try_from).collect()
}

/// Those of the trusts whose batches wait, so that whatever comes later must wait too.
pub(crate) async fn busy(tx: &mut Tx, trusts: &[TrustId]) -> Result<BTreeSet<TrustId>> {
    let ids: Vec<_> = trusts.iter().map(|it| it.0).collect();
    let sql = "SELECT DISTINCT trust_id FROM batch_work WHERE trust_id = ANY($1)";
    let rows: Vec<(TrustId,)> = db::fetch_any(tx, sql, &ids).await?;
    Ok(rows.into_iter().map(|it| it.0).collect())
}

pub(crate) async fn insert(tx: &mut Tx, work: &Work) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO batch_work (batch_id, trust_id, feed_id, client_id, permit, partition, place, dry_run, header, parts, done,
             totals, received_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
    )
    .bind(work.batch_id)
    .bind(work.trust_id)
    .bind(work.feed_id)
    .bind(&work.client_id)
    .bind(serde_json::to_string(&work.permit).map_err(Error::internal)?)
    .bind(work.partition)
    .bind(work.place)
    .bind(work.dry_run)
    .bind(&work.header)
    .bind(number(work.parts)?)
    .bind(number(work.done)?)
    .bind(serde_json::to_string(&work.totals).map_err(Error::internal)?)
    .bind(work.received_at)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Notes that the next part of a batch is applied, and what its records and those before came to. The part is forgotten;
/// with the last, so is the work.
pub(crate) async fn advance(tx: &mut Tx, work: &Work, totals: &Totals) -> Result<()> {
    on!(&mut *tx, |c| sqlx::query("DELETE FROM batch_part WHERE batch_id = $1 AND part = $2")
        .bind(work.batch_id)
        .bind(number(work.done)?)
        .execute(c)
        .await
        .map(drop))?;
    if work.is_last() {
        on!(tx, |c| sqlx::query("DELETE FROM batch_work WHERE batch_id = $1")
            .bind(work.batch_id)
            .execute(c)
            .await
            .map(drop))?;
    } else {
        on!(tx, |c| sqlx::query(
            "UPDATE batch_work SET done = $2, totals = $3 WHERE batch_id = $1"
        )
        .bind(work.batch_id)
        .bind(number(work.done + 1)?)
        .bind(serde_json::to_string(totals).map_err(Error::internal)?)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(())
}

pub(crate) async fn keep_part(
    tx: &mut Tx,
    (trust_id, batch_id, part): (TrustId, BatchId, u32),
    it: &Sealed,
    now: DateTime<Utc>,
) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO batch_part (batch_id, part, trust_id, format, first_line, records, sealed, stored_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )
    .bind(batch_id)
    .bind(number(part)?)
    .bind(trust_id)
    .bind(it.format)
    .bind(it.first_line)
    .bind(it.records)
    .bind(&it.sealed)
    .bind(now)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn part(tx: &mut Tx, batch_id: BatchId, part: u32) -> Result<Option<Sealed>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(
        "SELECT format, first_line, records, sealed FROM batch_part WHERE batch_id = $1 AND part = $2"
    )
    .bind(batch_id)
    .bind(number(part)?)
    .fetch_optional(c)
    .await
    })?)
}

/// How many parts of a batch are kept here.
pub(crate) async fn parts(tx: &mut Tx, batch_id: BatchId) -> Result<i64> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT count(*) FROM batch_part WHERE batch_id = $1")
        .bind(batch_id)
        .fetch_one(c)
        .await)?)
}

/// Forgets the parts of an upload that became no batch.
pub(crate) async fn discard(tx: &mut Tx, batch_id: BatchId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM batch_part WHERE batch_id = $1")
        .bind(batch_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Forgets parts of uploads that broke off and have been silent since; says how many.
pub(crate) async fn sweep(tx: &mut Tx, before: DateTime<Utc>) -> Result<u64> {
    Ok(on!(tx, |c| sqlx::query(
        "DELETE FROM batch_part WHERE stored_at < $1
             AND NOT EXISTS (SELECT 1 FROM batch_work w WHERE w.batch_id = batch_part.batch_id)"
    )
    .bind(before)
    .execute(c)
    .await
    .map(|it| it.rows_affected()))?)
}

fn number(it: u32) -> Result<i32> {
    i32::try_from(it).map_err(Error::internal)
}

impl TryFrom<Row> for Work {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let count = |it: i32| u32::try_from(it).map_err(Error::internal);
        Ok(Self {
            batch_id: row.batch_id,
            trust_id: row.trust_id,
            feed_id: row.feed_id,
            client_id: row.client_id,
            permit: match row.permit {
                Some(text) => serde_json::from_str(&text).map_err(Error::internal)?,
                None => Permit::Whole,
            },
            partition: row.partition,
            place: row.place,
            dry_run: row.dry_run,
            header: row.header,
            parts: count(row.parts)?,
            done: count(row.done)?,
            totals: serde_json::from_str(&row.totals).map_err(Error::internal)?,
            received_at: row.received_at,
        })
    }
}

/// Whether any received batch of a trust is yet to be applied.
pub(crate) async fn is_under_way(tx: &mut Tx, trust_id: TrustId) -> Result<bool> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM batch_work WHERE trust_id = $1)"
    )
    .bind(trust_id)
    .fetch_one(c)
    .await)?)
}
