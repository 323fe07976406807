//! Whether a log verifies at its head: what is checked before anything may be appended to it.

use db::Tx;
use rpc::{Error, Result};

use super::{
    Checkpoint, Keys, Statement,
    audit::content_hashes,
    damaged, note, store,
    tiles::{HEIGHT, Stored, Tree},
};
use crate::{Filter, read};

/// Events whose messages are hashed again at the most; `verify` does it for all.
const REHASHED: u64 = 1 << 16;
const CHUNK: i64 = 1000;

/// Checks the newest checkpoint, the tree under it, and the events around and after it.
///
/// A log without a checkpoint has nothing to be held against; its newest events must still be dense and whole.
pub(crate) async fn check(tx: &mut Tx, keys: &Keys, service: &str) -> Result<()> {
    let head = read::head(tx, None).await.map_err(damage_of)?;
    let head = u64::try_from(head).map_err(|_| damaged("positions are negative"))?;
    let Some(last) = store::latest(tx).await? else {
        return rehash(tx, head.saturating_sub(REHASHED), head).await;
    };
    signed(&last, keys, service)?;
    if last.size > head {
        return Err(damaged(format!(
            "a checkpoint was signed over {} events, but there are {head}",
            last.size
        )));
    }
    rooted(tx, &last).await?;
    let tile = last.size.saturating_sub(1) >> HEIGHT << HEIGHT;
    rehash(tx, tile.max(head.saturating_sub(REHASHED)), head).await
}

/// Checks that a checkpoint says what its note says, and that one of our keys signed it.
pub(crate) fn signed(checkpoint: &Checkpoint, keys: &Keys, service: &str) -> Result<()> {
    let listed = keys.verifiers(service).map_err(Error::internal)?;
    let verifiers: Vec<_> = listed.into_iter().map(|it| it.0).collect();
    let of = |what| damaged(format!("the checkpoint of size {}: {what}", checkpoint.size));
    let said = note::open(&checkpoint.note, &verifiers).map_err(|it| of(it.0))?;
    let expected =
        Statement { origin: keys.origin(service), size: checkpoint.size, root: checkpoint.root };
    (said == expected).then_some(()).ok_or_else(|| of("its row is not what its note says"))
}

/// Checks that the tree still has the root that was signed.
pub(crate) async fn rooted(tx: &mut Tx, checkpoint: &Checkpoint) -> Result<()> {
    let root = Tree::new(Stored(tx), HEIGHT).root(checkpoint.size).await?;
    if root != checkpoint.root {
        return Err(damaged(format!(
            "its first {} events are not those that a checkpoint was signed over; `headway journal verify` \
             says which were changed",
            checkpoint.size
        )));
    }
    Ok(())
}

/// Checks events after one position up to another: dense, and each message what its content hash says.
async fn rehash(tx: &mut Tx, after: u64, head: u64) -> Result<()> {
    let mut after = super::tiles::signed(after)?;
    let head = super::tiles::signed(head)?;
    while after < head {
        let chunk = read::events(tx, after, &Filter::default(), CHUNK).await.map_err(damage_of)?;
        let hashes = content_hashes(tx, after, CHUNK).await?;
        for (event, hash) in chunk.iter().zip(&hashes) {
            if event.position != after + 1 {
                return Err(damaged(format!("the event at position {} is missing", after + 1)));
            }
            if event.content_hash().as_slice() != hash {
                let position = event.position;
                return Err(damaged(format!("the event at position {position} was changed")));
            }
            after = event.position;
        }
        if chunk.is_empty() {
            return Err(damaged(format!("the event at position {} is missing", after + 1)));
        }
    }
    Ok(())
}

/// What reading says of rows that nobody of ours can have written.
fn damage_of(error: Error) -> Error {
    use std::error::Error as _;
    let of_database = error.source().and_then(|it| it.downcast_ref::<sqlx::Error>());
    match of_database {
        Some(sqlx::Error::ColumnDecode { index, .. }) => {
            damaged(format!("column {index} of an event cannot be read"))
        }
        Some(sqlx::Error::Database(it)) if super::tiles::is_corrupt(it.code().as_deref()) => {
            damaged("the database itself is damaged")
        }
        _ => error,
    }
}
