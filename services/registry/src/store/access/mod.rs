//! Clients, grants and identity providers, the events that change them, and what services are told of them.

pub(crate) mod assertion;
pub(crate) mod client;
pub(crate) mod event;
pub(crate) mod grant;
pub(crate) mod projection;
pub(crate) mod provider;

use db::{Tx, on};
use rpc::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(Error::internal)
}

fn read<T: DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(Error::internal)
}

/// Tokens that were revoked by themselves after a position, with the Unix seconds at which they expire.
pub(crate) async fn revoked_after(tx: &mut Tx, after: i64) -> Result<Vec<(String, i64)>> {
    let rows: Vec<(String, chrono::DateTime<chrono::Utc>)> = on!(tx, |c| sqlx::query_as(
        "SELECT jti, expires_at FROM revoked_token WHERE position > $1 ORDER BY position"
    )
    .bind(after)
    .fetch_all(c)
    .await)?;
    Ok(rows.into_iter().map(|(jti, at)| (jti, at.timestamp())).collect())
}
