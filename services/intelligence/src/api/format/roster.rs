//! `OneRoster` 1.1 and 1.2 bundles: users, their classes and schools, joined into who is on roll where and since when.
//!
//! What comes out are tables under our own columns, which are read like any other. Only ids, roles, grades and dates are
//! taken: names, addresses and birth dates are not even looked at.

mod files;
mod grades;
mod join;
mod results;

use rpc::{Error, Fault, Reason, Result};

use super::{Options, bundle::Bundle};
use crate::domain::{Format, OneRosterMapping, Part, Reading};

pub(super) use files::File;

/// Rows of a piece at the most, and bytes at which it is ended.
const ROWS: u32 = 10_000;
const BYTES: usize = 256 << 10;

/// What a bundle comes to.
#[derive(Debug, Default)]
pub(in crate::api) struct Pieces {
    /// Records as tables under our own columns. Lines count the records of the bundle.
    pub(in crate::api) parts: Vec<Part>,
    /// Rows that became no record: guardians, staff and results that no mapping speaks of.
    pub(in crate::api) skipped_rows: u32,
    line: u32,
}

/// Takes a bundle apart.
pub(in crate::api) fn pieces(options: &Options, bytes: &[u8]) -> Result<Pieces> {
    let standard = OneRosterMapping::default();
    let mapping = match &options.mapping {
        Some(Reading::OneRoster(mapping)) => mapping,
        None => &standard,
        Some(Reading::Csv(_)) => {
            let fault = Fault::invalid("reads CSV, and this is a OneRoster bundle");
            return Err(Error::field("/mapping", fault));
        }
    };
    let mut bundle = Bundle::open(bytes)?;
    manifest(&mut bundle)?;
    let mut pieces = Pieces { line: 1, ..Pieces::default() };
    let people = join::read(&mut bundle, mapping, &mut pieces)?;
    results::read(&mut bundle, mapping, &people, &mut pieces)?;
    Ok(pieces)
}

/// Refuses what is not `OneRoster` of a version read here.
fn manifest(bundle: &mut Bundle) -> Result<()> {
    let bytes = files::required(bundle, "manifest.csv")?;
    let mut version = None;
    File::read("manifest.csv", &bytes, ["propertyName", "value"], [], |[name, value], []| {
        if name == "oneroster.version" {
            version = Some(value.to_owned());
        }
        Ok(())
    })?;
    match version.as_deref() {
        Some(it) if it.starts_with("1.1") || it.starts_with("1.2") => Ok(()),
        other => {
            let other = other.unwrap_or("none");
            let detail =
                format!("manifest.csv: oneroster.version is {other}; 1.1 and 1.2 are read");
            Err(Error::new(Reason::FileMalformed, detail))
        }
    }
}

impl Pieces {
    /// Adds records under one header.
    fn add<'a, const N: usize>(
        &mut self,
        header: [&str; N],
        rows: impl Iterator<Item = [std::borrow::Cow<'a, str>; N]>,
    ) -> Result<()> {
        let mut open: Option<(Part, csv::Writer<Vec<u8>>)> = None;
        for row in rows {
            let full = |it: &(Part, csv::Writer<Vec<u8>>)| {
                it.0.records == ROWS || it.1.get_ref().len() >= BYTES
            };
            if let Some(done) = open.take_if(|it| full(it)) {
                self.close(done)?;
            }
            if open.is_none() {
                let mut writer = csv::Writer::from_writer(Vec::new());
                writer.write_record(header).map_err(Error::internal)?;
                let (format, first_line) = (Format::Csv, self.line);
                let piece = Part { format, first_line, records: 0, bytes: Vec::new() };
                open = Some((piece, writer));
            }
            if let Some((piece, writer)) = &mut open {
                writer.write_record(row.iter().map(|it| it.as_bytes())).map_err(Error::internal)?;
                piece.records += 1;
                self.line += 1;
            }
        }
        open.map_or(Ok(()), |it| self.close(it))
    }

    fn close(&mut self, (mut piece, writer): (Part, csv::Writer<Vec<u8>>)) -> Result<()> {
        piece.bytes = writer.into_inner().map_err(|error| Error::internal(error.to_string()))?;
        self.parts.push(piece);
        Ok(())
    }
}
