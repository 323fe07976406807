//! Free text that events commit to but do not hold, so that it can be erased while the log stays as it was.

use contract::common::TextCommitment;
use db::{Tx, on};
use rpc::{Error, Result};
use sha2::{Digest, Sha256};
use uuid::Uuid;

const SALT: usize = 16;

/// Keeps a text and gives the commitment an event may carry: SHA-256 over a random salt and the text.
pub async fn keep(tx: &mut Tx, trust_id: Uuid, body: &str) -> Result<TextCommitment> {
    let mut salt = [0; SALT];
    getrandom::fill(&mut salt).map_err(Error::internal)?;
    let text_id = rpc::new_id();
    on!(tx, |c| sqlx::query(
        "INSERT INTO text (text_id, trust_id, salt, body) VALUES ($1, $2, $3, $4)"
    )
    .bind(text_id)
    .bind(trust_id)
    .bind(salt.to_vec())
    .bind(body)
    .execute(c)
    .await
    .map(drop))?;
    Ok(TextCommitment { text_id: text_id.to_string(), sha256: commit(&salt, body).to_vec() })
}

/// The text an event committed to, or nothing when it has been erased. A text that is not the one is an error.
pub async fn read(tx: &mut Tx, commitment: &TextCommitment) -> Result<Option<String>> {
    let text_id = Uuid::try_parse(&commitment.text_id).map_err(Error::internal)?;
    let row: Option<(Vec<u8>, String)> =
        on!(tx, |c| sqlx::query_as("SELECT salt, body FROM text WHERE text_id = $1")
            .bind(text_id)
            .fetch_optional(c)
            .await)?;
    let Some((salt, body)) = row else { return Ok(None) };
    if commit(&salt, &body).as_slice() != commitment.sha256 {
        return Err(Error::internal(format!("text {text_id} is not the one its event commits to")));
    }
    Ok(Some(body))
}

fn commit(salt: &[u8], body: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(salt);
    hash.update(body);
    hash.finalize().into()
}
