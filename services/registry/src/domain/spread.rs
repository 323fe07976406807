//! How a school's units are spread over the phases, and which pairs of weak units endanger the school.

use super::{
    establishment::EducationPhase,
    phase::Phase,
    unit::{CoreSubject, Unit, UnitId, UnitKind},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    /// Units settled in each phase, Stabilise first.
    pub phases: [(Phase, u32); 4],
    pub without_journey: u32,
    pub critical_pairs: Vec<CriticalPair>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CriticalPair {
    pub first: UnitId,
    pub second: UnitId,
    pub explanation: String,
}

/// The spread of units with the phase each is settled in.
pub(crate) fn spread(phase: EducationPhase, units: &[(Unit, Option<Phase>)]) -> Spread {
    let count = |wanted| units.iter().map(|(_, it)| u32::from(*it == wanted)).sum();
    let mut critical_pairs = Vec::new();
    if phase.is_primary() {
        critical_pairs.extend(ends(units));
    }
    if phase.is_secondary() {
        critical_pairs.extend(core(units));
    }
    Spread {
        phases: Phase::ALL.map(|it| (it, count(Some(it)))),
        without_journey: count(None),
        critical_pairs,
    }
}

/// The earliest and the last year group, when both are fragile.
fn ends(units: &[(Unit, Option<Phase>)]) -> Option<CriticalPair> {
    let years = || {
        units.iter().filter_map(|(unit, phase)| {
            let year = unit.year_group.filter(|_| unit.kind == UnitKind::YearGroup)?;
            Some((year, unit, *phase))
        })
    };
    let (first_year, first, first_phase) = years().min_by_key(|it| it.0)?;
    let (last_year, last, last_phase) = years().max_by_key(|it| it.0)?;
    (first_year < last_year).then_some(())?;
    pair((first, first_phase?), (last, last_phase?), |first, last| {
        format!(
            "{first}, the earliest year group, and {last}, the last: pupils would start weakly and \
             leave weakly with no strong year to learn from at either end"
        )
    })
}

/// Every pair of an English and a maths unit, both fragile.
fn core(units: &[(Unit, Option<Phase>)]) -> Vec<CriticalPair> {
    let of = |subject| {
        units.iter().filter_map(move |(unit, phase)| {
            (unit.core_subject() == Some(subject)).then_some((unit, (*phase)?))
        })
    };
    of(CoreSubject::English)
        .flat_map(|english| {
            of(CoreSubject::Maths).filter_map(move |maths| {
                pair(english, maths, |english, maths| {
                    format!("{english} and {maths}: every other subject builds on these two")
                })
            })
        })
        .collect()
}

fn pair(
    first: (&Unit, Phase),
    second: (&Unit, Phase),
    explain: impl FnOnce(String, String) -> String,
) -> Option<CriticalPair> {
    let named = |(unit, phase): (&Unit, Phase)| format!("{} ({phase})", unit.name);
    (first.1.is_fragile() && second.1.is_fragile()).then(|| CriticalPair {
        first: first.0.unit_id,
        second: second.0.unit_id,
        explanation: explain(named(first), named(second)),
    })
}

#[cfg(test)]
mod tests {
    use identity::{SchoolId, TrustId};
    use uuid::Uuid;

    use super::*;

    fn unit(kind: UnitKind, name: &str, year_group: Option<i32>) -> Unit {
        Unit {
            unit_id: UnitId(Uuid::from_u128(name.bytes().map(u128::from).sum())),
            school_id: SchoolId(Uuid::nil()),
            trust_id: TrustId(Uuid::nil()),
            kind,
            name: name.to_owned(),
            year_group,
            version: 1,
        }
    }

    #[track_caller]
    fn check(phase: EducationPhase, units: &[(Unit, Option<Phase>)], pairs: &[(&str, &str)]) {
        let name = |id| units.iter().find(|it| it.0.unit_id == id).unwrap().0.name.as_str();
        let spread = spread(phase, units);
        let found: Vec<_> =
            spread.critical_pairs.iter().map(|it| (name(it.first), name(it.second))).collect();
        assert_eq!(found, pairs);
    }

    #[test]
    fn a_primary_watches_its_ends_and_a_secondary_english_and_maths() {
        use EducationPhase::{AllThrough, Primary, Secondary};
        use Phase::{Improve, Repair, Stabilise};
        let year = |name, year, phase| (unit(UnitKind::YearGroup, name, Some(year)), phase);
        let subject = |name, phase| (unit(UnitKind::Subject, name, None), phase);
        let weak = [
            year("Year 6", 6, Some(Repair)),
            year("Reception", 0, Some(Stabilise)),
            year("Year 3", 3, Some(Stabilise)),
            subject("English", Some(Repair)),
            subject("Mathematics", Some(Repair)),
            subject("English as an additional language", Some(Repair)),
        ];
        check(Primary, &weak, &[("Reception", "Year 6")]);
        check(Secondary, &weak, &[("English", "Mathematics")]);
        check(AllThrough, &weak, &[("Reception", "Year 6"), ("English", "Mathematics")]);
        check(Primary, &[year("Year 6", 6, Some(Repair))], &[]);
        check(Primary, &[year("R", 0, Some(Repair)), year("Year 6", 6, Some(Improve))], &[]);
        check(Primary, &[year("R", 0, None), year("Year 6", 6, Some(Repair))], &[]);
        check(Secondary, &[subject("English", Some(Repair)), subject("Maths", None)], &[]);
        let department = (unit(UnitKind::Department, "Maths department", None), Some(Stabilise));
        check(
            Secondary,
            &[subject("English", Some(Repair)), department],
            &[("English", "Maths department")],
        );
    }

    #[test]
    fn units_are_counted_by_phase() {
        let units = [
            (unit(UnitKind::Team, "a", None), Some(Phase::Improve)),
            (unit(UnitKind::Team, "b", None), Some(Phase::Improve)),
            (unit(UnitKind::Team, "c", None), None),
        ];
        let spread = spread(EducationPhase::Primary, &units);
        assert_eq!(spread.phases.map(|it| it.1), [0, 0, 2, 0]);
        assert_eq!(spread.without_journey, 1);
    }
}
