use db::{Tx, on};
use identity::{Laestab, SchoolId, SchoolNumber, TrustId, Ukprn, Urn};
use rpc::Result;

/// A school of a trust as the registry last told of it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(crate) struct School {
    pub(crate) school_id: SchoolId,
    pub(crate) trust_id: TrustId,
    pub(crate) urn: Urn,
    pub(crate) laestab: Option<Laestab>,
    pub(crate) ukprn: Option<Ukprn>,
    /// Why it is no longer the trust's.
    pub(crate) departure: Option<Departure>,
    pub(crate) successor_urn: Option<Urn>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum Departure {
    Merged,
    Closed,
    Moved,
}

/// Stores what is known of a school now, and that its URN leads to it.
pub(crate) async fn put(tx: &mut Tx, school: &School) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school
           (school_id, trust_id, urn, laestab, ukprn, departure, successor_urn)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (school_id) DO UPDATE
         SET urn = excluded.urn, laestab = excluded.laestab, ukprn = excluded.ukprn,
             departure = excluded.departure, successor_urn = excluded.successor_urn",
    )
    .bind(school.school_id)
    .bind(school.trust_id)
    .bind(&school.urn)
    .bind(&school.laestab)
    .bind(&school.ukprn)
    .bind(school.departure)
    .bind(&school.successor_urn)
    .execute(c)
    .await
    .map(drop)?);
    on!(tx, |c| sqlx::query(
        "INSERT INTO school_urn (trust_id, urn, school_id) VALUES ($1, $2, $3)
         ON CONFLICT (trust_id, urn) DO UPDATE SET school_id = excluded.school_id",
    )
    .bind(school.trust_id)
    .bind(&school.urn)
    .bind(school.school_id)
    .execute(c)
    .await
    .map(drop)?);
    Ok(())
}

/// Notes that a school is no longer the trust's.
pub(crate) async fn depart(
    tx: &mut Tx,
    school_id: SchoolId,
    departure: Departure,
    successor_urn: Option<&Urn>,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE school SET departure = $2, successor_urn = $3 WHERE school_id = $1",
    )
    .bind(school_id)
    .bind(departure)
    .bind(successor_urn)
    .execute(c)
    .await
    .map(drop)?);
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, school_id: SchoolId) -> Result<Option<School>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT school_id, trust_id, urn, laestab, ukprn, departure, successor_urn
         FROM school WHERE school_id = $1",
    )
    .bind(school_id)
    .fetch_optional(c)
    .await?))
}

/// The trust's school of that number: a URN it has now or had before, or its LAESTAB or UKPRN.
pub(crate) async fn find_by_number(
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
        "SELECT school_id, trust_id, urn, laestab, ukprn, departure, successor_urn
         FROM school
         WHERE trust_id = $1
           AND (laestab = $3 OR ukprn = $4 OR school_id =
               (SELECT school_id FROM school_urn WHERE trust_id = $1 AND urn = $2))
         ORDER BY departure IS NOT NULL, school_id DESC
         LIMIT 1",
    )
    .bind(trust_id)
    .bind(urn)
    .bind(laestab)
    .bind(ukprn)
    .fetch_optional(c)
    .await?))
}
