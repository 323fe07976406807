use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::Result;

use crate::domain::{School, Schools};

/// Every school of a trust, with all its numbers.
pub(crate) async fn of_trust(tx: &mut Tx, trust_id: TrustId) -> Result<Schools> {
    let schools: Vec<School> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, trust_id, urn, name, left_on, successor_urn
         FROM school WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?;
    let numbers: Vec<(String, SchoolId)> = on!(tx, |c| sqlx::query_as(
        "SELECT number, school_id FROM school_urn WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?;
    Ok(Schools::new(schools, numbers))
}

/// What the registry says of a school now.
pub(crate) async fn put(tx: &mut Tx, school: &School) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school (school_id, trust_id, urn, name, left_on, successor_urn)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (school_id) DO UPDATE SET urn = excluded.urn, name = excluded.name"
    )
    .bind(school.school_id)
    .bind(school.trust_id)
    .bind(&school.urn)
    .bind(&school.name)
    .bind(school.left_on)
    .bind(&school.successor_urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// A number names a school from now on.
pub(crate) async fn name(
    tx: &mut Tx,
    trust_id: TrustId,
    number: &str,
    school_id: SchoolId,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school_urn (trust_id, number, school_id) VALUES ($1, $2, $3)
         ON CONFLICT (trust_id, number) DO UPDATE SET school_id = excluded.school_id"
    )
    .bind(trust_id)
    .bind(number)
    .bind(school_id)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// A school's last day, and where its pupils went; neither while it is in the trust.
pub(crate) async fn leave(
    tx: &mut Tx,
    school_id: SchoolId,
    left_on: Option<NaiveDate>,
    successor_urn: Option<&str>,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE school SET left_on = $2, successor_urn = $3 WHERE school_id = $1"
    )
    .bind(school_id)
    .bind(left_on)
    .bind(successor_urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
