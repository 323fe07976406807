use std::{
    borrow::Cow,
    collections::{BTreeSet, HashMap},
};

use csv::{ByteRecord, Reader, ReaderBuilder};
use encoding_rs::WINDOWS_1252;
use rpc::{Error, Reason, Result};

/// No field of the register comes near this many bytes: a longer one is a quotation mark that was never closed.
const FIELD_LIMIT: usize = 16 << 10;

/// The column of the website's export that holds unquoted commas, always the last.
const SPILLING: &str = "Linked establishments";

/// A CSV file with a header.
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    reader: Reader<&'a [u8]>,
    record: ByteRecord,
    utf8: bool,
    header: Vec<String>,
    index: HashMap<String, usize>,
    used: BTreeSet<usize>,
}

/// What is wrong with a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) column: Option<&'static str>,
    pub(super) problem: String,
}

impl Fault {
    pub(super) fn row(problem: String) -> Self {
        Self { column: None, problem }
    }
}

/// Where a column stands, if the file has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) name: &'static str,
    at: Option<usize>,
}

impl Column {
    pub(super) fn present(self) -> bool {
        self.at.is_some()
    }
}

/// One row in the file's encoding.
pub(super) struct Row<'t> {
    /// The header is line 1.
    pub(super) line: u32,
    record: &'t ByteRecord,
    utf8: bool,
    width: usize,
    spills: bool,
    urn_at: Option<usize>,
}

impl<'a> Table<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        if bytes.starts_with(b"PK\x03\x04") {
            return Err(malformed("line 1: a ZIP archive; send the CSV file inside it".to_owned()));
        }
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
        if bytes.contains(&0) {
            let before = bytes.split(|it| *it == 0).next().unwrap_or_default();
            let line = before.split(|it| *it == b'\n').count();
            return Err(malformed(format!("line {line}: a zero byte, which no text has")));
        }
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(bytes);
        let mut record = ByteRecord::new();
        if !reader.read_byte_record(&mut record).map_err(|it| malformed(it.to_string()))? {
            return Err(malformed("line 1: the file is empty".to_owned()));
        }
        let utf8 = std::str::from_utf8(bytes).is_ok();
        let header: Vec<String> =
            record.iter().map(|it| decode(it, utf8).trim().to_owned()).collect();
        if header.len() < 2 {
            return Err(malformed("line 1: no columns separated by commas".to_owned()));
        }
        let index = header.iter().enumerate().rev().map(|(at, it)| (it.clone(), at)).collect();
        Ok(Self { bytes, reader, record, utf8, header, index, used: BTreeSet::new() })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.index.contains_key(name)
    }

    /// Finds a column and notes that it is used.
    pub(super) fn column(&mut self, name: &'static str) -> Column {
        let at = self.index.get(name).copied();
        self.used.extend(at);
        Column { name, at }
    }

    /// Refuses the file unless it has one column of each of these sets.
    pub(super) fn require(&self, file: &str, needed: &[&[&str]]) -> Result<()> {
        let missing: Vec<String> = needed
            .iter()
            .filter(|names| !names.iter().any(|it| self.has(it)))
            .map(|names| names.join(" or "))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let detail = format!("line 1: {file} must have the columns {}", missing.join(", "));
        Err(Error::new(Reason::ColumnMissing, detail))
    }

    /// The named columns nobody asked for, in the file's order.
    pub(super) fn unknown_columns(self) -> Vec<String> {
        let used = self.used;
        self.header
            .into_iter()
            .enumerate()
            .filter(|(at, name)| !name.is_empty() && !used.contains(at))
            .map(|it| it.1)
            .collect()
    }

    pub(super) fn next(&mut self) -> Result<Option<Row<'_>>> {
        let more = self.reader.read_byte_record(&mut self.record);
        if !more.map_err(|it| malformed(it.to_string()))? {
            return Ok(None);
        }
        let line = self.record.position().map_or(0, |it| {
            // After CRLF the reader stands before the LF and has not counted it.
            let at = usize::try_from(it.byte()).unwrap_or(usize::MAX);
            it.line() + u64::from(self.bytes.get(at) == Some(&b'\n'))
        });
        if self.record.iter().any(|it| it.len() > FIELD_LIMIT) {
            let problem = format!("line {line}: a quotation mark opens a field that does not end");
            return Err(malformed(problem));
        }
        Ok(Some(Row {
            line: u32::try_from(line).unwrap_or(u32::MAX),
            record: &self.record,
            utf8: self.utf8,
            width: self.header.len(),
            spills: self.header.last().is_some_and(|it| it == SPILLING),
            urn_at: self.index.get("URN").copied(),
        }))
    }
}

impl<'t> Row<'t> {
    /// Whether it has a field for every column, and none beyond but where unquoted commas are known to spill.
    pub(super) fn whole(&self) -> Result<(), Fault> {
        let found = self.record.len();
        if found == self.width || (found > self.width && self.spills) {
            return Ok(());
        }
        Err(Fault::row(format!("has {found} fields, the header has {}", self.width)))
    }

    /// The field's text without surrounding space; nothing when it is blank or the column is not there.
    pub(super) fn text(&self, column: Column) -> Option<Cow<'t, str>> {
        let text = match decode(self.record.get(column.at?)?, self.utf8) {
            Cow::Borrowed(it) => Cow::Borrowed(it.trim()),
            Cow::Owned(it) => Cow::Owned(it.trim().to_owned()),
        };
        (!text.is_empty()).then_some(text)
    }

    /// The field's text, which must not be blank.
    pub(super) fn needed(&self, column: Column) -> Result<Cow<'t, str>, Fault> {
        self.text(column).ok_or_else(|| Fault {
            column: Some(column.name),
            problem: "must not be blank".to_owned(),
        })
    }

    /// The field's value, if it is not blank.
    pub(super) fn parse<T>(
        &self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, rpc::Fault>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(column) else { return Ok(None) };
        parse(&text).map(Some).map_err(|fault| Fault {
            column: Some(column.name),
            problem: format!("{text:?} {fault}"),
        })
    }

    /// The field's value, which must not be blank.
    pub(super) fn required<T>(
        &self,
        column: Column,
        parse: impl FnOnce(&str) -> Result<T, rpc::Fault>,
    ) -> Result<T, Fault> {
        let text = self.needed(column)?;
        parse(&text).map_err(|fault| Fault {
            column: Some(column.name),
            problem: format!("{text:?} {fault}"),
        })
    }

    /// The URN as the row has it, for the report.
    pub(super) fn urn(&self) -> Option<String> {
        self.text(Column { name: "URN", at: self.urn_at }).map(Cow::into_owned)
    }
}

fn decode(field: &[u8], utf8: bool) -> Cow<'_, str> {
    if utf8 {
        String::from_utf8_lossy(field)
    } else {
        WINDOWS_1252.decode_without_bom_handling(field).0
    }
}

fn malformed(detail: String) -> Error {
    Error::new(Reason::FileMalformed, detail)
}
