use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Executor, Result, SqliteConnection, SqlitePool,
    migrate::{Migration, Migrator},
    sqlite::{SqliteConnectOptions, SqlitePoolOptions},
};

use crate::{Migrations, Tx};

/// Databases in memory that may be open at the same time.
const AT_ONCE: u32 = 4;
/// How long an empty one is kept for the next.
const KEPT: Duration = Duration::from_mins(1);

/// Empty databases in memory with a service's tables: each transaction has one to itself, empty again afterwards.
#[derive(Clone, Debug)]
pub struct Scratch(SqlitePool);

impl Scratch {
    /// No statement is run until the first transaction.
    ///
    /// Rules between rows do not hold here: what part of a log makes may lack the row another refers to, or have two
    /// where there was only ever one at a time. Keys do.
    pub fn new(migrations: Migrations) -> Self {
        let options = SqliteConnectOptions::new().in_memory(true).foreign_keys(false);
        let pool = SqlitePoolOptions::new()
            .max_connections(AT_ONCE)
            .idle_timeout(KEPT)
            .max_lifetime(None)
            .after_connect(move |connection, _| {
                let migrations = migrations.sqlite().to_vec();
                Box::pin(make(connection, migrations))
            })
            .connect_lazy_with(options);
        Self(pool)
    }

    pub async fn begin(&self) -> Result<Tx> {
        Ok(Tx::Sqlite(self.0.begin().await?))
    }
}

async fn make(connection: &mut SqliteConnection, migrations: Vec<Migration>) -> Result<()> {
    Migrator::with_migrations(migrations).run_direct(None, connection, false).await?;
    let indexes: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE UNIQUE%'",
    )
    .fetch_all(&mut *connection)
    .await?;
    for index in indexes {
        connection.execute(AssertSqlSafe(format!("DROP INDEX \"{index}\""))).await?;
    }
    Ok(())
}
