use chrono::{Datelike, NaiveDate};

use crate::{AcademicYear, ymd};

/// The three terms of a school year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Season {
    Autumn,
    Spring,
    Summer,
}

/// A term: autumn from 1 September to 31 December, spring from 1 January to Easter Sunday, summer to 31 August.
///
/// Schools set their own dates, so these are boundaries that no school week straddles rather than first and last
/// days of teaching: the end of August, the turn of the year, and the Easter weekend, whose Friday before and
/// Monday after are bank holidays however early or late Easter falls (22 March to 25 April). Every day lies in
/// exactly one term. Where a school's Easter holiday does not touch a very early or late Easter, the days between
/// count in the term this boundary puts them in, for every school alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    pub year: AcademicYear,
    pub season: Season,
}

impl Term {
    /// The term a date lies in.
    pub fn of(date: NaiveDate) -> Self {
        let season = if date.month() >= 9 {
            Season::Autumn
        } else if date <= easter_sunday(date.year()) {
            Season::Spring
        } else {
            Season::Summer
        };
        Self { year: AcademicYear::of(date), season }
    }

    pub fn starts_on(self) -> NaiveDate {
        let second = self.year.first_year() + 1;
        match self.season {
            Season::Autumn => self.year.starts_on(),
            Season::Spring => ymd(second, 1, 1),
            Season::Summer => {
                let easter = easter_sunday(second);
                easter.succ_opt().unwrap_or(easter)
            }
        }
    }

    pub fn ends_on(self) -> NaiveDate {
        match self.season {
            Season::Autumn => ymd(self.year.first_year(), 12, 31),
            Season::Spring => easter_sunday(self.year.first_year() + 1),
            Season::Summer => self.year.ends_on(),
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        match self.season {
            Season::Autumn => Self { season: Season::Spring, ..self },
            Season::Spring => Self { season: Season::Summer, ..self },
            Season::Summer => Self { year: self.year.next(), season: Season::Autumn },
        }
    }
}

/// Easter Sunday in the Gregorian calendar, by the anonymous algorithm (Meeus, *Astronomical Algorithms*, chapter 8).
pub fn easter_sunday(year: i32) -> NaiveDate {
    let (century, in_century) = (year / 100, year % 100);
    let golden = year % 19;
    let correction = (century - (century + 8) / 25 + 1) / 3;
    let epact = (19 * golden + century - century / 4 - correction + 15) % 30;
    let weekday = (32 + 2 * (century % 4) + 2 * (in_century / 4) - epact - in_century % 4) % 7;
    let shift = (golden + 11 * epact + 22 * weekday) / 451;
    let days = epact + weekday - 7 * shift + 114;
    ymd(year, (days / 31).unsigned_abs(), (days % 31 + 1).unsigned_abs())
}

#[cfg(test)]
mod tests {
    use chrono::{Days, Weekday};
    use proptest::prelude::*;

    use super::*;
    use crate::Week;

    #[test]
    fn easter_falls_where_almanacs_put_it() {
        for (year, month, day) in [
            (1818, 3, 22),
            (2000, 4, 23),
            (2008, 3, 23),
            (2011, 4, 24),
            (2024, 3, 31),
            (2025, 4, 20),
            (2026, 4, 5),
            (2027, 3, 28),
            (2038, 4, 25),
        ] {
            assert_eq!(easter_sunday(year), ymd(year, month, day));
        }
    }

    #[test]
    fn terms_of_a_year() {
        let autumn = Term::of(ymd(2025, 9, 1));
        let terms = [autumn, autumn.next(), autumn.next().next()];
        let spans = terms.map(|it| (it.starts_on(), it.ends_on()));
        assert_eq!(
            spans,
            [
                (ymd(2025, 9, 1), ymd(2025, 12, 31)),
                (ymd(2026, 1, 1), ymd(2026, 4, 5)),
                (ymd(2026, 4, 6), ymd(2026, 8, 31)),
            ]
        );
        assert_eq!(autumn.next().next().next().year, autumn.year.next());
    }

    proptest! {
        #[test]
        fn every_day_lies_in_one_term(days in 0u64..150_000) {
            let date = ymd(1900, 1, 1) + Days::new(days);
            let term = Term::of(date);
            prop_assert!(term.starts_on() <= date && date <= term.ends_on());
            prop_assert_eq!(term.ends_on().succ_opt(), Some(term.next().starts_on()));
            prop_assert!(term.year.contains(term.starts_on()) && term.year.contains(term.ends_on()));
        }

        #[test]
        fn summer_begins_with_a_week(year in 1900i32..2200) {
            let starts = Term { year: AcademicYear::starting_in(year), season: Season::Summer }.starts_on();
            prop_assert_eq!(starts.weekday(), Weekday::Mon);
            prop_assert_eq!(Week::of(starts).starts_on(), starts);
        }
    }
}
