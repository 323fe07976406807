use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use uuid::Uuid;

use crate::{
    domain::{Content, Hash, Kind, RetentionRule, retained},
    store::hash,
};

/// How long trusts keep each kind of data, in the order of the list.
pub(crate) async fn rules(tx: &mut Tx, trust_id: TrustId) -> Result<Vec<RetentionRule>> {
    let own: Vec<(String, Option<i32>, i32)> = on!(tx, |c| sqlx::query_as(
        "SELECT what, months, version FROM retention WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?;
    let rule = |of: &'static crate::domain::Retained| {
        let mut set = own.iter();
        let (own, version) = match set.find(|it| it.0 == of.what) {
            Some((_, months, version)) => (*months, *version),
            None => (None, 0),
        };
        let own = own.map(u32::try_from).transpose().map_err(Error::internal)?;
        Ok(RetentionRule { of, own, version: u32::try_from(version).map_err(Error::internal)? })
    };
    retained().iter().map(rule).collect()
}

/// Keeps what a trust has set.
pub(crate) async fn put(
    tx: &mut Tx,
    (trust_id, what): (TrustId, &str),
    months: Option<u32>,
    version: u32,
) -> Result<()> {
    let months = months.map(i32::try_from).transpose().map_err(Error::internal)?;
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO retention (trust_id, what, months, version) VALUES ($1, $2, $3, $4)
         ON CONFLICT (trust_id, what) DO UPDATE SET months = excluded.months, version = excluded.version"
    )
    .bind(trust_id)
    .bind(what)
    .bind(months)
    .bind(i32::try_from(version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Every trust that has a school here.
pub(crate) async fn trusts(tx: &mut Tx) -> Result<Vec<TrustId>> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT DISTINCT trust_id FROM school ORDER BY trust_id")
        .fetch_all(c)
        .await)?)
}

/// A fact that may go, for its day has passed.
pub(crate) type Old = (SchoolId, String, Option<Hash>, Content);

/// Facts of a kind from before a day, in the order of school and key, after one of them.
pub(crate) async fn old_facts(
    tx: &mut Tx,
    (trust_id, kind): (TrustId, Kind),
    before: NaiveDate,
    after: Option<&(SchoolId, String)>,
    most: i64,
) -> Result<Vec<Old>> {
    let (school_id, key) = after.map_or((Uuid::nil(), ""), |it| (it.0.0, it.1.as_str()));
    let rows: Vec<(SchoolId, String, Option<Vec<u8>>, String)> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, key, person, body FROM fact
         WHERE trust_id = $1 AND kind = $2 AND day < $3 AND (school_id, key) > ($4, $5)
         ORDER BY school_id, key LIMIT $6"
    )
    .bind(trust_id)
    .bind(kind)
    .bind(before)
    .bind(school_id)
    .bind(key)
    .bind(most)
    .fetch_all(c)
    .await)?;
    let read = |(school_id, key, person, body): (SchoolId, String, Option<Vec<u8>>, String)| {
        let person = person.map(hash).transpose()?;
        Ok((school_id, key, person, serde_json::from_str(&body).map_err(Error::internal)?))
    };
    rows.into_iter().map(read).collect()
}

/// Lets a fact go. What it counts as stays.
pub(crate) async fn forget_fact(
    tx: &mut Tx,
    school_id: SchoolId,
    kind: Kind,
    key: &str,
) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM fact WHERE school_id = $1 AND kind = $2 AND key = $3")
        .bind(school_id)
        .bind(kind)
        .bind(key)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// The schools of a trust that have registers or a roll, and the first day of their registers.
pub(crate) async fn first_registers(
    tx: &mut Tx,
    trust_id: TrustId,
) -> Result<Vec<(SchoolId, Option<NaiveDate>)>> {
    Ok(on!(tx, |c| {
        sqlx::query_as(
        "SELECT roll.school_id, (SELECT min(date) FROM register WHERE register.school_id = roll.school_id)
         FROM roll WHERE trust_id = $1 ORDER BY roll.school_id"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await
    })?)
}

/// Lets the registers of a school and some days go, and the tallies of terms that begin then.
pub(crate) async fn forget_registers(
    tx: &mut Tx,
    school_id: SchoolId,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<()> {
    for sql in [
        "DELETE FROM register WHERE school_id = $1 AND date BETWEEN $2 AND $3",
        "DELETE FROM tally WHERE school_id = $1 AND term BETWEEN $2 AND $3",
    ] {
        on!(&mut *tx, |c| sqlx::query(sql)
            .bind(school_id)
            .bind(from)
            .bind(to)
            .execute(c)
            .await
            .map(drop))?;
    }
    Ok(())
}
