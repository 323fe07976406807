use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

use super::{json, read};
use crate::domain::access::grant::{Grant, GrantId, GrantState};

#[derive(sqlx::FromRow)]
struct Row {
    grant_id: GrantId,
    trust_id: TrustId,
    client_id: String,
    scopes: String,
    school_ids: String,
    kinds: String,
    named: bool,
    purpose: String,
    ends_on: Option<NaiveDate>,
    given_at: DateTime<Utc>,
    given_by: String,
    withdrawn_at: Option<DateTime<Utc>>,
    withdrawn_by: Option<String>,
    version: i32,
}

impl TryFrom<Row> for Grant {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            grant_id: it.grant_id,
            trust_id: it.trust_id,
            client_id: it.client_id,
            scopes: read(&it.scopes)?,
            school_ids: read(&it.school_ids)?,
            kinds: read(&it.kinds)?,
            named: it.named,
            purpose: it.purpose,
            ends_on: it.ends_on,
            given_at: it.given_at,
            given_by: it.given_by,
            withdrawn_at: it.withdrawn_at,
            withdrawn_by: it.withdrawn_by,
            version: it.version,
        })
    }
}

/// Stores a grant as an event at that position leaves it.
pub(crate) async fn put(tx: &mut Tx, grant: &Grant, position: i64) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
            "INSERT INTO access_grant (grant_id, trust_id, client_id, scopes, school_ids, kinds, named, purpose,
                 ends_on, given_at, given_by, withdrawn_at, withdrawn_by, position, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
             ON CONFLICT (grant_id) DO UPDATE SET withdrawn_at = excluded.withdrawn_at,
                 withdrawn_by = excluded.withdrawn_by, position = excluded.position, version = excluded.version",
        )
        .bind(grant.grant_id)
        .bind(grant.trust_id)
        .bind(&grant.client_id)
        .bind(json(&grant.scopes)?)
        .bind(json(&grant.school_ids)?)
        .bind(json(&grant.kinds)?)
        .bind(grant.named)
        .bind(&grant.purpose)
        .bind(grant.ends_on)
        .bind(grant.given_at)
        .bind(&grant.given_by)
        .bind(grant.withdrawn_at)
        .bind(&grant.withdrawn_by)
        .bind(position)
        .bind(grant.version)
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, grant_id: GrantId) -> Result<Option<Grant>> {
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM access_grant WHERE grant_id = $1")
            .bind(grant_id)
            .fetch_optional(c)
            .await)?;
    row.map(TryInto::try_into).transpose()
}

/// Which of a trust's grants are listed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub client_id: Option<&'a str>,
    pub state: Option<GrantState>,
    pub today: NaiveDate,
}

/// A trust's grants, in the order they were given.
pub(crate) async fn list(
    tx: &mut Tx,
    trust_id: Option<TrustId>,
    wanted: Wanted<'_>,
    after: Option<GrantId>,
    limit: i64,
) -> Result<Vec<Grant>> {
    let state = wanted.state.map_or("", |it| match it {
        GrantState::Active => "active",
        GrantState::Withdrawn => "withdrawn",
        GrantState::Ended => "ended",
    });
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM access_grant
         WHERE ($1 IS NULL OR trust_id = $1) AND ($2 IS NULL OR client_id = $2)
             AND ($3 = '' OR $3 = CASE WHEN withdrawn_at IS NOT NULL THEN 'withdrawn'
                 WHEN ends_on < $4 THEN 'ended' ELSE 'active' END)
             AND ($5 IS NULL OR grant_id > $5)
         ORDER BY grant_id LIMIT $6"
    )
    .bind(trust_id)
    .bind(wanted.client_id)
    .bind(state)
    .bind(wanted.today)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// What a client has been granted, by one trust or by any; withdrawn grants included.
pub(crate) async fn of_client(tx: &mut Tx, client_id: &str) -> Result<Vec<Grant>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM access_grant WHERE client_id = $1 ORDER BY trust_id, grant_id"
    )
    .bind(client_id)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Those that an event after a position changed.
pub(crate) async fn after(tx: &mut Tx, position: i64) -> Result<Vec<Grant>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM access_grant WHERE position > $1 ORDER BY position"
    )
    .bind(position)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}
