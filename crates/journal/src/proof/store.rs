//! Checkpoints as rows.

use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::{Error, Result};

use super::{
    Checkpoint, Hash, damaged,
    tiles::{signed, unreadable},
};

#[derive(sqlx::FromRow)]
struct Row {
    size: i64,
    root: Vec<u8>,
    note: String,
    marks: Vec<u8>,
    signed_at: DateTime<Utc>,
}

impl TryFrom<Row> for Checkpoint {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let wrong = || damaged(format!("the checkpoint of size {} cannot be read", row.size));
        Ok(Self {
            size: u64::try_from(row.size).map_err(|_| wrong())?,
            root: row.root.as_slice().try_into().map_err(|_| wrong())?,
            note: row.note,
            marks: row.marks,
            signed_at: row.signed_at,
        })
    }
}

/// The newest checkpoint.
pub(crate) async fn latest(tx: &mut Tx) -> Result<Option<Checkpoint>> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT size, root, note, marks, signed_at FROM checkpoint ORDER BY size DESC LIMIT 1"
    )
    .fetch_optional(c)
    .await)
    .map_err(unreadable)?;
    row.map(Checkpoint::try_from).transpose()
}

/// The first checkpoint after a size.
pub(crate) async fn after(tx: &mut Tx, size: u64) -> Result<Option<Checkpoint>> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT size, root, note, marks, signed_at FROM checkpoint
         WHERE size > $1 ORDER BY size LIMIT 1"
    )
    .bind(signed(size)?)
    .fetch_optional(c)
    .await)
    .map_err(unreadable)?;
    row.map(Checkpoint::try_from).transpose()
}

/// Stores a checkpoint with the nodes that the log completed since the one before.
pub(crate) async fn add(
    tx: &mut Tx,
    checkpoint: &Checkpoint,
    nodes: &[(u8, u64, Hash)],
) -> Result<()> {
    for (level, index, hash) in nodes {
        on!(&mut *tx, |c| sqlx::query(
            "INSERT INTO journal_node (level, \"index\", hash) VALUES ($1, $2, $3)"
        )
        .bind(i32::from(*level))
        .bind(signed(*index)?)
        .bind(hash.to_vec())
        .execute(c)
        .await
        .map(drop))?;
    }
    on!(tx, |c| sqlx::query(
        "INSERT INTO checkpoint (size, root, note, marks, signed_at) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(signed(checkpoint.size)?)
    .bind(checkpoint.root.to_vec())
    .bind(&checkpoint.note)
    .bind(&checkpoint.marks)
    .bind(checkpoint.signed_at)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
