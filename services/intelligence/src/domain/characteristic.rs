//! What a pupil may be counted by beside the year group: data, not an enumeration, for the list changes by regulation.

use std::sync::LazyLock;

use chrono::NaiveDate;
use rpc::{Fault, Reason};
use serde::Deserialize;

/// The characteristics with their meaning, after the Department for Education's *Complete the school census* and
/// *Pupil premium: conditions of grant*. Sets of them are stored as bits by row: rows are only ever added at the end,
/// and there is room for eight.
const TABLE: &str = include_str!("../../data/characteristics.csv");

static CODES: LazyLock<Vec<CharacteristicCode>> = LazyLock::new(read);

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct CharacteristicCode {
    pub code: String,
    pub meaning: String,
    /// First and last day it may be used.
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

impl CharacteristicCode {
    pub fn all() -> &'static [Self] {
        &CODES
    }

    fn valid_on(&self, date: NaiveDate) -> bool {
        self.valid_from.is_none_or(|it| it <= date) && self.valid_to.is_none_or(|it| date <= it)
    }
}

/// A characteristic of the list, by its row.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub struct Flag(u8);

impl Flag {
    /// The characteristic as it was valid on a date; otherwise why not, with those that were.
    pub fn on(code: &str, date: NaiveDate) -> Result<Self, Fault> {
        match CODES.iter().zip(0_u8..).find(|(it, _)| it.code == code) {
            Some((known, row)) if known.valid_on(date) => Ok(Self(row)),
            Some(_) => Err(refusal("is not valid", date)),
            None => Err(refusal("is not a characteristic", date)),
        }
    }

    /// The characteristic of a code, whenever it was valid.
    pub fn named(code: &str) -> Option<Self> {
        CODES.iter().zip(0_u8..).find(|(it, _)| it.code == code).map(|(_, row)| Self(row))
    }

    /// The characteristic of a row, where the list has it.
    pub fn at(row: u8) -> Option<Self> {
        CODES.get(usize::from(row)).map(|_| Self(row))
    }

    pub fn all() -> impl Iterator<Item = Self> {
        CODES.iter().zip(0_u8..).map(|(_, row)| Self(row))
    }

    pub fn row(self) -> u8 {
        self.0
    }

    pub fn code(self) -> &'static str {
        CODES.get(usize::from(self.0)).map_or("", |it| it.code.as_str())
    }
}

/// A set of characteristics: a bit for each row of the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flags(u8);

impl Flags {
    pub fn from_bits(bits: u8) -> Self {
        Self(bits)
    }

    pub fn bits(self) -> u8 {
        self.0
    }

    pub fn contains(self, flag: Flag) -> bool {
        self.0 & (1 << flag.0) != 0
    }

    #[must_use]
    pub fn intersection(self, others: Self) -> Self {
        Self(self.0 & others.0)
    }

    #[must_use]
    pub fn union(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Every choice of these, none and all among them.
    pub fn subsets(self) -> impl Iterator<Item = Self> {
        (0..=u8::MAX).filter(move |it| it & !self.0 == 0).map(Self)
    }

    /// Whether any is in both.
    pub fn meets(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl FromIterator<Flag> for Flags {
    fn from_iter<T: IntoIterator<Item = Flag>>(flags: T) -> Self {
        Self(flags.into_iter().fold(0, |bits, it| bits | (1 << it.0)))
    }
}

/// A characteristic of a pupil within an enrolment. It counts on days that lie in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Characteristic {
    pub flag: Flag,
    /// First day; that of the enrolment when none.
    pub starts_on: Option<NaiveDate>,
    /// Last day; none while it goes on.
    pub ends_on: Option<NaiveDate>,
}

impl Characteristic {
    pub fn covers(&self, date: NaiveDate) -> bool {
        self.starts_on.is_none_or(|it| it <= date) && self.ends_on.is_none_or(|it| date <= it)
    }
}

fn refusal(why: &str, date: NaiveDate) -> Fault {
    let accepted: Vec<_> =
        CODES.iter().filter(|it| it.valid_on(date)).map(|it| it.code.as_str()).collect();
    let detail = format!("{why}; accepted on {date}: {}", accepted.join(", "));
    Fault::new(Reason::CodeUnknown, detail).accepting(accepted)
}

#[expect(clippy::expect_used, reason = "the table is part of this code, and a test reads it")]
fn read() -> Vec<CharacteristicCode> {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(TABLE.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the table of characteristics can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_accepted_while_they_are_valid() {
        #[track_caller]
        fn check(code: &str, on: &str, expected: Result<u8, &str>) {
            match (Flag::on(code, on.parse().unwrap()), expected) {
                (Ok(flag), Ok(row)) => assert_eq!((flag.row(), flag.code()), (row, code)),
                (Err(fault), Err(part)) => assert!(fault.detail.contains(part), "{fault}"),
                (got, _) => panic!("{code} on {on}: {got:?}"),
            }
        }
        check("disadvantaged", "2026-09-01", Ok(0));
        check("ehcp", "2014-09-01", Ok(3));
        check("ehcp", "2014-08-31", Err("is not valid; accepted on 2014-08-31: disadvantaged"));
        check("SEN", "2026-09-01", Err("accepted on 2026-09-01: disadvantaged, free_school_meals"));
    }

    #[test]
    fn a_set_has_room_for_all() {
        let all: Flags = Flag::all().collect();
        assert_eq!(Flag::all().count(), 8);
        assert!(Flag::all().all(|it| all.contains(it) && Flag::at(it.row()) == Some(it)));
        assert_eq!(Flag::at(8), None);
    }
}
