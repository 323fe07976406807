//! Who may push which records for which schools.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use identity::{SchoolId, TrustId};
use rpc::{Caller, Error, Reach, Reason, Result, Scope};
use serde::{Deserialize, Serialize};

identity::id! {
    /// One client's authorised flow of records.
    FeedId
}

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Kind {
    Pupil,
    Enrolment,
    AttendanceRegister,
    AssessmentResult,
    Suspension,
    BehaviourIncident,
    StaffMember,
    StaffAbsence,
    Cover,
    BudgetLine,
    Observation,
    PupilKeyChange,
}

impl Kind {
    pub const ALL: [Self; 12] = [
        Self::Pupil,
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
        Self::PupilKeyChange,
    ];

    /// As it is stored.
    pub fn name(self) -> String {
        snake(self.field())
    }

    /// The field of a record that holds it.
    pub fn field(self) -> &'static str {
        match self {
            Self::Pupil => "pupil",
            Self::Enrolment => "enrolment",
            Self::AttendanceRegister => "attendanceRegister",
            Self::PupilKeyChange => "pupilKeyChange",
            Self::AssessmentResult => "assessmentResult",
            Self::Suspension => "suspension",
            Self::BehaviourIncident => "behaviourIncident",
            Self::StaffMember => "staffMember",
            Self::StaffAbsence => "staffAbsence",
            Self::Cover => "cover",
            Self::BudgetLine => "budgetLine",
            Self::Observation => "observation",
        }
    }
}

/// `attendanceRegister` or `AttendanceRegister` as `attendance_register`.
pub(crate) fn snake(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for (place, it) in name.char_indices() {
        if it.is_ascii_uppercase() && place > 0 {
            snake.push('_');
        }
        snake.push(it.to_ascii_lowercase());
    }
    snake
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feed {
    pub feed_id: FeedId,
    pub trust_id: TrustId,
    pub name: String,
    /// The client that may push into it.
    pub client_id: String,
    pub kinds: BTreeSet<Kind>,
    /// Empty for every school of the trust.
    pub school_ids: BTreeSet<SchoolId>,
    pub version: u32,
    pub created_at: DateTime<Utc>,
}

/// A feed about to be: its schools as the caller named them.
#[derive(Clone, Debug)]
pub struct CreateFeed {
    pub trust_id: TrustId,
    pub name: String,
    pub client_id: String,
    pub kinds: BTreeSet<Kind>,
    pub urns: Vec<String>,
}

impl Feed {
    pub fn speaks_for(&self, school_id: SchoolId) -> bool {
        self.school_ids.is_empty() || self.school_ids.contains(&school_id)
    }

    /// Only the feed's own client, or those who run the platform, push into it.
    pub fn may_push(&self, caller: &Caller) -> Result<()> {
        if caller.reach == Reach::Platform || caller.client_id == self.client_id {
            return Ok(());
        }
        let detail = format!("feed {} belongs to another client", self.feed_id);
        Err(Error::new(Reason::ScopeMissing, detail))
    }

    /// Those who administer feeds may also read what became of its batches.
    pub fn may_read(&self, caller: &Caller) -> Result<()> {
        if caller.may(Scope::IntelligenceWrite) { Ok(()) } else { self.may_push(caller) }
    }
}
