use db::{Tx, on};
use identity::{GroupUid, SchoolNumber, Urn};
use rpc::Result;
use serde::{Deserialize, Serialize};

use crate::domain::establishment::Registered;

/// Establishments with what all files together say of their trust: the establishments' own file when it had the
/// column, or else the memberships'; and the trust's name as the groups have it.
macro_rules! registered {
    ($($rest:literal),+ $(,)?) => {
        concat!(
            "SELECT r.*, coalesce(g.name, r.trust_name, r.member_name) AS group_name,
                 CASE WHEN r.member_of = r.group_uid THEN r.member_since END AS joined_on
             FROM (SELECT e.*, m.group_uid AS member_of, m.group_name AS member_name, m.joined_on AS member_since,
                     CASE WHEN e.trust_stated THEN e.trust_group_uid
                          WHEN NOT m.closed THEN m.group_uid END AS group_uid
                 FROM establishment e LEFT JOIN membership m ON m.urn = e.urn) r
             LEFT JOIN establishment_group g ON g.group_uid = r.group_uid ",
            $($rest),+
        )
    };
}

/// What a search asks for.
#[derive(Clone, Debug, Serialize)]
pub struct Search {
    /// Part of the name, in lower case.
    pub name: Option<String>,
    pub la: Option<String>,
    pub group_uid: Option<GroupUid>,
    pub near: Option<Near>,
}

/// A school to measure distance from.
#[derive(Clone, Debug, Serialize)]
pub struct Near {
    pub urn: Urn,
    pub easting: i64,
    pub northing: i64,
}

/// The place of an establishment in a list.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Square metres, in a list by distance; else 0.
    pub distance: i64,
    /// Empty in a list by distance.
    pub name: String,
    pub urn: Urn,
}

pub(crate) async fn find(tx: &mut Tx, urn: &Urn) -> Result<Option<Registered>> {
    Ok(on!(tx, |c| sqlx::query_as(registered!("WHERE r.urn = $1"))
        .bind(urn)
        .fetch_optional(c)
        .await)?)
}

/// By any of its numbers; an open one first where several share a LAESTAB or UKPRN.
pub(crate) async fn by_number(tx: &mut Tx, number: &SchoolNumber) -> Result<Option<Registered>> {
    let (urn, laestab, ukprn) = match number {
        SchoolNumber::Urn(it) => (Some(it), None, None),
        SchoolNumber::Laestab(it) => (None, Some(it), None),
        SchoolNumber::Ukprn(it) => (None, None, Some(it)),
    };
    Ok(on!(tx, |c| sqlx::query_as(registered!(
        "WHERE r.urn = $1 OR r.laestab = $2 OR r.ukprn = $3
         ORDER BY r.status = 'closed', r.urn DESC LIMIT 1"
    ))
    .bind(urn)
    .bind(laestab)
    .bind(ukprn)
    .fetch_optional(c)
    .await)?)
}

/// Establishments that match, by name.
pub(crate) async fn by_name(
    tx: &mut Tx,
    search: &Search,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Registered>> {
    Ok(on!(tx, |c| sqlx::query_as(registered!(
        "WHERE ($1 IS NULL OR r.search_name LIKE $1 ESCAPE '\\') AND ($2 IS NULL OR r.la_code = $2)
             AND ($3 IS NULL OR r.group_uid = $3) AND ($4 IS NULL OR (r.name, r.urn) > ($4, $5))
         ORDER BY r.name, r.urn LIMIT $6"
    ))
    .bind(search.name.as_deref().map(pattern))
    .bind(&search.la)
    .bind(&search.group_uid)
    .bind(after.map(|it| &it.name))
    .bind(after.map(|it| &it.urn))
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

/// Establishments that match and have a place, nearest first; the one measured from is left out.
pub(crate) async fn by_distance(
    tx: &mut Tx,
    search: &Search,
    near: &Near,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Registered>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(registered!(
        "CROSS JOIN (SELECT CAST($5 AS BIGINT) AS east, CAST($6 AS BIGINT) AS north) p
         WHERE ($1 IS NULL OR r.search_name LIKE $1 ESCAPE '\\') AND ($2 IS NULL OR r.la_code = $2)
             AND ($3 IS NULL OR r.group_uid = $3) AND r.easting IS NOT NULL AND r.northing IS NOT NULL
             AND r.urn <> $4
             AND ($7 IS NULL OR
                 ((r.easting - east) * (r.easting - east) + (r.northing - north) * (r.northing - north), r.urn)
                     > ($7, $8))
         ORDER BY (r.easting - east) * (r.easting - east) + (r.northing - north) * (r.northing - north), r.urn
         LIMIT $9"
    ))
    .bind(search.name.as_deref().map(pattern))
    .bind(&search.la)
    .bind(&search.group_uid)
    .bind(&near.urn)
    .bind(near.easting)
    .bind(near.northing)
    .bind(after.map(|it| it.distance))
    .bind(after.map(|it| &it.urn))
    .bind(limit)
    .fetch_all(c)
    .await
    })?)
}

/// Establishments that are schools here, or belong to the group of a trust here.
pub(crate) async fn concerning_trusts(tx: &mut Tx) -> Result<Vec<Registered>> {
    Ok(on!(tx, |c| sqlx::query_as(registered!(
        "WHERE r.urn IN (SELECT urn FROM school)
             OR r.group_uid IN (SELECT group_uid FROM trust WHERE group_uid IS NOT NULL)"
    ))
    .fetch_all(c)
    .await)?)
}

/// Finds the text anywhere, taking the pattern's own signs literally.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for it in text.chars() {
        if matches!(it, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(it);
    }
    pattern.push('%');
    pattern
}

impl Near {
    /// Square metres to an establishment; 0 where its place is not known.
    pub fn distance(&self, it: &crate::domain::establishment::Establishment) -> i64 {
        let east = it.easting.map_or(0, |x| i64::from(x) - self.easting);
        let north = it.northing.map_or(0, |y| i64::from(y) - self.northing);
        east * east + north * north
    }
}
