//! Who may push which records for which schools.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use identity::{SchoolId, TrustId};
use rpc::{Caller, Ctx, Error, Reach, Reason, Result, Scope, scope_name};
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
        if self.is_of(caller) {
            return Ok(());
        }
        let detail = format!("feed {} belongs to another client", self.feed_id);
        Err(Error::new(Reason::ScopeMissing, detail))
    }

    /// Its own client may see it, and whoever may see all of its schools.
    pub fn may_see(&self, ctx: &Ctx) -> Result<()> {
        let is_seen = match ctx.schools() {
            None => true,
            Some(seen) => {
                !self.school_ids.is_empty() && self.school_ids.iter().all(|it| seen.contains(&it.0))
            }
        };
        if is_seen || self.is_of(&ctx.caller) {
            return Ok(());
        }
        let (scope, feed) = (scope_name(ctx.scope), self.feed_id);
        let detail = format!("no grant covers the scope {scope} for all schools of feed {feed}");
        Err(Error::new(Reason::GrantMissing, detail))
    }

    /// Those who administer a feed they see may also read what became of its batches.
    pub fn may_read(&self, ctx: &Ctx) -> Result<()> {
        self.may_see(ctx)?;
        let administers = ctx.caller.may(Scope::IntelligenceWrite);
        if administers { Ok(()) } else { self.may_push(&ctx.caller) }
    }

    fn is_of(&self, caller: &Caller) -> bool {
        caller.reach == Reach::Platform || caller.client_id == self.client_id
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rpc::{Allowance, Permit};
    use uuid::Uuid;

    use super::*;

    const NORTH: Uuid = Uuid::from_u128(1);
    const SOUTH: Uuid = Uuid::from_u128(2);

    fn caller(client_id: &str, schools: Option<&[Uuid]>) -> Ctx {
        let allowance = Allowance {
            scopes: rpc::all_scopes().map(i32::from).collect(),
            schools: schools.map(|it| it.iter().copied().collect()),
            kinds: None,
            named: false,
            purpose: "attendance".to_owned(),
        };
        let mut ctx = Ctx::system("test");
        ctx.scope = Scope::RecordsWrite;
        ctx.caller.client_id = client_id.to_owned();
        ctx.caller.reach = Reach::Trust(Uuid::nil());
        ctx.caller.permit = Arc::new(Permit::Granted(vec![allowance]));
        ctx
    }

    fn feed(schools: &[Uuid]) -> Feed {
        Feed {
            feed_id: FeedId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            name: "Registers".to_owned(),
            client_id: "vendor".to_owned(),
            kinds: [Kind::AttendanceRegister].into(),
            school_ids: schools.iter().map(|it| SchoolId(*it)).collect(),
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    /// threat: T-OTHER-SCHOOL
    #[test]
    fn what_a_feed_brought_is_read_by_its_client_and_by_who_sees_all_its_schools() {
        let every: &[Uuid] = &[];
        for (schools, client, seen, expected) in [
            (every, "vendor", Some(&[NORTH][..]), true),
            (every, "other", Some(&[NORTH, SOUTH][..]), false),
            (every, "other", None, true),
            (&[NORTH][..], "other", Some(&[NORTH][..]), true),
            (&[NORTH, SOUTH][..], "other", Some(&[NORTH][..]), false),
            (&[NORTH][..], "other", Some(&[][..]), false),
        ] {
            let (feed, caller) = (feed(schools), caller(client, seen));
            let found = feed.may_read(&caller);
            assert_eq!(found.is_ok(), expected, "{schools:?} {client} {seen:?}");
            assert_eq!(feed.may_see(&caller).is_ok(), expected);
            if let Err(error) = found {
                assert_eq!(error.reason, Reason::GrantMissing);
                assert!(error.detail.contains("records:write"), "{}", error.detail);
            }
        }
        let mut reader = caller("other", None);
        reader.caller.scopes = [Scope::RecordsWrite.into()].into();
        assert_eq!(feed(every).may_read(&reader).unwrap_err().reason, Reason::ScopeMissing);
    }
}
