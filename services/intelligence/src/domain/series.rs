//! A school's weekly values, and whether the latest are more than noise.

use calendar::Week;
use chrono::NaiveDate;
use statistics::{Limits, Rule, Side, detect};

use crate::domain::{Measure, Summary};

/// Weeks of a series that are looked at: a school year's.
pub const WEEKS: usize = 40;
/// Weeks a baseline needs; with fewer there are no limits.
const BASELINE: usize = 6;
/// Weeks kept out of the baseline where enough remain, so that a run does not move the centre it is judged by.
const RECENT: usize = 8;

/// One week's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub week: Week,
    pub value: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Direction {
    Better,
    Worse,
    NoSignificantChange,
    TooLittleData,
}

/// How a series stands at its latest week.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judgement {
    pub direction: Direction,
    pub limits: Option<Limits>,
    /// What made it more than noise, when it is.
    pub rule: Option<Rule>,
}

/// The weekly values of a measure, oldest first. Weeks of fewer pupils than `threshold` are left out.
pub fn series<'a>(
    measure: Measure,
    threshold: u32,
    weeks: impl Iterator<Item = (NaiveDate, &'a Summary)>,
) -> Vec<Point> {
    weeks
        .filter(|(_, it)| it.pupils >= threshold)
        .filter_map(|(date, it)| Some(Point { week: Week::of(date), value: measure.value(it)? }))
        .collect()
}

/// Whether enough of the latest week's registers have come to judge it by: half the possible sessions of a usual week,
/// the median of those before. A Monday by itself is not a week.
pub fn is_filled<'a>(weeks: impl DoubleEndedIterator<Item = &'a Summary>) -> bool {
    let mut possible = weeks.rev().map(|it| it.sessions.possible);
    let Some(latest) = possible.next() else { return false };
    let mut before: Vec<u64> = possible.collect();
    before.sort_unstable();
    let usual = before.get(before.len() / 2).copied().unwrap_or(latest);
    latest * 2 >= usual
}

/// Judges the latest point of a series, oldest first, by XmR limits from the weeks before: all but the latest eight
/// where that leaves a baseline, all but the latest where it does not.
pub fn judge(series: &[Point], higher_is_better: bool) -> Judgement {
    let values: Vec<f64> = series.iter().map(|it| it.value).collect();
    let kept_out = if values.len() >= BASELINE + RECENT { RECENT } else { 1 };
    let baseline = values.get(..values.len().saturating_sub(kept_out)).unwrap_or_default();
    let limits = (baseline.len() >= BASELINE).then(|| Limits::of(baseline)).flatten();
    let Some(limits) = limits else {
        return Judgement { direction: Direction::TooLittleData, limits: None, rule: None };
    };
    match detect(&limits, &values) {
        None => Judgement {
            direction: Direction::NoSignificantChange,
            limits: Some(limits),
            rule: None,
        },
        Some((rule, side)) => {
            let better = (side == Side::Above) == higher_is_better;
            let direction = if better { Direction::Better } else { Direction::Worse };
            Judgement { direction, limits: Some(limits), rule: Some(rule) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Sessions;

    #[track_caller]
    fn check(values: &[f64], higher: bool, direction: Direction, rule: Option<Rule>) {
        let mut week = Week::of("2026-01-05".parse().unwrap());
        let series: Vec<_> = values
            .iter()
            .map(|value| {
                week = week.next();
                Point { week, value: *value }
            })
            .collect();
        let judgement = judge(&series, higher);
        assert_eq!((judgement.direction, judgement.rule), (direction, rule), "{values:?}");
    }

    #[test]
    fn a_week_is_judged_once_half_of_it_has_come() {
        #[track_caller]
        fn check(possible: &[u64], filled: bool) {
            let weeks: Vec<_> = possible
                .iter()
                .map(|it| Summary {
                    sessions: Sessions { possible: *it, ..Sessions::default() },
                    ..Summary::default()
                })
                .collect();
            assert_eq!(is_filled(weeks.iter()), filled, "{possible:?}");
        }
        check(&[], false);
        check(&[200], true);
        check(&[1000, 1000, 1000, 200], false);
        check(&[1000, 1000, 1000, 500], true);
        check(&[200, 1000, 1000, 1000], true);
    }

    #[test]
    fn the_latest_week_is_judged_by_the_weeks_before() {
        use Direction::{Better, NoSignificantChange, TooLittleData, Worse};
        check(&[], true, TooLittleData, None);
        check(&[94.0, 95.0, 94.0, 95.0, 94.0, 95.0], true, TooLittleData, None);
        let steady = [94.0, 95.0, 94.0, 95.0, 94.0, 95.0];
        let then = |tail: &[f64]| [&steady, tail].concat();
        check(&then(&[94.0]), true, NoSignificantChange, None);
        check(&then(&[90.0]), true, Worse, Some(Rule::OutsideLimits));
        check(&then(&[90.0]), false, Better, Some(Rule::OutsideLimits));
        check(&then(&[99.0]), true, Better, Some(Rule::OutsideLimits));
        check(&then(&[94.2; 8]), true, Worse, Some(Rule::RunOfEight));
        check(&then(&[94.5, 92.9, 92.9, 92.9]), true, Worse, Some(Rule::ThreeOfFour));
    }
}
