use chrono::{DateTime, Utc};
use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Reason, Result};
use uuid::Uuid;

use super::{json, read};
use crate::domain::access::client::{Client, ClientKind, ClientState};

#[derive(sqlx::FromRow)]
struct Row {
    client_id: String,
    trust_id: Option<TrustId>,
    name: String,
    kind: ClientKind,
    state: ClientState,
    scopes: String,
    secrets: String,
    keys: String,
    valid_from: DateTime<Utc>,
    version: i32,
    created_at: DateTime<Utc>,
}

impl TryFrom<Row> for Client {
    type Error = Error;

    fn try_from(it: Row) -> Result<Self> {
        Ok(Self {
            client_id: it.client_id,
            trust_id: it.trust_id,
            name: it.name,
            kind: it.kind,
            state: it.state,
            scopes: read(&it.scopes)?,
            secrets: read(&it.secrets)?,
            keys: read(&it.keys)?,
            valid_from: it.valid_from,
            version: it.version,
            created_at: it.created_at,
        })
    }
}

/// Stores a client as an event at that position leaves it.
pub(crate) async fn put(tx: &mut Tx, client: &Client, position: i64) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
            "INSERT INTO client (client_id, trust_id, name, kind, state, scopes, secrets, keys, valid_from, position,
                 version, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             ON CONFLICT (client_id) DO UPDATE SET state = excluded.state, secrets = excluded.secrets,
                 keys = excluded.keys, valid_from = excluded.valid_from, position = excluded.position,
                 version = excluded.version",
        )
        .bind(&client.client_id)
        .bind(client.trust_id)
        .bind(&client.name)
        .bind(client.kind)
        .bind(client.state)
        .bind(json(&client.scopes)?)
        .bind(json(&client.secrets)?)
        .bind(json(&client.keys)?)
        .bind(client.valid_from)
        .bind(position)
        .bind(client.version)
        .bind(client.created_at)
        .execute(c)
        .await
        .map(drop)
    })?;
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, client_id: &str) -> Result<Option<Client>> {
    // PostgreSQL takes no NUL, and no client's id has one.
    if client_id.contains('\0') {
        return Ok(None);
    }
    let row: Option<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM client WHERE client_id = $1")
            .bind(client_id)
            .fetch_optional(c)
            .await)?;
    row.map(TryInto::try_into).transpose()
}

pub(crate) async fn get(tx: &mut Tx, client_id: &str) -> Result<Client> {
    find(tx, client_id).await?.ok_or_else(|| missing(client_id))
}

pub(crate) fn missing(client_id: &str) -> Error {
    Error::not_found("client", client_id)
}

pub(crate) fn taken(client_id: &str) -> Error {
    Error::new(Reason::AlreadyExists, format!("there is a client {client_id} already"))
}

/// Whom a list of clients is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    /// Its own clients and those it has granted something; nothing of the platform's when none.
    pub trust_id: Option<TrustId>,
    /// Every client there is.
    pub all: bool,
    /// Itself, in any case.
    pub client_id: &'a str,
}

/// Clients by id.
pub(crate) async fn list(
    tx: &mut Tx,
    reader: Reader<'_>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Client>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT * FROM client c
         WHERE ($1 OR client_id = $2 OR trust_id = $3 OR EXISTS (
             SELECT 1 FROM access_grant g WHERE g.client_id = c.client_id AND g.trust_id = $3))
             AND ($4 IS NULL OR client_id > $4)
         ORDER BY client_id LIMIT $5"
    )
    .bind(reader.all)
    .bind(reader.client_id)
    .bind(reader.trust_id.map(|it| it.0))
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// Those that an event after a position changed.
pub(crate) async fn after(tx: &mut Tx, position: i64) -> Result<Vec<Client>> {
    let rows: Vec<Row> =
        on!(tx, |c| sqlx::query_as("SELECT * FROM client WHERE position > $1 ORDER BY position")
            .bind(position)
            .fetch_all(c)
            .await)?;
    rows.into_iter().map(TryInto::try_into).collect()
}

/// The name of a client, which may be nobody's that is known.
pub(crate) async fn name(tx: &mut Tx, client_id: &str) -> Result<String> {
    let name: Option<String> =
        on!(tx, |c| sqlx::query_scalar("SELECT name FROM client WHERE client_id = $1")
            .bind(client_id)
            .fetch_optional(c)
            .await)?;
    Ok(name.unwrap_or_default())
}

pub(crate) async fn revoke(
    tx: &mut Tx,
    (client_id, jti): (&str, &str),
    expires_at: DateTime<Utc>,
    position: i64,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO revoked_token (jti, client_id, expires_at, position) VALUES ($1, $2, $3, $4)
         ON CONFLICT (jti) DO NOTHING"
    )
    .bind(jti)
    .bind(client_id)
    .bind(expires_at)
    .bind(position)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Whose events those of a client are: a trust's, or the platform's.
pub(crate) fn trust_of(client: &Client) -> Uuid {
    client.trust_id.map_or(Uuid::nil(), |it| it.0)
}
