use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use sqlx::QueryBuilder;
use uuid::Uuid;

use super::ROWS;
use crate::domain::{Hash, Roll};

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    pupils: Vec<u8>,
    enrolments: Vec<u8>,
}

/// The rolls of some schools; none of a school that has named nobody yet.
pub(crate) async fn of_schools(tx: &mut Tx, schools: &[SchoolId]) -> Result<Vec<(SchoolId, Roll)>> {
    let ids: Vec<Uuid> = schools.iter().map(|it| it.0).collect();
    let rows: Vec<Row> = db::fetch_any(
        tx,
        "SELECT school_id, pupils, enrolments FROM roll WHERE school_id = ANY($1)",
        &ids,
    )
    .await?;
    rows.into_iter()
        .map(|it| {
            let roll = Roll::decode(&it.pupils, &it.enrolments);
            let roll = roll.ok_or_else(|| Error::internal("a roll cannot be unpacked"))?;
            Ok((it.school_id, roll))
        })
        .collect()
}

/// The schools of a trust that may have a pupil on their roll. The hash may also be found across two others', which
/// does no harm.
pub(crate) async fn naming(tx: &mut Tx, trust_id: TrustId, pupil: &Hash) -> Result<Vec<SchoolId>> {
    Ok(match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_scalar(
                "SELECT school_id FROM roll WHERE trust_id = $1 AND instr(pupils, $2) > 0",
            )
            .bind(trust_id)
            .bind(pupil.as_slice())
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_scalar(
                "SELECT school_id FROM roll WHERE trust_id = $1 AND position($2 IN pupils) > 0",
            )
            .bind(trust_id)
            .bind(pupil.as_slice())
            .fetch_all(&mut **tx)
            .await?
        }
    })
}

/// Stores rolls; `position_of` says where in the journal a push was recorded.
pub(crate) async fn put_all(
    tx: &mut Tx,
    rolls: &[(SchoolId, TrustId, &Roll)],
    position_of: &impl Fn(usize) -> i64,
) -> Result<()> {
    match tx {
        Tx::Sqlite(tx) => {
            for rows in rolls.chunks(ROWS) {
                QueryBuilder::new("INSERT INTO roll (school_id, trust_id, pupils, enrolments) ")
                    .push_values(rows, |mut row, (school_id, trust_id, roll)| {
                        row.push_bind(school_id)
                            .push_bind(trust_id)
                            .push_bind(roll.encode_pupils())
                            .push_bind(roll.encode_enrolments(position_of));
                    })
                    .push(
                        " ON CONFLICT (school_id)
                         DO UPDATE SET pupils = excluded.pupils, enrolments = excluded.enrolments",
                    )
                    .build()
                    .persistent(false)
                    .execute(&mut **tx)
                    .await?;
            }
        }
        Tx::Postgres(tx) if !rolls.is_empty() => {
            sqlx::query(
                "INSERT INTO roll (school_id, trust_id, pupils, enrolments)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::bytea[], $4::bytea[])
                 ON CONFLICT (school_id)
                 DO UPDATE SET pupils = excluded.pupils, enrolments = excluded.enrolments",
            )
            .bind(rolls.iter().map(|it| it.0.0).collect::<Vec<_>>())
            .bind(rolls.iter().map(|it| it.1.0).collect::<Vec<_>>())
            .bind(rolls.iter().map(|it| it.2.encode_pupils()).collect::<Vec<_>>())
            .bind(rolls.iter().map(|it| it.2.encode_enrolments(position_of)).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Postgres(_) => {}
    }
    Ok(())
}
