//! The free texts of one event, kept together as one JSON object so that they can be erased together.

use contract::common::TextCommitment;
use journal::{Recorded, text::Text};
use rpc::{Error, Result};
use serde::{Serialize, de::DeserializeOwned};

pub(super) fn keep(text: &impl Serialize) -> Result<Text> {
    Text::new(serde_json::to_string(text).map_err(Error::internal)?)
}

/// Nothing when it has been erased.
pub(super) fn read<T: DeserializeOwned>(
    event: &Recorded,
    commitment: Option<&TextCommitment>,
) -> Result<Option<T>> {
    let Some(commitment) = commitment else { return Ok(None) };
    event.text(commitment)?.map(serde_json::from_str).transpose().map_err(Error::internal)
}
