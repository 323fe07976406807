//! Units of the registry, and what of a school's records each is measured by.

use std::ops::RangeInclusive;

use identity::{SchoolId, TrustId};

use crate::domain::CodeList;

identity::id! {
    /// A part of a school with a journey of its own, as the registry numbers them.
    UnitId
}

/// As the registry's contract has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum UnitKind {
    YearGroup,
    KeyStage,
    Subject,
    Department,
    Team,
}

#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Unit {
    pub unit_id: UnitId,
    pub trust_id: TrustId,
    pub school_id: SchoolId,
    pub kind: UnitKind,
    pub name: String,
    /// National curriculum year, of a year group.
    pub year_group: Option<i32>,
}

/// What a unit is measured by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MeasuredBy {
    /// Pupils of these years.
    YearGroups(RangeInclusive<i8>),
    /// Results in a subject: a code of `subjects`.
    Subject(String),
}

impl Unit {
    /// None where nothing tells which records are the unit's: a team, or a name that is no key stage or subject.
    pub fn measured_by(&self) -> Option<MeasuredBy> {
        match self.kind {
            UnitKind::YearGroup => {
                let year_group = i8::try_from(self.year_group?).ok()?;
                Some(MeasuredBy::YearGroups(year_group..=year_group))
            }
            UnitKind::KeyStage => key_stage(&self.name).map(MeasuredBy::YearGroups),
            UnitKind::Subject | UnitKind::Department => {
                subject(&self.name).map(MeasuredBy::Subject)
            }
            UnitKind::Team => None,
        }
    }
}

/// The years of a key stage (Education Act 2002, section 82; early years: nursery and reception), by the names schools
/// give it.
fn key_stage(name: &str) -> Option<RangeInclusive<i8>> {
    let plain: String = name.to_lowercase().chars().filter(|it| it.is_alphanumeric()).collect();
    match plain.strip_prefix("keystage").or_else(|| plain.strip_prefix("ks")).unwrap_or(&plain) {
        "eyfs" | "earlyyears" | "foundationstage" | "earlyyearsfoundationstage" | "0" => {
            Some(-2..=0)
        }
        "1" | "one" => Some(1..=2),
        "2" | "two" => Some(3..=6),
        "3" | "three" => Some(7..=9),
        "4" | "four" => Some(10..=11),
        "5" | "five" | "sixthform" | "post16" => Some(12..=14),
        _ => None,
    }
}

/// The code of the subject that is called so, or taught by the department that is.
fn subject(name: &str) -> Option<String> {
    let name = name.trim().to_lowercase();
    let ends = [" department", " faculty", " dept", " team"];
    let name = ends.iter().find_map(|it| name.strip_suffix(it)).unwrap_or(&name).trim();
    let listed = CodeList::named("subjects")?.codes.iter();
    let called = |code: &str, meaning: &str| {
        [code.replace('_', " "), meaning.to_lowercase()].iter().any(|it| it == name)
    };
    listed.into_iter().find(|it| called(&it.code, &it.meaning)).map(|it| it.code.clone())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[track_caller]
    fn check(
        kind: UnitKind,
        name: &str,
        year_group: Option<i32>,
        expected: impl Into<Option<MeasuredBy>>,
    ) {
        let unit = Unit {
            unit_id: UnitId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            school_id: SchoolId(Uuid::nil()),
            kind,
            name: name.to_owned(),
            year_group,
        };
        assert_eq!(unit.measured_by(), expected.into(), "{kind:?} {name}");
    }

    #[test]
    fn a_unit_stands_for_years_or_for_a_subject() {
        use UnitKind::{Department, KeyStage, Subject, Team, YearGroup};
        let years = |it| Some(MeasuredBy::YearGroups(it));
        let subject = |it: &str| Some(MeasuredBy::Subject(it.to_owned()));
        check(YearGroup, "Year 4", Some(4), years(4..=4));
        check(YearGroup, "Reception", Some(0), years(0..=0));
        check(KeyStage, "EYFS", None, years(-2..=0));
        check(KeyStage, "KS1", None, years(1..=2));
        check(KeyStage, "Key Stage 2", None, years(3..=6));
        check(KeyStage, "key stage three", None, years(7..=9));
        check(KeyStage, "KS4", None, years(10..=11));
        check(KeyStage, "Sixth form", None, years(12..=14));
        check(KeyStage, "Upper school", None, None);
        check(Subject, "Maths", None, subject("maths"));
        check(Department, "Mathematics department", None, subject("maths"));
        check(Department, "English Literature", None, subject("english_literature"));
        check(Department, "Pastoral", None, None);
        check(Team, "KS2", None, None);
    }
}
