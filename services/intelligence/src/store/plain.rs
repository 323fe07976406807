//! For the measurement in `app/book/tests.rs`: the layout one would begin with, a table of marks keyed by what a mark is
//! keyed by, and what a database holds and who works for it.

use db::{Db, Tx, on};
use testkit::Database;

use crate::domain::{Hash, Mark, Slot};

pub(crate) async fn prepare(database: &Database, db: &Db) {
    let columns = match db {
        Db::Sqlite { .. } => "school_id BLOB, date TEXT, session TEXT, pupil BLOB, code TEXT",
        Db::Postgres(_) => "school_id UUID, date DATE, session TEXT, pupil BYTEA, code TEXT",
    };
    let create =
        format!("CREATE TABLE mark ({columns}, PRIMARY KEY (school_id, date, session, pupil))");
    database.as_owner(crate::NAME, &[&create]).await.unwrap();
    if let Db::Postgres(_) = db {
        let grant = "GRANT SELECT, INSERT, UPDATE ON mark TO headway_intelligence";
        database.as_owner(crate::NAME, &[grant]).await.unwrap();
    }
}

pub(crate) async fn put(tx: &mut Tx, slot: Slot, marks: &[Mark<Hash>]) {
    match tx {
        Tx::Sqlite(tx) => {
            for mark in marks {
                sqlx::query(
                    "INSERT INTO mark VALUES ($1, $2, $3, $4, $5)
                     ON CONFLICT DO UPDATE SET code = excluded.code",
                )
                .bind(slot.school_id)
                .bind(slot.date)
                .bind(slot.session)
                .bind(mark.pupil.as_slice())
                .bind("/")
                .execute(&mut **tx)
                .await
                .unwrap();
            }
        }
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO mark SELECT $1, $2, $3, pupil, code FROM unnest($4::bytea[], $5::text[]) AS new (pupil, code)
                 ON CONFLICT (school_id, date, session, pupil) DO UPDATE SET code = excluded.code",
            )
            .bind(slot.school_id)
            .bind(slot.date)
            .bind(slot.session)
            .bind(marks.iter().map(|it| it.pupil.as_slice()).collect::<Vec<_>>())
            .bind(marks.iter().map(|_| "/").collect::<Vec<_>>())
            .execute(&mut **tx)
            .await
            .unwrap();
        }
    }
}

pub(crate) async fn bytes(db: &Db) -> u64 {
    let mut tx = db.read().await.unwrap();
    let sql = match db {
        Db::Sqlite { .. } => "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
        Db::Postgres(_) => {
            "SELECT sum(pg_total_relation_size(format('%I.%I', schemaname, tablename)::regclass))::bigint
             FROM pg_tables WHERE schemaname = current_schema()"
        }
    };
    let bytes: i64 = on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
    u64::try_from(bytes).unwrap()
}

/// The processes that serve this database.
pub(crate) async fn backends(db: &Db) -> Vec<String> {
    let mut tx = db.read().await.unwrap();
    let backends = "SELECT pid::text FROM pg_stat_activity WHERE datname = current_database()";
    on!(&mut tx, |c| sqlx::query_scalar(backends).fetch_all(c).await).unwrap()
}
