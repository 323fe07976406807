//! Values of measures, with what must not be shown taken out.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Group, Grouped, Measure, Period, Summary};

/// Groups of fewer pupils are not shown.
pub const THRESHOLD: u32 = 5;

/// Why there is no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    NotApplicable,
    NotAvailable,
    Suppressed,
    LowReliability,
    NotYetDue,
}

/// A value with what it is a share of, or why there is none.
pub type Value = Result<Share, Absent>;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    pub value: f64,
    pub numerator: u64,
    pub denominator: u64,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub measure: Measure,
    pub urn: String,
    /// None for the whole school.
    pub year_group: Option<i8>,
    pub period: Period,
    pub value: Value,
}

/// A measure of a whole school.
pub fn whole_school(
    measure: Measure,
    period: &Period,
    today: NaiveDate,
    summary: Option<&Summary>,
) -> Value {
    match summary.filter(|it| it.pupils > 0) {
        None if period.starts_on > today => Err(Absent::NotYetDue),
        None => Err(Absent::NotAvailable),
        Some(it) if it.pupils < THRESHOLD => Err(Absent::Suppressed),
        Some(it) => share(measure, it),
    }
}

/// A measure of each year group. Small ones are hidden, and with them what would give them away: the whole school's
/// value is published beside them.
pub fn year_groups(measure: Measure, summaries: &BTreeMap<i8, Summary>) -> Vec<(i8, Value)> {
    let pupils: Vec<u32> = summaries.values().map(|it| it.pupils).collect();
    let hidden = statistics::suppressed(&pupils, THRESHOLD);
    let values = summaries.iter().zip(hidden);
    values
        .map(|((year_group, it), hidden)| {
            (*year_group, if hidden { Err(Absent::Suppressed) } else { share(measure, it) })
        })
        .collect()
}

/// A measure of each group. Small ones are hidden, and with them what would give them away.
pub fn in_groups(measure: Measure, groups: &BTreeMap<Group, Grouped>) -> Vec<(Group, Value)> {
    groups.iter().map(|(group, it)| (*group, part(measure, it))).collect()
}

/// A measure of one group.
pub fn in_group(
    measure: Measure,
    period: &Period,
    today: NaiveDate,
    group: Option<&Grouped>,
) -> Value {
    match group {
        None if period.starts_on > today => Err(Absent::NotYetDue),
        None => Err(Absent::NotAvailable),
        Some(it) => part(measure, it),
    }
}

fn part(measure: Measure, part: &Grouped) -> Value {
    if part.is_hidden { Err(Absent::Suppressed) } else { share(measure, &part.summary) }
}

fn share(measure: Measure, summary: &Summary) -> Value {
    let (numerator, denominator) = measure.counts(summary);
    let value = measure.value(summary).ok_or(Absent::NotAvailable)?;
    Ok(Share { value, numerator, denominator })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{PeriodKind, Sessions};

    fn of(pupils: u32) -> Summary {
        let possible = u64::from(pupils) * 10;
        let sessions = Sessions { possible, absent: 1, ..Sessions::default() };
        Summary { sessions, pupils, persistently_absent: 1, severely_absent: 0 }
    }

    #[test]
    fn a_value_is_a_share_or_a_reason() {
        #[track_caller]
        fn check(measure: Measure, pupils: Option<u32>, on: &str, expected: Result<f64, Absent>) {
            let period = PeriodKind::Week.of("2026-11-16".parse().unwrap());
            let summary = pupils.map(of);
            let value = whole_school(measure, &period, on.parse().unwrap(), summary.as_ref());
            assert_eq!(value.map(|it| it.value), expected);
        }
        check(Measure::Attendance, Some(10), "2026-11-20", Ok(99.0));
        check(Measure::PersistentAbsence, Some(10), "2026-11-20", Ok(10.0));
        check(Measure::SevereAbsence, Some(10), "2026-11-20", Ok(0.0));
        check(Measure::SevereAbsence, Some(4), "2026-11-20", Err(Absent::Suppressed));
        check(Measure::Attendance, Some(0), "2026-11-20", Err(Absent::NotAvailable));
        check(Measure::Attendance, None, "2026-11-20", Err(Absent::NotAvailable));
        check(Measure::Attendance, None, "2026-11-15", Err(Absent::NotYetDue));
    }

    #[test]
    fn a_small_year_group_takes_the_next_smallest_with_it() {
        let groups = BTreeMap::from([(0, of(30)), (1, of(4)), (2, of(28))]);
        let shown = year_groups(Measure::Attendance, &groups).into_iter().map(|(_, it)| it.is_ok());
        assert_eq!(shown.collect::<Vec<_>>(), [true, false, false]);
    }
}
