use std::collections::HashMap;

use chrono::NaiveDate;
use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{School, Schools};

/// Every school of a trust, with all its numbers.
pub(crate) async fn of_trust(tx: &mut Tx, trust_id: TrustId) -> Result<Schools> {
    let schools: Vec<School> = on!(tx, |c| sqlx::query_as(
        "SELECT school_id, trust_id, urn, name, left_on, successor_urn
         FROM school WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?;
    let numbers: Vec<(String, SchoolId)> = on!(tx, |c| sqlx::query_as(
        "SELECT number, school_id FROM school_urn WHERE trust_id = $1"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await)?;
    Ok(Schools::new(schools, numbers))
}

/// A school, whichever trust it is of.
pub(crate) async fn get(tx: &mut Tx, school_id: SchoolId) -> Result<Option<School>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT school_id, trust_id, urn, name, left_on, successor_urn
         FROM school WHERE school_id = $1"
    )
    .bind(school_id)
    .fetch_optional(c)
    .await)?)
}

/// A school, and the number it was looked for by.
#[derive(sqlx::FromRow)]
struct Named {
    number: String,
    #[sqlx(flatten)]
    school: School,
}

/// The schools that these numbers name in these trusts, by trust. Many at once, which each dialect has its own way to
/// ask.
pub(crate) async fn named(
    tx: &mut Tx,
    asked: &[(TrustId, String)],
) -> Result<HashMap<TrustId, Schools>> {
    let rows: Vec<Named> = match tx {
        Tx::Sqlite(tx) => {
            let asked: Vec<_> =
                asked.iter().map(|(it, no)| (it.0.simple().to_string(), no)).collect();
            sqlx::query_as(
                "SELECT number, school.school_id, school.trust_id, urn, name, left_on, successor_urn
                 FROM json_each($1) JOIN school_urn
                     ON school_urn.trust_id = unhex(value ->> 0) AND number = value ->> 1
                 JOIN school ON school.school_id = school_urn.school_id",
            )
            .bind(serde_json::to_string(&asked).map_err(Error::internal)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            let (trusts, numbers): (Vec<_>, Vec<_>) =
                asked.iter().map(|(it, number)| (it.0, number.as_str())).unzip();
            sqlx::query_as(
                "SELECT number, school.school_id, school.trust_id, urn, name, left_on, successor_urn
                 FROM unnest($1::uuid[], $2::text[]) AS asked (trust_id, number)
                 JOIN school_urn USING (trust_id, number)
                 JOIN school ON school.school_id = school_urn.school_id",
            )
            .bind(trusts)
            .bind(numbers)
            .fetch_all(&mut **tx)
            .await?
        }
    };
    let mut by_trust = HashMap::<TrustId, Vec<Named>>::new();
    for it in rows {
        by_trust.entry(it.school.trust_id).or_default().push(it);
    }
    let schools = by_trust.into_iter().map(|(trust_id, rows)| {
        let numbers: Vec<_> =
            rows.iter().map(|it| (it.number.clone(), it.school.school_id)).collect();
        (trust_id, Schools::new(rows.into_iter().map(|it| it.school), numbers))
    });
    Ok(schools.collect())
}

/// What the registry says of a school now.
pub(crate) async fn put(tx: &mut Tx, school: &School) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school (school_id, trust_id, urn, name, left_on, successor_urn)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (school_id) DO UPDATE SET urn = excluded.urn, name = excluded.name"
    )
    .bind(school.school_id)
    .bind(school.trust_id)
    .bind(&school.urn)
    .bind(&school.name)
    .bind(school.left_on)
    .bind(&school.successor_urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// A number names a school from now on.
pub(crate) async fn name(
    tx: &mut Tx,
    trust_id: TrustId,
    number: &str,
    school_id: SchoolId,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO school_urn (trust_id, number, school_id) VALUES ($1, $2, $3)
         ON CONFLICT (trust_id, number) DO UPDATE SET school_id = excluded.school_id"
    )
    .bind(trust_id)
    .bind(number)
    .bind(school_id)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

/// A school's last day, and where its pupils went; neither while it is in the trust.
pub(crate) async fn leave(
    tx: &mut Tx,
    school_id: SchoolId,
    left_on: Option<NaiveDate>,
    successor_urn: Option<&str>,
) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "UPDATE school SET left_on = $2, successor_urn = $3 WHERE school_id = $1"
    )
    .bind(school_id)
    .bind(left_on)
    .bind(successor_urn)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}
