//! Separated values: a record to a row, which a quoted value may stretch over lines.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use rpc::{Error, Reason, Result};

use super::{
    cut::Cutter,
    place::{self, Place},
};
use crate::{
    api::format,
    domain::{COLUMNS, Format, HEADER_BYTES, Part, RECORD_BYTES, Sizes},
};

pub(in crate::api) struct Table {
    reader: Reader,
    /// What has come while it is not known how values are separated.
    start: Option<Vec<u8>>,
    cutter: Cutter,
    /// Where the row under way begins, and what there is of it with the blank lines before it.
    place: Place,
    row: Vec<u8>,
    columns: usize,
    headed: bool,
    /// Whether the last byte was a carriage return, so that a line feed belongs to it.
    returned: bool,
}

impl Table {
    pub(super) fn new(delimiter: Option<u8>, sizes: Sizes) -> Self {
        Self {
            reader: ReaderBuilder::new().delimiter(delimiter.unwrap_or(b',')).build(),
            start: delimiter.is_none().then(Vec::new),
            cutter: Cutter::new(Format::Csv, sizes),
            place: Place::default(),
            row: Vec::new(),
            columns: 0,
            headed: false,
            returned: false,
        }
    }

    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<Vec<Part>> {
        let Some(mut start) = self.start.take() else { return self.cut(chunk) };
        start.extend_from_slice(chunk);
        let text = start.trim_ascii_start();
        if memchr::memchr2(b'\n', b'\r', text).is_none() && text.len() <= HEADER_BYTES {
            self.start = Some(start);
            return Ok(Vec::new());
        }
        self.begin(&start)
    }

    /// Takes the start of the file, by which it is known how values are separated.
    fn begin(&mut self, start: &[u8]) -> Result<Vec<Part>> {
        let delimiter = format::delimiter(&String::from_utf8_lossy(start));
        self.reader = ReaderBuilder::new().delimiter(delimiter).build();
        self.cut(start)
    }

    fn cut(&mut self, chunk: &[u8]) -> Result<Vec<Part>> {
        let chunk = self.line_feeds(chunk);
        let mut chunk = chunk.as_ref();
        place::no_nul(self.place.after(&self.row), chunk)?;
        while !chunk.is_empty() {
            chunk = self.read(chunk)?;
        }
        Ok(self.cutter.ready())
    }

    pub(super) fn end(mut self) -> Result<Vec<Part>> {
        let mut parts = match self.start.take() {
            Some(start) => self.begin(&start)?,
            None => Vec::new(),
        };
        // Nothing more comes: the reader says whether a row ends here.
        self.read(&[])?;
        parts.extend(self.cutter.end());
        Ok(parts)
    }

    /// Every end of a line as a line feed, by which lines are counted.
    fn line_feeds<'c>(&mut self, chunk: &'c [u8]) -> Cow<'c, [u8]> {
        if !self.returned && memchr::memchr(b'\r', chunk).is_none() {
            return Cow::Borrowed(chunk);
        }
        let mut told = Vec::with_capacity(chunk.len());
        for byte in chunk {
            match byte {
                b'\r' => told.push(b'\n'),
                b'\n' if self.returned => {}
                other => told.push(*other),
            }
            self.returned = *byte == b'\r';
        }
        Cow::Owned(told)
    }

    /// Reads to the end of a row or of the chunk, and gives what is left of it.
    fn read<'c>(&mut self, chunk: &'c [u8]) -> Result<&'c [u8]> {
        // What the values are is read when the part is applied.
        let (mut values, mut ends) = ([0; 4096], [0; 64]);
        let (result, taken, _, columns) = self.reader.read_record(chunk, &mut values, &mut ends);
        let (row, rest) = chunk.split_at_checked(taken).unwrap_or((chunk, &[]));
        self.columns += columns;
        self.hold(row)?;
        if matches!(result, ReadRecordResult::Record) {
            self.finish()?;
        }
        Ok(rest)
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        self.row.extend_from_slice(bytes);
        let (what, limit) =
            if self.headed { ("a row", RECORD_BYTES) } else { ("the header", HEADER_BYTES) };
        // Blank lines belong to the row that they come before, and there may be any number.
        if self.row.len() > limit {
            self.skip_blanks();
        }
        if self.row.len() > limit {
            return Err(self.place.too_large(what, limit));
        }
        if !self.headed && self.columns > COLUMNS {
            let detail = format!("a file may have at most {COLUMNS} columns ({})", self.place);
            return Err(Error::new(Reason::BodyTooLarge, detail));
        }
        Ok(())
    }

    /// Passes what is before the row; says how many lines that was.
    fn skip_blanks(&mut self) -> u64 {
        let blank = self.row.iter().take_while(|it| **it == b'\n').count();
        let row = self.row.split_off(blank);
        let before = self.place.line;
        self.place.pass(&self.row);
        self.row = row;
        self.place.line - before
    }

    /// Takes the row under way as whole.
    fn finish(&mut self) -> Result<()> {
        let blanks = self.skip_blanks();
        let row = self.row.strip_suffix(b"\n").unwrap_or(&self.row);
        if self.headed {
            self.cutter.add(self.place.line, blanks, row)?;
        } else {
            let mut header = row.to_vec();
            header.push(b'\n');
            self.cutter.head(header);
            self.headed = true;
        }
        self.place.pass(&self.row);
        self.row.clear();
        self.columns = 0;
        Ok(())
    }
}

impl std::fmt::Debug for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Table").field("place", &self.place).finish_non_exhaustive()
    }
}
