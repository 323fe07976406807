//! What changed in a trust's records, for whoever keeps a copy: in the order of commits, each record's latest change.

use chrono::{DateTime, TimeDelta, Utc};
use identity::SchoolId;
use serde::{Deserialize, Serialize};

use crate::domain::{Content, Enrolment, Hash, Kind, Session};

/// How long a deletion is told of. Whoever asks for what is older begins again.
pub const TOMBSTONES_KEPT: TimeDelta = TimeDelta::days(90);

/// Up to where a reader has been told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The log's end when this pass over it began: deletions up to there were told, or were before anything was.
    pub since: i64,
    /// The position told last.
    pub position: i64,
    /// The change of that position told last: a batch changes many records at once. None when all were told.
    pub key: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeOp {
    Upsert,
    Delete,
    KeyChange,
}

/// A record as it is now, or its natural key when it is gone; pupils by pseudonym.
#[derive(Clone, Debug, PartialEq)]
pub enum Changed {
    Enrolment {
        pupil: Hash,
        enrolment: Enrolment,
    },
    /// The whole register, by pupil and code.
    Register {
        date: chrono::NaiveDate,
        session: Session,
        marks: Vec<(Hash, String)>,
    },
    /// What is left of a record that is gone, as JSON.
    Written(String),
    Fact {
        person: Option<Hash>,
        content: Box<Content>,
    },
    Pupil {
        pupil: Hash,
        new_pupil: Hash,
    },
    /// A school's URN before.
    School {
        previous_urn: String,
        urn: String,
    },
}

#[derive(Clone, Debug)]
pub struct Change {
    pub position: i64,
    /// Tells the changes of one position apart, and puts them in order.
    pub key: String,
    pub op: ChangeOp,
    pub school_id: Option<SchoolId>,
    pub record: Changed,
    pub recorded_at: Option<DateTime<Utc>>,
}

impl Cursor {
    /// Where a reader begins who has been told nothing, while the log ends there.
    pub fn beginning(head: i64) -> Self {
        Self { since: head, position: 0, key: None }
    }

    /// Where a reader goes on who has been told everything up to the log's end.
    pub fn end(head: i64) -> Self {
        Self { since: head, position: head, key: None }
    }

    /// After one more change was told in the same pass.
    #[must_use]
    pub fn after(&self, change: &Change) -> Self {
        Self { since: self.since, position: change.position, key: Some(change.key.clone()) }
    }

    /// Whether a change is still to be told.
    pub fn awaits(&self, position: i64, key: &str) -> bool {
        match position.cmp(&self.position) {
            std::cmp::Ordering::Less => false,
            std::cmp::Ordering::Equal => self.key.as_deref().is_some_and(|told| told < key),
            std::cmp::Ordering::Greater => true,
        }
    }

    /// Whether deletions that this reader was not told of have been forgotten.
    pub fn is_gone(&self, forgotten_to: i64) -> bool {
        self.since < forgotten_to
    }
}

/// A pupil's pseudonym: the keyed hash in hexadecimal digits.
pub fn hex(hash: &Hash) -> String {
    format!("{:032x}", u128::from_be_bytes(*hash))
}

/// The hash of a pseudonym.
pub fn unhex(text: &str) -> Option<Hash> {
    let digits = Some(text).filter(|it| it.len() == 32)?;
    u128::from_str_radix(digits, 16).ok().map(u128::to_be_bytes)
}

impl Kind {
    /// Every kind whose changes are told, and by what path.
    pub fn of_path(path: &str) -> Option<Self> {
        Self::TOLD.into_iter().find(|it| it.path() == path)
    }

    /// Whether its records name pupils.
    pub fn names_pupils(self) -> bool {
        matches!(
            self,
            Self::Pupil
                | Self::Enrolment
                | Self::AttendanceRegister
                | Self::AssessmentResult
                | Self::Suspension
                | Self::BehaviourIncident
        )
    }

    /// Kinds whose changes are told.
    pub const TOLD: [Self; 10] = [
        Self::Enrolment,
        Self::AttendanceRegister,
        Self::AssessmentResult,
        Self::Suspension,
        Self::BehaviourIncident,
        Self::StaffMember,
        Self::StaffAbsence,
        Self::Cover,
        Self::BudgetLine,
        Self::Observation,
    ];

    /// What its records are counted in.
    pub fn unit(self) -> String {
        match self {
            Self::AttendanceRegister => "marks".to_owned(),
            Self::Cover => "counts of lessons".to_owned(),
            it => it.path().replace('-', " "),
        }
    }

    /// The last part of the path its changes are at.
    pub fn path(self) -> &'static str {
        match self {
            Self::Pupil => "pupils",
            Self::Enrolment => "enrolments",
            Self::AttendanceRegister => "attendance-registers",
            Self::AssessmentResult => "assessment-results",
            Self::Suspension => "suspensions",
            Self::BehaviourIncident => "behaviour-incidents",
            Self::StaffMember => "staff-members",
            Self::StaffAbsence => "staff-absences",
            Self::Cover => "cover",
            Self::BudgetLine => "budget-lines",
            Self::Observation => "observations",
            Self::PupilKeyChange => "pupil-key-changes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_is_told_each_change_once() {
        #[track_caller]
        fn check(told: (i64, Option<&str>), change: (i64, &str), expected: bool) {
            let key = told.1.map(str::to_owned);
            let cursor = Cursor { since: 9, position: told.0, key };
            assert_eq!(cursor.awaits(change.0, change.1), expected, "{told:?} {change:?}");
        }
        check((0, None), (1, "a"), true);
        check((5, None), (5, "a"), false);
        check((5, Some("b")), (5, "a"), false);
        check((5, Some("b")), (5, "b"), false);
        check((5, Some("b")), (5, "c"), true);
        check((5, Some("b")), (4, "c"), false);
        check((5, Some("b")), (6, "a"), true);
    }

    #[test]
    fn a_pass_needs_the_deletions_since_it_began() {
        assert!(!Cursor::beginning(70).is_gone(70), "deletions before it began are none of its");
        assert!(Cursor::beginning(70).is_gone(71));
        assert!(Cursor { since: 70, position: 3, key: None }.is_gone(71));
        assert!(!Cursor::end(71).is_gone(71));
    }
}
