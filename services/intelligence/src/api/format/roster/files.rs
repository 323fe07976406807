//! One table of a bundle: chosen columns, row by row.

use rpc::{Error, Reason, Result};

use crate::api::format::{bundle::Bundle, sheet::Sheet};

pub(in crate::api::format) struct File;

impl File {
    /// Hands over the values of some columns, row by row: those that must be there and those that may be.
    pub(super) fn read<const N: usize, const M: usize>(
        name: &str,
        bytes: &[u8],
        needed: [&str; N],
        optional: [&str; M],
        mut take: impl FnMut([&str; N], [&str; M]) -> Result<()>,
    ) -> Result<()> {
        let named = |mut error: Error| {
            error.detail = format!("{name}: {}", error.detail).into();
            error
        };
        let sheet = Sheet::open(bytes).map_err(named)?;
        let mut places = [0; N];
        for (place, column) in places.iter_mut().zip(needed) {
            *place = sheet.place(column).ok_or_else(|| {
                Error::new(
                    Reason::ColumnMissing,
                    format!("{name}: line 1: the header lacks {column}"),
                )
            })?;
        }
        let others = optional.map(|it| sheet.place(it));
        sheet
            .each(None, |row| {
                if let Some(flaw) = row.flaw(&sheet.header) {
                    let detail = format!("line {}: {}", row.line, flaw.fault.detail);
                    return Err(Error::new(Reason::FileMalformed, detail));
                }
                if row.is_blank() {
                    return Ok(());
                }
                let value = |place: Option<usize>| place.map_or("", |it| row.value(it));
                take(places.map(|it| value(Some(it))), others.map(value))
            })
            .map_err(named)
    }
}

pub(super) fn required(bundle: &mut Bundle, name: &str) -> Result<Vec<u8>> {
    bundle
        .file(name)?
        .ok_or_else(|| Error::new(Reason::FileMalformed, format!("the bundle has no {name}")))
}
