//! The quick way for the record that comes most often and is nearly always right: a register with all of its marks.
//!
//! It is read in one pass, with one string made for each pupil and none for anything else. Whatever is unusual, or wrong,
//! is left to the contract's own reader, which knows every way to write a message and says what is wrong, and where.

use std::{borrow::Cow, collections::HashSet, fmt};

use chrono::NaiveDate;
use identity::SchoolNumber;
use serde::{
    Deserialize, Deserializer,
    de::{Error, Visitor},
};

use super::record::{ID_LIMIT, pupil_id};
use crate::domain::{Body, Code, Mark, Record, Session};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Whole<'a> {
    external_id: &'a str,
    #[serde(borrow)]
    attendance_register: Register<'a>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Register<'a> {
    urn: &'a str,
    date: &'a str,
    session: &'a str,
    #[serde(borrow)]
    marks: Vec<Marked<'a>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Marked<'a> {
    #[serde(borrow)]
    pupil: Cow<'a, str>,
    code: Sign,
}

/// A code of up to four bytes, kept where it is: that of the afternoon is escaped in JSON, so it cannot be borrowed.
struct Sign {
    bytes: [u8; 4],
    length: usize,
}

impl Sign {
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(self.bytes.get(..self.length)?).ok()
    }
}

impl<'de> Deserialize<'de> for Sign {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reader;

        impl Visitor<'_> for Reader {
            type Value = Sign;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a short code")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Sign, E> {
                let mut bytes = [0; 4];
                let (length, long) = (text.len(), || E::custom("a long code"));
                bytes.get_mut(..length).ok_or_else(long)?.copy_from_slice(text.as_bytes());
                Ok(Sign { bytes, length })
            }
        }

        from.deserialize_str(Reader)
    }
}

/// A record that is a register of which everything is right; nothing for any other.
pub(super) fn register(text: &str, line: u32, today: NaiveDate) -> Option<Record> {
    let Whole { external_id, attendance_register: it } = serde_json::from_str(text).ok()?;
    if external_id.len() > ID_LIMIT || external_id.contains('\0') {
        return None;
    }
    SchoolNumber::parse(it.urn).ok()?;
    let date = identity::past_date(it.date, today).ok()?;
    let session = Session::parse(it.session).ok()?;
    if it.marks.is_empty() || !each_once(&it.marks) {
        return None;
    }
    let marks = it.marks.into_iter().map(|mark| {
        let code = Code::on(mark.code.text()?, date).ok()?;
        Some(Mark { pupil: pupil_id(mark.pupil.into_owned()).ok()?, code: Some(code) })
    });
    let marks = marks.collect::<Option<_>>()?;
    let body = Body::Register { urn: it.urn.to_owned(), date, session, marks };
    Some(Record { line, external_id: external_id.to_owned(), body: Ok(body) })
}

/// Whether no pupil is there twice. Where they are in order, as most systems list them, a look at each pair tells.
fn each_once(marks: &[Marked<'_>]) -> bool {
    if marks.is_sorted_by(|a, b| a.pupil < b.pupil) {
        return true;
    }
    let mut seen = HashSet::with_capacity(marks.len());
    marks.iter().all(|it| seen.insert(it.pupil.as_ref()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::record;

    fn register_of(marks: &str) -> String {
        format!(
            r#"{{"externalId":"r1","attendanceRegister":{{"urn":"100001","date":"2025-11-21","session":"AM","marks":[{marks}]}}}}"#
        )
    }

    /// What the quick way reads is what the contract's reader reads.
    #[track_caller]
    fn check(text: &str, is_quick: bool) {
        let today = "2025-11-21".parse().unwrap();
        let quick = register(text, 7, today);
        assert_eq!(quick.is_some(), is_quick, "{text}");
        let Some(quick) = quick else { return };
        let slow = record::read(7, serde_json::from_str(text).unwrap(), today);
        assert_eq!(format!("{quick:?}"), format!("{slow:?}"), "{text}");
    }

    #[test]
    fn what_is_right_is_read_quickly_and_alike() {
        check(&register_of(r#"{"pupil":"a","code":"/"}"#), true);
        check(&register_of(r#"{"pupil":"a","code":"/"},{"pupil":"b","code":"C2"}"#), true);
        check(&register_of(r#"{"code":"\\","pupil":"b"},{"pupil":"a","code":"I"}"#), true);
        check(&register_of(r#"{"pupil":"\u0041\"é","code":"\u004c"}"#), true);
        check(&register_of(r#" { "pupil" : "a" , "code" : "/" } "#), true);
        check(
            r#"{"attendanceRegister":{"marks":[{"pupil":"a","code":"/"}],"session":"PM","date":"2024-08-19","urn":"9362014"},"externalId":""}"#,
            true,
        );
    }

    #[test]
    fn what_is_unusual_or_wrong_is_left_to_the_contract() {
        check(&register_of(""), false);
        check(&register_of(r#"{"pupil":"a","code":"H"}"#), false);
        check(&register_of(r#"{"pupil":"a","code":"toolong"}"#), false);
        check(&register_of(r#"{"pupil":"a","code":"//é"}"#), false);
        check(&register_of(r#"{"pupil":" ","code":"/"}"#), false);
        check(&register_of(r#"{"pupil":"a","code":"/","deleted":true}"#), false);
        check(&register_of(r#"{"pupil":"a"}"#), false);
        check(&register_of(r#"{"pupil":"a","code":"/"},{"pupil":"a","code":"I"}"#), false);
        let apart = r#"{"pupil":"b","code":"/"},{"pupil":"a","code":"/"},{"pupil":"b","code":"/"}"#;
        check(&register_of(apart), false);
        let good = register_of(r#"{"pupil":"a","code":"/"}"#);
        check(&good.replace("r1", &"r".repeat(201)), false);
        check(&good.replace("r1", r"\u0000"), false);
        check(&good.replace("externalId", "external_id"), false);
        check(&good.replace("100001", "1"), false);
        check(&good.replace("2025-11-21", "2025-11-22"), false);
        check(&good.replace("AM", "XM"), false);
        check(&format!("{good} x"), false);
        check(r#"{"externalId":"p1","pupil":{"pupil":"a"}}"#, false);
        check("null", false);
    }
}
