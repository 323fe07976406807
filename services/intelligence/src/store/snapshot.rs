//! What the parts of a snapshot have named so far.

use std::collections::BTreeSet;

use db::{Tx, on};
use identity::TrustId;
use rpc::{Error, Result};

use crate::domain::{BatchId, NaturalKey};

/// Keeps what a part names, until the last part is applied.
pub(crate) async fn keep(
    tx: &mut Tx,
    (trust_id, batch_id, part): (TrustId, BatchId, u32),
    named: &BTreeSet<NaturalKey>,
) -> Result<()> {
    let keys: Vec<u8> = named.iter().flat_map(|it| it.0).collect();
    on!(tx, |c| sqlx::query(
        "INSERT INTO snapshot_seen (batch_id, part, trust_id, keys) VALUES ($1, $2, $3, $4)"
    )
    .bind(batch_id)
    .bind(i32::try_from(part).map_err(Error::internal)?)
    .bind(trust_id)
    .bind(keys)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// Everything the parts before have named, kept no longer.
pub(crate) async fn take(tx: &mut Tx, batch_id: BatchId) -> Result<Vec<NaturalKey>> {
    let rows: Vec<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(
        "DELETE FROM snapshot_seen WHERE batch_id = $1 RETURNING keys"
    )
    .bind(batch_id)
    .fetch_all(c)
    .await)?;
    let mut named = Vec::new();
    for row in rows {
        let (keys, []) = row.as_chunks::<16>() else {
            return Err(Error::internal("natural keys have 16 bytes"));
        };
        named.extend(keys.iter().copied().map(NaturalKey));
    }
    Ok(named)
}
