use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use sqlx::QueryBuilder;

use super::{
    ROWS,
    range::{self, Range},
};
use crate::domain::{Folded, Tally};

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    term: NaiveDate,
    folded_to: NaiveDate,
    cells: Vec<u8>,
}

/// The tallies of some schools, of the terms that begin within the days asked for.
pub(crate) async fn within(
    tx: &mut Tx,
    ranges: &[Range],
) -> Result<Vec<(SchoolId, NaiveDate, Folded)>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT school_id, term, folded_to, cells
                 FROM json_each($1) CROSS JOIN tally ON school_id = unhex(value ->> 0)
                     AND term BETWEEN value ->> 1 AND value ->> 2",
            )
            .bind(range::json(ranges)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            let (schools, from, to) = range::arrays(ranges);
            sqlx::query_as(
                "SELECT tally.* FROM unnest($1::uuid[], $2::date[], $3::date[]) AS asked (school_id, first_day, last_day)
                 CROSS JOIN LATERAL (
                     SELECT school_id, term, folded_to, cells FROM tally
                     WHERE tally.school_id = asked.school_id AND term BETWEEN first_day AND last_day
                     OFFSET 0
                 ) AS tally",
            )
            .bind(schools)
            .bind(from)
            .bind(to)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    rows.into_iter()
        .map(|it| {
            let tally = Tally::decode(&it.cells);
            let tally = tally.ok_or_else(|| Error::internal("a tally cannot be unpacked"))?;
            Ok((it.school_id, it.term, Folded { tally, to: it.folded_to }))
        })
        .collect()
}

pub(crate) async fn put_all(
    tx: &mut Tx,
    tallies: &[(SchoolId, TrustId, NaiveDate, &Folded)],
) -> Result<()> {
    match tx {
        Tx::Sqlite(tx) => {
            for rows in tallies.chunks(ROWS) {
                QueryBuilder::new(
                    "INSERT INTO tally (school_id, term, trust_id, folded_to, cells) ",
                )
                .push_values(rows, |mut row, (school_id, trust_id, term, folded)| {
                    row.push_bind(school_id)
                        .push_bind(term)
                        .push_bind(trust_id)
                        .push_bind(folded.to)
                        .push_bind(folded.tally.encode());
                })
                .push(
                    " ON CONFLICT (school_id, term)
                     DO UPDATE SET folded_to = excluded.folded_to, cells = excluded.cells",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
        }
        Tx::Postgres(tx) if !tallies.is_empty() => {
            sqlx::query(
                "INSERT INTO tally (school_id, term, trust_id, folded_to, cells)
                 SELECT * FROM unnest($1::uuid[], $2::date[], $3::uuid[], $4::date[], $5::bytea[])
                 ON CONFLICT (school_id, term)
                 DO UPDATE SET folded_to = excluded.folded_to, cells = excluded.cells",
            )
            .bind(tallies.iter().map(|it| it.0.0).collect::<Vec<_>>())
            .bind(tallies.iter().map(|it| it.2).collect::<Vec<_>>())
            .bind(tallies.iter().map(|it| it.1.0).collect::<Vec<_>>())
            .bind(tallies.iter().map(|it| it.3.to).collect::<Vec<_>>())
            .bind(tallies.iter().map(|it| it.3.tally.encode()).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(_) => {}
    }
    Ok(())
}
