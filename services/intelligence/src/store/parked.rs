use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{BatchId, FeedId, Hash, Kind, Parked, ParkedState, Session};

#[derive(sqlx::FromRow)]
struct Row {
    batch_id: BatchId,
    ordinal: i32,
    line: i32,
    trust_id: TrustId,
    feed_id: FeedId,
    external_id: String,
    kind: Kind,
    school_id: Option<SchoolId>,
    date: NaiveDate,
    session: Option<Session>,
    waits: Vec<u8>,
    state: ParkedState,
    parked_at: DateTime<Utc>,
    deadline: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
}

/// What a list of parked records is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub school_id: Option<SchoolId>,
    pub state: Option<ParkedState>,
    /// Only of feeds of this client.
    pub client_id: Option<String>,
}

pub(crate) async fn insert(tx: &mut Tx, parked: &[Parked]) -> Result<()> {
    for it in parked {
        on!(tx, |c| {
            sqlx::query(
            "INSERT INTO parked_record (batch_id, ordinal, line, trust_id, feed_id, external_id, kind, school_id, date,
                 session, waits, state, parked_at, deadline, settled_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)"
        )
        .bind(it.batch_id)
        .bind(i32::try_from(it.ordinal).map_err(Error::internal)?)
        .bind(i32::try_from(it.line).map_err(Error::internal)?)
        .bind(it.trust_id)
        .bind(it.feed_id)
        .bind(&it.external_id)
        .bind(it.kind)
        .bind(it.school_id)
        .bind(it.date)
        .bind(it.session)
        .bind(it.encode_waits())
        .bind(it.state)
        .bind(it.parked_at)
        .bind(it.deadline)
        .bind(it.settled_at)
        .execute(c)
        .await
        .map(drop)
        })?;
    }
    Ok(())
}

/// A trust's parked records after one of them, the longest parked first.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    filter: &Filter,
    after: Option<(BatchId, u32)>,
    limit: i64,
) -> Result<Vec<Parked>> {
    let ordinal = after.map(|it| i32::try_from(it.1)).transpose().map_err(Error::internal)?;
    let rows: Vec<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT parked_record.* FROM parked_record JOIN feed ON feed.feed_id = parked_record.feed_id
         WHERE parked_record.trust_id = $1 AND ($2 IS NULL OR school_id = $2) AND ($3 IS NULL OR state = $3)
             AND ($4 IS NULL OR feed.client_id = $4)
             AND ($5 IS NULL OR batch_id > $5 OR (batch_id = $5 AND ordinal > $6))
         ORDER BY batch_id, ordinal LIMIT $7"
    )
    .bind(trust_id)
    .bind(filter.school_id)
    .bind(filter.state)
    .bind(&filter.client_id)
    .bind(after.map(|it| it.0))
    .bind(ordinal)
    .bind(limit)
    .fetch_all(c)
    .await
    })?;
    rows.into_iter().map(Parked::try_from).collect()
}

/// Everything of these schools that waits.
pub(crate) async fn waiting(tx: &mut Tx, schools: &[SchoolId]) -> Result<Vec<Parked>> {
    let ids: Vec<_> = schools.iter().map(|it| it.0).collect();
    let sql = "SELECT * FROM parked_record WHERE state = 'waiting' AND school_id = ANY($1)";
    let rows: Vec<Row> = db::fetch_any(tx, sql, &ids).await?;
    rows.into_iter().map(Parked::try_from).collect()
}

/// What has waited until its deadline, the most overdue first.
pub(crate) async fn due(tx: &mut Tx, now: DateTime<Utc>, limit: i64) -> Result<Vec<Parked>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM parked_record WHERE state = 'waiting' AND deadline <= $1
         ORDER BY deadline, batch_id, ordinal LIMIT $2"
    )
    .bind(now)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Parked::try_from).collect()
}

/// Says how the wait of a record ended.
pub(crate) async fn settle(
    tx: &mut Tx,
    parked: &Parked,
    state: ParkedState,
    at: DateTime<Utc>,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE parked_record SET state = $3, settled_at = $4 WHERE batch_id = $1 AND ordinal = $2"
    )
    .bind(parked.batch_id)
    .bind(i32::try_from(parked.ordinal).map_err(Error::internal)?)
    .bind(state)
    .bind(at)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Forgets some of the records of batches before one whose wait has ended; says how many.
pub(crate) async fn forget(tx: &mut Tx, before: BatchId, most: i64) -> Result<u64> {
    Ok(on!(tx, |c| sqlx::query(
        "DELETE FROM parked_record WHERE (batch_id, ordinal) IN (
             SELECT batch_id, ordinal FROM parked_record WHERE batch_id < $1 AND state <> 'waiting'
             ORDER BY batch_id, ordinal LIMIT $2)"
    )
    .bind(before)
    .bind(most)
    .execute(c)
    .await?
    .rows_affected()))
}

impl TryFrom<Row> for Parked {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let waits = Self::decode_waits(&row.waits);
        Ok(Self {
            batch_id: row.batch_id,
            ordinal: u32::try_from(row.ordinal).map_err(Error::internal)?,
            line: u32::try_from(row.line).map_err(Error::internal)?,
            trust_id: row.trust_id,
            feed_id: row.feed_id,
            external_id: row.external_id,
            kind: row.kind,
            school_id: row.school_id,
            date: row.date,
            session: row.session,
            waits: waits.ok_or_else(|| Error::internal("a parked record cannot be unpacked"))?,
            state: row.state,
            parked_at: row.parked_at,
            deadline: row.deadline,
            settled_at: row.settled_at,
        })
    }
}

/// Records of a trust that wait for a person, or did.
pub(crate) async fn naming(tx: &mut Tx, trust_id: TrustId, person: &Hash) -> Result<Vec<Parked>> {
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT * FROM parked_record WHERE trust_id = $1 AND instr(waits, $2) > 0",
            )
            .bind(trust_id)
            .bind(person.as_slice())
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_as(
                "SELECT * FROM parked_record WHERE trust_id = $1 AND position($2 IN waits) > 0",
            )
            .bind(trust_id)
            .bind(person.as_slice())
            .fetch_all(&mut **tx)
            .await?
        }
    };
    let parked = rows.into_iter().map(Parked::try_from).collect::<Result<Vec<_>>>()?;
    Ok(parked.into_iter().filter(|it| it.waits.iter().any(|it| it.pupil == *person)).collect())
}

/// Every record of a trust that waits for anybody, or did.
pub(crate) async fn all_of_trust(tx: &mut Tx, trust_id: TrustId) -> Result<Vec<Parked>> {
    let rows: Vec<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM parked_record WHERE trust_id = $1")
            .bind(trust_id)
            .fetch_all(c)
            .await)?;
    rows.into_iter().map(Parked::try_from).collect()
}

/// Keeps whom a record waits for; one that waits for nobody goes.
pub(crate) async fn put_waits(tx: &mut Tx, it: &Parked) -> Result<()> {
    let ordinal = i32::try_from(it.ordinal).map_err(Error::internal)?;
    if it.waits.is_empty() {
        let sql = "DELETE FROM parked_record WHERE batch_id = $1 AND ordinal = $2";
        on!(tx, |c| sqlx::query(sql).bind(it.batch_id).bind(ordinal).execute(c).await.map(drop))?;
        return Ok(());
    }
    on!(tx, |c| sqlx::query(
        "UPDATE parked_record SET waits = $3, external_id = $4 WHERE batch_id = $1 AND ordinal = $2"
    )
    .bind(it.batch_id)
    .bind(ordinal)
    .bind(it.encode_waits())
    .bind(&it.external_id)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
