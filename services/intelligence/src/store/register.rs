use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use sqlx::QueryBuilder;

use super::{
    ROWS,
    range::{self, Range},
};
use crate::domain::{Register, Session, Slot};

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    school_id: SchoolId,
    date: NaiveDate,
    session: Session,
    first_index: i32,
    marks: Vec<u8>,
}

/// A register to be stored: where, whose, and the journal's position of the push that changed it.
pub(crate) type Changed<'a> = (Slot, TrustId, &'a Register, i64);

/// The registers of some schools and days. No day of a school may lie in two of the ranges.
pub(crate) async fn within(tx: &mut Tx, ranges: &[Range]) -> Result<Vec<(Slot, Register)>> {
    if ranges.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT school_id, date, session, first_index, marks
                 FROM json_each($1) CROSS JOIN register ON school_id = unhex(value ->> 0)
                     AND date BETWEEN value ->> 1 AND value ->> 2",
            )
            .bind(range::json(ranges)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            let (schools, from, to) = range::arrays(ranges);
            sqlx::query_as(
                "SELECT register.* FROM unnest($1::uuid[], $2::date[], $3::date[]) AS asked (school_id, first_day, last_day)
                 CROSS JOIN LATERAL (
                     SELECT school_id, date, session, first_index, marks FROM register
                     WHERE register.school_id = asked.school_id AND date BETWEEN first_day AND last_day
                     OFFSET 0
                 ) AS register",
            )
            .bind(schools)
            .bind(from)
            .bind(to)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    rows.into_iter().map(Row::unpack).collect()
}

impl Row {
    pub(super) fn unpack(self) -> Result<(Slot, Register)> {
        let slot = Slot { school_id: self.school_id, date: self.date, session: self.session };
        let first = u32::try_from(self.first_index).map_err(Error::internal)?;
        let register = Register::decode(first, &self.marks);
        Ok((slot, register.ok_or_else(|| Error::internal("a register cannot be unpacked"))?))
    }
}

/// Stores registers; one without marks is none.
pub(crate) async fn put_all(tx: &mut Tx, registers: &[Changed<'_>]) -> Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = registers.iter().partition(|it| !it.2.is_empty());
    match tx {
        Tx::Sqlite(tx) => {
            for rows in kept.chunks(ROWS) {
                QueryBuilder::new(
                    "INSERT INTO register (school_id, date, session, trust_id, first_index, marks, changed) ",
                )
                .push_values(rows, |mut row, (slot, trust_id, register, changed)| {
                    let (first, marks) = register.encode();
                    row.push_bind(slot.school_id)
                        .push_bind(slot.date)
                        .push_bind(slot.session)
                        .push_bind(trust_id)
                        .push_bind(first)
                        .push_bind(marks)
                        .push_bind(changed);
                })
                .push(
                    " ON CONFLICT (school_id, date, session) DO UPDATE
                     SET first_index = excluded.first_index, marks = excluded.marks, changed = excluded.changed",
                )
                .build()
                .persistent(false)
                .execute(&mut **tx)
                .await?;
            }
        }
        Tx::Postgres(tx) if !kept.is_empty() => {
            let packed: Vec<_> = kept.iter().map(|it| it.2.encode()).collect();
            sqlx::query(
                "INSERT INTO register (school_id, date, session, trust_id, first_index, marks, changed)
                 SELECT * FROM unnest($1::uuid[], $2::date[], $3::text[], $4::uuid[], $5::integer[], $6::bytea[], $7::bigint[])
                 ON CONFLICT (school_id, date, session) DO UPDATE
                 SET first_index = excluded.first_index, marks = excluded.marks, changed = excluded.changed",
            )
            .bind(kept.iter().map(|it| it.0.school_id.0).collect::<Vec<_>>())
            .bind(kept.iter().map(|it| it.0.date).collect::<Vec<_>>())
            .bind(kept.iter().map(|it| it.0.session.to_string()).collect::<Vec<_>>())
            .bind(kept.iter().map(|it| it.1.0).collect::<Vec<_>>())
            .bind(packed.iter().map(|it| i32::try_from(it.0)).collect::<Result<Vec<_>, _>>().map_err(Error::internal)?)
            .bind(packed.iter().map(|it| it.1).collect::<Vec<_>>())
            .bind(kept.iter().map(|it| it.3).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(_) => {}
    }
    for (slot, ..) in gone {
        delete(tx, &slot).await?;
    }
    Ok(())
}

async fn delete(tx: &mut Tx, slot: &Slot) -> Result<()> {
    db::on!(tx, |c| sqlx::query(
        "DELETE FROM register WHERE school_id = $1 AND date = $2 AND session = $3"
    )
    .bind(slot.school_id)
    .bind(slot.date)
    .bind(slot.session)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
