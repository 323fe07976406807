use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Reason, Result};

use super::{json, read};
use crate::domain::access::provider::Provider;

#[derive(sqlx::FromRow)]
struct Row {
    trust_id: TrustId,
    issuer: String,
    audience: String,
    groups_claim: String,
    mappings: String,
    enabled: bool,
    version: i32,
    changed_at: DateTime<Utc>,
}

impl TryFrom<Row> for Provider {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            trust_id: it.trust_id,
            issuer: it.issuer,
            audience: it.audience,
            groups_claim: it.groups_claim,
            mappings: read(&it.mappings)?,
            enabled: it.enabled,
            version: it.version,
            changed_at: it.changed_at,
        })
    }
}

/// Stores where a trust's people sign in as an event at that position leaves it.
pub(crate) async fn put(tx: &mut Tx, it: &Provider, position: i64) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
            "INSERT INTO identity_provider (trust_id, issuer, audience, groups_claim, mappings, enabled, position,
                 version, changed_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             ON CONFLICT (trust_id) DO UPDATE SET issuer = excluded.issuer, audience = excluded.audience,
                 groups_claim = excluded.groups_claim, mappings = excluded.mappings, enabled = excluded.enabled,
                 position = excluded.position, version = excluded.version, changed_at = excluded.changed_at",
        )
        .bind(it.trust_id)
        .bind(&it.issuer)
        .bind(&it.audience)
        .bind(&it.groups_claim)
        .bind(json(&it.mappings)?)
        .bind(it.enabled)
        .bind(position)
        .bind(it.version)
        .bind(it.changed_at)
        .execute(c)
        .await
        .map(drop)
    })
    .map_err(|error| match error.as_database_error() {
        Some(found) if found.is_unique_violation() => {
            let detail = "this issuer and audience are another trust's: register an audience of your own there";
            Error::new(Reason::AlreadyExists, detail).caused_by(error)
        }
        _ => error.into(),
    })
}

pub(crate) async fn find(tx: &mut Tx, trust_id: TrustId) -> Result<Option<Provider>> {
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM identity_provider WHERE trust_id = $1")
            .bind(trust_id)
            .fetch_optional(c)
            .await)?;
    row.map(TryInto::try_into).transpose()
}

/// Those that an event after a position changed.
pub(crate) async fn after(tx: &mut Tx, position: i64) -> Result<Vec<Provider>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM identity_provider WHERE position > $1 ORDER BY position"
    )
    .bind(position)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}
