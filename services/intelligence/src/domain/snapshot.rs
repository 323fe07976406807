//! A push that is all there is: what its scope holds and it does not name is deleted, unless that is suspiciously much.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use identity::SchoolId;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::domain::{Kind, Unconfirmed};

/// One in so many records of a scope may be removed without being confirmed: 20 %.
const SHARE: usize = 5;

/// The records of one kind, of some schools and days, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    pub kind: Kind,
    /// The schools it is of; empty for every school of the trust.
    pub school_ids: BTreeSet<SchoolId>,
    pub starts_on: Option<NaiveDate>,
    pub ends_on: Option<NaiveDate>,
    /// The number of records the caller has agreed to lose.
    pub confirmed: Option<u32>,
}

/// A snapshot as a caller asks for it: its schools as they name them.
#[derive(Clone, Debug)]
pub struct SnapshotAsked {
    pub kind: Kind,
    pub urns: Vec<String>,
    pub starts_on: Option<NaiveDate>,
    pub ends_on: Option<NaiveDate>,
    pub confirmed: Option<u32>,
}

impl Kind {
    /// Whether there can be snapshots of it: its records have a school and a day.
    pub fn has_snapshots(self) -> bool {
        !matches!(self, Self::Pupil | Self::PupilKeyChange)
    }
}

/// What a record is known by, in brief: two of a trust are the same only if they are of the same kind, school, day and so
/// on. 128 bits, so that no two of a snapshot share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NaturalKey(pub [u8; 16]);

impl NaturalKey {
    /// Of a natural key in writing.
    pub fn of(written: &[u8]) -> Self {
        let mut half = [0; 16];
        half.iter_mut().zip(Sha256::digest(written)).for_each(|(to, from)| *to = from);
        Self(half)
    }
}

impl Snapshot {
    /// Whether a record of a school and day is in the scope.
    pub fn holds(&self, kind: Kind, school_id: SchoolId, on: NaiveDate) -> bool {
        self.kind == kind
            && (self.school_ids.is_empty() || self.school_ids.contains(&school_id))
            && self.starts_on.is_none_or(|it| it <= on)
            && self.ends_on.is_none_or(|it| on <= it)
    }

    /// Whether so many may be removed of so many there are.
    pub fn permits(&self, removed: usize, in_scope: usize) -> Result<(), Unconfirmed> {
        let count = |it: usize| u32::try_from(it).unwrap_or(u32::MAX);
        let confirmed = self.confirmed == Some(count(removed));
        if confirmed || removed.saturating_mul(SHARE) <= in_scope {
            return Ok(());
        }
        Err(Unconfirmed { removed: count(removed), in_scope: count(in_scope) })
    }
}

impl Unconfirmed {
    /// What is said of it, and how to go on.
    pub fn detail(&self, kind: Kind) -> String {
        let Self { removed, in_scope } = self;
        format!(
            "this snapshot would delete {removed} of the {in_scope} {} in its scope, more than 20 %: push it again with \
             confirmRemoval {removed} if that is right",
            kind.unit()
        )
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn snapshot(confirmed: Option<u32>) -> Snapshot {
        Snapshot {
            kind: Kind::Enrolment,
            school_ids: BTreeSet::from([SchoolId(Uuid::from_u128(1))]),
            starts_on: Some("2026-09-01".parse().unwrap()),
            ends_on: Some("2026-12-18".parse().unwrap()),
            confirmed,
        }
    }

    #[test]
    fn a_fifth_may_go_and_more_only_by_its_number() {
        #[track_caller]
        fn check(removed: usize, in_scope: usize, confirmed: Option<u32>, allowed: bool) {
            let found = snapshot(confirmed).permits(removed, in_scope);
            assert_eq!(found.is_ok(), allowed, "{removed} of {in_scope}, {confirmed:?}");
        }
        check(0, 0, None, true);
        check(20, 100, None, true);
        check(21, 100, None, false);
        check(21, 100, Some(21), true);
        check(21, 100, Some(20), false);
        check(1, 1, None, false);
        check(1, 1, Some(1), true);
        check(0, 100, Some(7), true);
        let said = snapshot(None).permits(45, 100).unwrap_err().detail(Kind::Enrolment);
        assert!(
            said.contains("45 of the 100 enrolments")
                && said.ends_with("confirmRemoval 45 if that is right")
        );
    }

    #[test]
    fn a_scope_ends_at_its_kind_schools_and_days() {
        #[track_caller]
        fn check(kind: Kind, school: u128, on: &str, inside: bool) {
            let school = SchoolId(Uuid::from_u128(school));
            assert_eq!(snapshot(None).holds(kind, school, on.parse().unwrap()), inside, "{on}");
        }
        check(Kind::Enrolment, 1, "2026-09-01", true);
        check(Kind::Enrolment, 1, "2026-12-18", true);
        check(Kind::Enrolment, 1, "2026-08-31", false);
        check(Kind::Enrolment, 1, "2026-12-19", false);
        check(Kind::Enrolment, 2, "2026-10-01", false);
        check(Kind::AttendanceRegister, 1, "2026-10-01", false);
        let everywhere = Snapshot { school_ids: BTreeSet::new(), ..snapshot(None) };
        let on = "2026-10-01".parse().unwrap();
        assert!(everywhere.holds(Kind::Enrolment, SchoolId(Uuid::from_u128(9)), on));
    }
}
