use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::Enrolment;

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    pupil: i32,
    starts_on: NaiveDate,
    ends_on: Option<NaiveDate>,
    year_group: i32,
}

/// The enrolments of some pupils at every school of a trust. Many at once, which each dialect has its own way to ask.
pub(crate) async fn of_pupils(
    tx: &mut Tx,
    trust_id: TrustId,
    pupils: &[i32],
) -> Result<Vec<(SchoolId, i32, Enrolment)>> {
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            sqlx::query_as(
                "SELECT school_id, pupil, starts_on, ends_on, year_group FROM enrolment
                 WHERE trust_id = $1 AND pupil IN (SELECT value FROM json_each($2))",
            )
            .bind(trust_id)
            .bind(serde_json::to_string(pupils).map_err(Error::internal)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_as(
                "SELECT school_id, pupil, starts_on, ends_on, year_group FROM enrolment
                 WHERE trust_id = $1 AND pupil = ANY($2)",
            )
            .bind(trust_id)
            .bind(pupils)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    rows.into_iter()
        .map(|it| {
            let year_group = i8::try_from(it.year_group).map_err(Error::internal)?;
            let Row { school_id, pupil, starts_on, ends_on, .. } = it;
            Ok((school_id, pupil, Enrolment { year_group, starts_on, ends_on }))
        })
        .collect()
}

pub(crate) async fn put(
    tx: &mut Tx,
    trust_id: TrustId,
    (school_id, pupil): (SchoolId, i32),
    enrolment: &Enrolment,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO enrolment (trust_id, school_id, pupil, starts_on, ends_on, year_group)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (school_id, pupil, starts_on)
         DO UPDATE SET ends_on = excluded.ends_on, year_group = excluded.year_group"
    )
    .bind(trust_id)
    .bind(school_id)
    .bind(pupil)
    .bind(enrolment.starts_on)
    .bind(enrolment.ends_on)
    .bind(i32::from(enrolment.year_group))
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

pub(crate) async fn delete(
    tx: &mut Tx,
    (school_id, pupil): (SchoolId, i32),
    starts_on: NaiveDate,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "DELETE FROM enrolment WHERE school_id = $1 AND pupil = $2 AND starts_on = $3"
    )
    .bind(school_id)
    .bind(pupil)
    .bind(starts_on)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
