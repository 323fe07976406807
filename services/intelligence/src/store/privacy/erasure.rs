use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};
use uuid::Uuid;

use crate::domain::{Erasure, ErasureId, Subject};

#[derive(sqlx::FromRow)]
struct Row {
    erasure_id: ErasureId,
    trust_id: TrustId,
    subject: Subject,
    erased: String,
    authority: Option<Uuid>,
    erased_at: DateTime<Utc>,
    erased_by: String,
    position: i64,
    scrubbed_at: Option<DateTime<Utc>>,
    scrubbed_how: Option<String>,
    lifted_at: Option<DateTime<Utc>>,
    version: i32,
}

pub(crate) async fn insert(tx: &mut Tx, it: &Erasure) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO erasure (erasure_id, trust_id, subject, erased, authority, erased_at, erased_by, position, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    )
    .bind(it.erasure_id)
    .bind(it.trust_id)
    .bind(it.subject)
    .bind(serde_json::to_string(&it.erased).map_err(Error::internal)?)
    .bind(it.authority)
    .bind(it.erased_at)
    .bind(&it.erased_by)
    .bind(it.position)
    .bind(i32::try_from(it.version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// Says that the files are rid of it.
pub(crate) async fn scrubbed(
    tx: &mut Tx,
    erasure_id: ErasureId,
    (at, how): (DateTime<Utc>, &str),
    version: u32,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE erasure SET scrubbed_at = $2, scrubbed_how = $3, version = $4 WHERE erasure_id = $1"
    )
    .bind(erasure_id)
    .bind(at)
    .bind(how)
    .bind(i32::try_from(version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Says that records of the person are taken again.
pub(crate) async fn lifted(
    tx: &mut Tx,
    erasure_id: ErasureId,
    at: DateTime<Utc>,
    version: u32,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE erasure SET lifted_at = $2, version = $3 WHERE erasure_id = $1"
    )
    .bind(erasure_id)
    .bind(at)
    .bind(i32::try_from(version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

pub(crate) async fn get(tx: &mut Tx, erasure_id: ErasureId) -> Result<Option<Erasure>> {
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM erasure WHERE erasure_id = $1")
            .bind(erasure_id)
            .fetch_optional(c)
            .await)?;
    row.map(Erasure::try_from).transpose()
}

/// A trust's erasures before one, newest first.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    before: Option<ErasureId>,
    limit: i64,
) -> Result<Vec<Erasure>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM erasure WHERE trust_id = $1 AND ($2 IS NULL OR erasure_id < $2)
         ORDER BY erasure_id DESC LIMIT $3"
    )
    .bind(trust_id)
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Erasure::try_from).collect()
}

/// Erasures whose bytes may still be in the files.
pub(crate) async fn unscrubbed(tx: &mut Tx) -> Result<Vec<Erasure>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM erasure WHERE scrubbed_at IS NULL ORDER BY erasure_id"
    )
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Erasure::try_from).collect()
}

/// Whom a trust erased, as far as that is known.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub trust_id: TrustId,
    pub seal: Vec<u8>,
    pub mark: i32,
    pub erasure_id: ErasureId,
}

pub(crate) async fn sealed(tx: &mut Tx, trusts: &[TrustId]) -> Result<Vec<Sealed>> {
    let ids: Vec<_> = trusts.iter().map(|it| it.0).collect();
    let sql = "SELECT trust_id, seal, mark, erasure_id FROM erased_person WHERE trust_id = ANY($1)";
    let rows: Vec<(TrustId, Vec<u8>, i32, ErasureId)> = db::fetch_any(tx, sql, &ids).await?;
    let sealed = |(trust_id, seal, mark, erasure_id)| Sealed { trust_id, seal, mark, erasure_id };
    Ok(rows.into_iter().map(sealed).collect())
}

pub(crate) async fn seal(tx: &mut Tx, it: &Sealed) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO erased_person (trust_id, seal, mark, erasure_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (trust_id, seal) DO UPDATE SET erasure_id = excluded.erasure_id"
    )
    .bind(it.trust_id)
    .bind(&it.seal)
    .bind(it.mark)
    .bind(it.erasure_id)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Forgets whom an erasure erased; without one, whom any of a trust did.
pub(crate) async fn unseal(
    tx: &mut Tx,
    trust_id: TrustId,
    erasure_id: Option<ErasureId>,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "DELETE FROM erased_person WHERE trust_id = $1 AND ($2 IS NULL OR erasure_id = $2)"
    )
    .bind(trust_id)
    .bind(erasure_id)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

impl TryFrom<Row> for Erasure {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            erasure_id: it.erasure_id,
            trust_id: it.trust_id,
            subject: it.subject,
            erased: serde_json::from_str(&it.erased).map_err(Error::internal)?,
            authority: it.authority,
            erased_at: it.erased_at,
            erased_by: it.erased_by,
            position: it.position,
            scrubbed_at: it.scrubbed_at,
            scrubbed_how: it.scrubbed_how,
            lifted_at: it.lifted_at,
            version: u32::try_from(it.version).map_err(Error::internal)?,
        })
    }
}
