use std::collections::HashMap;

use chrono::{DateTime, Utc};
use db::Tx;
use identity::TrustId;
use rpc::{Error, Result};

/// With how many keys a trust's ids are hashed, since when, and by which version of the stream that says so.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Generation {
    pub generation: u32,
    pub renewed_at: DateTime<Utc>,
    pub version: u32,
}

/// Those of the trusts that have taken on another key than the first.
pub(crate) async fn of_trusts(
    tx: &mut Tx,
    trusts: &[TrustId],
) -> Result<HashMap<TrustId, Generation>> {
    let ids: Vec<_> = trusts.iter().map(|it| it.0).collect();
    let sql =
        "SELECT trust_id, generation, renewed_at, version FROM pseudonym WHERE trust_id = ANY($1)";
    let rows: Vec<(TrustId, i32, DateTime<Utc>, i32)> = db::fetch_any(tx, sql, &ids).await?;
    let read = |(trust_id, generation, renewed_at, version): (TrustId, i32, DateTime<Utc>, i32)| {
        let generation = u32::try_from(generation).map_err(Error::internal)?;
        let version = u32::try_from(version).map_err(Error::internal)?;
        Ok((trust_id, Generation { generation, renewed_at, version }))
    };
    rows.into_iter().map(read).collect()
}
