//! One JSON object whose `records` are cut out while it comes; whatever else it says is kept until its end.

use rpc::{Error, Fault, Reason, Result};
use serde_json::{Map, Value};

use super::{
    cut::Cutter,
    depth,
    place::{self, Place},
};
use crate::domain::{Format, HEADER_BYTES, Part, RECORD_BYTES, Sizes};

const RECORDS: &str = "records";

/// What may come next, but for white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Object,
    /// A member's name; the end of the object too, if there was none before.
    Name {
        first: bool,
    },
    Colon,
    /// A member's value, or the array of records.
    Member,
    /// A record; the end of the array too, if there was none before.
    Record {
        first: bool,
    },
    CommaOrEndOfRecords,
    CommaOrEnd,
    Nothing,
}

#[derive(Debug)]
pub(in crate::api) struct Object {
    cutter: Cutter,
    place: Place,
    next: Next,
    /// The value under way, where it began, and how far within it we are.
    value: Vec<u8>,
    begun: Place,
    scan: Option<Scan>,
    name: String,
    members: Map<String, Value>,
    /// Bytes of names and members so far.
    beside: usize,
    records: u64,
    seen: bool,
}

impl Object {
    pub(super) fn new(sizes: Sizes) -> Self {
        Self {
            cutter: Cutter::new(Format::Lines, sizes),
            place: Place::default(),
            next: Next::Object,
            value: Vec::new(),
            begun: Place::default(),
            scan: None,
            name: String::new(),
            members: Map::new(),
            beside: 0,
            records: 0,
            seen: false,
        }
    }

    pub(super) fn take(&mut self, mut chunk: &[u8]) -> Result<Vec<Part>> {
        place::no_nul(self.place, chunk)?;
        while let Some(byte) = chunk.first() {
            let taken = if self.scan.is_some() {
                self.value(chunk)?
            } else if is_blank(*byte) {
                chunk.iter().take_while(|it| is_blank(**it)).count()
            } else {
                self.sign(*byte)?
            };
            let (passed, rest) = chunk.split_at_checked(taken).unwrap_or((chunk, &[]));
            self.place.pass(passed);
            chunk = rest;
        }
        Ok(self.cutter.ready())
    }

    /// The last part, and the members beside the records.
    pub(super) fn end(self) -> Result<(Vec<Part>, Map<String, Value>)> {
        if self.next != Next::Nothing {
            let what = format!("not JSON: the body ends where {} must come", self.next.told());
            return Err(self.place.malformed(what));
        }
        Ok((self.cutter.end(), self.members))
    }

    /// Takes a byte that belongs to no value, or begins one, which is then taken whole.
    fn sign(&mut self, byte: u8) -> Result<usize> {
        self.next = match (self.next, byte) {
            (Next::Object, b'{') => Next::Name { first: true },
            (Next::Object, b'[' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n') => {
                let fault = Fault::new(Reason::FieldType, "must be an object");
                return Err(Error::field("", fault));
            }
            (Next::Name { .. }, b'"') => return Ok(self.begin()),
            (Next::Name { first: true } | Next::CommaOrEnd, b'}') => Next::Nothing,
            (Next::Colon, b':') => Next::Member,
            (Next::Member, b'[') if self.name == RECORDS => {
                if std::mem::replace(&mut self.seen, true) {
                    return Err(Error::field("/records", Fault::invalid("is there twice")));
                }
                Next::Record { first: true }
            }
            (Next::Member, _) if self.name == RECORDS => {
                let fault = Fault::new(Reason::FieldType, "must be an array");
                return Err(Error::field("/records", fault));
            }
            (Next::Record { first: true } | Next::CommaOrEndOfRecords, b']') => Next::CommaOrEnd,
            (Next::Member | Next::Record { .. }, byte) if !b"]},:".contains(&byte) => {
                return Ok(self.begin());
            }
            (Next::CommaOrEndOfRecords, b',') => Next::Record { first: false },
            (Next::CommaOrEnd, b',') => Next::Name { first: false },
            (next, _) => {
                let what = format!("not JSON: here {} must come", next.told());
                return Err(self.place.malformed(what));
            }
        };
        Ok(1)
    }

