//! Cutting bodies into parts while they stream in, so that a body of any size takes little room. A part holds whole
//! records, each of which is well-formed; what can be of no record is refused at once, with its place, and nothing behind
//! it is read.

mod cut;
mod depth;
mod json;
mod lines;
pub(super) mod messages;
mod place;
mod table;
#[cfg(test)]
mod tests;

use rpc::{Error, Reason, Result};
use serde_json::{Map, Value};

use crate::domain::{Part, Sizes};

/// Cuts one body.
#[derive(Debug)]
pub(super) enum Splitter {
    /// An object with `records`.
    Json(Box<json::Object>),
    /// A JSON object to a line.
    Lines(lines::Lines),
    /// Separated values.
    Table(Box<table::Table>),
}

impl Splitter {
    /// For a JSON body of at most so many records.
    pub(super) fn json(sizes: Sizes) -> Self {
        Self::Json(Box::new(json::Object::new(sizes)))
    }

    pub(super) fn lines(sizes: Sizes) -> Self {
        Self::Lines(lines::Lines::new(sizes))
    }

    /// For a table; its header says how values are separated when none is given.
    pub(super) fn table(delimiter: impl Into<Option<u8>>, sizes: Sizes) -> Self {
        Self::Table(Box::new(table::Table::new(delimiter.into(), sizes)))
    }

    /// Takes the next bytes; gives the parts that they complete.
    pub(super) fn take(&mut self, chunk: &[u8]) -> Result<Vec<Part>> {
        match self {
            Self::Json(it) => it.take(chunk),
            Self::Lines(it) => it.take(chunk),
            Self::Table(it) => it.take(chunk),
        }
    }

    /// At the body's end: its last part, and what a JSON body says beside its records.
    pub(super) fn end(self) -> Result<(Vec<Part>, Map<String, Value>)> {
        match self {
            Self::Json(it) => it.end(),
            Self::Lines(it) => Ok((it.end()?, Map::new())),
            Self::Table(it) => Ok((it.end()?, Map::new())),
        }
    }
}

pub(super) fn too_many(limit: u32) -> Error {
    let detail = format!("a batch may have at most {limit} records; send the rest as another");
    Error::new(Reason::BodyTooLarge, detail)
}
