//! The tree of a log as it is stored: leaves computed from events, complete subtrees at every eighth level, and what
//! lies between computed when it is asked for. So a proof reads a few ranges of at most 256 rows.

use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};

use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use rpc::{Error, Result};
use uuid::Uuid;

use super::{Hash, damaged, tree};
use crate::{Recorded, text::Texts};

/// Levels between stored ones, as C2SP tiles have it.
pub(crate) const HEIGHT: u8 = 8;

/// Where hashes come from. Tier 0 are the leaves, tier 1 the subtrees `HEIGHT` levels up, and so on.
pub(crate) trait Nodes: Send {
    /// Those in a range that are there, in order and without a gap from its start.
    fn read(
        &mut self,
        tier: u8,
        range: Range<u64>,
    ) -> impl Future<Output = Result<Vec<Hash>>> + Send;
}

/// A tree over stored hashes, as one snapshot shows them.
pub(crate) struct Tree<N> {
    nodes: N,
    height: u8,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl<N: Nodes> Tree<N> {
    pub(crate) fn new(nodes: N, height: u8) -> Self {
        Self { nodes, height, tiles: HashMap::new() }
    }

    /// The root of the tree over the first leaves.
    pub(crate) async fn root(&mut self, size: u64) -> Result<Hash> {
        self.span(0..size).await
    }

    /// The proof that a leaf is in the tree of that size.
    pub(crate) async fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>> {
        self.spans(tree::inclusion(index, size)).await
    }

    /// The proof that the tree of the first size is the beginning of that of the second.
    pub(crate) async fn consistency(&mut self, first: u64, second: u64) -> Result<Vec<Hash>> {
        self.spans(tree::consistency(first, second)).await
    }

    pub(crate) async fn leaves(&mut self, range: Range<u64>) -> Result<Vec<Hash>> {
        let mut leaves = Vec::new();
        for index in range {
            leaves.push(self.subtree(0, index).await?);
        }
        Ok(leaves)
    }

    /// The nodes to store when the log grows from one size to another, lowest first.
    pub(crate) async fn complete(&mut self, from: u64, to: u64) -> Result<Vec<(u8, u64, Hash)>> {
        let (mut made, height) = (Vec::new(), self.height);
        for tier in 1_u8.. {
            let level = tier * height;
            if level >= 63 || to >> level == 0 {
                break;
            }
            for index in from >> level..to >> level {
                let below = self.tile(tier - 1, index).await?;
                if below.len() < 1 << height {
                    let below = level - height;
                    return Err(damaged(format!("the tree lacks nodes of level {below}")));
                }
                let hash = complete_root(below);
                made.push((level, index, hash));
                // What lies above is computed from it, before it is stored.
                let within = index & ((1 << height) - 1);
                let tile = self.tile(tier, index >> height).await?;
                if tile.len() as u64 == within {
                    tile.push(hash);
                }
            }
        }
        Ok(made)
    }

    async fn spans(&mut self, spans: Vec<Range<u64>>) -> Result<Vec<Hash>> {
        let mut hashes = Vec::with_capacity(spans.len());
        for span in spans {
            hashes.push(self.span(span).await?);
        }
        Ok(hashes)
    }

    async fn span(&mut self, span: Range<u64>) -> Result<Hash> {
        let mut peaks = Vec::new();
        for (level, index) in tree::subtrees(&span) {
            peaks.push(self.subtree(level, index).await?);
        }
        Ok(tree::root_of(&peaks))
    }

    async fn subtree(&mut self, level: u8, index: u64) -> Result<Hash> {
        let (tier, above) = (level / self.height, level % self.height);
        let per_tile = 1 << (self.height - above);
        let tile = self.tile(tier, index / per_tile).await?;
        let first = usize::try_from(index % per_tile).map_err(Error::internal)? << above;
        let part = tile.get(first..first + (1 << above));
        part.map(complete_root)
            .ok_or_else(|| damaged(format!("the tree lacks node {index} of level {level}")))
    }

    async fn tile(&mut self, tier: u8, index: u64) -> Result<&mut Vec<Hash>> {
        match self.tiles.entry((tier, index)) {
            Entry::Occupied(it) => Ok(it.into_mut()),
            Entry::Vacant(it) => {
                let range = index << self.height..(index + 1) << self.height;
                Ok(it.insert(self.nodes.read(tier, range).await?))
            }
        }
    }
}

/// The root over a power of two of hashes.
fn complete_root(hashes: &[Hash]) -> Hash {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level
            .chunks_exact(2)
            .filter_map(|it| Some(tree::node(it.first()?, it.last()?)))
            .collect();
    }
    tree::root_of(&level)
}

