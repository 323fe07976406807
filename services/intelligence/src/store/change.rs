//! What changed in a trust's records, in the order of positions. Each question takes the position and the key told last,
//! and gives what comes after.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use uuid::Uuid;

use super::{hash, register};
use crate::domain::{Hash, Kind, Register, Slot};

/// Whose changes, and how many at the most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub trust_id: TrustId,
    pub school_id: Option<SchoolId>,
    pub limit: i64,
}

#[derive(sqlx::FromRow)]
struct RegisterRow {
    #[sqlx(flatten)]
    row: register::Row,
    changed: i64,
}

/// Registers that changed after a position, or at it and after a slot.
pub(crate) async fn registers(
    tx: &mut Tx,
    wanted: Wanted,
    position: i64,
    after: Option<Slot>,
) -> Result<Vec<(i64, Slot, Register)>> {
    let (school_id, date, session) = after
        .map_or((Uuid::nil(), NaiveDate::MIN, String::new()), |it| {
            (it.school_id.0, it.date, it.session.to_string())
        });
    // A date both databases can write.
    let date = date.max(NaiveDate::from_ymd_opt(1, 1, 1).unwrap_or(date));
    let rows: Vec<RegisterRow> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, date, session, first_index, marks, changed FROM register
         WHERE trust_id = $1 AND changed >= $3 AND ($2 IS NULL OR school_id = $2)
             AND (changed, school_id, date, session) > ($3, $4, $5, $6)
         ORDER BY changed, school_id, date, session LIMIT $7"
    )
    .bind(wanted.trust_id)
    .bind(wanted.school_id)
    .bind(position)
    .bind(school_id)
    .bind(date)
    .bind(session)
    .bind(wanted.limit)
    .fetch_all(c)
    .await)?;
    let unpacked = |it: RegisterRow| {
        let (slot, register) = it.row.unpack()?;
        Ok((it.changed, slot, register))
    };
    rows.into_iter().map(unpacked).collect()
}

/// A fact that changed.
pub(crate) struct FactRow {
    pub changed: i64,
    pub school_id: SchoolId,
    pub key: String,
    pub person: Option<Hash>,
    pub body: String,
}

macro_rules! facts {
    ($key:literal) => {
        concat!(
            "SELECT changed, school_id, key, person, body FROM fact
             WHERE trust_id = $1 AND kind = $2 AND changed >= $4 AND ($3 IS NULL OR school_id = $3)
                 AND (changed, school_id, ", $key, ") > ($4, $5, $6)
             ORDER BY changed, school_id, ", $key, " LIMIT $7"
        )
    };
}

/// Facts that changed after a position, or at it and after a school's key.
pub(crate) async fn facts(
    tx: &mut Tx,
    kind: Kind,
    wanted: Wanted,
    position: i64,
    after: Option<(SchoolId, &str)>,
) -> Result<Vec<FactRow>> {
    type Row = (i64, SchoolId, String, Option<Vec<u8>>, String);
    let (school_id, key) = after.map_or((Uuid::nil(), ""), |it| (it.0.0, it.1));
    // Keys are in the order of their bytes, whatever the database's language is.
    let sql = match tx {
        Tx::Sqlite(_) => facts!("key"),
        Tx::Postgres(_) => facts!("key COLLATE \"C\""),
    };
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(sql)
        .bind(wanted.trust_id)
        .bind(kind)
        .bind(wanted.school_id)
        .bind(position)
        .bind(school_id)
        .bind(key)
        .bind(wanted.limit)
        .fetch_all(c)
        .await)?;
    let read = |(changed, school_id, key, person, body): Row| {
        let person = person.map(hash).transpose()?;
        Ok(FactRow { changed, school_id, key, person, body })
    };
    rows.into_iter().map(read).collect()
}

/// A record that is gone.
#[derive(sqlx::FromRow)]
pub(crate) struct Tombstone {
    pub changed: i64,
    pub key: String,
    pub school_id: Option<SchoolId>,
    pub record: String,
}

