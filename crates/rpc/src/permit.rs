//! How much a credential's scopes apply to: schools, kinds of records, and whether rows about individuals are included.

use std::collections::BTreeSet;

use contract::intelligence::RecordKind;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Error, Reason, Scope, scope_name};

/// What the grants behind a credential come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Permit {
    /// Everything within the credential's reach and scopes: those who run the platform, and its services.
    Whole,
    /// What at least one of these allows.
    Granted(Vec<Allowance>),
}

/// What one grant, or one role of a person, allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    pub scopes: BTreeSet<i32>,
    /// Ids of schools; every school of the trust when none.
    pub schools: Option<BTreeSet<Uuid>>,
    /// Numbers of `RecordKind`; every kind when none.
    pub kinds: Option<BTreeSet<i32>>,
    /// Whether rows about single pupils and staff are included, and not only sums over them.
    pub named: bool,
    /// What the trust gave it for.
    pub purpose: String,
}

/// A person whom a trust's own identity provider vouches for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Numbers of `Audience`, from the roles of the trust that the person's groups are mapped to.
    pub audiences: BTreeSet<i32>,
}

/// What an operation touches, as far as grants tell such things apart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// A school's id, and the URN by which to tell of it.
    pub school: Option<(Uuid, &'a str)>,
    pub kind: Option<RecordKind>,
    /// Rows about single pupils or staff.
    pub named: bool,
}

impl Allowance {
    fn covers(&self, scope: Scope, asked: &Asked<'_>) -> bool {
        self.holds(scope)
            && asked.school.is_none_or(|(id, _)| self.has_school(id))
            && asked.kind.is_none_or(|it| self.has_kind(it.into()))
            && (self.named || !asked.named)
    }

    fn holds(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope.into())
    }

    fn has_school(&self, school_id: Uuid) -> bool {
        self.schools.as_ref().is_none_or(|it| it.contains(&school_id))
    }

    fn has_kind(&self, kind: i32) -> bool {
        self.kinds.as_ref().is_none_or(|it| it.contains(&kind))
    }
}

impl Permit {
    /// Whether one and the same grant covers all that is asked.
    pub fn covers(&self, scope: Scope, asked: &Asked<'_>) -> bool {
        match self {
            Self::Whole => true,
            Self::Granted(all) => all.iter().any(|it| it.covers(scope, asked)),
        }
    }

    /// The schools of which some grant covers what else is asked; every school when none are named.
    pub fn schools(&self, scope: Scope, asked: &Asked<'_>) -> Option<BTreeSet<Uuid>> {
        let Self::Granted(all) = self else { return None };
        let mut schools = BTreeSet::new();
        for it in all.iter().filter(|it| it.covers(scope, &Asked { school: None, ..*asked })) {
            schools.extend(it.schools.as_ref()?);
        }
        Some(schools)
    }

    /// The kinds of records that some grant of this scope covers; every kind when none are named.
    pub fn kinds(&self, scope: Scope) -> Option<BTreeSet<i32>> {
        let Self::Granted(all) = self else { return None };
        let mut kinds = BTreeSet::new();
        for it in all.iter().filter(|it| it.holds(scope)) {
            kinds.extend(it.kinds.as_ref()?);
        }
        Some(kinds)
    }

    /// Refuses what is not covered for every school, as what cannot be divided by schools must be.
    pub fn demand_every_school(&self, scope: Scope, asked: &Asked<'_>) -> Result<(), Error> {
        self.demand(scope, asked)?;
        if self.schools(scope, asked).is_none() {
            return Ok(());
        }
        let detail = format!("no grant covers {} for every school", told(scope, asked));
        Err(Error::new(Reason::GrantMissing, detail))
    }

    /// Refuses what is of people whatever is held of them where no grant is of every school and kind, by name.
    pub fn demand_everything(&self, scope: Scope) -> Result<(), Error> {
        let asked = Asked { named: true, ..Asked::default() };
        self.demand(scope, &asked)?;
        let is_all =
            |it: &Allowance| it.covers(scope, &asked) && it.schools.is_none() && it.kinds.is_none();
        match self {
            Self::Granted(all) if !all.iter().any(is_all) => {
                let told = told(scope, &asked);
                let detail = format!("no grant covers {told}, for every school and every kind");
                Err(Error::new(Reason::GrantMissing, detail))
            }
            _ => Ok(()),
        }
    }

    /// Whether some grant gives this scope, whatever for.
    pub fn gives(&self, scope: Scope) -> bool {
        self.covers(scope, &Asked::default())
    }

    /// What the first grant that covers what is asked was given for; nothing for the platform's own.
    pub fn purpose(&self, scope: Scope, asked: &Asked<'_>) -> Option<&str> {
        let Self::Granted(all) = self else { return None };
        all.iter().find(|it| it.covers(scope, asked)).map(|it| it.purpose.as_str())
    }

