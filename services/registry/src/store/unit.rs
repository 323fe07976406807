use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::Result;

use crate::domain::unit::{Unit, UnitId};

pub(crate) async fn insert(tx: &mut Tx, unit: &Unit) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO unit (unit_id, school_id, trust_id, kind, name, year_group, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7)"
    )
    .bind(unit.unit_id)
    .bind(unit.school_id)
    .bind(unit.trust_id)
    .bind(unit.kind)
    .bind(&unit.name)
    .bind(unit.year_group)
    .bind(unit.version)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, trust_id: TrustId, unit_id: UnitId) -> Result<Option<Unit>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM unit WHERE unit_id = $1 AND trust_id = $2")
        .bind(unit_id)
        .bind(trust_id)
        .fetch_optional(c)
        .await)?)
}

/// A unit of whichever trust.
pub(crate) async fn by_id(tx: &mut Tx, unit_id: UnitId) -> Result<Option<Unit>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM unit WHERE unit_id = $1")
        .bind(unit_id)
        .fetch_optional(c)
        .await)?)
}

/// A school's units by name.
pub(crate) async fn list(
    tx: &mut Tx,
    school_id: SchoolId,
    after: Option<(String, UnitId)>,
    limit: i64,
) -> Result<Vec<Unit>> {
    let (name, unit_id) = after.unzip();
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM unit
         WHERE school_id = $1 AND ($2 IS NULL OR (name, unit_id) > ($2, $3))
         ORDER BY name, unit_id LIMIT $4"
    )
    .bind(school_id)
    .bind(name)
    .bind(unit_id)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

pub(crate) async fn all(tx: &mut Tx, school_id: SchoolId) -> Result<Vec<Unit>> {
    list(tx, school_id, None, i64::MAX).await
}
