//! Separated values under a header, row by row, each with its line in the push.

use std::borrow::Cow;

use rpc::{Error, Fault, Problem, Reason, Result};

use super::text;
use crate::domain::COLUMNS;

/// Bytes a value may have.
const VALUE: usize = 32 << 10;

pub(super) struct Sheet<'a> {
    text: Cow<'a, str>,
    delimiter: u8,
    pub(super) header: Vec<String>,
}

/// One row as it stands.
pub(super) struct Row<'a> {
    pub(super) line: u32,
    values: &'a csv::StringRecord,
}

impl<'a> Sheet<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        let text = text::decode(bytes)?;
        let delimiter = text::delimiter(&text);
        let header = reader(&text, delimiter).headers().map_err(malformed)?.clone();
        let header: Vec<_> = header.iter().map(|it| it.trim().to_owned()).collect();
        if header.iter().all(String::is_empty) {
            return Err(Error::new(Reason::ColumnMissing, "line 1: there is no header"));
        }
        if header.len() > COLUMNS {
            let detail =
                format!("line 1: the header has {} columns; {COLUMNS} are the most", header.len());
            return Err(Error::new(Reason::FileMalformed, detail));
        }
        Ok(Self { text, delimiter, header })
    }

    /// Reads the rows. `first_line` is the line of the first; none when it is to be counted from the header.
    pub(super) fn each(
        &self,
        first_line: Option<u32>,
        mut take: impl FnMut(&Row) -> Result<()>,
    ) -> Result<()> {
        let mut reader = reader(&self.text, self.delimiter);
        reader.headers().map_err(malformed)?;
        let mut first = None;
        let mut values = csv::StringRecord::new();
        while reader.read_record(&mut values).map_err(malformed)? {
            let line = self.line(values.position())?;
            let first = *first.get_or_insert(line);
            let line = first_line.map_or(line, |it| it.saturating_add(line - first));
            take(&Row { line, values: &values })?;
        }
        Ok(())
    }

    /// The line of a row's first value: the reader tells that of the blank lines before it.
    fn line(&self, position: Option<&csv::Position>) -> Result<u32> {
        let position = position.ok_or_else(|| Error::internal("a row without a position"))?;
        let start = usize::try_from(position.byte()).map_err(Error::internal)?;
        let from = self.text.as_bytes().get(start..).unwrap_or_default();
        let blank = from.iter().take_while(|it| matches!(it, b'\n' | b'\r'));
        let blank = blank.filter(|it| **it == b'\n').count() as u64;
        u32::try_from(position.line() + blank).map_err(Error::internal)
    }

    /// Where a column is, by a name that is compared by its letters.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let name = text::plain(name);
        self.header.iter().position(|it| text::plain(it) == name)
    }

    /// Refuses a header that names a column twice.
    pub(super) fn distinct(&self) -> Result<()> {
        let mut seen = std::collections::HashSet::new();
        for (place, name) in self.header.iter().enumerate().filter(|it| !it.1.is_empty()) {
            if !seen.insert(text::plain(name)) {
                let detail = format!("line 1: column {}, {name:?}, comes twice", place + 1);
                return Err(Error::field("", Fault::new(Reason::FieldUnknown, detail)));
            }
        }
        Ok(())
    }
}

impl Row<'_> {
    /// A value without the spaces around it; empty where the row is too short.
    pub(super) fn value(&self, place: usize) -> &str {
        self.values.get(place).unwrap_or_default().trim()
    }

    /// Whether the row reaches that far.
    pub(super) fn reaches(&self, place: usize) -> bool {
        place < self.values.len()
    }

    /// Whether there is nothing in it.
    pub(super) fn is_blank(&self) -> bool {
        self.values.iter().all(|it| it.trim().is_empty())
    }

    /// What is wrong with its values whatever they mean.
    pub(super) fn flaw(&self, header: &[String]) -> Option<Problem> {
        let name = |place: usize| header.get(place).map_or("", String::as_str);
        for (place, value) in self.values.iter().enumerate() {
            let what = if value.contains('\0') {
                "holds a NUL character".to_owned()
            } else if value.len() > VALUE {
                format!("is longer than {VALUE} bytes; a quotation mark may be missing")
            } else {
                continue;
            };
            return Some(malformed_row(format!("column {}, {:?}, {what}", place + 1, name(place))));
        }
        None
    }

    /// The same, and a row of another length than the header: a value may have slipped into the next column. Empty values
    /// too many are let pass.
    pub(super) fn ragged(&self, header: &[String]) -> Option<Problem> {
        let (given, expected) = (self.values.len(), header.len());
        let more = self.values.iter().skip(expected).all(|it| it.trim().is_empty());
        if given < expected || !more {
            let detail = format!("has {given} values where the header has {expected}");
            return Some(malformed_row(detail));
        }
        self.flaw(header)
    }
}

fn malformed_row(detail: String) -> Problem {
    Problem { pointer: String::new(), fault: Fault::new(Reason::FileMalformed, detail) }
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    csv::ReaderBuilder::new().flexible(true).delimiter(delimiter).from_reader(text.as_bytes())
}

fn malformed(error: csv::Error) -> Error {
    Error::new(Reason::FileMalformed, format!("not CSV: {error}")).caused_by(error)
}
