use std::collections::BTreeMap;

use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{CellKey, Flags, Quantity, Standing, Sums};

/// The year group of what is not of a pupil.
const NONE: i32 = -100;

/// What the cells of some days come to.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub school_id: SchoolId,
    pub subject: String,
    pub point: String,
    pub standing: Option<Standing>,
    pub sums: Sums,
}

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    subject: String,
    point: String,
    year_group: i32,
    flags: i32,
    total: i64,
    number: i64,
}

/// A quantity of a trust's schools, summed over days.
pub(crate) async fn sums(
    tx: &mut Tx,
    trust_id: TrustId,
    quantity: Quantity,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<Line>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, subject, point, year_group, flags,
             CAST(sum(total) AS BIGINT) AS total, CAST(sum(number) AS BIGINT) AS number
         FROM cell WHERE trust_id = $1 AND quantity = $2 AND day BETWEEN $3 AND $4
         GROUP BY school_id, subject, point, year_group, flags"
    )
    .bind(trust_id)
    .bind(quantity)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Line::try_from).collect()
}

/// Moves cells by sums; those that come to nothing are none.
pub(crate) async fn add_all(tx: &mut Tx, moves: &BTreeMap<CellKey, Sums>) -> Result<()> {
    if moves.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Sqlite(tx) => {
            for (key, sums) in moves {
                let (year_group, flags) = columns(key);
                sqlx::query(
                    "INSERT INTO cell (trust_id, quantity, day, school_id, subject, point, year_group, flags, total, number)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                     ON CONFLICT (trust_id, quantity, day, school_id, subject, point, year_group, flags)
                     DO UPDATE SET total = cell.total + excluded.total, number = cell.number + excluded.number",
                )
                .bind(key.trust_id)
                .bind(key.quantity)
                .bind(key.on)
                .bind(key.school_id)
                .bind(&key.subject)
                .bind(&key.point)
                .bind(year_group)
                .bind(flags)
                .bind(sums.sum)
                .bind(sums.count)
                .execute(&mut **tx)
                .await?;
            }
        }
        Tx::Postgres(tx) => {
            let keys = || moves.keys();
            sqlx::query(
                "INSERT INTO cell (trust_id, quantity, day, school_id, subject, point, year_group, flags, total, number)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::date[], $4::uuid[], $5::text[], $6::text[],
                     $7::integer[], $8::integer[], $9::bigint[], $10::bigint[])
                 ON CONFLICT (trust_id, quantity, day, school_id, subject, point, year_group, flags)
                 DO UPDATE SET total = cell.total + excluded.total, number = cell.number + excluded.number",
            )
            .bind(keys().map(|it| it.trust_id.0).collect::<Vec<_>>())
            .bind(keys().map(|it| it.quantity.name()).collect::<Vec<_>>())
            .bind(keys().map(|it| it.on).collect::<Vec<_>>())
            .bind(keys().map(|it| it.school_id.0).collect::<Vec<_>>())
            .bind(keys().map(|it| it.subject.clone()).collect::<Vec<_>>())
            .bind(keys().map(|it| it.point.clone()).collect::<Vec<_>>())
            .bind(keys().map(|it| columns(it).0).collect::<Vec<_>>())
            .bind(keys().map(|it| columns(it).1).collect::<Vec<_>>())
            .bind(moves.values().map(|it| it.sum).collect::<Vec<_>>())
            .bind(moves.values().map(|it| it.count).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
    }
    on!(tx, |c| sqlx::query("DELETE FROM cell WHERE total = 0 AND number = 0")
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Year group and flags as columns hold them.
fn columns(key: &CellKey) -> (i32, i32) {
    key.standing.map_or((NONE, 0), |it| (it.year_group.into(), it.flags.bits().into()))
}

impl TryFrom<Row> for Line {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let standing = if row.year_group == NONE {
            None
        } else {
            Some(Standing {
                year_group: i8::try_from(row.year_group).map_err(Error::internal)?,
                flags: Flags::from_bits(u8::try_from(row.flags).map_err(Error::internal)?),
            })
        };
        Ok(Self {
            school_id: row.school_id,
            subject: row.subject,
            point: row.point,
            standing,
            sums: Sums { sum: row.total, count: row.number },
        })
    }
}
