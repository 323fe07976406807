//! Reads the files that Get Information about Schools publishes (DfE, Open Government Licence v3.0), as they are.
//!
//! A file is known by its header. Windows-1252 or UTF-8, with or without a byte order mark, any line ends; dates as
//! `DD-MM-YYYY`, `DD/MM/YYYY` or `YYYY-MM-DD`; columns in any order, those we do not use reported. A row that cannot
//! be read is set aside with its line and reason, the rest of the file is not.

mod establishments;
mod groups;
mod links;
mod memberships;
mod table;
mod value;

use std::collections::{HashMap, hash_map::Entry};

use rpc::Result;

use crate::domain::{
    establishment::{Establishment, Group, Link, Membership},
    import::{Quarantined, RegisterFile},
};

pub(crate) use establishments::Stated;
use table::{Fault, Row, Table};

/// A file read to its end.
#[derive(Debug)]
pub(crate) struct File {
    pub content: Content,
    /// Rows after the header.
    pub rows: u32,
    /// Rows of no concern here: children's centres, and memberships in groups that are not academy trusts.
    pub ignored: u32,
    pub quarantine: Vec<Quarantined>,
    pub unknown_columns: Vec<String>,
}

/// The rows of a file that could be read, each thing once.
#[derive(Debug)]
pub(crate) enum Content {
    /// What the file leaves unsaid of an establishment stays as it was.
    Establishments(Vec<Establishment>, Stated),
    Links(Vec<Link>),
    Groups(Vec<Group>),
    Memberships(Vec<Membership>),
}

impl Content {
    pub(crate) fn file(&self) -> RegisterFile {
        match self {
            Self::Establishments(..) => RegisterFile::Establishments,
            Self::Links(_) => RegisterFile::Links,
            Self::Groups(_) => RegisterFile::Groups,
            Self::Memberships(_) => RegisterFile::Memberships,
        }
    }
}

/// Reads a file of any of the four kinds.
pub(crate) fn read(bytes: &[u8]) -> Result<File> {
    let mut table = Table::open(bytes)?;
    if links::recognise(&table) {
        let columns = links::Columns::of(&mut table)?;
        let rows = collect(&mut table, |row| columns.read(row), links::key)?;
        return Ok(rows.finish(table, Content::Links));
    }
    if memberships::recognise(&table) {
        let columns = memberships::Columns::of(&mut table)?;
        let rows = collect(&mut table, |row| columns.read(row), memberships::key)?;
        return Ok(rows.finish(table, Content::Memberships));
    }
    if groups::recognise(&table) {
        let columns = groups::Columns::of(&mut table)?;
        let rows = collect(&mut table, |row| columns.read(row), groups::key)?;
        return Ok(rows.finish(table, Content::Groups));
    }
    let columns = establishments::Columns::of(&mut table)?;
    let rows = collect(&mut table, |row| columns.read(row), establishments::key)?;
    Ok(rows.finish(table, |it| Content::Establishments(it, columns.stated())))
}

struct Collected<T> {
    items: Vec<T>,
    rows: u32,
    ignored: u32,
    quarantine: Vec<Quarantined>,
}

impl<T> Collected<T> {
    fn finish(self, table: Table<'_>, content: impl FnOnce(Vec<T>) -> Content) -> File {
        File {
            content: content(self.items),
            rows: self.rows,
            ignored: self.ignored,
            quarantine: self.quarantine,
            unknown_columns: table.unknown_columns(),
        }
    }
}

/// Reads every row; `parse` gives nothing for a row of no concern.
fn collect<T, K: std::hash::Hash + Eq>(
    table: &mut Table<'_>,
    parse: impl Fn(&Row<'_>) -> Result<Option<T>, Fault>,
    key: impl Fn(&T) -> K,
) -> Result<Collected<T>> {
    let mut collected =
        Collected { items: Vec::new(), rows: 0, ignored: 0, quarantine: Vec::new() };
    let mut seen: HashMap<K, u32> = HashMap::new();
    while let Some(row) = table.next()? {
        collected.rows += 1;
        let fault = match row.whole().and_then(|()| parse(&row)) {
            Ok(Some(item)) => match seen.entry(key(&item)) {
                Entry::Vacant(entry) => {
                    entry.insert(row.line);
                    collected.items.push(item);
                    continue;
                }
                Entry::Occupied(first) => {
                    Fault::row(format!("is of the same thing as line {}", first.get()))
                }
            },
            Ok(None) => {
                collected.ignored += 1;
                continue;
            }
            Err(fault) => fault,
        };
        collected.quarantine.push(Quarantined {
            line: row.line,
            urn: row.urn(),
            column: fault.column.map(str::to_owned),
            problem: fault.problem,
        });
    }
    Ok(collected)
}

#[cfg(test)]
mod tests;
