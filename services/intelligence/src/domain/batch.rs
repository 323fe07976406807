//! A push and what became of its records.

use chrono::{DateTime, TimeDelta, Utc};
use identity::TrustId;
use serde::{Deserialize, Serialize};

use crate::domain::FeedId;

identity::id! {
    /// One push into a feed.
    BatchId
}

/// Records in one push at the most.
pub const RECORDS_LIMIT: usize = 10_000;
/// Bytes of one push at the most: 32 MiB.
pub const BYTES_LIMIT: usize = 32 << 20;

/// How long it is told what became of each record. A vendor's record ids may say more than they should of a pupil.
const RESULTS_KEPT: TimeDelta = TimeDelta::days(30);

impl BatchId {
    /// The first id of those whose results are still kept: ids are in order of time.
    pub fn oldest_kept(now: DateTime<Utc>) -> Self {
        let millis = (now - RESULTS_KEPT).timestamp_millis();
        let millis = u64::try_from(millis).unwrap_or_default();
        Self(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored as something new.
    Accepted,
    /// What it says was already so.
    Unchanged,
    /// It changed or took back what was stored.
    Corrected,
    /// Stored, but some of its pupils are not on roll as far as we know: it counts when they are.
    Parked,
    /// Not stored.
    Rejected,
}

/// Each record is one of them: they add up to `records`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    pub records: u32,
    pub accepted: u32,
    pub unchanged: u32,
    pub corrected: u32,
    pub parked: u32,
    pub rejected: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum BatchState {
    Applied,
    PartlyApplied,
    Rejected,
    /// A dry run: nothing was stored but the report.
    Validated,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub batch_id: BatchId,
    pub feed_id: FeedId,
    pub trust_id: TrustId,
    pub state: BatchState,
    pub totals: Totals,
    pub received_at: DateTime<Utc>,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordResult {
    pub line: u32,
    pub external_id: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Complaint>,
    /// The URN it was stored under, when the one it named has been superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by_urn: Option<String>,
}

/// A problem of a record, as it is kept with the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    pub pointer: String,
    /// Number of the contract's error reason.
    pub reason: i32,
    pub detail: String,
}

impl Totals {
    pub fn of(results: &[RecordResult]) -> Self {
        let mut totals = Self::default();
        for it in results {
            totals.records += 1;
            *match it.outcome {
                Outcome::Accepted => &mut totals.accepted,
                Outcome::Unchanged => &mut totals.unchanged,
                Outcome::Corrected => &mut totals.corrected,
                Outcome::Parked => &mut totals.parked,
                Outcome::Rejected => &mut totals.rejected,
            } += 1;
        }
        totals
    }
}

impl BatchState {
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
}

impl From<rpc::Problem> for Complaint {
    fn from(it: rpc::Problem) -> Self {
        let detail = it.fault.detail.into_owned();
        Self { pointer: it.pointer, reason: it.fault.reason.into(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_kept_for_thirty_days() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let batch = |days: i64| {
            let at = (now - TimeDelta::days(days)).timestamp_millis().unsigned_abs();
            BatchId(uuid::Builder::from_unix_timestamp_millis(at, &[7; 10]).into_uuid())
        };
        assert!(batch(29) >= BatchId::oldest_kept(now));
        assert!(batch(31) < BatchId::oldest_kept(now));
    }

    #[test]
    fn a_batch_is_what_its_records_came_to() {
        #[track_caller]
        fn check(outcomes: &[Outcome], dry_run: bool, expected: BatchState) {
            let results: Vec<_> = outcomes
                .iter()
                .map(|outcome| RecordResult {
                    line: 1,
                    external_id: String::new(),
                    outcome: *outcome,
                    problems: Vec::new(),
                    superseded_by_urn: None,
                })
                .collect();
            let it = Totals::of(&results);
            let sum = it.accepted + it.unchanged + it.corrected + it.parked + it.rejected;
            assert_eq!((it.records as usize, sum), (outcomes.len(), it.records));
            assert_eq!(BatchState::of(&it, dry_run), expected);
        }
        use Outcome::{Accepted, Corrected, Parked, Rejected, Unchanged};
        check(&[Accepted, Unchanged, Corrected, Parked], false, BatchState::Applied);
        check(&[Accepted, Rejected], false, BatchState::PartlyApplied);
        check(&[Rejected, Rejected], false, BatchState::Rejected);
        check(&[Rejected, Rejected], true, BatchState::Validated);
    }
}