/// Records that went after a position, or at it and after a key.
pub(crate) async fn tombstones(
    tx: &mut Tx,
    kind: Kind,
    wanted: Wanted,
    position: i64,
    after: &str,
) -> Result<Vec<Tombstone>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT changed, key, school_id, record FROM tombstone
         WHERE trust_id = $1 AND kind = $2 AND changed >= $4 AND ($3 IS NULL OR school_id = $3)
             AND (changed > $4 OR key > $5)
         ORDER BY changed, key LIMIT $6"
    )
    .bind(wanted.trust_id)
    .bind(kind)
    .bind(wanted.school_id)
    .bind(position)
    .bind(after)
    .bind(wanted.limit)
    .fetch_all(c)
    .await)?)
}

/// Pupils who were named otherwise after a position, or at it and after a pupil: position, before, now.
pub(crate) async fn renamed_pupils(
    tx: &mut Tx,
    wanted: Wanted,
    position: i64,
    after: Option<Hash>,
) -> Result<Vec<(i64, Hash, Hash)>> {
    let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = on!(tx, |c| sqlx::query_as(
        "SELECT changed, pupil, new_pupil FROM pupil_alias 
         WHERE trust_id = $1 AND changed >= $2 AND ($3 IS NULL OR changed > $2 OR pupil > $3)
         ORDER BY changed, pupil LIMIT $4"
    )
    .bind(wanted.trust_id)
    .bind(position)
    .bind(after.map(Vec::from))
    .bind(wanted.limit)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(|(at, pupil, new)| Ok((at, hash(pupil)?, hash(new)?))).collect()
}

/// A school that is named by another URN.
#[derive(sqlx::FromRow)]
pub(crate) struct Renumbered {
    pub changed: i64,
    pub school_id: SchoolId,
    pub previous_urn: String,
    pub urn: String,
}

/// Schools that were renumbered after a position, or at it.
pub(crate) async fn renumbered(
    tx: &mut Tx,
    wanted: Wanted,
    position: i64,
) -> Result<Vec<Renumbered>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT changed, school_id, previous_urn, urn FROM school_change
         WHERE trust_id = $1 AND changed >= $2 AND ($3 IS NULL OR school_id = $3)
         ORDER BY changed LIMIT $4"
    )
    .bind(wanted.trust_id)
    .bind(position)
    .bind(wanted.school_id)
    .bind(wanted.limit)
    .fetch_all(c)
    .await)?)
}

/// A school is named by another URN, by the event at that position.
pub(crate) async fn renumber(
    tx: &mut Tx,
    trust_id: TrustId,
    changed: i64,
    school_id: SchoolId,
    (previous_urn, urn): (&str, &str),
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school_change (changed, trust_id, school_id, previous_urn, urn)
         VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(changed)
    .bind(trust_id)
    .bind(school_id)
    .bind(previous_urn)
    .bind(urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// How often a school has been renumbered.
pub(crate) async fn times_renumbered(tx: &mut Tx, school_id: SchoolId) -> Result<i64> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT count(*) FROM school_change WHERE school_id = $1")
        .bind(school_id)
        .fetch_one(c)
        .await)?)
}

/// A record that is gone, to be told of.
#[derive(Clone, Debug)]
pub(crate) struct Gone {
    pub trust_id: TrustId,
    pub kind: Kind,
    pub school_id: Option<SchoolId>,
    pub key: String,
    /// What is told of it.
    pub record: String,
    pub changed: i64,
    pub at: DateTime<Utc>,
}

pub(crate) async fn bury(tx: &mut Tx, gone: &[Gone]) -> Result<()> {
    for it in gone {
        on!(tx, |c| {
            sqlx::query(
            "INSERT INTO tombstone (trust_id, kind, key, school_id, record, changed, deleted_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (trust_id, kind, key) DO UPDATE
             SET record = excluded.record, changed = excluded.changed, deleted_at = excluded.deleted_at"
        )
        .bind(it.trust_id)
        .bind(it.kind)
        .bind(&it.key)
        .bind(it.school_id)
        .bind(&it.record)
        .bind(it.changed)
        .bind(it.at)
        .execute(c)
        .await
        .map(drop)
        })?;
    }
    Ok(())
}

