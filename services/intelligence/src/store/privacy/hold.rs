use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};
use uuid::Uuid;

use crate::{
    domain::{Hash, HoldId, LegalHold},
    store::hash,
};

#[derive(sqlx::FromRow)]
struct Row {
    hold_id: HoldId,
    trust_id: TrustId,
    kinds: String,
    of_person: bool,
    person: Option<Vec<u8>>,
    reason: Option<Uuid>,
    given_at: DateTime<Utc>,
    given_by: String,
    lifted_at: Option<DateTime<Utc>>,
    lifted_by: Option<String>,
    lifted_reason: Option<Uuid>,
    version: i32,
}

pub(crate) async fn insert(tx: &mut Tx, it: &LegalHold) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO legal_hold (hold_id, trust_id, kinds, of_person, reason, given_at, given_by, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)"
    )
    .bind(it.hold_id)
    .bind(it.trust_id)
    .bind(serde_json::to_string(&it.kinds).map_err(Error::internal)?)
    .bind(it.of_person)
    .bind(it.reason)
    .bind(it.given_at)
    .bind(&it.given_by)
    .bind(i32::try_from(it.version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Keeps whose records a hold keeps, beside what the journal tells of it.
pub(crate) async fn concerns(
    tx: &mut Tx,
    (hold_id, trust_id): (HoldId, TrustId),
    person: &Hash,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO held_person (hold_id, trust_id, person) VALUES ($1, $2, $3)
         ON CONFLICT (hold_id) DO UPDATE SET person = excluded.person"
    )
    .bind(hold_id)
    .bind(trust_id)
    .bind(person.as_slice())
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Ends a hold; whom it concerned is not kept any longer.
pub(crate) async fn lift(
    tx: &mut Tx,
    hold_id: HoldId,
    (at, by, reason): (DateTime<Utc>, &str, Option<Uuid>),
    version: u32,
) -> Result<()> {
    on!(&mut *tx, |c| {
        sqlx::query(
        "UPDATE legal_hold SET lifted_at = $2, lifted_by = $3, lifted_reason = $4, version = $5 WHERE hold_id = $1"
    )
    .bind(hold_id)
    .bind(at)
    .bind(by)
    .bind(reason)
    .bind(i32::try_from(version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop)
    })?;
    on!(tx, |c| sqlx::query("DELETE FROM held_person WHERE hold_id = $1")
        .bind(hold_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

const SELECT: &str = "SELECT legal_hold.hold_id, legal_hold.trust_id, kinds, of_person, person, reason, given_at, given_by,
        lifted_at, lifted_by, lifted_reason, version
     FROM legal_hold LEFT JOIN held_person ON held_person.hold_id = legal_hold.hold_id";

pub(crate) async fn get(tx: &mut Tx, hold_id: HoldId) -> Result<Option<LegalHold>> {
    let sql = format!("{SELECT} WHERE legal_hold.hold_id = $1");
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql))
        .bind(hold_id)
        .fetch_optional(c)
        .await)?;
    row.map(LegalHold::try_from).transpose()
}

/// A trust's holds, newest first, those that were lifted included.
pub(crate) async fn of_trust(tx: &mut Tx, trust_id: TrustId) -> Result<Vec<LegalHold>> {
    let sql = format!("{SELECT} WHERE legal_hold.trust_id = $1 ORDER BY legal_hold.hold_id DESC");
    let rows: Vec<Row> =
        on!(tx, |c| sqlx::query_as(sqlx::AssertSqlSafe(sql)).bind(trust_id).fetch_all(c).await)?;
    rows.into_iter().map(LegalHold::try_from).collect()
}

impl TryFrom<Row> for LegalHold {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            hold_id: it.hold_id,
            trust_id: it.trust_id,
            kinds: serde_json::from_str(&it.kinds).map_err(Error::internal)?,
            of_person: it.of_person,
            person: it.person.map(hash).transpose()?,
            reason: it.reason,
            given_at: it.given_at,
            given_by: it.given_by,
            lifted_at: it.lifted_at,
            lifted_by: it.lifted_by,
            lifted_reason: it.lifted_reason,
            version: u32::try_from(it.version).map_err(Error::internal)?,
        })
    }
}

/// Gives everybody who is held another hash.
pub(crate) async fn rename_all(
    tx: &mut Tx,
    trust_id: TrustId,
    name: impl Fn(Hash) -> Hash,
) -> Result<()> {
    for it in of_trust(tx, trust_id).await? {
        if let Some(person) = it.person {
            concerns(tx, (it.hold_id, trust_id), &name(person)).await?;
        }
    }
    Ok(())
}
