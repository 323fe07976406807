//! Logs written row by row, with times of the test's choice.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use db::{Migrations, Tx, on};
use futures::future::BoxFuture;
use journal::{Journal, Projection, Recorded};
use rpc::Result;
use testkit::Database;
use uuid::Uuid;

/// A service that makes nothing of its events.
pub(crate) struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) async fn open(database: &Database, service: &'static str) -> Journal {
    Journal::open(service, database.open(service, journal::migrations()).await, Nothing)
}

/// One row of the log; what a test does not ask about is made up.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub position: i64,
    pub trust: u128,
    pub trust_position: i64,
    pub stream: String,
    pub version: i32,
    pub kind: &'static str,
    pub data: Vec<u8>,
    pub effective_on: Option<NaiveDate>,
    pub recorded_at: DateTime<Utc>,
    pub corrects: Option<i64>,
}

impl Row {
    pub(crate) fn id(position: i64) -> Uuid {
        Uuid::from_u128(u128::try_from(position).unwrap())
    }

    pub(crate) async fn insert(&self, tx: &mut Tx) {
        let sql = match tx {
            Tx::Sqlite(_) => {
                "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
                     effective_on, recorded_at, corrects, actor, correlation_id, causation_id, content_hash)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'test', $4, NULL, $8)"
            }
            Tx::Postgres(_) => {
                "SELECT append_events($1 - 1, ARRAY[$1], ARRAY[$2], ARRAY[$3], ARRAY[$4], ARRAY[$5], ARRAY[$6],
                     ARRAY[$7], ARRAY[$8], ARRAY[$9], ARRAY[$10], ARRAY[$11], ARRAY['test'], ARRAY[$4],
                     ARRAY[NULL::uuid], ARRAY[$8], '{}', '{}', '{}', '{}', '{}', '{}')"
            }
        };
        on!(tx, |c| {
            sqlx::query(sql)
                .bind(self.position)
                .bind(Uuid::from_u128(self.trust))
                .bind(self.trust_position)
                .bind(Self::id(self.position))
                .bind(&self.stream)
                .bind(self.version)
                .bind(self.kind)
                .bind(&self.data)
                .bind(self.effective_on)
                .bind(self.recorded_at)
                .bind(self.corrects.map(Self::id))
                .execute(c)
                .await
                .map(drop)
        })
        .unwrap();
    }
}

/// The first of March 2026 and so many days, minutes apart within a day.
pub(crate) fn day(days: i64) -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 3, 1).unwrap() + TimeDelta::days(days)
}

/// Half past eleven at night in winter: in summer time that is the next day in England.
pub(crate) fn night(days: i64) -> DateTime<Utc> {
    day(days).and_hms_opt(23, 30, 0).unwrap().and_utc()
}

/// A service that keeps a line for each event.
pub(crate) struct Ledger;

pub(crate) fn schema() -> Migrations {
    journal::migrations().and(Migrations::new(
        &sqlx::migrate!("tests/migrations/sqlite"),
        &sqlx::migrate!("tests/migrations/postgres"),
    ))
}

impl Projection for Ledger {
    fn tables(&self) -> &'static [&'static str] {
        &["ledger"]
    }

    fn schema(&self) -> Migrations {
        schema()
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            for event in events {
                on!(&mut *tx, |c| sqlx::query(
                    "INSERT INTO ledger (event_id, stream, version, type) VALUES ($1, $2, $3, $4)"
                )
                .bind(event.event_id)
                .bind(&event.stream)
                .bind(i32::try_from(event.version).unwrap())
                .bind(&event.kind)
                .execute(c)
                .await
                .map(drop))?;
            }
            Ok(())
        })
    }
}

pub(crate) async fn open_ledger(database: &Database, service: &'static str) -> Journal {
    Journal::open(service, database.open(service, schema()).await, Ledger)
}

/// Event ids, streams and versions, in the order of streams.
pub(crate) async fn ledger(tx: &mut Tx) -> Vec<(Uuid, String, i32)> {
    let rows = "SELECT event_id, stream, version FROM ledger ORDER BY stream, version";
    on!(tx, |c| sqlx::query_as(rows).fetch_all(c).await).unwrap()
}
