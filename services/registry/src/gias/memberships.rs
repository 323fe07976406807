use identity::Urn;
use rpc::Result;

use super::{
    table::{Column, Fault, Row, Table},
    value,
};
use crate::domain::establishment::Membership;

/// The group types that run academies; an establishment is in one of them at most. `Trust` alone is a foundation of
/// maintained schools.
const ACADEMY_TRUSTS: [&str; 3] =
    ["Multi-academy trust", "Single-academy trust", "Secure single-academy trust"];

pub(super) struct Columns {
    urn: Column,
    group_uid: Column,
    name: Column,
    kind: Column,
    status: Column,
    joined: Column,
}

pub(super) fn recognise(table: &Table<'_>) -> bool {
    table.has("Group UID") && table.has("URN")
}

impl Columns {
    pub(super) fn of(table: &mut Table<'_>) -> Result<Self> {
        table.require(
            "a file of memberships",
            &[&["URN"], &["Group UID"], &["Group Name"], &["Group Type"]],
        )?;
        Ok(Self {
            urn: table.column("URN"),
            group_uid: table.column("Group UID"),
            name: table.column("Group Name"),
            kind: table.column("Group Type"),
            status: table.column("Group Status"),
            joined: table.column("Joined date"),
        })
    }

    pub(super) fn read(&self, row: &Row<'_>) -> Result<Option<Membership>, Fault> {
        let kind = row.needed(self.kind)?;
        if !ACADEMY_TRUSTS.contains(&kind.as_ref()) {
            return Ok(None);
        }
        Ok(Some(Membership {
            urn: row.required(self.urn, value::urn)?,
            group_uid: row.required(self.group_uid, value::group_uid)?,
            group_name: row.needed(self.name)?.into_owned(),
            joined_on: row.parse(self.joined, value::date)?.flatten(),
            closed: row.text(self.status).is_some_and(|it| it == "Closed"),
        }))
    }
}

pub(super) fn key(membership: &Membership) -> Urn {
    membership.urn.clone()
}
