//! Messages to webhooks, and every attempt.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::{Tx, fetch_any, on};
use identity::TrustId;
use rpc::Result;
use uuid::Uuid;

use crate::domain::webhook::{Attempt, Delivery, DeliveryState, WebhookId};

pub(crate) async fn insert(tx: &mut Tx, it: &Delivery) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO webhook_delivery (delivery_id, webhook_id, trust_id, service, position, message_id, type, state,
             created_at, next_attempt_at, ended_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)"
    )
    .bind(it.delivery_id)
    .bind(it.webhook_id)
    .bind(it.trust_id)
    .bind(&it.service)
    .bind(it.position)
    .bind(it.message_id)
    .bind(&it.kind)
    .bind(it.state)
    .bind(it.created_at)
    .bind(it.next_attempt_at)
    .bind(it.ended_at)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Ends a delivery, or says when it is tried again; false when it is gone or over already.
pub(crate) async fn settle(
    tx: &mut Tx,
    delivery_id: Uuid,
    state: DeliveryState,
    next: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
) -> Result<bool> {
    let settled = on!(tx, |c| sqlx::query(
        "UPDATE webhook_delivery SET state = $2, next_attempt_at = $3, ended_at = $4
         WHERE delivery_id = $1 AND state = 'pending'"
    )
    .bind(delivery_id)
    .bind(state)
    .bind(next)
    .bind(ended_at)
    .execute(c)
    .await
    .map(|it| it.rows_affected()))?;
    Ok(settled == 1)
}

pub(crate) async fn find(tx: &mut Tx, delivery_id: Uuid) -> Result<Option<Delivery>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM webhook_delivery WHERE delivery_id = $1")
        .bind(delivery_id)
        .fetch_optional(c)
        .await)?)
}

/// Has all that waits of a webhook tried at once.
pub(crate) async fn hurry(tx: &mut Tx, webhook_id: WebhookId, now: DateTime<Utc>) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE webhook_delivery SET next_attempt_at = $2
         WHERE webhook_id = $1 AND state = 'pending' AND next_attempt_at > $2"
    )
    .bind(webhook_id)
    .bind(now)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Webhooks that have something to send by now, or a ping.
pub(crate) async fn due(
    tx: &mut Tx,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<(WebhookId, TrustId)>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(
        "SELECT d.webhook_id, d.trust_id FROM webhook_delivery d JOIN webhook w ON w.webhook_id = d.webhook_id
         WHERE d.state = 'pending' AND d.next_attempt_at <= $1 AND (w.state = 'enabled' OR d.service IS NULL)
         GROUP BY d.webhook_id, d.trust_id ORDER BY min(d.next_attempt_at) LIMIT $2"
    )
    .bind(now)
    .bind(limit)
    .fetch_all(c)
    .await
    })?)
}

/// What a webhook has to send by now, in the order in which it was recorded.
pub(crate) async fn due_of(
    tx: &mut Tx,
    webhook_id: WebhookId,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Delivery>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(
        "SELECT * FROM webhook_delivery WHERE webhook_id = $1 AND state = 'pending' AND next_attempt_at <= $2
         ORDER BY delivery_id LIMIT $3"
    )
    .bind(webhook_id)
    .bind(now)
    .bind(limit)
    .fetch_all(c)
    .await
    })?)
}

pub(crate) async fn pending(tx: &mut Tx, webhook_id: WebhookId) -> Result<i64> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT count(*) FROM webhook_delivery WHERE webhook_id = $1 AND state = 'pending'"
    )
    .bind(webhook_id)
    .fetch_one(c)
    .await)?)
}

/// A webhook's deliveries, newest first, each with its attempts.
pub(crate) async fn list(
    tx: &mut Tx,
    webhook_id: WebhookId,
    state: Option<DeliveryState>,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<(Delivery, Vec<Attempt>)>> {
    let deliveries: Vec<Delivery> = on!(&mut *tx, |c| sqlx::query_as(
        "SELECT * FROM webhook_delivery
         WHERE webhook_id = $1 AND ($2 IS NULL OR state = $2) AND ($3 IS NULL OR delivery_id < $3)
         ORDER BY delivery_id DESC LIMIT $4"
    )
    .bind(webhook_id)
    .bind(state)
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    let ids: Vec<_> = deliveries.iter().map(|it| it.delivery_id).collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = "SELECT delivery_id, number, attempted_at, status, duration_ms, failure FROM webhook_attempt
               WHERE delivery_id = ANY($1) ORDER BY delivery_id, number";
    let mut attempts: HashMap<Uuid, Vec<Attempt>> = HashMap::new();
    for attempt in fetch_any::<Attempt>(tx, sql, &ids).await? {
        attempts.entry(attempt.delivery_id).or_default().push(attempt);
    }
    let with = |it: Delivery| {
        let attempts = attempts.remove(&it.delivery_id).unwrap_or_default();
        (it, attempts)
    };
    Ok(deliveries.into_iter().map(with).collect())
}

/// How often a delivery has been tried.
pub(crate) async fn attempts(tx: &mut Tx, delivery_id: Uuid) -> Result<i32> {
    let last: Option<i32> = on!(tx, |c| sqlx::query_scalar(
        "SELECT max(number) FROM webhook_attempt WHERE delivery_id = $1"
    )
    .bind(delivery_id)
    .fetch_one(c)
    .await)?;
    Ok(last.unwrap_or(0))
}

pub(crate) async fn tried(tx: &mut Tx, of: &Delivery, it: &Attempt) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO webhook_attempt (delivery_id, number, trust_id, attempted_at, status, duration_ms, failure)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(it.delivery_id)
    .bind(it.number)
    .bind(of.trust_id)
    .bind(it.attempted_at)
    .bind(it.status)
    .bind(it.duration_ms)
    .bind(&it.failure)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Forgets some of what was over before a time; says how many.
pub(crate) async fn forget(tx: &mut Tx, before: DateTime<Utc>, limit: i64) -> Result<u64> {
    let old: Vec<Uuid> = on!(&mut *tx, |c| {
        sqlx::query_scalar(
        "SELECT delivery_id FROM webhook_delivery WHERE state <> 'pending' AND ended_at < $1 ORDER BY ended_at LIMIT $2"
    )
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await
    })?;
    for delivery_id in &old {
        for sql in [
            "DELETE FROM webhook_attempt WHERE delivery_id = $1",
            "DELETE FROM webhook_delivery WHERE delivery_id = $1",
        ] {
            on!(&mut *tx, |c| sqlx::query(sql).bind(delivery_id).execute(c).await.map(drop))?;
        }
    }
    Ok(old.len() as u64)
}
