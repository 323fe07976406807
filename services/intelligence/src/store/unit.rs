use db::{Tx, on};
use identity::TrustId;
use rpc::Result;

use crate::domain::{Unit, UnitId};

/// A unit as the registry told of it; it says so once.
pub(crate) async fn put(tx: &mut Tx, unit: &Unit) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO unit (unit_id, trust_id, school_id, kind, name, year_group)
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (unit_id) DO NOTHING"
    )
    .bind(unit.unit_id)
    .bind(unit.trust_id)
    .bind(unit.school_id)
    .bind(unit.kind)
    .bind(&unit.name)
    .bind(unit.year_group)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// A unit of a trust.
pub(crate) async fn get(tx: &mut Tx, trust_id: TrustId, unit_id: UnitId) -> Result<Option<Unit>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT unit_id, trust_id, school_id, kind, name, year_group
         FROM unit WHERE trust_id = $1 AND unit_id = $2"
    )
    .bind(trust_id)
    .bind(unit_id)
    .fetch_optional(c)
    .await)?)
}
