//! That records must be kept, whatever retention or erasure would do.

use chrono::{DateTime, Utc};
use identity::TrustId;
use uuid::Uuid;

use crate::domain::{Hash, Kind};

identity::id! {
    /// One legal hold.
    HoldId
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalHold {
    pub hold_id: HoldId,
    pub trust_id: TrustId,
    /// All when there are none.
    pub kinds: Vec<Kind>,
    /// Whether it keeps one person's records.
    pub of_person: bool,
    /// Who that is.
    pub person: Option<Hash>,
    /// The text that says why.
    pub reason: Option<Uuid>,
    pub given_at: DateTime<Utc>,
    pub given_by: String,
    pub lifted_at: Option<DateTime<Utc>>,
    pub lifted_by: Option<String>,
    pub lifted_reason: Option<Uuid>,
    pub version: u32,
}

impl LegalHold {
    /// Whether it keeps records of a kind.
    pub fn keeps(&self, kind: Kind) -> bool {
        self.lifted_at.is_none() && (self.kinds.is_empty() || self.kinds.contains(&kind))
    }

    /// Whether it keeps a person from being erased, of whom there are records of these kinds.
    pub fn stops(&self, person: &Hash, kinds: impl IntoIterator<Item = Kind>) -> bool {
        let concerns = !self.of_person || self.person.as_ref() == Some(person);
        concerns && kinds.into_iter().any(|it| self.keeps(it))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hold_stops_what_it_keeps() {
        #[track_caller]
        fn check(hold: &LegalHold, kinds: &[Kind], stops: bool) {
            assert_eq!(hold.stops(&[1; 16], kinds.iter().copied()), stops);
        }
        let hold = |kinds: &[Kind], person: Option<Hash>, lifted: bool| LegalHold {
            hold_id: HoldId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            kinds: kinds.to_vec(),
            of_person: person.is_some(),
            person,
            reason: None,
            given_at: DateTime::UNIX_EPOCH,
            given_by: String::new(),
            lifted_at: lifted.then_some(DateTime::UNIX_EPOCH),
            lifted_by: None,
            lifted_reason: None,
            version: 1,
        };
        let (marks, results) = (Kind::AttendanceRegister, Kind::AssessmentResult);
        check(&hold(&[], None, false), &[marks], true);
        check(&hold(&[], None, true), &[marks], false);
        check(&hold(&[results], None, false), &[marks], false);
        check(&hold(&[results], None, false), &[marks, results], true);
        check(&hold(&[], Some([1; 16]), false), &[marks], true);
        check(&hold(&[], Some([2; 16]), false), &[marks], false);
    }
}
