//! Tables as published: a row a school, a column a measure. Each value is a record of its own; what stands instead of a
//! value is kept as the reason why there is none, with the code as it stood.

use calendar::AcademicYear;
use chrono::NaiveDate;
use rpc::{Error, Fault, Problem, Reason, Result};

use super::{
    Options,
    columns::{Column, Columns},
    sheet::{Row, Sheet},
};
use crate::{
    api::record,
    domain::{Cell, Kind, Published, PublishedUnit, Read, Record, academic_year},
};

/// Who publishes all of these.
const SOURCE: &str = "dfe";

struct Table<'a> {
    layout: &'static Published,
    options: &'a Options,
    header: &'a [String],
    columns: &'static Columns,
    cells: Vec<Cell>,
    urn: usize,
    only: Option<usize>,
    period: Option<usize>,
}

/// What a place in the table says.
enum Said<'a> {
    Value(f64),
    Share(f64, f64),
    Absent { why: &'a str, code: Option<String> },
}

pub(super) fn read(
    layout: &'static Published,
    options: &Options,
    first_line: u32,
    sheet: &Sheet,
) -> Result<Read> {
    let table = open(layout, options, sheet)?;
    let mut read = Read::default();
    sheet.each(Some(first_line), |row| {
        if row.is_blank() {
            return Ok(());
        }
        let only = table.only.map(|it| row.value(it));
        let school = only.is_none_or(|it| layout.is_school(it));
        if school && options.speaks_for(row.value(table.urn)) {
            table.row(row, &mut read.records);
        } else {
            read.skipped_rows += 1;
        }
        Ok(())
    })?;
    Ok(read)
}

fn open<'a>(
    layout: &'static Published,
    options: &'a Options,
    sheet: &'a Sheet,
) -> Result<Table<'a>> {
    let place = |name: &str| sheet.header.iter().position(|it| it.eq_ignore_ascii_case(name));
    let missing = layout.missing(&sheet.header);
    let (Some(urn), true) = (place(&layout.urn), missing.is_empty()) else {
        let detail = format!(
            "line 1: the header lacks {}: this is not of the {}",
            missing.join(", "),
            layout.title
        );
        return Err(Error::new(Reason::ColumnMissing, detail));
    };
    let cells = layout.cells(&sheet.header);
    let period = layout.period_column.as_deref().and_then(place);
    if options.period.is_none() && period.is_none() && cells.iter().any(|it| it.period.is_none()) {
        let detail = "must be given: the file does not say which academic year it is of";
        return Err(Error::field("/period", Fault::new(Reason::FieldRequired, detail)));
    }
    Ok(Table {
        layout,
        options,
        header: &sheet.header,
        columns: Columns::of_kind(Kind::Observation)?,
        cells,
        urn,
        only: layout.only_column.as_deref().and_then(place),
        period,
    })
}

