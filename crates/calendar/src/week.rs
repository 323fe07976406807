use std::fmt;

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// Monday to Sunday, named by its Monday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Week {
    monday: NaiveDate,
}

impl Week {
    /// The week a date lies in.
    pub fn of(date: NaiveDate) -> Self {
        let back = u64::from(date.weekday().num_days_from_monday());
        Self { monday: date.checked_sub_days(Days::new(back)).unwrap_or(date) }
    }

    pub fn starts_on(self) -> NaiveDate {
        self.monday
    }

    pub fn ends_on(self) -> NaiveDate {
        self.monday.checked_add_days(Days::new(6)).unwrap_or(self.monday)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self { monday: self.monday.checked_add_days(Days::new(7)).unwrap_or(self.monday) }
    }

    #[must_use]
    pub fn previous(self) -> Self {
        Self { monday: self.monday.checked_sub_days(Days::new(7)).unwrap_or(self.monday) }
    }
}

impl fmt::Display for Week {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.monday.fmt(f)
    }
}

/// The date so many weekdays later. Holidays count as weekdays: the calendar does not know a school's.
pub fn add_school_days(date: NaiveDate, days: u32) -> NaiveDate {
    let mut left = days;
    let mut date = date;
    while left > 0 {
        let Some(next) = date.succ_opt() else { return date };
        date = next;
        if !matches!(date.weekday(), Weekday::Sat | Weekday::Sun) {
            left -= 1;
        }
    }
    date
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ymd;

    #[test]
    fn five_school_days_from_a_saturday_end_on_friday() {
        assert_eq!(add_school_days(ymd(2026, 11, 21), 5), ymd(2026, 11, 27));
        assert_eq!(add_school_days(ymd(2026, 11, 20), 5), ymd(2026, 11, 27));
        assert_eq!(add_school_days(ymd(2026, 11, 20), 0), ymd(2026, 11, 20));
    }

    proptest! {
        #[test]
        fn a_day_lies_in_its_week(days in 0u64..150_000) {
            let date = ymd(1900, 1, 1) + Days::new(days);
            let week = Week::of(date);
            prop_assert!(week.starts_on() <= date && date <= week.ends_on());
            prop_assert_eq!(week.starts_on().weekday(), Weekday::Mon);
            prop_assert_eq!(week.next().previous(), week);
        }
    }
}
