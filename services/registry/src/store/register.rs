//! The register as a whole: what concerns the trusts here, and writing thousands of rows at once.

use std::collections::HashMap;

use db::{Tx, on};
use identity::{TrustId, Urn};
use rpc::{Error, Result};
use serde::Serialize;

use super::{establishment, link, school, trust};
use crate::domain::{
    establishment::{Establishment, EstablishmentStatus, Group, Link, Membership, Registered},
    register::Register,
    school::School,
    trust::Trust,
};

/// Rows written by one statement.
const CHUNK: usize = 1000;

/// The successions followed from one closed school.
const HOPS: usize = 8;

/// Everything the register says of a trust's schools, or of every trust's.
pub(crate) async fn concerning(
    tx: &mut Tx,
    trust_id: Option<TrustId>,
) -> Result<(Vec<Trust>, Vec<School>, Register)> {
    let trusts = match trust_id {
        Some(it) => vec![trust::get(tx, it).await?],
        None => trust::all(tx).await?,
    };
    // Schools of other trusts too: an establishment is in one trust at a time.
    let schools = school::all(tx, None).await?;
    let entries = establishment::concerning_trusts(tx).await?;
    let mut register = Register {
        entries: entries.into_iter().map(|it| (it.establishment.urn.clone(), it)).collect(),
        successors: HashMap::new(),
        in_use: school::in_use(tx).await?,
    };
    let mut closed: Vec<Urn> = schools
        .iter()
        .filter(|it| it.is_here() || it.closed_without_successor())
        .filter(|it| register.entries.get(it.urn()).is_some_and(is_closed))
        .map(|it| it.urn().clone())
        .collect();
    for _ in 0..HOPS {
        closed = follow(tx, closed, &mut register).await?;
    }
    Ok((trusts, schools, register))
}

/// Adds what followed each of these; gives those of them that closed in turn.
async fn follow(tx: &mut Tx, closed: Vec<Urn>, register: &mut Register) -> Result<Vec<Urn>> {
    let mut further = Vec::new();
    for urn in closed {
        if register.successors.contains_key(&urn) {
            continue;
        }
        let successors = link::successors(tx, &urn).await?;
        for next in &successors {
            let entry = match register.entries.get(next) {
                Some(it) => Some(it.clone()),
                None => establishment::find(tx, next).await?,
            };
            if let Some(entry) = entry {
                if is_closed(&entry) {
                    further.push(next.clone());
                }
                register.entries.insert(next.clone(), entry);
            }
        }
        register.successors.insert(urn, successors);
    }
    Ok(further)
}

fn is_closed(entry: &Registered) -> bool {
    entry.establishment.status == EstablishmentStatus::Closed
}

pub(crate) async fn establishments(tx: &mut Tx) -> Result<Vec<Establishment>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM establishment").fetch_all(c).await)?)
}

pub(crate) async fn links(tx: &mut Tx) -> Result<Vec<Link>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM establishment_link").fetch_all(c).await)?)
}

pub(crate) async fn groups(tx: &mut Tx) -> Result<Vec<Group>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM establishment_group").fetch_all(c).await)?)
}

pub(crate) async fn memberships(tx: &mut Tx) -> Result<Vec<Membership>> {
    Ok(on!(tx, |c| sqlx::query_as("SELECT * FROM membership").fetch_all(c).await)?)
}

/// Inserts rows or replaces those with the same key, a thousand to a statement.
///
/// The rows travel as one JSON array, which is what needs a dialect of its own here: each database takes an array
/// apart with functions the other lacks, and one value bound beats the 23,000 that a `VALUES` list would bind.
macro_rules! put_all {
    ($visibility:vis $name:ident, $row:ty, $table:literal, $key:literal, [$($column:literal),+]) => {
        $visibility async fn $name(tx: &mut Tx, rows: &[$row]) -> Result<()> {
            const COLUMNS: &[&str] = &[$($column),+];
            for chunk in rows.chunks(CHUNK) {
                put_chunk(tx, $table, $key, COLUMNS, &to_json(chunk)?).await?;
            }
            Ok(())
        }
    };
}

put_all!(
    pub(crate) put_links,
    Link,
    "establishment_link",
    "urn, link_urn, type",
    ["urn", "link_urn", "type", "name", "established_on"]
);
put_all!(
    pub(crate) put_groups,
    Group,
    "establishment_group",
    "group_uid",
    [
        "group_uid",
        "group_id",
        "name",
        "type",
        "status",
        "companies_house_number",
        "ukprn",
        "opened_on",
        "closed_on"
    ]
);
put_all!(
    pub(crate) put_memberships,
    Membership,
    "membership",
    "urn",
    ["urn", "group_uid", "group_name", "joined_on", "closed"]
);
put_all!(
    put_searchable,
    Searchable<'_>,
    "establishment",
    "urn",
    [
        "urn",
        "name",
        "search_name",
        "status",
        "phase",
        "type",
        "la_code",
        "la_name",
        "laestab",
        "ukprn",
        "trust_stated",
        "trust_group_uid",
        "trust_name",
        "opened_on",
        "closed_on",
        "lowest_age",
        "highest_age",
        "capacity",
        "pupils",
        "easting",
        "northing",
        "postcode",
        "region"
    ]
);

#[derive(Serialize)]
struct Searchable<'a> {
    #[serde(flatten)]
    establishment: &'a Establishment,
    search_name: String,
}

pub(crate) async fn put_establishments(tx: &mut Tx, rows: &[Establishment]) -> Result<()> {
    let rows: Vec<_> = rows
        .iter()
        .map(|it| Searchable { establishment: it, search_name: it.name.to_lowercase() })
        .collect();
    put_searchable(tx, &rows).await
}

async fn put_chunk(
    tx: &mut Tx,
    table: &'static str,
    key: &'static str,
    columns: &[&str],
    json: &str,
) -> Result<()> {
    let list = columns.join(", ");
    let update: Vec<_> = columns.iter().map(|it| format!("{it} = excluded.{it}")).collect();
    let update = update.join(", ");
    let from = match tx {
        Tx::Sqlite(_) => {
            let values: Vec<_> = columns.iter().map(|it| format!("value->>'{it}'")).collect();
            // Without a WHERE the parser would take ON for a join's.
            format!("SELECT {} FROM json_each($1) WHERE true", values.join(", "))
        }
        Tx::Postgres(_) => {
            format!("SELECT {list} FROM json_populate_recordset(NULL::{table}, $1::json)")
        }
    };
    let sql =
        format!("INSERT INTO {table} ({list}) {from} ON CONFLICT ({key}) DO UPDATE SET {update}");
    on!(tx, |c| sqlx::query(sqlx::AssertSqlSafe(sql)).bind(json).execute(c).await.map(drop))?;
    Ok(())
}

fn to_json(rows: &[impl Serialize]) -> Result<String> {
    serde_json::to_string(rows).map_err(Error::internal)
}
