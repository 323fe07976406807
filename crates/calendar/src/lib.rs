//! Time as schools keep it: civil dates in England, academic years, terms and weeks.

mod term;
mod week;
mod year;

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::London;

pub use term::{Season, Term, easter_sunday};
pub use week::{Week, add_school_days};
pub use year::AcademicYear;

/// The civil date in England at an instant.
pub fn london_date(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&London).date_naive()
}

/// Why a text names no period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("must be an academic year, for example 2026/27")]
    AcademicYear,
}

/// The date, where the calendar has it.
fn ymd(year: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(year, month, day).unwrap_or(if year < 0 {
        NaiveDate::MIN
    } else {
        NaiveDate::MAX
    })
}
