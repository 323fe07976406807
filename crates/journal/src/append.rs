//! Appending: positions are given under a lock that is held until the transaction is durable and visible.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::{Ctx, Error, Result};
use uuid::Uuid;

use crate::{Draft, Recorded, text};

/// Records events. PostgreSQL's READ COMMITTED matters: the head is read in a snapshot taken after the lock.
pub(crate) async fn append(tx: &mut Tx, ctx: &Ctx, drafts: Vec<Draft>) -> Result<Vec<Recorded>> {
    lock(tx).await?;
    let (mut position, last) = head(tx).await?;
    let recorded_at = last.map_or_else(rpc::now, |it| it.max(rpc::now()));
    let mut trusts: HashMap<Uuid, i64> = HashMap::new();
    let mut versions: HashMap<String, u32> = HashMap::new();
    let mut recorded = Vec::with_capacity(drafts.len());
    for draft in drafts {
        position += 1;
        let trust_position = match trusts.get(&draft.trust_id) {
            Some(last) => last + 1,
            None => trust_head(tx, draft.trust_id).await? + 1,
        };
        trusts.insert(draft.trust_id, trust_position);
        let version = match versions.get(&draft.stream) {
            Some(version) => *version,
            None => stream_version(tx, &draft.stream).await?,
        };
        if draft.version != version + 1 {
            return Err(Error::stale(version));
        }
        versions.insert(draft.stream.clone(), draft.version);
        let event = Recorded {
            position,
            trust_position,
            trust_id: draft.trust_id,
            event_id: draft.event_id,
            stream: draft.stream,
            version: draft.version,
            kind: draft.kind,
            data: draft.data,
            effective_on: draft.effective_on,
            recorded_at,
            corrects: draft.corrects,
            actor: ctx.caller.client_id.clone(),
            correlation_id: ctx.request_id,
            causation_id: ctx.cause,
            texts: draft.texts.into_iter().collect(),
        };
        insert(tx, &event).await?;
        recorded.push(event);
    }
    text::keep(tx, &recorded).await?;
    Ok(recorded)
}

/// Takes the log's lock for the rest of the transaction: one writer at a time, in every process.
///
/// Recording takes it last. An operation that reads, changes and writes back what is not guarded by a version takes it
/// first; a lock of its own, taken in the other order elsewhere, would be a deadlock.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    match tx {
        // BEGIN IMMEDIATE holds the only write lock there is.
        Tx::Sqlite(_) => Ok(()),
        Tx::Postgres(tx) => {
            sqlx::query("SELECT pg_advisory_xact_lock(7310, hashtext(current_schema()))")
                .execute(&mut **tx)
                .await?;
            Ok(())
        }
    }
}

async fn head(tx: &mut Tx) -> Result<(i64, Option<DateTime<Utc>>)> {
    let head: Option<(i64, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(
        "SELECT position, recorded_at FROM event ORDER BY position DESC LIMIT 1"
    )
    .fetch_optional(c)
    .await)?;
    Ok(head.map_or((0, None), |(position, at)| (position, Some(at))))
}

async fn trust_head(tx: &mut Tx, trust_id: Uuid) -> Result<i64> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT coalesce(max(trust_position), 0) FROM event WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_one(c)
    .await)?)
}

async fn stream_version(tx: &mut Tx, stream: &str) -> Result<u32> {
    let version: Option<i32> =
        on!(tx, |c| sqlx::query_scalar("SELECT max(version) FROM event WHERE stream = $1")
            .bind(stream)
            .fetch_one(c)
            .await)?;
    u32::try_from(version.unwrap_or(0)).map_err(Error::internal)
}

pub(crate) async fn insert(tx: &mut Tx, event: &Recorded) -> Result<()> {
    let version = i32::try_from(event.version).map_err(Error::internal)?;
    let inserted = on!(tx, |c| {
        sqlx::query(
        "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
             effective_on, recorded_at, corrects, actor, correlation_id, causation_id, content_hash)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
    )
    .bind(event.position)
    .bind(event.trust_id)
    .bind(event.trust_position)
    .bind(event.event_id)
    .bind(&event.stream)
    .bind(version)
    .bind(&event.kind)
    .bind(&event.data)
    .bind(event.effective_on)
    .bind(event.recorded_at)
    .bind(event.corrects)
    .bind(&event.actor)
    .bind(event.correlation_id)
    .bind(event.causation_id)
    .bind(event.content_hash().to_vec())
    .execute(c)
    .await
    .map(drop)
    });
    inserted.map_err(|error| match error.as_database_error() {
        Some(it) if it.is_unique_violation() => Error::stale(event.version - 1).caused_by(error),
        _ => error.into(),
    })
}
