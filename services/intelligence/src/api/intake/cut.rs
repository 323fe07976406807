//! Gathering records into parts.

use rpc::{Error, Result};

use super::too_many;
use crate::domain::{Format, Part, Sizes};

/// Records on their way into parts: a part is given once the next record would not fit.
#[derive(Debug)]
pub(super) struct Cutter {
    format: Format,
    /// What every part begins with.
    header: Vec<u8>,
    bytes: Vec<u8>,
    first_line: u32,
    records: u32,
    /// Records of the whole body so far.
    total: u32,
    sizes: Sizes,
    ready: Vec<Part>,
}

impl Cutter {
    pub(super) fn new(format: Format, sizes: Sizes) -> Self {
        Self {
            format,
            header: Vec::new(),
            bytes: Vec::new(),
            first_line: 1,
            records: 0,
            total: 0,
            sizes,
            ready: Vec::new(),
        }
    }

    /// Has every part begin with these bytes.
    pub(super) fn head(&mut self, header: Vec<u8>) {
        self.bytes.clone_from(&header);
        self.header = header;
    }

    /// Adds a record, with the blank lines that came before it.
    pub(super) fn add(&mut self, line: u64, blanks: u64, record: &[u8]) -> Result<()> {
        if self.total == self.sizes.records {
            return Err(too_many(self.sizes.records));
        }
        self.total += 1;
        let blanks = usize::try_from(blanks).map_err(Error::internal)?;
        let after = self.bytes.len().saturating_add(blanks).saturating_add(record.len());
        if self.records == self.sizes.part_records || after >= self.sizes.part_bytes {
            self.cut();
        }
        if self.records == 0 {
            self.first_line = u32::try_from(line).map_err(Error::internal)?;
        } else {
            self.bytes.resize(self.bytes.len() + blanks, b'\n');
        }
        self.bytes.extend_from_slice(record);
        if self.format != Format::Messages {
            self.bytes.push(b'\n');
        }
        self.records += 1;
        Ok(())
    }

    /// The parts that are whole.
    pub(super) fn ready(&mut self) -> Vec<Part> {
        std::mem::take(&mut self.ready)
    }

    /// The last of them; a header over nothing is given too, for it may be wrong.
    pub(super) fn end(mut self) -> Vec<Part> {
        if self.records == 0 && self.total == 0 && !self.header.is_empty() {
            self.push();
        }
        self.cut();
        self.ready
    }

    fn cut(&mut self) {
        if self.records > 0 {
            self.push();
        }
    }

    fn push(&mut self) {
        let bytes = std::mem::replace(&mut self.bytes, self.header.clone());
        let (format, first_line) = (self.format, self.first_line);
        self.ready.push(Part { format, first_line, records: self.records, bytes });
        self.records = 0;
    }
}