impl Table<'_> {
    fn row(&self, row: &Row, records: &mut Vec<Record>) {
        let urn = row.value(self.urn);
        if let Some(flaw) = row.flaw(self.header) {
            return records.push(record::refused(row.line, urn, vec![flaw]));
        }
        let year = match self.year(row) {
            Ok(year) => year,
            Err(problem) => return records.push(record::refused(row.line, urn, vec![problem])),
        };
        // Rows that end early end with the code that says why.
        let last = (0..self.header.len()).rev().find(|it| row.reaches(*it));
        let last =
            last.map(|it| row.value(it)).filter(|it| self.layout.codes().any(|code| code == *it));
        for cell in &self.cells {
            let Some(year) = cell.period.or(year) else { continue };
            records.push(self.one(row, cell, year, last));
        }
    }

    /// The year of a row, where not each column has its own.
    fn year(&self, row: &Row) -> Result<Option<AcademicYear>, Problem> {
        let Some(place) = self.period else { return Ok(self.options.period) };
        let text = row.value(place);
        let year = academic_year(text).map(Some);
        year.ok_or_else(|| {
            let detail = format!("{text:?} is not an academic year{}", self.at(place));
            Problem { pointer: "/observation/startsOn".to_owned(), fault: Fault::invalid(detail) }
        })
    }

    fn one(&self, row: &Row, cell: &Cell, year: AcademicYear, last: Option<&str>) -> Record {
        let (urn, name) = (row.value(self.urn), self.name(cell.place));
        let external_id = format!("{urn} {year} {name}");
        let said = match self.said(row, cell, last) {
            Ok(said) => said,
            Err(problem) => return record::refused(row.line, &external_id, vec![problem]),
        };
        let date = |it: NaiveDate| it.to_string();
        let it = cell.column;
        let mut cells = vec![
            ("external_id", external_id.clone()),
            ("urn", urn.to_owned()),
            ("measure", it.measure.clone()),
            ("subject", it.subject.clone().unwrap_or_default()),
            ("group", it.group.clone().unwrap_or_default()),
            ("starts_on", date(year.starts_on())),
            ("ends_on", date(year.ends_on())),
            ("source", SOURCE.to_owned()),
        ];
        match said {
            Said::Value(value) => cells.push(("value", value.to_string())),
            Said::Share(part, whole) => {
                cells.push(("numerator", part.to_string()));
                cells.push(("denominator", whole.to_string()));
            }
            Said::Absent { why, code } => {
                cells.push(("absent", why.to_owned()));
                cells.push(("source_code", code.unwrap_or_default()));
            }
        }
        let of = |(name, text): &'_ (&str, String)| -> Option<(&'static Column, String)> {
            Some((self.columns.find(name)?, text.clone()))
        };
        let cells: Vec<_> = cells.iter().filter_map(of).collect();
        let mut record = match self.columns.record(cells.iter().map(|it| (it.0, it.1.as_str()))) {
            Ok(message) => record::read(row.line, message, self.options.today),
            Err(problems) => record::refused(row.line, &external_id, problems),
        };
        if let Err(problems) = &mut record.body {
            for it in problems {
                it.fault.detail = format!("{}{}", it.fault.detail, self.at(cell.place)).into();
            }
        }
        record
    }

    fn said(&self, row: &Row, cell: &Cell, last: Option<&str>) -> Result<Said<'_>, Problem> {
        if !row.reaches(cell.place) {
            let code = last.map(str::to_owned);
            let why = self.layout.code(last.unwrap_or_default());
            return Ok(Said::Absent { why: why.map_or("not_available", |it| &it.absent), code });
        }
        let part = match self.number(row, cell.place)? {
            Ok(part) => part,
            Err(absent) => return Ok(absent),
        };
        let Some(place) = cell.of.filter(|_| cell.column.unit == PublishedUnit::Share) else {
            return Ok(Said::Value(part));
        };
        Ok(match self.number(row, place)? {
            Ok(whole) if whole > 0.0 => Said::Share(part, whole),
            // A share of nobody.
            Ok(_) => {
                Said::Absent { why: "not_applicable", code: Some(row.value(place).to_owned()) }
            }
            Err(absent) => absent,
        })
    }

    /// The number at a place, or what its code says.
    fn number(&self, row: &Row, place: usize) -> Result<Result<f64, Said<'_>>, Problem> {
        let text = row.value(place);
        if let Some(it) = self.layout.code(text) {
            let code = it.code.clone();
            return Ok(Err(Said::Absent { why: &it.absent, code }));
        }
        let digits = text.strip_suffix('%').unwrap_or(text).replace(',', "");
        let number = digits.trim().parse().ok().filter(|it: &f64| it.is_finite());
        number.map(Ok).ok_or_else(|| {
            let shown: String = text.chars().take(40).collect();
            let detail =
                format!("{shown:?} is neither a number nor a code of this table{}", self.at(place));
            let fault = Fault::new(Reason::CodeUnknown, detail).accepting(self.layout.codes());
            Problem { pointer: "/observation/value".to_owned(), fault }
        })
    }

    fn name(&self, place: usize) -> &str {
        self.header.get(place).map_or("", String::as_str)
    }

    fn at(&self, place: usize) -> String {
        format!(" (column {}, {:?})", place + 1, self.name(place))
    }
}
