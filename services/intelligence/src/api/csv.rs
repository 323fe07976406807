//! Records as CSV, one to a row; the header says of which kind.
//!
//! | kind | columns |
//! | --- | --- |
//! | marks | `external_id`, `urn`, `date`, `session`, `pupil`, `code`; may have `deleted` |
//! | enrolments | `external_id`, `urn`, `pupil`, `year_group`, `starts_on`; may have `ends_on`, `deleted` |
//! | pupils | `external_id`, `pupil`; may have `deleted` |
//!
//! In any order, in UTF-8 or Windows-1252; case, spaces, hyphens and underscores of a header do not matter.

use std::{borrow::Cow, collections::HashMap};

use chrono::NaiveDate;
use contract::intelligence::{self as pb, record::Kind};
use encoding_rs::WINDOWS_1252;
use rpc::{Error, Fault, Problem, Reason, Result};

use super::record;
use crate::domain::{RECORDS_LIMIT, Record};

struct Layout {
    needed: &'static [&'static str],
    allowed: &'static [&'static str],
    read: fn(&Row) -> Result<Kind, Vec<Problem>>,
}

const MARKS: Layout = Layout {
    needed: &["external_id", "urn", "date", "session", "pupil", "code"],
    allowed: &["deleted"],
    read: mark,
};
const ENROLMENTS: Layout = Layout {
    needed: &["external_id", "urn", "pupil", "year_group", "starts_on"],
    allowed: &["ends_on", "deleted"],
    read: enrolment,
};
const PUPILS: Layout =
    Layout { needed: &["external_id", "pupil"], allowed: &["deleted"], read: pupil };

/// A row by its columns.
struct Row<'a> {
    columns: &'a HashMap<&'static str, usize>,
    values: &'a csv::StringRecord,
}

pub(super) fn read(body: &[u8], today: NaiveDate) -> Result<Vec<Record>> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    let text = match std::str::from_utf8(body) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(body).0,
    };
    // Lines are counted by line feeds, and the one after a carriage return would count late.
    let text = text.replace("\r\n", "\n");
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
    let header = reader.headers().map_err(malformed)?.clone();
    let (layout, columns) = layout(&header)?;
    let mut records = Vec::new();
    for values in reader.records() {
        if records.len() == RECORDS_LIMIT {
            return Err(super::push::too_many());
        }
        let values = values.map_err(malformed)?;
        let line = values.position().map_or(0, csv::Position::line);
        let line = u32::try_from(line).map_err(Error::internal)?;
        let row = Row { columns: &columns, values: &values };
        let external_id = row.value("external_id").to_owned();
        let kind = if values.len() == header.len() {
            (layout.read)(&row)
        } else {
            let detail =
                format!("has {} values where the header has {}", values.len(), header.len());
            Err(problem("", Fault::new(Reason::FileMalformed, detail)))
        };
        records.push(match kind {
            Ok(kind) => record::read(line, pb::Record { external_id, kind: Some(kind) }, today),
            Err(problems) => record::refused(line, &external_id, problems),
        });
    }
    Ok(records)
}

/// The layout a header has, and where its columns are.
fn layout(header: &csv::StringRecord) -> Result<(&'static Layout, HashMap<&'static str, usize>)> {
    let plain = |it: &str| it.replace(['_', '-', ' '], "").to_ascii_lowercase();
    let given: Vec<String> = header.iter().map(plain).collect();
    let has = |name: &str| given.contains(&plain(name));
    let layout = if has("code") || has("session") {
        &MARKS
    } else if has("year_group") || has("starts_on") {
        &ENROLMENTS
    } else {
        &PUPILS
    };
    let missing: Vec<_> = layout.needed.iter().copied().filter(|it| !has(it)).collect();
    if !missing.is_empty() {
        let detail = format!("the header lacks {}", missing.join(", "));
        return Err(Error::new(Reason::ColumnMissing, detail));
    }
    let mut columns = HashMap::new();
    for (place, name) in given.iter().enumerate() {
        let known = layout.needed.iter().chain(layout.allowed).find(|it| plain(it) == *name);
        match known {
            Some(known) if columns.insert(*known, place).is_none() => {}
            _ => {
                let named = header.get(place).unwrap_or_default();
                let detail = format!("column {named:?} is not one of this file, or comes twice");
                let accepted = layout.needed.iter().chain(layout.allowed).copied();
                let fault = Fault::new(Reason::FieldUnknown, detail).accepting(accepted);
                return Err(Error::field("", fault));
            }
        }
    }
    Ok((layout, columns))
}

fn mark(row: &Row) -> Result<Kind, Vec<Problem>> {
    let deleted = row.deleted("/attendanceRegister/marks/0/deleted")?;
    let mark = pb::Mark { pupil: row.own("pupil"), code: row.own("code"), deleted };
    Ok(Kind::AttendanceRegister(pb::AttendanceRegister {
        urn: row.own("urn"),
        date: row.own("date"),
        session: row.own("session"),
        marks: vec![mark],
    }))
}

fn enrolment(row: &Row) -> Result<Kind, Vec<Problem>> {
    let year_group = row.value("year_group").parse().map_err(|_| {
        problem("/enrolment/yearGroup", Fault::new(Reason::FieldType, "must be a whole number"))
    })?;
    Ok(Kind::Enrolment(pb::Enrolment {
        urn: row.own("urn"),
        pupil: row.own("pupil"),
        year_group,
        starts_on: row.own("starts_on"),
        ends_on: Some(row.own("ends_on")).filter(|it| !it.is_empty()),
        deleted: row.deleted("/enrolment/deleted")?,
    }))
}

fn pupil(row: &Row) -> Result<Kind, Vec<Problem>> {
    let deleted = row.deleted("/pupil/deleted")?;
    Ok(Kind::Pupil(pb::Pupil { pupil: row.own("pupil"), deleted }))
}

impl Row<'_> {
    fn value(&self, name: &str) -> &str {
        self.columns.get(name).and_then(|it| self.values.get(*it)).unwrap_or_default().trim()
    }

    fn own(&self, name: &str) -> String {
        self.value(name).to_owned()
    }

    fn deleted(&self, pointer: &str) -> Result<bool, Vec<Problem>> {
        match self.value("deleted").to_ascii_lowercase().as_str() {
            "" | "false" | "0" => Ok(false),
            "true" | "1" => Ok(true),
            _ => Err(problem(pointer, Fault::new(Reason::FieldType, "must be true or false"))),
        }
    }
}

fn problem(pointer: &str, fault: Fault) -> Vec<Problem> {
    vec![Problem { pointer: pointer.to_owned(), fault }]
}

fn malformed(error: csv::Error) -> Error {
    Error::new(Reason::FileMalformed, format!("not CSV: {error}")).caused_by(error)
}
