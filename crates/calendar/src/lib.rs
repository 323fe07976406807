//! Time as schools keep it: civil dates in England, academic years, terms and weeks.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Europe::London;

/// The civil date in England at an instant.
pub fn london_date(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&London).date_naive()
}
