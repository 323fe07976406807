use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{PeriodKind, Sessions, Summary, Tally};

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    starts_on: NaiveDate,
    possible: i64,
    absent: i64,
    pupils: i32,
    persistent: i32,
    severe: i32,
}

/// What a school's tally of the period starting on a day comes to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub school_id: SchoolId,
    pub starts_on: NaiveDate,
    pub summary: Summary,
}

pub(crate) async fn get(
    tx: &mut Tx,
    school_id: SchoolId,
    period: PeriodKind,
    starts_on: NaiveDate,
) -> Result<Option<Tally>> {
    let cells: Option<Vec<u8>> = on!(tx, |c| sqlx::query_scalar(
        "SELECT cells FROM tally WHERE school_id = $1 AND period = $2 AND starts_on = $3"
    )
    .bind(school_id)
    .bind(period)
    .bind(starts_on)
    .fetch_optional(c)
    .await)?;
    cells.as_deref().map(decode).transpose()
}

/// Stores a tally with what it comes to; an empty one is none.
pub(crate) async fn put(
    tx: &mut Tx,
    school_id: SchoolId,
    period: PeriodKind,
    starts_on: NaiveDate,
    tally: &Tally,
) -> Result<()> {
    if tally.is_empty() {
        on!(tx, |c| sqlx::query(
            "DELETE FROM tally WHERE school_id = $1 AND period = $2 AND starts_on = $3"
        )
        .bind(school_id)
        .bind(period)
        .bind(starts_on)
        .execute(c)
        .await
        .map(drop))?;
        return Ok(());
    }
    let summary = tally.summary();
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO tally (school_id, period, starts_on, possible, absent, pupils, persistent, severe, cells)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         ON CONFLICT (school_id, period, starts_on) DO UPDATE
         SET possible = excluded.possible, absent = excluded.absent, pupils = excluded.pupils,
             persistent = excluded.persistent, severe = excluded.severe, cells = excluded.cells"
    )
    .bind(school_id)
    .bind(period)
    .bind(starts_on)
    .bind(i64::try_from(summary.sessions.possible).map_err(Error::internal)?)
    .bind(i64::try_from(summary.sessions.absent).map_err(Error::internal)?)
    .bind(i32::try_from(summary.pupils).map_err(Error::internal)?)
    .bind(i32::try_from(summary.persistently_absent).map_err(Error::internal)?)
    .bind(i32::try_from(summary.severely_absent).map_err(Error::internal)?)
    .bind(tally.encode())
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

/// What the tallies of a trust's schools come to, for periods starting on or between two days.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    period: PeriodKind,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Line>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT tally.school_id, starts_on, possible, absent, pupils, persistent, severe
         FROM school JOIN tally ON tally.school_id = school.school_id
         WHERE trust_id = $1 AND period = $2 AND starts_on BETWEEN $3 AND $4 ORDER BY starts_on"
    )
    .bind(trust_id)
    .bind(period)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Line::try_from).collect()
}

/// The latest weeks of a school that start before a day, newest first.
pub(crate) async fn weeks_before(
    tx: &mut Tx,
    school_id: SchoolId,
    before: NaiveDate,
    limit: usize,
) -> Result<Vec<Line>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, starts_on, possible, absent, pupils, persistent, severe
         FROM tally WHERE school_id = $1 AND period = $2 AND starts_on < $3
         ORDER BY starts_on DESC LIMIT $4"
    )
    .bind(school_id)
    .bind(PeriodKind::Week)
    .bind(before)
    .bind(i64::try_from(limit).map_err(Error::internal)?)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Line::try_from).collect()
}

impl TryFrom<Row> for Line {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let sessions = Sessions {
            possible: u64::try_from(row.possible).map_err(Error::internal)?,
            absent: u64::try_from(row.absent).map_err(Error::internal)?,
        };
        let summary = Summary {
            sessions,
            pupils: u32::try_from(row.pupils).map_err(Error::internal)?,
            persistently_absent: u32::try_from(row.persistent).map_err(Error::internal)?,
            severely_absent: u32::try_from(row.severe).map_err(Error::internal)?,
        };
        Ok(Self { school_id: row.school_id, starts_on: row.starts_on, summary })
    }
}

fn decode(cells: &[u8]) -> Result<Tally> {
    Tally::decode(cells).ok_or_else(|| Error::internal("a tally cannot be unpacked"))
}
