//! Batches that are received and not yet settled.

use chrono::{DateTime, Utc};
use identity::TrustId;
use rpc::Permit;

use crate::domain::{BatchId, FeedId, Totals};

/// The trusts are divided into so many partitions by a hash of their ids; one worker process at a time has each. Changing
/// it moves trusts between partitions: let the queue run empty before.
pub const PARTITIONS: u16 = 16;

/// A received batch, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    pub batch_id: BatchId,
    pub trust_id: TrustId,
    pub feed_id: FeedId,
    /// Who pushed it.
    pub client_id: String,
    /// What it had been granted when it did.
    pub permit: Permit,
    pub partition: i32,
    /// Batches of a trust are applied in the order of their places.
    pub place: i64,
    pub dry_run: bool,
    /// What the caller said beside the records: an encoded `PushRecordsRequest`.
    pub header: Vec<u8>,
    pub parts: u32,
    /// How many of the parts are applied.
    pub done: u32,
    /// What the records of those came to.
    pub totals: Totals,
    pub received_at: DateTime<Utc>,
}

impl Work {
    /// Whether the next part is the last.
    pub fn is_last(&self) -> bool {
        self.done + 1 == self.parts
    }
}
