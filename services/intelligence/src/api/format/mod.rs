//! Bytes into records, one file per layout. Pure: what a stretch of a push says depends on its bytes and the options
//! of the push alone, so that it can be read whole or in parts, here or by another process.

mod bundle;
mod columns;
mod lines;
mod published;
mod roster;
mod sheet;
mod table;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use calendar::AcademicYear;
use chrono::NaiveDate;
use rpc::{Fault, Result};

use super::{intake::messages, record};
use crate::domain::{Feed, Format, Kind, Part, Published, Read, Reading, Schools, academic_year};

pub(super) use columns::Columns;
pub(super) use roster::pieces;
pub(super) use text::delimiter;

/// What is known of a push beside its bytes.
#[derive(Clone, Debug)]
pub(super) struct Options {
    /// The last day a record may be of.
    pub(super) today: NaiveDate,
    /// The kind of a file's records; its header says it when none.
    pub(super) kind: Option<Kind>,
    pub(super) mapping: Option<Reading>,
    /// The academic year a published table is of.
    pub(super) period: Option<AcademicYear>,
    /// The published table a file is; its header says it when none.
    pub(super) layout: Option<&'static Published>,
    pub(super) feed: Arc<Feed>,
    pub(super) schools: Arc<Schools>,
}

impl Options {
    /// Whether the feed speaks for the school of that number.
    fn speaks_for(&self, number: &str) -> bool {
        self.schools.find(number).is_ok_and(|it| self.feed.speaks_for(it.school_id))
    }
}

/// Reads a part.
pub(super) fn read(options: &Options, part: &Part) -> Result<Read> {
    let (line, bytes) = (part.first_line, part.bytes.as_slice());
    let sheet = match part.format {
        Format::Lines => return lines::read(options, line, bytes),
        Format::Messages => {
            let messages = (line..).zip(messages::records(bytes)?);
            let records = messages.map(|(line, it)| record::read(line, it, options.today));
            return Ok(Read { records: records.collect(), skipped_rows: 0 });
        }
        Format::Csv => sheet::Sheet::open(bytes)?,
    };
    let told = || Published::told_by(&sheet.header).filter(|_| options.kind.is_none());
    match (&options.mapping, options.layout) {
        (Some(Reading::Csv(_)), _) => table::read(options, line, &sheet),
        (_, layout) => match layout.or_else(told) {
            Some(layout) => published::read(layout, options, line, &sheet),
            None => table::read(options, line, &sheet),
        },
    }
}

/// The published table of a name.
pub(super) fn layout(name: &str) -> Result<&'static Published, Fault> {
    let all = Published::all();
    let names = || all.iter().map(|it| it.name.as_str());
    let found = all.iter().find(|it| it.name == name);
    found.ok_or_else(|| Fault::invalid("is not a published table").accepting(names()))
}

/// The academic year of a push.
pub(super) fn period(text: &str) -> Result<AcademicYear, Fault> {
    academic_year(text)
        .ok_or_else(|| Fault::invalid("must be an academic year, for example 2018/19"))
}