    fn begin(&mut self) -> usize {
        (self.begun, self.scan) = (self.place, Some(Scan::default()));
        0
    }

    /// Takes bytes of the value under way.
    fn value(&mut self, chunk: &[u8]) -> Result<usize> {
        let Some(scan) = &mut self.scan else { return Ok(0) };
        let (taken, whole) = scan.take(chunk);
        let record = matches!(self.next, Next::Record { .. });
        let (what, room) = if record {
            ("a record", RECORD_BYTES)
        } else {
            ("what is beside the records", HEADER_BYTES - self.beside)
        };
        if self.value.len() + taken > room {
            let limit = if record { RECORD_BYTES } else { HEADER_BYTES };
            return Err(self.begun.too_large(what, limit));
        }
        self.value.extend_from_slice(chunk.get(..taken).unwrap_or(chunk));
        if whole {
            self.scan = None;
            self.finish()?;
            self.value.clear();
        }
        Ok(taken)
    }

    /// Takes the value under way as whole.
    fn finish(&mut self) -> Result<()> {
        let text = place::text(self.begun, &self.value)?;
        let malformed = |error| self.begun.not_json(&self.value, &error);
        self.next = match self.next {
            Next::Record { .. } => {
                depth::check(text).map_err(malformed)?;
                self.records += 1;
                self.cutter.add(self.records, 0, &one_line(&self.value))?;
                Next::CommaOrEndOfRecords
            }
            Next::Name { .. } => {
                self.name = serde_json::from_str(text).map_err(malformed)?;
                self.beside += self.value.len();
                Next::Colon
            }
            _ => {
                depth::check(text).map_err(malformed)?;
                let value = serde_json::from_str(text).map_err(malformed)?;
                self.beside += self.value.len();
                self.members.insert(std::mem::take(&mut self.name), value);
                Next::CommaOrEnd
            }
        };
        Ok(())
    }
}

impl Next {
    fn told(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Name { .. } => "a member's name",
            Self::Colon => "a colon",
            Self::Member => "a value",
            Self::Record { .. } => "a record",
            Self::CommaOrEndOfRecords => "a comma or the end of the records",
            Self::CommaOrEnd => "a comma or the end of the object",
            Self::Nothing => "nothing more",
        }
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// A value without the line feeds between its parts: there can be none within its strings.
fn one_line(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    if memchr::memchr2(b'\n', b'\r', value).is_none() {
        return value.into();
    }
    value.iter().copied().filter(|it| !matches!(it, b'\n' | b'\r')).collect::<Vec<_>>().into()
}

/// How far into a value we are; whether it is well-formed is asked once it is whole.
#[derive(Debug, Default)]
struct Scan {
    depth: usize,
    string: bool,
    escaped: bool,
}

impl Scan {
    /// How many bytes belong to the value, and whether it ends with them.
    fn take(&mut self, bytes: &[u8]) -> (usize, bool) {
        let mut at = 0;
        while let Some(byte) = bytes.get(at) {
            if self.string {
                if std::mem::take(&mut self.escaped) {
                    at += 1;
                    continue;
                }
                let rest = bytes.get(at..).unwrap_or_default();
                let Some(sign) = memchr::memchr2(b'"', b'\\', rest) else { break };
                at += sign + 1;
                self.escaped = rest.get(sign) == Some(&b'\\');
                self.string = self.escaped;
                if !self.string && self.depth == 0 {
                    return (at, true);
                }
                continue;
            }
            match byte {
                b'"' => self.string = true,
                b'{' | b'[' => self.depth += 1,
                b'}' | b']' | b',' if self.depth == 0 => return (at, true),
                _ if self.depth == 0 && is_blank(*byte) => return (at, true),
                b'}' | b']' => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        return (at + 1, true);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        (bytes.len(), false)
    }
}
