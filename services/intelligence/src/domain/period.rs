use calendar::{AcademicYear, Term, Week};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use serde::{Deserialize, Serialize};

#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum PeriodKind {
    Day,
    Week,
    Term,
    AcademicYear,
    /// Any other, such as a financial year: only sources report for it.
    Other,
}

/// A stretch of days that observations are made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    pub kind: PeriodKind,
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
}

impl PeriodKind {
    /// The period a date lies in.
    pub fn of(self, date: NaiveDate) -> Period {
        let (starts_on, ends_on) = match self {
            Self::Day | Self::Other => (date, date),
            Self::Week => (Week::of(date).starts_on(), Week::of(date).ends_on()),
            Self::Term => (Term::of(date).starts_on(), Term::of(date).ends_on()),
            Self::AcademicYear => {
                let year = AcademicYear::of(date);
                (year.starts_on(), year.ends_on())
            }
        };
        Period { kind: self, starts_on, ends_on }
    }

    /// Periods that start on or between two dates, oldest first. Days at weekends are none: schools are shut.
    pub fn between(self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = Period> {
        let first = self.of(from);
        let first = if first.starts_on < from { first.next() } else { Some(first) };
        std::iter::successors(first, Period::next)
            .take_while(move |it| it.starts_on <= to)
            .filter(|it| it.kind != Self::Day || !weekend(it.starts_on))
    }
}

impl Period {
    /// The period of these days: the shortest regular one, if it is one.
    pub fn exactly(starts_on: NaiveDate, ends_on: NaiveDate) -> Self {
        use PeriodKind::{AcademicYear, Day, Other, Term, Week};
        let regular = [Day, Week, Term, AcademicYear];
        let of = regular.map(|it| it.of(starts_on));
        let same = |it: &Self| it.starts_on == starts_on && it.ends_on == ends_on;
        let found = of.into_iter().find(same).filter(|it| it.kind != Day || !weekend(starts_on));
        found.unwrap_or(Self { kind: Other, starts_on, ends_on })
    }

    fn next(&self) -> Option<Self> {
        Some(self.kind.of(self.ends_on.checked_add_days(Days::new(1))?))
    }
}

fn weekend(date: NaiveDate) -> bool {
    matches!(date.weekday(), Weekday::Sat | Weekday::Sun)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_start_inside_the_range() {
        #[track_caller]
        fn check(kind: PeriodKind, from: &str, to: &str, expected: &[&str]) {
            let periods = kind.between(from.parse().unwrap(), to.parse().unwrap());
            let starts: Vec<_> = periods.map(|it| it.starts_on.to_string()).collect();
            assert_eq!(starts, expected);
        }
        use PeriodKind::{AcademicYear, Day, Term, Week};
        check(Day, "2026-11-20", "2026-11-24", &["2026-11-20", "2026-11-23", "2026-11-24"]);
        check(Week, "2026-11-10", "2026-11-23", &["2026-11-16", "2026-11-23"]);
        check(Term, "2025-09-01", "2026-08-31", &["2025-09-01", "2026-01-01", "2026-04-06"]);
        check(AcademicYear, "2024-09-02", "2026-09-01", &["2025-09-01", "2026-09-01"]);
        check(Week, "2026-11-24", "2026-11-23", &[]);
    }
}
