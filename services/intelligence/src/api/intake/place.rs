//! Where in a body something is.

use std::fmt;

use rpc::{Error, Reason};

/// A byte of a body, by line and column; both begin at 1, and columns are bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
}

impl Default for Place {
    fn default() -> Self {
        Self { line: 1, column: 1 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {} column {} of the body", self.line, self.column)
    }
}

impl Place {
    /// Moves past bytes.
    pub(super) fn pass(&mut self, bytes: &[u8]) {
        *self = self.after(bytes);
    }

    /// The place behind these bytes, which begin here.
    pub(super) fn after(self, bytes: &[u8]) -> Self {
        let length = bytes.len() as u64;
        match memchr::memrchr(b'\n', bytes) {
            None => Self { line: self.line, column: self.column + length },
            Some(last) => Self {
                line: self.line + memchr::memchr_iter(b'\n', bytes).count() as u64,
                column: length - last as u64,
            },
        }
    }

    /// What is wrong here, so that nothing behind it is read.
    pub(super) fn malformed(self, what: impl fmt::Display) -> Error {
        Error::new(Reason::BodyMalformed, format!("{what} ({self})"))
    }

    /// What begins here is larger than it may be.
    pub(super) fn too_large(self, what: &str, limit: usize) -> Error {
        Error::new(
            Reason::BodyTooLarge,
            format!("{what} may have at most {limit} bytes; a larger one begins at {self}"),
        )
    }

    /// Where JSON that begins here and is all in `text` is not well-formed.
    pub(super) fn not_json(self, text: &[u8], error: &serde_json::Error) -> Error {
        let line = error.line().saturating_sub(1);
        let start = match line {
            0 => 0,
            line => memchr::memchr_iter(b'\n', text).nth(line - 1).map_or(0, |it| it + 1),
        };
        let upto = (start + error.column().saturating_sub(1)).min(text.len());
        let at = self.after(text.get(..upto).unwrap_or_default());
        let message = error.to_string();
        let what = message.rsplit_once(" at line ").map_or(message.as_str(), |it| it.0);
        at.malformed(format!("not JSON: {what}"))
    }
}

/// The first NUL byte: no text has one, and neither database takes it.
pub(super) fn no_nul(at: Place, bytes: &[u8]) -> Result<(), Error> {
    match memchr::memchr(0, bytes) {
        None => Ok(()),
        Some(index) => {
            let at = at.after(bytes.get(..index).unwrap_or_default());
            Err(at.malformed("a NUL byte, which no text holds; is this UTF-16? Send UTF-8"))
        }
    }
}

/// Bytes as the text they must be.
pub(super) fn text(at: Place, bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        let at = at.after(bytes.get(..error.valid_up_to()).unwrap_or_default());
        at.malformed("not UTF-8")
    })
}
