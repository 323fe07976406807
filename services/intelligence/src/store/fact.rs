use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};
use uuid::Uuid;

use super::hash;
use crate::domain::{ChangedFact, Content, FactKey, Flags, Hash, KeptFact, Kind, Standing, hex};

/// In place of a position: the one that is stored stays.
const UNCHANGED: i64 = 0;

#[derive(sqlx::FromRow)]
struct Row {
    school_id: SchoolId,
    kind: Kind,
    key: String,
    trust_id: TrustId,
    person: Option<Vec<u8>>,
    day: NaiveDate,
    year_group: Option<i32>,
    flags: Option<i32>,
    body: String,
}

/// The facts of people at schools.
pub(crate) async fn of_people(
    tx: &mut Tx,
    people: &[(SchoolId, Hash)],
) -> Result<Vec<(FactKey, KeptFact)>> {
    if people.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            let asked: Vec<_> = people.iter().map(|(at, it)| (school(*at), hex(it))).collect();
            sqlx::query_as(
                "SELECT fact.school_id, kind, fact.key, trust_id, person, day, year_group, flags, body
                 FROM json_each($1) CROSS JOIN fact
                     ON person = unhex(value ->> 1) AND school_id = unhex(value ->> 0)",
            )
            .bind(json(&asked)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => sqlx::query_as(
            "SELECT fact.school_id, kind, key, trust_id, fact.person, day, year_group, flags, body
                 FROM unnest($1::uuid[], $2::bytea[]) AS asked (school_id, person)
                 JOIN fact ON fact.person = asked.person AND fact.school_id = asked.school_id",
        )
        .bind(people.iter().map(|it| it.0.0).collect::<Vec<_>>())
        .bind(people.iter().map(|it| it.1.to_vec()).collect::<Vec<_>>())
        .fetch_all(&mut **tx)
        .await?,
    };
    rows.into_iter().map(Row::read).collect()
}

/// The facts of people of trusts, wherever they are.
pub(crate) async fn of_people_anywhere(
    tx: &mut Tx,
    people: &[(TrustId, Hash)],
) -> Result<Vec<(FactKey, KeptFact)>> {
    let mut facts = Vec::new();
    for (trust_id, person) in people {
        let rows: Vec<Row> = db::on!(tx, |c| sqlx::query_as(
            "SELECT school_id, kind, key, trust_id, person, day, year_group, flags, body
             FROM fact WHERE person = $1 AND trust_id = $2"
        )
        .bind(person.as_slice())
        .bind(trust_id)
        .fetch_all(c)
        .await)?;
        facts.extend(rows);
    }
    facts.into_iter().map(Row::read).collect()
}

/// The facts with these natural keys.
pub(crate) async fn of_keys(tx: &mut Tx, keys: &[FactKey]) -> Result<Vec<(FactKey, KeptFact)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let rows: Vec<Row> = match tx {
        Tx::Sqlite(tx) => {
            let asked: Vec<_> =
                keys.iter().map(|it| (school(it.school_id), it.kind, &it.key)).collect();
            sqlx::query_as(
                "SELECT fact.school_id, kind, fact.key, trust_id, person, day, year_group, flags, body
                 FROM json_each($1) AS asked CROSS JOIN fact
                     ON school_id = unhex(asked.value ->> 0) AND kind = asked.value ->> 1
                     AND fact.key = asked.value ->> 2",
            )
            .bind(json(&asked)?)
            .fetch_all(&mut **tx)
            .await?
        }
        Tx::Postgres(tx) => {
            sqlx::query_as(
                "SELECT fact.school_id, fact.kind, fact.key, trust_id, person, day, year_group, flags, body
                 FROM unnest($1::uuid[], $2::text[], $3::text[]) AS asked (school_id, kind, key)
                 JOIN fact ON fact.school_id = asked.school_id AND fact.kind = asked.kind
                     AND fact.key = asked.key",
            )
            .bind(keys.iter().map(|it| it.school_id.0).collect::<Vec<_>>())
            .bind(keys.iter().map(|it| it.kind.name()).collect::<Vec<_>>())
            .bind(keys.iter().map(|it| it.key.clone()).collect::<Vec<_>>())
            .fetch_all(&mut **tx)
            .await?
        }
    };
    rows.into_iter().map(Row::read).collect()
}

