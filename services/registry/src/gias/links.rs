use identity::Urn;
use rpc::Result;

use super::{
    table::{Column, Fault, Row, Table},
    value,
};
use crate::domain::establishment::Link;

pub(super) struct Columns {
    urn: Column,
    link_urn: Column,
    name: Column,
    kind: Column,
    date: Column,
}

pub(super) fn recognise(table: &Table<'_>) -> bool {
    table.has("LinkURN") || table.has("LinkType")
}

impl Columns {
    pub(super) fn of(table: &mut Table<'_>) -> Result<Self> {
        table.require("a file of links", &[&["URN"], &["LinkURN"], &["LinkType"]])?;
        Ok(Self {
            urn: table.column("URN"),
            link_urn: table.column("LinkURN"),
            name: table.column("LinkName"),
            kind: table.column("LinkType"),
            date: table.column("LinkEstablishedDate"),
        })
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Option<Link>, Fault> {
        Ok(Some(Link {
            urn: row.required(self.urn, value::urn)?,
            link_urn: row.required(self.link_urn, value::urn)?,
            kind: row.needed(self.kind)?.into_owned(),
            name: row.text(self.name).map(std::borrow::Cow::into_owned),
            established_on: row.parse(self.date, value::date)?.flatten(),
        }))
    }
}

pub(super) fn key(link: &Link) -> (Urn, Urn, String) {
    (link.urn.clone(), link.link_urn.clone(), link.kind.clone())
}
