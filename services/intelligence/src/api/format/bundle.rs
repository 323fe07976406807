//! Files in a zip archive, within limits: an archive that would be more than it may is refused where that shows, before
//! it is in memory.

use std::io::{Cursor, Read};

use rpc::{Error, Reason, Result};
use zip::{ZipArchive, result::ZipError};

/// Files of a bundle.
const ENTRIES: usize = 64;
/// Bytes of all files that are read, uncompressed: 128 MiB.
const TOTAL: u64 = 128 << 20;
/// Times that a file may be larger than it is compressed. Tables of ids come to 10 to 40.
const RATIO: u64 = 200;
/// Bytes below which the ratio does not matter: 1 MiB.
const SMALL: u64 = 1 << 20;

pub(super) struct Bundle<'a> {
    archive: ZipArchive<Cursor<&'a [u8]>>,
    /// Bytes that may still be read.
    left: u64,
}

impl<'a> Bundle<'a> {
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self> {
        let archive =
            ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken("the archive", error))?;
        if archive.len() > ENTRIES {
            let detail =
                format!("the archive holds {} files; {ENTRIES} are the most", archive.len());
            return Err(Error::new(Reason::BodyTooLarge, detail));
        }
        Ok(Self { archive, left: TOTAL })
    }

    /// A file by its name, in whichever folder; none when there is no such.
    pub(super) fn file(&mut self, name: &str) -> Result<Option<Vec<u8>>> {
        let wanted = |path: &str| {
            let file = path.rsplit(['/', '\\']).next().unwrap_or(path);
            // What macOS adds beside each file.
            !path.starts_with("__MACOSX") && file.eq_ignore_ascii_case(name)
        };
        let mut found = (0..self.archive.len()).filter(
            |it| matches!(self.archive.name_for_index(*it), Some(Ok(path)) if wanted(&path)),
        );
        let Some(index) = found.next() else { return Ok(None) };
        if found.next().is_some() {
            let detail = format!("{name} is in the archive twice");
            return Err(Error::new(Reason::FileMalformed, detail));
        }
        let file = self.archive.by_index(index).map_err(|error| broken(name, error))?;
        let ratio = file.compressed_size().saturating_mul(RATIO).max(SMALL);
        let limit = self.left.min(ratio);
        let mut bytes = Vec::new();
        // The size that the archive declares is not believed.
        let read = file.take(limit + 1).read_to_end(&mut bytes);
        read.map_err(|error| broken(name, error.into()))?;
        let length = bytes.len() as u64;
        if length > limit {
            let detail = if limit == ratio {
                format!("{name} is more than {RATIO} times as large as it is compressed")
            } else {
                format!("{name} brings the archive to more than {TOTAL} bytes uncompressed")
            };
            return Err(Error::new(Reason::BodyTooLarge, detail));
        }
        self.left -= length;
        Ok(Some(bytes))
    }
}

fn broken(what: &str, error: ZipError) -> Error {
    Error::new(Reason::FileMalformed, format!("{what} cannot be unzipped: {error}"))
        .caused_by(error)
}
