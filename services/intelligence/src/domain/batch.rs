//! A push on its way: received, validated, applied, and what it came to.

use chrono::{DateTime, TimeDelta, Utc};
use identity::TrustId;
use serde::{Deserialize, Serialize};

use crate::domain::{FeedId, Outcome, RecordResult, Snapshot};

identity::id! {
    /// One push into a feed.
    BatchId
}

/// How long it is told what became of each record. A vendor's record ids may say more than they should of a pupil.
pub const RESULTS_KEPT: TimeDelta = TimeDelta::days(90);

impl BatchId {
    /// Whether it was given before a time.
    pub fn is_before(self, time: DateTime<Utc>) -> bool {
        self < Self::first_of(time)
    }

    fn first_of(time: DateTime<Utc>) -> Self {
        let millis = u64::try_from(time.timestamp_millis()).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }

    /// The first id of those whose results are still kept: ids are in order of the time a push was received.
    pub fn oldest_kept(now: DateTime<Utc>) -> Self {
        Self::first_of(now - RESULTS_KEPT)
    }
}

/// How a push came, as far as it is known once its body has been read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    pub client_id: String,
    /// json, ndjson, csv, zip or messages.
    pub format: &'static str,
    pub media_type: String,
    pub bytes: u64,
    pub sha256: [u8; 32],
    /// How many records there are, where that is known before they are applied.
    pub records: Option<u32>,
    /// Rows of an archive's files that became no record when it was taken apart.
    pub skipped_rows: u32,
}

/// Each record is one of the five: they add up to `records`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub records: u32,
    pub accepted: u32,
    pub unchanged: u32,
    pub corrected: u32,
    pub parked: u32,
    pub rejected: u32,
    /// Deleted because a snapshot did not name them: not among `records`.
    pub removed: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BatchState {
    /// Stored, to be taken up.
    Received,
    /// A worker applies its records.
    Validating,
    Applied,
    PartlyApplied,
    Rejected,
    /// A dry run: nothing was stored but the report.
    Validated,
}

/// A removal that a snapshot asked for and that has to be confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// Records that would be removed.
    pub removed: u32,
    /// Of so many in the scope.
    pub in_scope: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub batch_id: BatchId,
    pub feed_id: FeedId,
    pub trust_id: TrustId,
    pub state: BatchState,
    pub dry_run: bool,
    pub snapshot: Option<Snapshot>,
    pub totals: Totals,
    /// Rows of a file that held no record for the feed.
    pub skipped_rows: u32,
    pub unconfirmed: Option<Unconfirmed>,
    pub received_at: DateTime<Utc>,
    pub applied_at: Option<DateTime<Utc>>,
    /// Of its stream in the journal.
    pub version: u32,
}

impl BatchState {
    /// What records that came to these totals leave a batch in.
    pub fn of(totals: &Totals, dry_run: bool) -> Self {
        if dry_run {
            Self::Validated
        } else if totals.rejected == 0 {
            Self::Applied
        } else if totals.rejected < totals.records {
            Self::PartlyApplied
        } else {
            Self::Rejected
        }
    }

    /// As it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Validating => "validating",
            Self::Applied => "applied",
            Self::PartlyApplied => "partly_applied",
            Self::Rejected => "rejected",
            Self::Validated => "validated",
        }
    }

    /// Whether a batch in this state may be in that one next.
    pub fn may_become(self, to: Self) -> bool {
        match self {
            Self::Received => to != Self::Received,
            Self::Validating => !matches!(to, Self::Received | Self::Validating),
            // What waited until its deadline is rejected afterwards.
            Self::Applied => matches!(to, Self::PartlyApplied | Self::Rejected),
            Self::PartlyApplied => matches!(to, Self::PartlyApplied | Self::Rejected),
            Self::Rejected | Self::Validated => false,
        }
    }

    /// Whether every record has been dealt with.
    pub fn is_done(self) -> bool {
        !matches!(self, Self::Received | Self::Validating)
    }
}

impl Batch {
    /// A worker takes it up; nothing if one has before.
    #[must_use]
    pub fn taken_up(&self) -> Option<Self> {
        let state = BatchState::Validating;
        let next = || Self { state, version: self.version + 1, ..self.clone() };
        self.state.may_become(state).then(next)
    }

    /// Some of its records are dealt with, and came to these totals together with those before; nothing unless it is taken
    /// up and not done.
    #[must_use]
    pub fn advanced(&self, totals: Totals) -> Option<Self> {
        let version = self.version + 1;
        (self.state == BatchState::Validating).then(|| Self { totals, version, ..self.clone() })
    }

    /// All of its records came to these totals; nothing if that was told before.
    #[must_use]
    pub fn done(&self, totals: Totals, at: DateTime<Utc>) -> Option<Self> {
        let mut state = BatchState::of(&totals, self.dry_run);
        if state == BatchState::Applied && self.unconfirmed.is_some() {
            state = BatchState::PartlyApplied;
        }
        let (applied_at, version) = (Some(at), self.version + 1);
        (!self.state.is_done()).then(|| Self { state, totals, applied_at, version, ..self.clone() })
    }

    /// Records that were parked are rejected, for their deadline has passed.
    #[must_use]
    pub fn expired(&self, records: u32) -> Option<Self> {
        let parked = self.totals.parked.checked_sub(records)?;
        let totals = Totals { parked, rejected: self.totals.rejected + records, ..self.totals };
        let state = BatchState::of(&totals, self.dry_run);
        let next = || Self { state, totals, version: self.version + 1, ..self.clone() };
        (records > 0 && self.state.may_become(state)).then(next)
    }

    /// A snapshot some of whose records were rejected deletes nothing.
    pub fn is_incomplete(&self) -> bool {
        self.snapshot.is_some() && self.state.is_done() && self.totals.rejected > 0
    }
}

impl Totals {
    pub fn of(results: &[RecordResult]) -> Self {
        let mut totals = Self::default();
        for it in results {
            if it.outcome == Outcome::Removed {
                totals.removed += 1;
                continue;
            }
            totals.records += 1;
            *match it.outcome {
                Outcome::Accepted => &mut totals.accepted,
                Outcome::Unchanged => &mut totals.unchanged,
                Outcome::Corrected => &mut totals.corrected,
                Outcome::Parked => &mut totals.parked,
                Outcome::Rejected | Outcome::Removed => &mut totals.rejected,
            } += 1;
        }
        totals
    }

    /// With those of another part of the batch.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            records: self.records + other.records,
            accepted: self.accepted + other.accepted,
            unchanged: self.unchanged + other.unchanged,
            corrected: self.corrected + other.corrected,
            parked: self.parked + other.parked,
            rejected: self.rejected + other.rejected,
            removed: self.removed + other.removed,
        }
    }
}

#[cfg(test)]
mod tests;
