use db::{Tx, on};
use identity::{GroupUid, TrustId};
use rpc::{Error, Reason, Result};

use crate::domain::trust::Trust;

pub(crate) async fn insert(tx: &mut Tx, trust: &Trust) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO trust (trust_id, name, group_uid, ukprn, companies_house_number, version, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(trust.trust_id)
    .bind(&trust.name)
    .bind(&trust.group_uid)
    .bind(&trust.ukprn)
    .bind(&trust.companies_house_number)
    .bind(trust.version)
    .bind(trust.created_at)
    .execute(c)
    .await
    .map(drop))
    .map_err(|error| match error.as_database_error() {
        Some(it) if it.is_unique_violation() => {
            let group_uid = trust.group_uid.as_ref().map_or("", GroupUid::as_str);
            let detail = format!("there is already a trust with group UID {group_uid}");
            Error::new(Reason::AlreadyExists, detail).caused_by(error)
        }
        _ => error.into(),
    })
}

pub(crate) async fn find(tx: &mut Tx, trust_id: TrustId) -> Result<Option<Trust>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM trust WHERE trust_id = $1")
        .bind(trust_id)
        .fetch_optional(c)
        .await)?)
}

pub(crate) async fn get(tx: &mut Tx, trust_id: TrustId) -> Result<Trust> {
    find(tx, trust_id).await?.ok_or_else(|| Error::not_found("trust", trust_id))
}

/// Trusts by name; only `own` when the caller is confined to it.
pub(crate) async fn list(
    tx: &mut Tx,
    own: Option<TrustId>,
    after: Option<(String, TrustId)>,
    limit: i64,
) -> Result<Vec<Trust>> {
    let (name, trust_id) = after.unzip();
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM trust
         WHERE ($1 IS NULL OR trust_id = $1) AND ($2 IS NULL OR (name, trust_id) > ($2, $3))
         ORDER BY name, trust_id LIMIT $4"
    )
    .bind(own)
    .bind(name)
    .bind(trust_id)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

pub(crate) async fn all(tx: &mut Tx) -> Result<Vec<Trust>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM trust ORDER BY trust_id").fetch_all(c).await)?)
}
