use std::{fmt, str::FromStr};

use chrono::{Datelike, NaiveDate};

use crate::{Error, ymd};

/// 1 September to 31 August, written `2026/27`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AcademicYear {
    starts: i32,
}

impl AcademicYear {
    /// The year a date lies in.
    pub fn of(date: NaiveDate) -> Self {
        Self { starts: if date.month() >= 9 { date.year() } else { date.year() - 1 } }
    }

    /// The year that starts in September of a calendar year.
    pub fn starting_in(starts: i32) -> Self {
        Self { starts }
    }

    /// The calendar year of its September.
    pub fn first_year(self) -> i32 {
        self.starts
    }

    pub fn starts_on(self) -> NaiveDate {
        ymd(self.starts, 9, 1)
    }

    pub fn ends_on(self) -> NaiveDate {
        ymd(self.starts + 1, 8, 31)
    }

    #[must_use]
    pub fn next(self) -> Self {
        Self { starts: self.starts + 1 }
    }

    pub fn contains(self, date: NaiveDate) -> bool {
        Self::of(date) == self
    }
}

impl fmt::Display for AcademicYear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}/{:02}", self.starts, (self.starts + 1).rem_euclid(100))
    }
}

impl FromStr for AcademicYear {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (first, _) = text.split_once('/').ok_or(Error::AcademicYear)?;
        let starts = first.parse().map_err(|_| Error::AcademicYear)?;
        let year = Self { starts };
        // Only the one spelling is a name: `2026/28` and `2026/7` are not.
        if (1900..=2200).contains(&starts) && year.to_string() == text {
            Ok(year)
        } else {
            Err(Error::AcademicYear)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_year_has_one_spelling() {
        assert_eq!("2026/27".parse(), Ok(AcademicYear::starting_in(2026)));
        assert_eq!("1999/00".parse(), Ok(AcademicYear::starting_in(1999)));
        for wrong in ["2026/28", "2026/7", "2026-27", "26/27", "", "2026/27 ", "+2026/27"] {
            assert_eq!(wrong.parse::<AcademicYear>(), Err(Error::AcademicYear), "{wrong}");
        }
    }

    #[test]
    fn a_year_turns_with_september() {
        assert_eq!(AcademicYear::of(ymd(2026, 8, 31)).to_string(), "2025/26");
        assert_eq!(AcademicYear::of(ymd(2026, 9, 1)).to_string(), "2026/27");
    }
}