/// Values of measures that sources reported of a trust, for periods that start on or between two days.
pub(crate) async fn observations(
    tx: &mut Tx,
    trust_id: TrustId,
    from: NaiveDate,
    to: NaiveDate,
) -> Result<Vec<(FactKey, KeptFact)>> {
    let rows: Vec<Row> = db::on!(tx, |c| sqlx::query_as(
        "SELECT school_id, kind, key, trust_id, person, day, year_group, flags, body
         FROM fact WHERE trust_id = $1 AND kind = $2 AND day BETWEEN $3 AND $4"
    )
    .bind(trust_id)
    .bind(Kind::Observation)
    .bind(from)
    .bind(to)
    .fetch_all(c)
    .await)?;
    rows.into_iter().map(Row::read).collect()
}

/// The facts of one kind, of some schools and days.
pub(crate) async fn within(
    tx: &mut Tx,
    schools: &[SchoolId],
    kind: Kind,
    (from, to): (NaiveDate, NaiveDate),
) -> Result<Vec<(FactKey, KeptFact)>> {
    let mut facts = Vec::new();
    for school_id in schools {
        let rows: Vec<Row> = db::on!(tx, |c| sqlx::query_as(
            "SELECT school_id, kind, key, trust_id, person, day, year_group, flags, body
             FROM fact WHERE school_id = $1 AND kind = $2 AND day BETWEEN $3 AND $4 ORDER BY key"
        )
        .bind(school_id)
        .bind(kind)
        .bind(from)
        .bind(to)
        .fetch_all(c)
        .await)?;
        facts.extend(rows);
    }
    facts.into_iter().map(Row::read).collect()
}

/// Whether any source reported of a measure.
pub(crate) async fn is_reported(tx: &mut Tx, trust_id: TrustId, measure: &str) -> Result<bool> {
    Ok(db::on!(tx, |c| sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM fact WHERE trust_id = $1 AND kind = $2 AND key LIKE $3)"
    )
    .bind(trust_id)
    .bind(Kind::Observation)
    .bind(format!("{measure}/%"))
    .fetch_one(c)
    .await)?)
}

