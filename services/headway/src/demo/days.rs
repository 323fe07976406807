//! The days on which the demonstration's schools are open: two half-terms to a term, bank holidays off.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// The first day of the demonstration's records.
pub(super) const FIRST_YEAR: i32 = 2023;

/// The calendar year in which the academic year of a date began.
pub(super) fn academic_year(date: NaiveDate) -> i32 {
    if date.month() >= 9 { date.year() } else { date.year() - 1 }
}

pub(super) fn date(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or_default()
}

/// First and last day of an academic year.
pub(super) fn year_bounds(year: i32) -> (NaiveDate, NaiveDate) {
    (date(year, 9, 1), date(year + 1, 8, 31))
}

pub(super) fn later(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_add_days(Days::new(days)).unwrap_or(date)
}

pub(super) fn earlier(date: NaiveDate, days: u64) -> NaiveDate {
    date.checked_sub_days(Days::new(days)).unwrap_or(date)
}

pub(super) fn monday(date: NaiveDate) -> NaiveDate {
    earlier(date, date.weekday().num_days_from_monday().into())
}

fn next_monday(date: NaiveDate) -> NaiveDate {
    monday(later(date, 6))
}

pub(super) fn is_school_day(day: NaiveDate) -> bool {
    if matches!(day.weekday(), Weekday::Sat | Weekday::Sun) {
        return false;
    }
    let year = academic_year(day);
    !holidays(year).iter().any(|(from, to)| (*from..=*to).contains(&day))
}

/// School days from one date to another, both included.
pub(super) fn school_days(from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = NaiveDate> {
    from.iter_days().take_while(move |it| *it <= to).filter(|it| is_school_day(*it))
}

/// First and last day of each holiday of an academic year.
fn holidays(year: i32) -> [(NaiveDate, NaiveDate); 8] {
    let next = year + 1;
    let easter = easter(next);
    let last_week = monday(date(year, 12, 18));
    let may_day = next_monday(date(next, 5, 1));
    let whitsun = monday(date(next, 5, 31));
    let week = |monday| (monday, later(monday, 6));
    [
        // Staff come back a day earlier than pupils.
        (date(year, 9, 1), date(year, 9, 1)),
        week(monday(date(year, 10, 28))),
        (later(last_week, 5), earlier(next_monday(date(next, 1, 3)), 1)),
        week(next_monday(date(next, 2, 12))),
        (earlier(easter, 6), later(easter, 7)),
        (may_day, may_day),
        week(whitsun),
        (date(next, 7, 23), date(next, 8, 31)),
    ]
}

/// Easter Sunday, the first after the full moon of spring; true from 1900 to 2099 (Gauss).
fn easter(year: i32) -> NaiveDate {
    let moon = (19 * (year % 19) + 24) % 30;
    let sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7;
    let days = match moon + sunday {
        35 => 28,
        34 if moon == 28 && year % 19 > 10 => 27,
        days => days,
    };
    later(date(year, 3, 22), days.unsigned_abs().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn easter_falls_where_it_fell() {
        for (year, month, day) in [(2024, 3, 31), (2025, 4, 20), (2026, 4, 5), (2027, 3, 28)] {
            assert_eq!(easter(year), date(year, month, day));
        }
    }

    #[test]
    fn a_school_year_has_about_190_days_and_none_at_weekends_or_holidays() {
        for year in 2023..2030 {
            let (from, to) = year_bounds(year);
            let days: Vec<_> = school_days(from, to).collect();
            assert!((185..=196).contains(&days.len()), "{year}: {}", days.len());
            assert!(days.iter().all(|it| it.weekday().num_days_from_monday() < 5));
        }
        for closed in ["2026-10-28", "2026-12-25", "2026-04-03", "2026-04-06", "2026-05-04"] {
            assert!(!is_school_day(closed.parse().unwrap()), "{closed}");
        }
        for open in ["2026-09-02", "2026-11-20", "2026-12-18", "2026-07-22"] {
            assert!(is_school_day(open.parse().unwrap()), "{open}");
        }
    }
}
