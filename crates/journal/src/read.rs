//! Reading the log: always "after a position", so that nothing is missed and nothing comes twice.
//!
//! What is asked of `event` is not kept prepared (`persistent(false)`): PostgreSQL would go on with the plan it made when
//! the log was short, and read all of it once it is long.

use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use rpc::{Error, Result};
use uuid::Uuid;

use crate::{Recorded, text::Texts};

/// Which events to read.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only this trust's; `after` then counts positions within the trust.
    pub trust_id: Option<Uuid>,
    pub kind: Option<String>,
    pub stream: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(crate) struct Row {
    position: i64,
    trust_position: i64,
    trust_id: Uuid,
    event_id: Uuid,
    stream: String,
    version: i32,
    r#type: String,
    data: Vec<u8>,
    effective_on: Option<NaiveDate>,
    recorded_at: DateTime<Utc>,
    corrects: Option<Uuid>,
    actor: String,
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
}

/// Events after a position, oldest first.
pub async fn events(tx: &mut Tx, after: i64, filter: &Filter, limit: i64) -> Result<Vec<Recorded>> {
    let rows: Vec<Row> = match filter.trust_id {
        None => on!(tx, |c| sqlx::query_as(
            "SELECT * FROM event
             WHERE position > $1 AND ($2 IS NULL OR type = $2) AND ($3 IS NULL OR stream = $3)
             ORDER BY position LIMIT $4"
        )
        .persistent(false)
        .bind(after)
        .bind(&filter.kind)
        .bind(&filter.stream)
        .bind(limit)
        .fetch_all(c)
        .await)?,
        Some(trust_id) => on!(tx, |c| sqlx::query_as(
            "SELECT * FROM event
             WHERE trust_id = $1 AND trust_position > $2
               AND ($3 IS NULL OR type = $3) AND ($4 IS NULL OR stream = $4)
             ORDER BY trust_position LIMIT $5"
        )
        .persistent(false)
        .bind(trust_id)
        .bind(after)
        .bind(&filter.kind)
        .bind(&filter.stream)
        .bind(limit)
        .fetch_all(c)
        .await)?,
    };
    rows.into_iter().map(Recorded::try_from).collect()
}

/// The event of that id.
pub(crate) async fn by_id(tx: &mut Tx, trust_id: Uuid, event_id: Uuid) -> Result<Option<Recorded>> {
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM event WHERE trust_id = $1 AND event_id = $2")
            .persistent(false)
            .bind(trust_id)
            .bind(event_id)
            .fetch_optional(c)
            .await)?;
    row.map(Recorded::try_from).transpose()
}

/// The newest position: the log's, or a trust's.
pub(crate) async fn head(tx: &mut Tx, trust_id: Option<Uuid>) -> Result<i64> {
    Ok(match trust_id {
        None => on!(tx, |c| sqlx::query_scalar("SELECT coalesce(max(position), 0) FROM event")
            .persistent(false)
            .fetch_one(c)
            .await)?,
        Some(trust_id) => on!(tx, |c| sqlx::query_scalar(
            "SELECT coalesce(max(trust_position), 0) FROM event WHERE trust_id = $1"
        )
        .persistent(false)
        .bind(trust_id)
        .fetch_one(c)
        .await)?,
    })
}

impl TryFrom<Row> for Recorded {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            position: row.position,
            trust_position: row.trust_position,
            trust_id: row.trust_id,
            event_id: row.event_id,
            stream: row.stream,
            version: u32::try_from(row.version).map_err(Error::internal)?,
            kind: row.r#type,
            data: row.data,
            effective_on: row.effective_on,
            recorded_at: row.recorded_at,
            corrects: row.corrects,
            actor: row.actor,
            correlation_id: row.correlation_id,
            causation_id: row.causation_id,
            texts: Texts::default(),
        })
    }
}