    /// Refuses what no grant covers, and names the grant that would.
    pub fn demand(&self, scope: Scope, asked: &Asked<'_>) -> Result<(), Error> {
        if self.covers(scope, asked) {
            return Ok(());
        }
        let detail = format!(
            "no grant covers {}; the trust can give it: POST /v1/trusts/{{trust_id}}/grants",
            told(scope, asked)
        );
        Err(Error::new(Reason::GrantMissing, detail))
    }
}

/// What is asked, as the trust would have to grant it.
fn told(scope: Scope, asked: &Asked<'_>) -> String {
    let mut told = format!("the scope {}", scope_name(scope));
    if let Some((_, urn)) = asked.school {
        told.push_str(" for school ");
        told.push_str(urn);
    }
    if let Some(kind) = asked.kind {
        told.push_str(", records of kind ");
        told.push_str(kind.as_str_name().trim_start_matches("RECORD_KIND_"));
    }
    if asked.named {
        told.push_str(", with rows about individuals");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    const NORTH: Uuid = Uuid::from_u128(1);
    const SOUTH: Uuid = Uuid::from_u128(2);

    fn allowance(scope: Scope, school: Option<Uuid>, kind: Option<i32>, named: bool) -> Allowance {
        Allowance {
            scopes: [scope.into()].into(),
            schools: school.map(|it| [it].into()),
            kinds: kind.map(|it| [it].into()),
            named,
            purpose: "attendance".to_owned(),
        }
    }

    fn asked(school: Uuid, kind: i32, named: bool) -> Asked<'static> {
        let kind = RecordKind::try_from(kind).ok();
        Asked { school: Some((school, "123456")), kind, named }
    }

    /// threat: T-OTHER-SCHOOL
    #[test]
    fn one_grant_must_cover_all_that_is_asked() {
        let permit = Permit::Granted(
            [
                allowance(Scope::RecordsWrite, Some(NORTH), Some(1), false),
                allowance(Scope::RecordsWrite, Some(SOUTH), Some(2), true),
            ]
            .into(),
        );
        let may = |it| permit.covers(Scope::RecordsWrite, &it);
        assert!(may(asked(NORTH, 1, false)));
        assert!(may(asked(SOUTH, 2, true)));
        assert!(!may(asked(NORTH, 2, false)), "the kind is another grant's");
        assert!(!may(asked(NORTH, 1, true)), "names are another grant's");
        assert!(!may(asked(Uuid::nil(), 1, false)), "nobody's school");
        assert!(!permit.covers(Scope::RecordsRead, &asked(NORTH, 1, false)), "another scope");
        let schools = |scope, named| permit.schools(scope, &Asked { named, ..Asked::default() });
        assert_eq!(schools(Scope::RecordsWrite, false), Some([NORTH, SOUTH].into()));
        assert_eq!(schools(Scope::RecordsWrite, true), Some([SOUTH].into()));
        assert_eq!(schools(Scope::RecordsRead, false), Some(BTreeSet::new()));
        let every = permit.demand_every_school(Scope::RecordsWrite, &Asked::default());
        assert!(every.unwrap_err().detail.contains("every school"));
        assert_eq!(permit.kinds(Scope::RecordsWrite), Some([1, 2].into()));
        let everything = permit.demand_everything(Scope::RecordsWrite).unwrap_err();
        assert!(everything.detail.contains("every kind"), "{}", everything.detail);
    }

    #[test]
    fn a_grant_that_names_none_covers_all() {
        let every = allowance(Scope::RecordsRead, None, None, true);
        let permit = Permit::Granted([every].into());
        assert!(permit.covers(Scope::RecordsRead, &asked(NORTH, 9, true)));
        assert_eq!(permit.schools(Scope::RecordsRead, &Asked::default()), None);
        assert_eq!(Permit::Whole.schools(Scope::RecordsRead, &Asked::default()), None);
        assert!(permit.demand_every_school(Scope::RecordsRead, &Asked::default()).is_ok());
        assert!(permit.demand_everything(Scope::RecordsRead).is_ok());
        assert!(Permit::Whole.covers(Scope::RecordsRead, &asked(SOUTH, 3, true)));
    }

    #[test]
    fn a_refusal_names_the_grant() {
        let none = Permit::Granted([].into());
        let error = none.demand(Scope::RecordsRead, &asked(NORTH, 5, true)).unwrap_err();
        assert_eq!(error.reason, Reason::GrantMissing);
        for part in ["records:read", "123456", "SUSPENSION", "individuals"] {
            assert!(error.detail.contains(part), "{}", error.detail);
        }
    }
}
