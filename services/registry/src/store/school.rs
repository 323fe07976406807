use std::collections::{HashMap, HashSet};

use db::{Tx, fetch_any, on};
use identity::{SchoolId, SchoolNumber, TrustId, Urn};
use rpc::{Error, Reason, Result};

use crate::domain::school::School;

/// Stores a school as it is now, new or changed.
pub(crate) async fn put(tx: &mut Tx, school: &School) -> Result<()> {
    let it = &school.details;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO school (school_id, trust_id, urn, name, phase, status, la_code, laestab, ukprn, capacity,
             pupils, easting, northing, lowest_age, highest_age, joined_on, left_on, merged_into_urn, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
         ON CONFLICT (school_id) DO UPDATE SET urn = excluded.urn, name = excluded.name,
             phase = excluded.phase, status = excluded.status, la_code = excluded.la_code,
             laestab = excluded.laestab, ukprn = excluded.ukprn, capacity = excluded.capacity,
             pupils = excluded.pupils, easting = excluded.easting, northing = excluded.northing,
             lowest_age = excluded.lowest_age, highest_age = excluded.highest_age,
             joined_on = excluded.joined_on, left_on = excluded.left_on,
             merged_into_urn = excluded.merged_into_urn, version = excluded.version"
    )
    .bind(school.school_id)
    .bind(school.trust_id)
    .bind(&it.urn)
    .bind(&it.name)
    .bind(it.phase)
    .bind(it.status)
    .bind(&it.la_code)
    .bind(&it.laestab)
    .bind(&it.ukprn)
    .bind(it.capacity)
    .bind(it.pupils)
    .bind(it.easting)
    .bind(it.northing)
    .bind(it.lowest_age)
    .bind(it.highest_age)
    .bind(school.joined_on)
    .bind(school.left_on)
    .bind(&school.merged_into_urn)
    .bind(school.version)
    .execute(c)
    .await
    .map(drop)
    })
    .map_err(|error| match error.as_database_error() {
        Some(it) if it.is_unique_violation() => elsewhere(school.urn()).caused_by(error),
        _ => error.into(),
    })
}

/// An establishment is in one trust at a time.
pub(crate) fn elsewhere(urn: &Urn) -> Error {
    Error::new(Reason::AlreadyExists, format!("the school {urn} is already in a trust"))
}

pub(crate) async fn keep_previous_urn(tx: &mut Tx, school: &School, urn: &Urn) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO previous_urn (school_id, version, urn) VALUES ($1, $2, $3)"
    )
    .bind(school.school_id)
    .bind(school.version)
    .bind(urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Removes an entry that was a second one for the same school.
pub(crate) async fn remove(tx: &mut Tx, school_id: SchoolId) -> Result<()> {
    on!(&mut *tx, |c| sqlx::query("DELETE FROM previous_urn WHERE school_id = $1")
        .bind(school_id)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query("DELETE FROM school WHERE school_id = $1")
        .bind(school_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, school_id: SchoolId) -> Result<Option<School>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM school WHERE school_id = $1")
        .bind(school_id)
        .fetch_optional(c)
        .await)?)
}

/// The URNs that schools have now.
pub(crate) async fn urns(tx: &mut Tx, ids: &[SchoolId]) -> Result<HashMap<SchoolId, Urn>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let sql = "SELECT school_id, urn FROM school WHERE school_id = ANY($1)";
    let rows: Vec<(SchoolId, Urn)> = fetch_any(tx, sql, &ids).await?;
    Ok(rows.into_iter().collect())
}

pub(crate) async fn get(tx: &mut Tx, school_id: SchoolId) -> Result<School> {
    find(tx, school_id).await?.ok_or_else(|| Error::not_found("school", school_id))
}

/// A trust's school by any of its numbers, a URN also by one it had before; the present one first.
pub(crate) async fn by_number(
    tx: &mut Tx,
    trust_id: TrustId,
    number: &SchoolNumber,
) -> Result<Option<School>> {
    let (urn, laestab, ukprn) = match number {
        SchoolNumber::Urn(it) => (Some(it), None, None),
        SchoolNumber::Laestab(it) => (None, Some(it), None),
        SchoolNumber::Ukprn(it) => (None, None, Some(it)),
    };
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM school s
         WHERE trust_id = $1 AND (urn = $2 OR laestab = $3 OR ukprn = $4 OR EXISTS (
             SELECT 1 FROM previous_urn p WHERE p.school_id = s.school_id AND p.urn = $2))
         ORDER BY left_on IS NOT NULL, urn = $2 DESC, left_on DESC, school_id LIMIT 1"
    )
    .bind(trust_id)
    .bind(urn)
    .bind(laestab)
    .bind(ukprn)
    .fetch_optional(c)
    .await)?)
}

/// The school that is that establishment now, in whichever trust.
pub(crate) async fn here(tx: &mut Tx, urn: &Urn) -> Result<Option<School>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM school WHERE urn = $1 AND left_on IS NULL")
        .bind(urn)
        .fetch_optional(c)
        .await)?)
}

/// URNs a school had before, newest first.
pub(crate) async fn previous_urns(tx: &mut Tx, school_id: SchoolId) -> Result<Vec<Urn>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT urn FROM previous_urn WHERE school_id = $1 ORDER BY version DESC"
    )
    .bind(school_id)
    .fetch_all(c)
    .await)?)
}

/// A trust's schools by name, those that left included.
pub(crate) async fn list(
    tx: &mut Tx,
    trust_id: TrustId,
    after: Option<(String, SchoolId)>,
    limit: i64,
) -> Result<Vec<School>> {
    let (name, school_id) = after.unzip();
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT * FROM school
         WHERE trust_id = $1 AND ($2 IS NULL OR (name, school_id) > ($2, $3))
         ORDER BY name, school_id LIMIT $4"
    )
    .bind(trust_id)
    .bind(name)
    .bind(school_id)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

/// The schools of every trust, or of one.
pub(crate) async fn all(tx: &mut Tx, trust_id: Option<TrustId>) -> Result<Vec<School>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM school WHERE $1 IS NULL OR trust_id = $1")
        .bind(trust_id)
        .fetch_all(c)
        .await)?)
}

/// The schools that have units, journeys or an earlier URN.
pub(crate) async fn in_use(tx: &mut Tx) -> Result<HashSet<SchoolId>> {
    let ids: Vec<SchoolId> = on!(tx, |c| {
        sqlx::query_scalar(
        "SELECT school_id FROM unit UNION SELECT school_id FROM journey UNION SELECT school_id FROM previous_urn"
    )
    .fetch_all(c)
    .await
    })?;
    Ok(ids.into_iter().collect())
}