/// Forgets some deletions from before a moment, and says of each trust up to which position; gives how many went.
pub(crate) async fn forget(tx: &mut Tx, before: DateTime<Utc>, most: i64) -> Result<usize> {
    let gone: Vec<(TrustId, i64)> = on!(tx, |c| sqlx::query_as(
        "DELETE FROM tombstone WHERE (trust_id, kind, key) IN (
             SELECT trust_id, kind, key FROM tombstone WHERE deleted_at < $1
             ORDER BY deleted_at LIMIT $2)
         RETURNING trust_id, changed"
    )
    .bind(before)
    .bind(most)
    .fetch_all(c)
    .await)?;
    let mut last = BTreeMap::<TrustId, i64>::new();
    for (trust_id, changed) in &gone {
        let to = last.entry(*trust_id).or_default();
        *to = (*to).max(*changed);
    }
    for (trust_id, position) in last {
        on!(tx, |c| sqlx::query(
            "INSERT INTO changes_gone (trust_id, position) VALUES ($1, $2)
             ON CONFLICT (trust_id) DO UPDATE SET position = excluded.position
             WHERE changes_gone.position < excluded.position"
        )
        .bind(trust_id)
        .bind(position)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(gone.len())
}

/// Up to which position deletions of a trust are forgotten.
pub(crate) async fn forgotten_to(tx: &mut Tx, trust_id: TrustId) -> Result<i64> {
    let position: Option<i64> =
        on!(tx, |c| sqlx::query_scalar("SELECT position FROM changes_gone WHERE trust_id = $1")
            .bind(trust_id)
            .fetch_optional(c)
            .await)?;
    Ok(position.unwrap_or(0))
}

/// When events at these positions were recorded.
pub(crate) async fn recorded_at(
    tx: &mut Tx,
    positions: &[i64],
) -> Result<BTreeMap<i64, DateTime<Utc>>> {
    let rows: Vec<(i64, DateTime<Utc>)> =
        match tx {
            Tx::Sqlite(tx) => sqlx::query_as(
                "SELECT position, recorded_at FROM json_each($1) JOIN event ON position = value",
            )
            .bind(serde_json::to_string(positions).map_err(Error::internal)?)
            .fetch_all(&mut **tx)
            .await?,
            Tx::Postgres(tx) => {
                sqlx::query_as("SELECT position, recorded_at FROM event WHERE position = ANY($1)")
                    .bind(positions)
                    .fetch_all(&mut **tx)
                    .await?
            }
        };
    Ok(rows.into_iter().collect())
}

/// Forgets deletions that name a person; says how many.
pub(crate) async fn forget_person(tx: &mut Tx, trust_id: TrustId, pseudonym: &str) -> Result<u64> {
    Ok(on!(tx, |c| sqlx::query(
        "DELETE FROM tombstone WHERE trust_id = $1 AND (key LIKE $2 OR record LIKE $2)"
    )
    .bind(trust_id)
    .bind(format!("%{pseudonym}%"))
    .execute(c)
    .await?
    .rows_affected()))
}

/// Has whoever reads a trust's changes begin again: everybody has another pseudonym since a position.
pub(crate) async fn begin_again(tx: &mut Tx, trust_id: TrustId, position: i64) -> Result<()> {
    on!(&mut *tx, |c| sqlx::query("DELETE FROM tombstone WHERE trust_id = $1")
        .bind(trust_id)
        .execute(c)
        .await
        .map(drop))?;
    on!(tx, |c| sqlx::query(
        "INSERT INTO changes_gone (trust_id, position) VALUES ($1, $2)
         ON CONFLICT (trust_id) DO UPDATE SET position = excluded.position"
    )
    .bind(trust_id)
    .bind(position)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
