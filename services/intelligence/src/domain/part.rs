//! A stretch of a push: whole records, few enough to be read and applied in one transaction.

use crate::domain::Record;

/// Bytes of one record at the most.
pub const RECORD_BYTES: usize = 1 << 20;
/// Bytes of a file's header, and of everything in a JSON body but its records, at the most.
pub const HEADER_BYTES: usize = 64 << 10;
/// Bytes of an archive at the most, as it is sent: 32 MiB.
pub const BUNDLE_BYTES: usize = 32 << 20;
/// Columns of a file at the most.
pub const COLUMNS: usize = 1000;
/// Objects and arrays within each other, in one record, at the most.
pub const NESTING: u8 = 64;

/// How large batches and their parts may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes of a part, unless a single record is larger.
    pub part_bytes: usize,
    /// Records of a part.
    pub part_records: u32,
    /// Bytes of a batch.
    pub bytes: u64,
    /// Records of a batch.
    pub records: u32,
}

impl Default for Sizes {
    fn default() -> Self {
        Self { part_bytes: 512 << 10, part_records: 10_000, bytes: 2 << 30, records: 5_000_000 }
    }
}

/// How a part holds its records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Format {
    /// One JSON object to a line; blank lines count as lines.
    Lines,
    /// Separated values under the header of the whole file, which every part begins with.
    Csv,
    /// The contract's `Record` messages, each after its length.
    Messages,
}

/// Whole records of a body, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub format: Format,
    /// Place in the body of the first record, from 1: its line in a file, its index plus one in an array or a stream.
    pub first_line: u32,
    /// How many records it holds.
    pub records: u32,
    pub bytes: Vec<u8>,
}

/// What a part held.
#[derive(Debug, Default)]
pub struct Read {
    pub records: Vec<Record>,
    /// Rows passed over because they hold nothing for the feed: sums of schools, other schools.
    pub skipped_rows: u32,
}

impl Format {
    /// As it is written beside a part.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lines => "lines",
            Self::Csv => "csv",
            Self::Messages => "messages",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Lines, Self::Csv, Self::Messages].into_iter().find(|it| it.name() == name)
    }
}
