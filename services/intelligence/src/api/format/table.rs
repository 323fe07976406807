//! A record a row: under our own column names, or under those of another system by a mapping saved with the feed.

use std::collections::BTreeMap;

use rpc::{Error, Fault, Problem, Reason, Result};

use super::{
    Options,
    columns::{self, Column, Columns},
    sheet::{Row, Sheet},
    text::plain,
};
use crate::{
    api::record,
    domain::{CsvMapping, DateFormat, Read, Reading, Record, Source},
};

/// How the columns of a file become a kind of record.
struct Plan<'a> {
    columns: &'static Columns,
    taken: Vec<Taken<'a>>,
    dates: &'a [DateFormat],
}

/// A column of the record and where its value comes from.
struct Taken<'a> {
    column: &'static Column,
    from: From<'a>,
    /// Their codes and ours.
    values: Option<&'a BTreeMap<String, String>>,
}

enum From<'a> {
    Cell { place: usize, header: &'a str },
    Constant(&'a str),
}

pub(super) fn read(options: &Options, first_line: u32, sheet: &Sheet) -> Result<Read> {
    sheet.distinct()?;
    let plan = match &options.mapping {
        Some(Reading::Csv(mapping)) => mapped(mapping, sheet)?,
        // A mapping of bundles has been used where the bundle was taken apart.
        Some(Reading::OneRoster(_)) | None => own(options, sheet)?,
    };
    let mut records = Vec::new();
    sheet.each(Some(first_line), |row| {
        if row.is_blank() {
            return Ok(());
        }
        records.push(plan.read(options, sheet, row));
        Ok(())
    })?;
    Ok(Read { records, skipped_rows: 0 })
}

/// A header in our own names.
fn own<'a>(options: &'a Options, sheet: &'a Sheet) -> Result<Plan<'a>> {
    let columns = match options.kind {
        Some(kind) => Columns::of_kind(kind)?,
        None => columns::told_by(&sheet.header)?,
    };
    lacks(columns::missing(columns, &sheet.header)).map_err(|error| {
        let kind = columns.name();
        let detail = format!(
            "{} to be a table of {kind}; columns with names of yours are read by a mapping",
            error.detail
        );
        Error::new(error.reason, detail)
    })?;
    let mut taken = Vec::new();
    for (place, header) in sheet.header.iter().enumerate().filter(|it| !it.1.is_empty()) {
        let column = columns.find(header).ok_or_else(|| {
            let detail =
                format!("line 1: column {}, {header:?}, is not one of this file", place + 1);
            let fault = Fault::new(Reason::FieldUnknown, detail).accepting(columns.names());
            Error::field("", fault)
        })?;
        taken.push(Taken { column, from: From::Cell { place, header }, values: None });
    }
    Ok(Plan { columns, taken, dates: &[] })
}

/// A header in the names that a mapping knows.
fn mapped<'a>(mapping: &'a CsvMapping, sheet: &'a Sheet) -> Result<Plan<'a>> {
    let columns = Columns::of_kind(mapping.kind)?;
    let mut absent = Vec::new();
    let mut taken = Vec::new();
    for it in &mapping.columns {
        let column = columns.find(&it.field).ok_or_else(|| {
            Error::internal(format!("a mapping was saved with the field {}", it.field))
        })?;
        let from = match &it.source {
            Source::Constant(value) => From::Constant(value),
            Source::Header(name) => {
                let Some(place) = sheet.place(name) else {
                    absent.push(name.as_str());
                    continue;
                };
                From::Cell { place, header: name }
            }
        };
        taken.push(Taken { column, from, values: Some(&it.values).filter(|it| !it.is_empty()) });
    }
    lacks(absent.into_iter())?;
    let used = |header: &str| {
        mapping
            .columns
            .iter()
            .any(|it| matches!(&it.source, Source::Header(name) if plain(name) == plain(header)))
    };
    let stray = sheet.header.iter().position(|it| !it.is_empty() && !used(it));
    if let Some(place) = stray.filter(|_| !mapping.ignore_unmapped) {
        let header = sheet.header.get(place).map_or("", String::as_str);
        let detail = format!(
            "line 1: column {}, {header:?}, is not mapped, and the mapping does not ignore such",
            place + 1
        );
        return Err(Error::field("", Fault::new(Reason::FieldUnknown, detail)));
    }
    Ok(Plan { columns, taken, dates: &mapping.date_formats })
}

fn lacks<'a>(missing: impl Iterator<Item = &'a str>) -> Result<()> {
    let missing: Vec<_> = missing.collect();
    if missing.is_empty() {
        return Ok(());
    }
    let detail = format!("line 1: the header lacks {}", missing.join(", "));
    Err(Error::new(Reason::ColumnMissing, detail))
}

impl Plan<'_> {
    fn read(&self, options: &Options, sheet: &Sheet, row: &Row) -> Record {
        let external_id = self.taken.iter().find(|it| it.column.name == "external_id");
        let external_id = external_id.map_or("", |it| it.text(row));
        if let Some(flaw) = row.ragged(&sheet.header) {
            return record::refused(row.line, external_id, vec![flaw]);
        }
        let mut problems = Vec::new();
        let mut dates = Vec::new();
        for it in self.taken.iter().filter(|it| it.column.is_date() && !self.dates.is_empty()) {
            let text = it.text(row);
            let date = self.dates.iter().find_map(|format| format.read(text));
            if date.is_none() && !text.is_empty() {
                let formats = self.dates.iter().map(DateFormat::as_str);
                let fault =
                    Fault::invalid(format!("is not a date as the mapping has them: {text:?}"));
                problems.push(it.column.refuse(fault.accepting(formats)));
            }
            dates.push((it.column.pointer.as_str(), date.map(|it| it.to_string())));
        }
        let cells = self.taken.iter().map(|it| {
            let date = dates.iter().find(|date| date.0 == it.column.pointer);
            (it.column, date.and_then(|date| date.1.as_deref()).unwrap_or_else(|| it.text(row)))
        });
        let mut record = match self.columns.record(cells) {
            Ok(message) if problems.is_empty() => record::read(row.line, message, options.today),
            Ok(_) => record::refused(row.line, external_id, problems),
            Err(more) => {
                problems.extend(more);
                record::refused(row.line, external_id, problems)
            }
        };
        if let Err(problems) = &mut record.body {
            for it in problems {
                self.name(it);
            }
        }
        record
    }

    /// Adds to a problem which column of the file it is about.
    fn name(&self, problem: &mut Problem) {
        let found = self.taken.iter().find(|it| it.column.pointer == problem.pointer);
        let place = match found.map(|it| &it.from) {
            Some(From::Cell { header, place }) => format!("column {}, {header:?}", place + 1),
            Some(From::Constant(value)) => {
                format!("{value:?}, which the mapping says for every row")
            }
            None if problem.pointer.is_empty() => return,
            None => "no column".to_owned(),
        };
        problem.fault.detail = format!("{} ({place})", problem.fault.detail).into();
    }
}

impl Taken<'_> {
    fn text<'r>(&'r self, row: &'r Row) -> &'r str {
        let theirs = match self.from {
            From::Cell { place, .. } => row.value(place),
            From::Constant(value) => value,
        };
        let ours = self.values.and_then(|it| it.get(theirs));
        ours.map_or(theirs, String::as_str)
    }
}
