//! The free texts of one event, kept together as one JSON object so that they can be erased together.

use contract::common::TextCommitment;
use db::Tx;
use identity::TrustId;
use rpc::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

pub(super) async fn keep(
    tx: &mut Tx,
    trust_id: TrustId,
    text: &impl Serialize,
) -> Result<Option<TextCommitment>> {
    let body = serde_json::to_string(text).map_err(Error::internal)?;
    journal::text::keep(tx, trust_id.0, &body).await.map(Some)
}

/// Nothing when it has been erased.
pub(super) async fn read<T: DeserializeOwned>(
    tx: &mut Tx,
    commitment: Option<&TextCommitment>,
) -> Result<Option<T>> {
    let Some(commitment) = commitment else { return Ok(None) };
    let body = journal::text::read(tx, commitment).await?;
    body.map(|it| serde_json::from_str(&it)).transpose().map_err(Error::internal)
}
