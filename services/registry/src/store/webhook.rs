//! Webhooks as their events made them, and how far each has come.

use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

use crate::domain::webhook::{Health, Place, Webhook, WebhookId};

/// Stores a webhook as its latest event leaves it.
pub(crate) async fn put(tx: &mut Tx, it: &Webhook) -> Result<()> {
    let event_types = serde_json::to_string(&it.event_types).map_err(Error::internal)?;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO webhook (webhook_id, trust_id, url, description, event_types, state, disabled_reason, disabled_at,
             client_id, generation, previous_until, created_at, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (webhook_id) DO UPDATE SET url = excluded.url, description = excluded.description,
             event_types = excluded.event_types, state = excluded.state, disabled_reason = excluded.disabled_reason,
             disabled_at = excluded.disabled_at, generation = excluded.generation,
             previous_until = excluded.previous_until, version = excluded.version"
    )
    .bind(it.webhook_id)
    .bind(it.trust_id)
    .bind(&it.url)
    .bind(&it.description)
    .bind(&event_types)
    .bind(it.state)
    .bind(it.disabled_reason)
    .bind(it.disabled_at)
    .bind(&it.client_id)
    .bind(it.generation)
    .bind(it.previous_until)
    .bind(it.created_at)
    .bind(it.version)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn remove(tx: &mut Tx, webhook_id: WebhookId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM webhook WHERE webhook_id = $1")
        .bind(webhook_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, webhook_id: WebhookId) -> Result<Option<Webhook>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM webhook WHERE webhook_id = $1")
        .bind(webhook_id)
        .fetch_optional(c)
        .await)?)
}

/// A trust's webhooks, oldest first.
pub(crate) async fn list(
    tx: &mut Tx,
    trust_id: TrustId,
    after: Option<WebhookId>,
    limit: i64,
) -> Result<Vec<Webhook>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM webhook WHERE trust_id = $1 AND ($2 IS NULL OR webhook_id > $2)
         ORDER BY webhook_id LIMIT $3"
    )
    .bind(trust_id)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

pub(crate) async fn count(tx: &mut Tx, trust_id: TrustId) -> Result<i64> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT count(*) FROM webhook WHERE trust_id = $1")
        .bind(trust_id)
        .fetch_one(c)
        .await)?)
}

/// All that are to be told, of every trust.
pub(crate) async fn enabled(tx: &mut Tx) -> Result<Vec<(WebhookId, TrustId)>> {
    let sql =
        "SELECT webhook_id, trust_id FROM webhook WHERE state = 'enabled' ORDER BY webhook_id";
    Ok(on!(tx, |c| sqlx::query_as(sql).fetch_all(c).await)?)
}

pub(crate) async fn places(tx: &mut Tx, webhook_id: WebhookId) -> Result<Vec<Place>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT service, position FROM webhook_cursor WHERE webhook_id = $1 ORDER BY service"
    )
    .bind(webhook_id)
    .fetch_all(c)
    .await)?)
}

/// Sets where a webhook goes on from.
pub(crate) async fn set_place(tx: &mut Tx, it: &Webhook, place: &Place) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO webhook_cursor (webhook_id, service, trust_id, position) VALUES ($1, $2, $3, $4)
         ON CONFLICT (webhook_id, service) DO UPDATE SET position = excluded.position"
    )
    .bind(it.webhook_id)
    .bind(&place.service)
    .bind(it.trust_id)
    .bind(place.position)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Moves on from a place; false when it is elsewhere by now.
pub(crate) async fn advance(
    tx: &mut Tx,
    webhook_id: WebhookId,
    from: &Place,
    to: i64,
) -> Result<bool> {
    let moved = on!(tx, |c| {
        sqlx::query(
        "UPDATE webhook_cursor SET position = $4 WHERE webhook_id = $1 AND service = $2 AND position = $3"
    )
    .bind(webhook_id)
    .bind(&from.service)
    .bind(from.position)
    .bind(to)
    .execute(c)
    .await
    .map(|it| it.rows_affected())
    })?;
    Ok(moved == 1)
}

pub(crate) async fn health(tx: &mut Tx, webhook_id: WebhookId) -> Result<Health> {
    let health: Option<Health> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT failures, failing_since, last_success_at, not_before FROM webhook_health WHERE webhook_id = $1"
    )
    .bind(webhook_id)
    .fetch_optional(c)
    .await
    })?;
    Ok(health.unwrap_or_default())
}

pub(crate) async fn set_health(
    tx: &mut Tx,
    (webhook_id, trust_id): (WebhookId, TrustId),
    it: &Health,
) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO webhook_health (webhook_id, trust_id, failures, failing_since, last_success_at, not_before)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (webhook_id) DO UPDATE SET failures = excluded.failures, failing_since = excluded.failing_since,
             last_success_at = excluded.last_success_at, not_before = excluded.not_before"
    )
    .bind(webhook_id)
    .bind(trust_id)
    .bind(it.failures)
    .bind(it.failing_since)
    .bind(it.last_success_at)
    .bind(it.not_before)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Forgets where a removed webhook had come to.
pub(crate) async fn forget(tx: &mut Tx, webhook_id: WebhookId) -> Result<()> {
    for sql in [
        "DELETE FROM webhook_cursor WHERE webhook_id = $1",
        "DELETE FROM webhook_health WHERE webhook_id = $1",
        "DELETE FROM webhook_attempt WHERE delivery_id IN (SELECT delivery_id FROM webhook_delivery WHERE webhook_id = $1)",
        "DELETE FROM webhook_delivery WHERE webhook_id = $1",
    ] {
        on!(&mut *tx, |c| sqlx::query(sql).bind(webhook_id).execute(c).await.map(drop))?;
    }
    Ok(())
}
