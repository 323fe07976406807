//! Line-delimited JSON: a record to a line.

use rpc::Result;

use super::{
    cut::Cutter,
    depth,
    place::{self, Place},
};
use crate::domain::{Format, Part, RECORD_BYTES, Sizes};

#[derive(Debug)]
pub(in crate::api) struct Lines {
    cutter: Cutter,
    /// Where the line under way begins, and what there is of it.
    place: Place,
    line: Vec<u8>,
    blanks: u64,
}

impl Lines {
    pub(super) fn new(sizes: Sizes) -> Self {
        let cutter = Cutter::new(Format::Lines, sizes);
        Self { cutter, place: Place::default(), line: Vec::new(), blanks: 0 }
    }

    pub(super) fn take(&mut self, mut chunk: &[u8]) -> Result<Vec<Part>> {
        while let Some(end) = memchr::memchr(b'\n', chunk) {
            let (line, rest) = chunk.split_at(end);
            self.hold(line)?;
            self.finish()?;
            chunk = rest.get(1..).unwrap_or_default();
        }
        self.hold(chunk)?;
        Ok(self.cutter.ready())
    }

    pub(super) fn end(mut self) -> Result<Vec<Part>> {
        self.finish()?;
        Ok(self.cutter.end())
    }

    fn hold(&mut self, bytes: &[u8]) -> Result<()> {
        let room = RECORD_BYTES - self.line.len();
        let kept = bytes.get(..room).unwrap_or(bytes);
        place::no_nul(self.place.after(&self.line), kept)?;
        if kept.len() < bytes.len() {
            return Err(self.place.too_large("a line", RECORD_BYTES));
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Takes the line under way as whole.
    fn finish(&mut self) -> Result<()> {
        let text = place::text(self.place, &self.line)?;
        if text.trim().is_empty() {
            self.blanks += 1;
        } else {
            depth::check(text).map_err(|it| self.place.not_json(&self.line, &it))?;
            let record = self.line.strip_suffix(b"\r").unwrap_or(&self.line);
            self.cutter.add(self.place.line, self.blanks, record)?;
            self.blanks = 0;
        }
        self.place.pass(&self.line);
        self.place.pass(b"\n");
        self.line.clear();
        Ok(())
    }
}
