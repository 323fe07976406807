use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use sqlx::QueryBuilder;

use super::ROWS;
use crate::domain::{Sessions, Summary};

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    starts_on: NaiveDate,
    possible: i64,
    absent: i64,
    unauthorised: i64,
    late: i64,
    pupils: i32,
    persistent: i32,
    severe: i32,
}

/// What a school's registers of the week starting on a day come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub school_id: SchoolId,
    pub starts_on: NaiveDate,
    pub summary: Summary,
}

/// The weeks of a trust's schools that start on or between two days, oldest first.
pub(crate) async fn of_trust(
    tx: &mut Tx,
    trust_id: TrustId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<Line>> {
    let rows: Vec<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT school_id, starts_on, possible, absent, unauthorised, late, pupils, persistent, severe
         FROM week WHERE trust_id = $1 AND starts_on BETWEEN $2 AND $3 ORDER BY starts_on"
    )
    .bind(trust_id)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await
    })?;
    rows.into_iter().map(Line::try_from).collect()
}

/// The latest weeks of a school that start before a day, newest first.
pub(crate) async fn before(
    tx: &mut Tx,
    school_id: SchoolId,
    before: NaiveDate,
    limit: usize,
) -> Result<Vec<Line>> {
    let rows: Vec<Row> = on!(tx, |c| {
        sqlx::query_as(
        "SELECT school_id, starts_on, possible, absent, unauthorised, late, pupils, persistent, severe
         FROM week WHERE school_id = $1 AND starts_on < $2 ORDER BY starts_on DESC LIMIT $3"
    )
    .bind(school_id)
    .bind(before)
    .bind(i64::try_from(limit).map_err(Error::internal)?)
    .fetch_all(c)
    .await
    })?;
    rows.into_iter().map(Line::try_from).collect()
}

/// Stores what weeks come to; one in which nobody could attend is none.
pub(crate) async fn put_all(
    tx: &mut Tx,
    weeks: &[(SchoolId, TrustId, NaiveDate, &Summary)],
) -> Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = weeks.iter().partition(|it| it.3.pupils > 0);
    let mut rows = Vec::with_capacity(kept.len());
    for (school_id, trust_id, starts_on, summary) in kept {
        rows.push((trust_id, Row::of(school_id, starts_on, summary)?));
    }
    match tx {
        Tx::Sqlite(tx) => {
            for rows in rows.chunks(ROWS) {
                QueryBuilder::new(
                    "INSERT INTO week (school_id, starts_on, trust_id, possible, absent, unauthorised, late,
                         pupils, persistent, severe) ",
                )
                .push_values(rows, |mut row, (trust_id, it)| {
                    row.push_bind(it.school_id)
                        .push_bind(it.starts_on)
                        .push_bind(trust_id)
                        .push_bind(it.possible)
                        .push_bind(it.absent)
                        .push_bind(it.unauthorised)
                        .push_bind(it.late)
                        .push_bind(it.pupils)
                        .push_bind(it.persistent)
                        .push_bind(it.severe);
                })
                .push(
                    " ON CONFLICT (school_id, starts_on) DO UPDATE
                     SET possible = excluded.possible, absent = excluded.absent,
                         unauthorised = excluded.unauthorised, late = excluded.late,
                         pupils = excluded.pupils, persistent = excluded.persistent, severe = excluded.severe",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
        }
        Tx::Postgres(tx) if !rows.is_empty() => {
            sqlx::query(
                "INSERT INTO week (school_id, starts_on, trust_id, possible, absent, unauthorised, late,
                     pupils, persistent, severe)
                 SELECT * FROM unnest($1::uuid[], $2::date[], $3::uuid[], $4::bigint[], $5::bigint[], $6::bigint[],
                     $7::bigint[], $8::integer[], $9::integer[], $10::integer[])
                 ON CONFLICT (school_id, starts_on) DO UPDATE
                 SET possible = excluded.possible, absent = excluded.absent,
                     unauthorised = excluded.unauthorised, late = excluded.late,
                     pupils = excluded.pupils, persistent = excluded.persistent, severe = excluded.severe",
            )
            .bind(rows.iter().map(|it| it.1.school_id.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.starts_on).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.0.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.possible).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.absent).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.unauthorised).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.late).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.pupils).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.persistent).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.1.severe).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(_) => {}
    }
    for (school_id, _, starts_on, _) in gone {
        delete(tx, school_id, starts_on).await?;
    }
    Ok(())
}

async fn delete(tx: &mut Tx, school_id: SchoolId, starts_on: NaiveDate) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM week WHERE school_id = $1 AND starts_on = $2")
        .bind(school_id)
        .bind(starts_on)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

impl Row {
    fn of(school_id: SchoolId, starts_on: NaiveDate, summary: &Summary) -> Result<Self> {
        let sessions = |it: u64| i64::try_from(it).map_err(Error::internal);
        let pupils = |it: u32| i32::try_from(it).map_err(Error::internal);
        Ok(Self {
            school_id,
            starts_on,
            possible: sessions(summary.sessions.possible)?,
            absent: sessions(summary.sessions.absent)?,
            unauthorised: sessions(summary.sessions.unauthorised)?,
            late: sessions(summary.sessions.late)?,
            pupils: pupils(summary.pupils)?,
            persistent: pupils(summary.persistently_absent)?,
            severe: pupils(summary.severely_absent)?,
        })
    }
}

impl TryFrom<Row> for Line {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let sessions = |it: i64| u64::try_from(it).map_err(Error::internal);
        let pupils = |it: i32| u32::try_from(it).map_err(Error::internal);
        let sessions = Sessions {
            possible: sessions(row.possible)?,
            absent: sessions(row.absent)?,
            unauthorised: sessions(row.unauthorised)?,
            late: sessions(row.late)?,
        };
        let summary = Summary {
            sessions,
            pupils: pupils(row.pupils)?,
            persistently_absent: pupils(row.persistent)?,
            severely_absent: pupils(row.severe)?,
        };
        Ok(Self { school_id: row.school_id, starts_on: row.starts_on, summary })
    }
}
