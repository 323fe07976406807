use std::collections::BTreeMap;

use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::{
    domain::{Flags, PeriodKind, Remainder, Standing, Tally},
    store::range::{self, Range},
};

/// What is left of the periods of a kind that begin within the days asked for.
pub(crate) async fn within(
    tx: &mut Tx,
    kind: PeriodKind,
    ranges: &[Range],
) -> Result<Vec<(SchoolId, NaiveDate, Tally)>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<(SchoolId, NaiveDate, Vec<u8>)> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT school_id, starts_on, cells
                 FROM json_each($1) CROSS JOIN remainder ON school_id = unhex(value ->> 0) AND remainder.kind = $2
                     AND starts_on BETWEEN value ->> 1 AND value ->> 2",
            )
            .bind(range::json(ranges)?)
            .bind(kind)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            let (schools, from, to) = range::arrays(ranges);
            sqlx::query_as(
                "SELECT remainder.school_id, starts_on, cells
                 FROM unnest($1::uuid[], $2::date[], $3::date[]) AS asked (school_id, first_day, last_day)
                 JOIN remainder ON remainder.school_id = asked.school_id AND kind = $4
                     AND starts_on BETWEEN first_day AND last_day",
            )
            .bind(schools)
            .bind(from)
            .bind(to)
            .bind(kind)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    rows.into_iter()
        .map(|(school_id, starts_on, cells)| Ok((school_id, starts_on, read(&cells)?)))
        .collect()
}

/// How many pupils nothing else is kept of stood on a school's roll on a day.
pub(crate) async fn on_roll(
    tx: &mut Tx,
    school_id: SchoolId,
    day: NaiveDate,
) -> Result<Vec<(Standing, usize)>> {
    let rows: Vec<(i32, i32, i64)> = on!(tx, |c| sqlx::query_as(
        "SELECT year_group, flags, CAST(sum(number) AS BIGINT) FROM former_roll
         WHERE school_id = $1 AND day <= $2 GROUP BY year_group, flags"
    )
    .bind(school_id)
    .bind(day)
    .fetch_all(c)
    .await)?;
    let standing = |(year_group, flags, number): (i32, i32, i64)| {
        let standing = Standing {
            year_group: i8::try_from(year_group).map_err(Error::internal)?,
            flags: Flags::from_bits(u8::try_from(flags).map_err(Error::internal)?),
        };
        Ok((standing, usize::try_from(number).unwrap_or(0)))
    };
    rows.into_iter().map(standing).collect()
}

/// Adds what is left of more pupils of a school.
pub(crate) async fn add(
    tx: &mut Tx,
    (trust_id, school_id): (TrustId, SchoolId),
    remainder: &Remainder,
) -> Result<()> {
    for ((kind, starts_on), tally) in &remainder.tallies {
        let range = Range { school_id, from: *starts_on, to: *starts_on };
        let there = within(tx, *kind, &[range]).await?;
        let tally = Tally::unnamed(there.iter().map(|it| &it.2).chain([tally]));
        on!(&mut *tx, |c| {
            sqlx::query(
            "INSERT INTO remainder (school_id, kind, starts_on, trust_id, cells) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (school_id, kind, starts_on) DO UPDATE SET cells = excluded.cells"
        )
        .bind(school_id)
        .bind(kind)
        .bind(starts_on)
        .bind(trust_id)
        .bind(tally.encode())
        .execute(c)
        .await
        .map(drop)
        })?;
    }
    steps(tx, (trust_id, school_id), &remainder.steps).await
}

async fn steps(
    tx: &mut Tx,
    (trust_id, school_id): (TrustId, SchoolId),
    steps: &BTreeMap<(NaiveDate, Standing), i64>,
) -> Result<()> {
    for ((day, standing), by) in steps {
        on!(&mut *tx, |c| sqlx::query(
            "INSERT INTO former_roll (school_id, day, year_group, flags, trust_id, number)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (school_id, day, year_group, flags)
             DO UPDATE SET number = former_roll.number + excluded.number"
        )
        .bind(school_id)
        .bind(day)
        .bind(i32::from(standing.year_group))
        .bind(i32::from(standing.flags.bits()))
        .bind(trust_id)
        .bind(by)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(())
}

fn read(cells: &[u8]) -> Result<Tally> {
    Tally::decode(cells).ok_or_else(|| Error::internal("a remainder cannot be unpacked"))
}