/// The tables of a journal, in one snapshot.
pub(crate) struct Stored<'t>(pub(crate) &'t mut Tx);

impl Nodes for Stored<'_> {
    async fn read(&mut self, tier: u8, range: Range<u64>) -> Result<Vec<Hash>> {
        if tier == 0 {
            return leaves(self.0, range).await;
        }
        let rows: Vec<(i64, Vec<u8>)> = on!(&mut *self.0, |c| sqlx::query_as(
            "SELECT \"index\", hash FROM journal_node
             WHERE level = $1 AND \"index\" >= $2 AND \"index\" < $3 ORDER BY \"index\""
        )
        .persistent(false)
        .bind(i32::from(tier) * i32::from(HEIGHT))
        .bind(signed(range.start)?)
        .bind(signed(range.end)?)
        .fetch_all(c)
        .await)?;
        let dense = rows.into_iter().zip(range).map_while(|((index, hash), expected)| {
            (u64::try_from(index) == Ok(expected)).then_some(hash)
        });
        dense.map(|it| it.try_into().map_err(|_| damaged("a node is not a hash"))).collect()
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    position: i64,
    trust_position: i64,
    trust_id: Uuid,
    event_id: Uuid,
    stream: String,
    version: i32,
    r#type: String,
    effective_on: Option<NaiveDate>,
    recorded_at: DateTime<Utc>,
    corrects: Option<Uuid>,
    actor: String,
    correlation_id: Uuid,
    causation_id: Option<Uuid>,
    content_hash: Vec<u8>,
}

/// Leaves from the columns of events, without their messages: the content hash stands for them.
async fn leaves(tx: &mut Tx, range: Range<u64>) -> Result<Vec<Hash>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT position, trust_position, trust_id, event_id, stream, version, type, effective_on, recorded_at,
             corrects, actor, correlation_id, causation_id, content_hash
         FROM event WHERE position > $1 AND position <= $2 ORDER BY position"
    )
    .persistent(false)
    .bind(signed(range.start)?)
    .bind(signed(range.end)?)
    .fetch_all(c)
    .await)
    .map_err(unreadable)?;
    rows.into_iter()
        .zip(range.start + 1..)
        .map(|(row, expected)| {
            if u64::try_from(row.position) != Ok(expected) {
                return Err(damaged(format!("the event at position {expected} is missing")));
            }
            leaf(row)
        })
        .collect()
}

fn leaf(row: Row) -> Result<Hash> {
    let content_hash = row.content_hash;
    let event = Recorded {
        position: row.position,
        trust_position: row.trust_position,
        trust_id: row.trust_id,
        event_id: row.event_id,
        stream: row.stream,
        version: u32::try_from(row.version).map_err(|_| {
            damaged(format!("the event at position {} has no version", row.position))
        })?,
        kind: row.r#type,
        data: Vec::new(),
        effective_on: row.effective_on,
        recorded_at: row.recorded_at,
        corrects: row.corrects,
        actor: row.actor,
        correlation_id: row.correlation_id,
        causation_id: row.causation_id,
        texts: Texts::default(),
    };
    Ok(event.leaf_over(&content_hash))
}

/// A row that the driver cannot read was not written by us.
pub(crate) fn unreadable(error: sqlx::Error) -> Error {
    match &error {
        sqlx::Error::ColumnDecode { index, .. } => {
            damaged(format!("column {index} of an event cannot be read")).caused_by(error)
        }
        sqlx::Error::Database(it) if is_corrupt(it.code().as_deref()) => {
            damaged("the database itself is damaged").caused_by(error)
        }
        _ => error.into(),
    }
}

/// `SQLite`: CORRUPT and NOTADB; `PostgreSQL`: data and index corrupted.
pub(crate) fn is_corrupt(code: Option<&str>) -> bool {
    matches!(code, Some("11" | "26" | "267" | "XX001" | "XX002"))
}

pub(crate) fn signed(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(Error::internal)
}

#[cfg(test)]
mod tests;
