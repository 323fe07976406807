use identity::GroupUid;
use rpc::Result;

use super::{
    table::{Column, Fault, Row, Table},
    value,
};
use crate::domain::establishment::Group;

pub(super) struct Columns {
    group_uid: Column,
    group_id: Column,
    name: Column,
    kind: Column,
    status: Column,
    companies_house_number: Column,
    ukprn: Column,
    opened: Column,
    incorporated: Column,
    closed: Column,
}

pub(super) fn recognise(table: &Table<'_>) -> bool {
    table.has("Group UID")
}

impl Columns {
    pub(super) fn of(table: &mut Table<'_>) -> Result<Self> {
        table.require(
            "a file of groups",
            &[&["Group UID"], &["Group Name"], &["Group Type"], &["Group Status"]],
        )?;
        Ok(Self {
            group_uid: table.column("Group UID"),
            group_id: table.column("Group ID"),
            name: table.column("Group Name"),
            kind: table.column("Group Type"),
            status: table.column("Group Status"),
            companies_house_number: table.column("Companies House Number"),
            ukprn: table.column("UKPRN"),
            opened: table.column("Open date"),
            incorporated: table.column("Incorporated on (open date)"),
            closed: table.column("Closed Date"),
        })
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Option<Group>, Fault> {
        let opened = row.parse(self.opened, value::date)?.flatten();
        Ok(Some(Group {
            group_uid: row.required(self.group_uid, value::group_uid)?,
            group_id: row.text(self.group_id).map(std::borrow::Cow::into_owned),
            name: row.needed(self.name)?.into_owned(),
            kind: row.needed(self.kind)?.into_owned(),
            status: row.needed(self.status)?.into_owned(),
            companies_house_number: row
                .parse(self.companies_house_number, value::companies_house_number)?,
            ukprn: row.parse(self.ukprn, value::ukprn)?,
            // A company has no opening, it is incorporated.
            opened_on: opened.or(row.parse(self.incorporated, value::date)?.flatten()),
            closed_on: row.parse(self.closed, value::date)?.flatten(),
        }))
    }
}

pub(super) fn key(group: &Group) -> GroupUid {
    group.group_uid.clone()
}
