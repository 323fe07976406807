//! The smallest service there can be: notes that are counted, to have something to write.

use contract::registry::TrustCreated;
use db::{Db, Migrations, Tx, on};
use futures::future::BoxFuture;
use journal::{Draft, Journal, Projection, Recorded};
use rpc::{Ctx, Result};
use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};
use testkit::Database;
use uuid::Uuid;

pub(crate) struct Notes;

impl Projection for Notes {
    fn tables(&self) -> &'static [&'static str] {
        &["note"]
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            for event in events {
                let Some(note) = event.decode::<TrustCreated>()? else { continue };
                on!(&mut *tx, |c| sqlx::query(
                    "INSERT INTO note (position, name) VALUES ($1, $2)"
                )
                .bind(event.position)
                .bind(note.name)
                .execute(c)
                .await
                .map(drop))?;
            }
            Ok(())
        })
    }
}

/// The tables of a service with notes: the same statement will do for both databases.
pub(crate) fn migrations() -> Migrations {
    let create = "CREATE TABLE note (position BIGINT PRIMARY KEY, name TEXT NOT NULL)";
    let create =
        Migration::new(100, "note".into(), MigrationType::Simple, create.into_sql_str(), false);
    let note = Migrator::with_migrations(vec![create]);
    journal::migrations().and(Migrations::new(&note, &note))
}

pub(crate) async fn open(database: &Database, service: &'static str) -> Journal {
    Journal::open(service, database.open(service, migrations()).await, Notes)
}

pub(crate) fn draft(trust: u128, stream: &str, version: u32, name: &str) -> Draft {
    let note = TrustCreated { name: name.to_owned(), ..TrustCreated::default() };
    Draft::new(rpc::new_id(), Uuid::from_u128(trust), stream, version, &note)
}

/// Writes one note; answers with its position.
pub(crate) async fn write(journal: &Journal, ctx: &Ctx, draft: Draft) -> Result<i64> {
    let inner = journal.clone();
    let context = ctx.clone();
    journal
        .write(ctx, move |tx| {
            Box::pin(async move {
                let recorded = inner.record(tx, &context, vec![draft]).await?;
                Ok(recorded[0].position)
            })
        })
        .await
}

pub(crate) async fn count(db: &Db) -> i64 {
    let mut tx = db.read().await.unwrap();
    on!(&mut tx, |c| sqlx::query_scalar("SELECT count(*) FROM note").fetch_one(c).await).unwrap()
}
