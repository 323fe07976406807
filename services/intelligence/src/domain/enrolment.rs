use chrono::{Days, NaiveDate};

use crate::domain::{Characteristic, Flags};

/// National curriculum years, with −2 and −1 for nursery and 0 for reception.
pub const YEAR_GROUPS: std::ops::RangeInclusive<i32> = -2..=14;

/// A pupil's time on the roll of a school, in one year group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// National curriculum year: 0 for reception, −1 and −2 for nursery.
    pub year_group: i8,
    pub starts_on: NaiveDate,
    /// Last day on roll; none while it goes on.
    pub ends_on: Option<NaiveDate>,
    /// In order, none twice.
    pub characteristics: Vec<Characteristic>,
}

/// What a pupil on roll counts under on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Standing {
    pub year_group: i8,
    pub flags: Flags,
}

impl Enrolment {
    pub fn covers(&self, date: NaiveDate) -> bool {
        self.starts_on <= date && self.ends_on.is_none_or(|it| date <= it)
    }

    fn standing(&self, date: NaiveDate) -> Standing {
        let held = self.characteristics.iter().filter(|it| it.covers(date));
        Standing { year_group: self.year_group, flags: held.map(|it| it.flag).collect() }
    }

    /// The days, first and last, outside which it makes no difference which of two enrolments with the same first day
    /// a pupil has.
    pub fn difference(before: Option<&Self>, after: Option<&Self>) -> Option<Stretch> {
        let (before, after) = match (before, after) {
            (None, None) => return None,
            (Some(it), None) | (None, Some(it)) => return Some((it.starts_on, it.ends_on)),
            (Some(before), Some(after)) => (before, after),
        };
        if before == after {
            return None;
        }
        let last = before.ends_on.zip(after.ends_on).map(|(a, b)| a.max(b));
        let alike = before.year_group == after.year_group
            && before.characteristics == after.characteristics;
        let first_end = before.ends_on.into_iter().chain(after.ends_on).min();
        match first_end.and_then(|it| it.checked_add_days(Days::new(1))) {
            Some(first) if alike => Some((first, last)),
            _ => Some((before.starts_on.min(after.starts_on), last)),
        }
    }
}

/// A first day and a last; none while it goes on.
pub type Stretch = (NaiveDate, Option<NaiveDate>);

/// What a pupil with these enrolments at a school counts under on a day; nothing when not on roll. Where they overlap
/// the one that began last speaks: a move up need not close the year before.
pub fn standing_on<'a>(
    enrolments: impl IntoIterator<Item = &'a Enrolment>,
    date: NaiveDate,
) -> Option<Standing> {
    let covering = enrolments.into_iter().filter(|it| it.covers(date));
    covering.max_by_key(|it| it.starts_on).map(|it| it.standing(date))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Flag;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn of(year_group: i8, starts: &str, ends: Option<&str>) -> Enrolment {
        let (starts_on, ends_on) = (date(starts), ends.map(date));
        Enrolment { year_group, starts_on, ends_on, characteristics: Vec::new() }
    }

    #[test]
    fn the_enrolment_that_began_last_says_what_a_pupil_counts_under() {
        #[track_caller]
        fn check(roll: &[Enrolment], on: &str, expected: Option<(i8, u8)>) {
            let standing = standing_on(roll, date(on));
            assert_eq!(standing.map(|it| (it.year_group, it.flags.bits())), expected, "{on}");
        }
        let ehcp = Flag::named("ehcp").unwrap();
        let mut sixth = of(6, "2026-09-01", Some("2026-12-18"));
        let characteristic = |starts_on, ends_on| Characteristic { flag: ehcp, starts_on, ends_on };
        sixth.characteristics = vec![
            characteristic(None, Some(date("2026-09-30"))),
            characteristic(Some(date("2026-12-18")), None),
        ];
        let roll = [of(5, "2025-09-01", None), sixth];
        check(&roll, "2025-08-31", None);
        check(&roll, "2025-09-01", Some((5, 0)));
        check(&roll, "2026-09-01", Some((6, 8)));
        check(&roll, "2026-09-30", Some((6, 8)));
        check(&roll, "2026-10-01", Some((6, 0)));
        check(&roll, "2026-12-18", Some((6, 8)));
        check(&roll, "2026-12-19", Some((5, 0)));
    }

    #[test]
    fn a_change_concerns_the_days_on_which_it_makes_a_difference() {
        #[track_caller]
        fn check(
            before: Option<&Enrolment>,
            after: Option<&Enrolment>,
            expected: Option<(&str, Option<&str>)>,
        ) {
            let expected = expected.map(|(from, to)| (date(from), to.map(date)));
            assert_eq!(Enrolment::difference(before, after), expected);
            assert_eq!(Enrolment::difference(after, before), expected);
        }
        let open = of(5, "2025-09-01", None);
        let left = of(5, "2025-09-01", Some("2026-03-31"));
        let later = of(5, "2025-09-01", Some("2026-07-31"));
        let other = of(6, "2025-09-01", Some("2026-03-31"));
        check(None, None, None);
        check(Some(&open), Some(&open), None);
        check(None, Some(&open), Some(("2025-09-01", None)));
        check(None, Some(&left), Some(("2025-09-01", Some("2026-03-31"))));
        check(Some(&open), Some(&left), Some(("2026-04-01", None)));
        check(Some(&later), Some(&left), Some(("2026-04-01", Some("2026-07-31"))));
        check(Some(&other), Some(&left), Some(("2025-09-01", Some("2026-03-31"))));
        check(Some(&other), Some(&open), Some(("2025-09-01", None)));
    }
}