/// Stores facts as they are now, each with the journal's position of the push that changed it, if one did; what is no
/// more is deleted.
pub(crate) async fn put_all(tx: &mut Tx, facts: &[(ChangedFact<'_>, Option<i64>)]) -> Result<()> {
    let (kept, gone): (Vec<_>, Vec<_>) = facts.iter().partition(|it| it.0.now.is_some());
    let rows = kept
        .into_iter()
        .filter_map(|(it, changed)| {
            Some(Written::of(it.key, it.now?, changed.unwrap_or(UNCHANGED)))
        })
        .collect::<Result<Vec<_>>>()?;
    if !rows.is_empty() {
        write(tx, &rows).await?;
    }
    for (it, _) in gone {
        db::on!(tx, |c| sqlx::query(
            "DELETE FROM fact WHERE school_id = $1 AND kind = $2 AND key = $3"
        )
        .bind(it.key.school_id)
        .bind(it.key.kind)
        .bind(&it.key.key)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(())
}

/// A fact as its columns are.
struct Written<'a> {
    key: &'a FactKey,
    trust_id: Uuid,
    person: Option<Vec<u8>>,
    day: NaiveDate,
    year_group: Option<i32>,
    flags: Option<i32>,
    waiting: i32,
    body: String,
    changed: i64,
}

impl<'a> Written<'a> {
    fn of(key: &'a FactKey, it: &KeptFact, changed: i64) -> Result<Self> {
        Ok(Self {
            key,
            trust_id: it.trust_id.0,
            person: it.person.map(|it| it.to_vec()),
            day: it.on,
            year_group: it.standing.map(|it| it.year_group.into()),
            flags: it.standing.map(|it| it.flags.bits().into()),
            waiting: it.waits().into(),
            body: serde_json::to_string(&it.content).map_err(Error::internal)?,
            changed,
        })
    }
}

async fn write(tx: &mut Tx, rows: &[Written<'_>]) -> Result<()> {
    match tx {
        Tx::Sqlite(tx) => {
            for it in rows {
                sqlx::query(
                    "INSERT INTO fact (school_id, kind, key, trust_id, person, day, year_group, flags, waiting, body, changed)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
                     ON CONFLICT (school_id, kind, key) DO UPDATE
                     SET person = excluded.person, day = excluded.day, year_group = excluded.year_group,
                         flags = excluded.flags, waiting = excluded.waiting, body = excluded.body,
                         changed = CASE excluded.changed WHEN 0 THEN fact.changed ELSE excluded.changed END",
                )
                .bind(it.key.school_id)
                .bind(it.key.kind)
                .bind(&it.key.key)
                .bind(it.trust_id)
                .bind(&it.person)
                .bind(it.day)
                .bind(it.year_group)
                .bind(it.flags)
                .bind(it.waiting)
                .bind(&it.body)
                .bind(it.changed)
                .execute(&mut **tx)
                .await?;
            }
        }
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO fact (school_id, kind, key, trust_id, person, day, year_group, flags, waiting, body, changed)
                 SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::bytea[], $6::date[],
                     $7::integer[], $8::integer[], $9::integer[], $10::text[], $11::bigint[])
                 ON CONFLICT (school_id, kind, key) DO UPDATE
                 SET person = excluded.person, day = excluded.day, year_group = excluded.year_group,
                     flags = excluded.flags, waiting = excluded.waiting, body = excluded.body,
                     changed = CASE excluded.changed WHEN 0 THEN fact.changed ELSE excluded.changed END",
            )
            .bind(rows.iter().map(|it| it.key.school_id.0).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.key.kind.name()).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.key.key.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.trust_id).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.person.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.day).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.year_group).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.flags).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.waiting).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.body.clone()).collect::<Vec<_>>())
            .bind(rows.iter().map(|it| it.changed).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

impl Row {
    fn read(self) -> Result<(FactKey, KeptFact)> {
        let person = self.person.map(hash).transpose()?;
        let standing = match (self.year_group, self.flags) {
            (Some(year_group), Some(flags)) => Some(Standing {
                year_group: i8::try_from(year_group).map_err(Error::internal)?,
                flags: Flags::from_bits(u8::try_from(flags).map_err(Error::internal)?),
            }),
            _ => None,
        };
        let content: Content = serde_json::from_str(&self.body).map_err(Error::internal)?;
        let key = FactKey { school_id: self.school_id, kind: self.kind, key: self.key };
        let (trust_id, on) = (self.trust_id, self.day);
        Ok((key, KeptFact { trust_id, person, on, content, standing }))
    }
}

fn school(school_id: SchoolId) -> String {
    school_id.0.simple().to_string()
}

fn json<T: serde::Serialize>(rows: &[T]) -> Result<String> {
    serde_json::to_string(rows).map_err(Error::internal)
}

/// Forgets every fact of a person. What facts count as stays.
pub(crate) async fn forget_person(tx: &mut Tx, trust_id: TrustId, person: &Hash) -> Result<()> {
    db::on!(tx, |c| sqlx::query("DELETE FROM fact WHERE person = $1 AND trust_id = $2")
        .bind(person.as_slice())
        .bind(trust_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}

/// Gives everybody of whom a trust has facts another hash; says how many facts that concerns.
pub(crate) async fn rename_all(
    tx: &mut Tx,
    trust_id: TrustId,
    name: impl Fn(Hash) -> Hash,
) -> Result<usize> {
    let rows: Vec<(SchoolId, Kind, String, Vec<u8>)> = db::on!(&mut *tx, |c| {
        sqlx::query_as(
        "SELECT school_id, kind, key, person FROM fact WHERE trust_id = $1 AND person IS NOT NULL"
    )
    .bind(trust_id)
    .fetch_all(c)
    .await
    })?;
    let count = rows.len();
    for (school_id, kind, key, person) in rows {
        let person = hash(person)?;
        let now = name(person);
        let own = key.strip_prefix(&hex(&person)).filter(|_| kind.is_keyed_by_person());
        let renamed = own.map_or_else(|| key.clone(), |own| format!("{}{own}", hex(&now)));
        db::on!(&mut *tx, |c| sqlx::query(
            "UPDATE fact SET person = $4, key = $5 WHERE school_id = $1 AND kind = $2 AND key = $3"
        )
        .bind(school_id)
        .bind(kind)
        .bind(&key)
        .bind(now.as_slice())
        .bind(renamed)
        .execute(c)
        .await
        .map(drop))?;
    }
    Ok(count)
}
