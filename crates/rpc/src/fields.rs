//! Collects everything wrong with a request, so that the caller is told all of it at once.

use crate::{Error, Fault, Problem, Reason, Result};

/// The longest free text a caller may send, in characters.
pub const TEXT_LIMIT: usize = 10_000;

/// Problems found so far while a message is turned into a command.
#[derive(Debug, Default)]
pub struct Fields {
    problems: Vec<Problem>,
}

impl Fields {
    pub fn new() -> Self {
        Self::default()
    }

    /// The parsed value, or `None` with the fault noted.
    pub fn take<T>(&mut self, pointer: &str, parsed: Result<T, Fault>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(fault) => {
                self.refuse(pointer, fault);
                None
            }
        }
    }

    /// Parses a value that may be left out: `Some(None)` when it is.
    pub fn optional<'a, T>(
        &mut self,
        pointer: &str,
        value: Option<&'a str>,
        parse: impl FnOnce(&'a str) -> Result<T, Fault>,
    ) -> Option<Option<T>> {
        match value {
            None => Some(None),
            Some(text) => self.take(pointer, parse(text)).map(Some),
        }
    }

    pub fn required<T>(&mut self, pointer: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            self.refuse(pointer, Fault::new(Reason::FieldRequired, "must be given"));
        }
        value
    }

    /// A text that says something, within [`TEXT_LIMIT`].
    pub fn text(&mut self, pointer: &str, text: String) -> Option<String> {
        if text.trim().is_empty() {
            self.refuse(pointer, Fault::new(Reason::FieldRequired, "must be given"));
            return None;
        }
        let fault = if text.chars().count() > TEXT_LIMIT {
            format!("must be at most {TEXT_LIMIT} characters")
        } else if text.contains('\0') {
            "must not contain a NUL character".to_owned()
        } else {
            return Some(text);
        };
        self.refuse(pointer, Fault::invalid(fault));
        None
    }

    pub fn refuse(&mut self, pointer: &str, fault: Fault) {
        self.problems.push(Problem { pointer: pointer.to_owned(), fault });
    }

    /// The command, if nothing was wrong. `build` returns `None` only where a problem was noted.
    pub fn done<T>(self, build: impl FnOnce() -> Option<T>) -> Result<T> {
        if self.problems.is_empty() {
            build().ok_or_else(|| Error::internal("a missing field was not noted as a problem"))
        } else {
            Err(Error::fields(self.problems))
        }
    }
}

/// Refuses a change that was decided on another version than the one there is now.
pub fn unchanged(now: impl Into<i64>, expected: u32) -> Result<()> {
    let now = now.into();
    if now == i64::from(expected) { Ok(()) } else { Err(Error::stale(now)) }
}

/// The version a change was decided on. Required: two people must not overwrite each other unawares.
pub fn expected_version(version: Option<u32>) -> Result<u32> {
    version.ok_or_else(|| {
        Error::new(
            Reason::VersionMissing,
            "say which version you change: If-Match with the ETag you read, or expectedVersion",
        )
    })
}
