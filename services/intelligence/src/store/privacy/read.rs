//! Who read rows about individuals.

use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};
use uuid::Uuid;

use crate::domain::Kind;

/// One read.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub read_id: Uuid,
    pub trust_id: TrustId,
    pub read_at: DateTime<Utc>,
    pub client_id: String,
    pub purpose: String,
    /// Full name of the RPC.
    pub rpc: String,
    pub kinds: Vec<Kind>,
    pub rows: u64,
    pub request_id: Uuid,
}

#[derive(sqlx::FromRow)]
struct Row {
    read_id: Uuid,
    trust_id: TrustId,
    read_at: DateTime<Utc>,
    client_id: String,
    purpose: String,
    rpc: String,
    kinds: String,
    row_count: i64,
    request_id: Uuid,
}

pub(crate) async fn insert(tx: &mut Tx, it: &Entry) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO read_log (read_id, trust_id, read_at, client_id, purpose, rpc, kinds, row_count, request_id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"
    )
    .bind(it.read_id)
    .bind(it.trust_id)
    .bind(it.read_at)
    .bind(&it.client_id)
    .bind(&it.purpose)
    .bind(&it.rpc)
    .bind(serde_json::to_string(&it.kinds).map_err(Error::internal)?)
    .bind(i64::try_from(it.rows).map_err(Error::internal)?)
    .bind(it.request_id)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// What the log is narrowed to.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub client_id: Option<String>,
    pub from: Option<DateTime<Utc>>,
    pub to: Option<DateTime<Utc>>,
}

/// Reads of a trust before one, newest first.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    filter: &Filter,
    before: Option<Uuid>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM read_log
         WHERE trust_id = $1 AND ($2 IS NULL OR client_id = $2) AND ($3 IS NULL OR read_at >= $3)
             AND ($4 IS NULL OR read_at <= $4) AND ($5 IS NULL OR read_id < $5)
         ORDER BY read_id DESC LIMIT $6"
    )
    .bind(trust_id)
    .bind(&filter.client_id)
    .bind(filter.from)
    .bind(filter.to)
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Entry::try_from).collect()
}

/// Everybody who read rows about individuals of a trust.
pub(crate) async fn readers(tx: &mut Tx, trust_id: TrustId) -> Result<Vec<String>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT DISTINCT client_id FROM read_log WHERE trust_id = $1 ORDER BY client_id"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?)
}

/// Forgets some reads of a trust from before a moment; says how many.
pub(crate) async fn forget(
    tx: &mut Tx,
    trust_id: TrustId,
    before: DateTime<Utc>,
    most: i64,
) -> Result<u64> {
    Ok(on!(tx, |c| {
        sqlx::query(
        "DELETE FROM read_log WHERE read_id IN (
             SELECT read_id FROM read_log WHERE trust_id = $1 AND read_at < $2 ORDER BY read_id LIMIT $3)"
    )
    .bind(trust_id)
    .bind(before)
    .bind(most)
    .execute(c)
    .await?
    .rows_affected()
    }))
}

impl TryFrom<Row> for Entry {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            read_id: it.read_id,
            trust_id: it.trust_id,
            read_at: it.read_at,
            client_id: it.client_id,
            purpose: it.purpose,
            rpc: it.rpc,
            kinds: serde_json::from_str(&it.kinds).map_err(Error::internal)?,
            rows: u64::try_from(it.row_count).map_err(Error::internal)?,
            request_id: it.request_id,
        })
    }
}
