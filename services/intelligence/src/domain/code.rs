//! The statutory attendance codes: data, not an enumeration, for the list changes by regulation.

use std::sync::LazyLock;

use chrono::NaiveDate;
use rpc::{Fault, Reason};
use serde::{Deserialize, Deserializer};

/// The codes with what they count as. The School Attendance (Pupil Registration) (England) Regulations 2024, in force
/// since 19 August 2024, and the codes they withdrew; meanings after DfE, *Working together to improve school
/// attendance*. Registers refer to a code by its row: rows are only ever added at the end.
const TABLE: &str = include_str!("../../data/attendance_codes.csv");

static CODES: LazyLock<Vec<AttendanceCode>> = LazyLock::new(read);

/// What a mark counts as in DfE statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    Present,
    ApprovedActivity,
    Authorised,
    Unauthorised,
    NotPossible,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct AttendanceCode {
    pub code: String,
    pub meaning: String,
    #[serde(rename = "statistical_class")]
    pub class: Class,
    /// Whether it says that the pupil came late: before the register closed, or after.
    #[serde(deserialize_with = "from_digit")]
    pub late: bool,
    /// First and last day it may be used.
    pub valid_from: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
}

impl AttendanceCode {
    pub fn all() -> &'static [Self] {
        &CODES
    }

    pub fn valid_on(&self, date: NaiveDate) -> bool {
        self.valid_from.is_none_or(|it| it <= date) && self.valid_to.is_none_or(|it| date <= it)
    }
}

/// A code of the list, by its row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(u8);

impl Code {
    /// The code as it was valid on a date; otherwise why not, with those that were.
    pub fn on(text: &str, date: NaiveDate) -> Result<Self, Fault> {
        let found = CODES.iter().zip(0_u8..).find(|(it, _)| it.code == text);
        match found {
            Some((code, row)) if code.valid_on(date) => Ok(Self(row)),
            Some((code, _)) => Err(out_of_date(code, date)),
            None => Err(refusal("is not an attendance code", date)),
        }
    }

    /// The code of a row, where the list has it.
    pub fn at(row: u8) -> Option<Self> {
        CODES.get(usize::from(row)).map(|_| Self(row))
    }

    pub fn row(self) -> u8 {
        self.0
    }

    pub fn class(self) -> Class {
        CODES.get(usize::from(self.0)).map_or(Class::NotPossible, |it| it.class)
    }
}

fn out_of_date(code: &AttendanceCode, date: NaiveDate) -> Fault {
    match (code.valid_to, code.valid_from) {
        (Some(last), _) if last < date => {
            refusal(&format!("was withdrawn: {} may be used up to {last}", code.code), date)
        }
        (_, Some(first)) => refusal(&format!("may be used from {first}"), date),
        _ => refusal("is not valid", date),
    }
}

fn refusal(why: &str, date: NaiveDate) -> Fault {
    let accepted: Vec<_> =
        CODES.iter().filter(|it| it.valid_on(date)).map(|it| it.code.as_str()).collect();
    let detail = format!("{why}; accepted on {date}: {}", accepted.join(" "));
    Fault::new(Reason::CodeUnknown, detail).accepting(accepted)
}

fn from_digit<'de, D: Deserializer<'de>>(column: D) -> Result<bool, D::Error> {
    u8::deserialize(column).map(|it| it != 0)
}

#[expect(clippy::expect_used, reason = "the table is part of this code, and a test reads it")]
fn read() -> Vec<AttendanceCode> {
    csv::Reader::from_reader(TABLE.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the table of codes can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn codes_are_accepted_while_they_are_valid() {
        #[track_caller]
        fn check(code: &str, on: &str, expected: Result<Class, &str>) {
            match (Code::on(code, date(on)), expected) {
                (Ok(code), Ok(class)) => assert_eq!(code.class(), class),
                (Err(fault), Err(part)) => assert!(fault.detail.contains(part), "{fault}"),
                (got, _) => panic!("{code} on {on}: {got:?}"),
            }
        }
        check("/", "2026-11-20", Ok(Class::Present));
        check("\\", "2020-01-06", Ok(Class::Present));
        check("C2", "2024-08-19", Ok(Class::Authorised));
        check("C2", "2024-08-18", Err("may be used from 2024-08-19"));
        check("H", "2024-08-18", Ok(Class::Authorised));
        check("J", "2024-08-18", Ok(Class::ApprovedActivity));
        check("Y", "2024-08-18", Ok(Class::NotPossible));
        check("H", "2024-08-19", Err("was withdrawn: H may be used up to 2024-08-18"));
        check("J", "2026-11-20", Err("accepted on 2026-11-20: / \\ L B K P"));
        check("Y", "2024-08-19", Err("2024-08-18"));
        check("l", "2026-11-20", Err("is not an attendance code"));
        check("", "2026-11-20", Err("is not an attendance code"));
    }

    #[test]
    fn rows_keep_their_place() {
        let at = |row: u8| CODES[usize::from(Code::at(row).unwrap().row())].code.as_str();
        assert_eq!((at(0), at(12), at(36)), ("/", "I", "Y"));
        assert_eq!(Code::at(37), None);
        let late = CODES.iter().filter(|it| it.late).map(|it| it.code.as_str());
        assert_eq!(late.collect::<Vec<_>>(), ["L", "U"]);
    }
}
