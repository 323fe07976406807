use std::{str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgPool, Result, SqlitePool,
    migrate::{Migration, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::Db;

/// How many connections a service keeps.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    pub readers: u32,
    pub acquire_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { readers: 8, acquire_timeout: Duration::from_secs(5) }
    }
}

/// Schema changes of one service, once per dialect, in order of their numbers.
#[derive(Debug, Default)]
pub struct Migrations {
    sqlite: Vec<Migration>,
    postgres: Vec<Migration>,
}

impl Migrations {
    pub fn new(sqlite: &Migrator, postgres: &Migrator) -> Self {
        Self {
            sqlite: sqlite.iter().cloned().collect(),
            postgres: postgres.iter().cloned().collect(),
        }
    }

    pub(crate) fn sqlite(&self) -> &[Migration] {
        &self.sqlite
    }

    /// Adds those of a shared crate; numbers must not clash.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.sqlite.extend(other.sqlite);
        self.postgres.extend(other.postgres);
        self
    }
}

impl Db {
    /// Opens a `sqlite:` or `postgres:` URL and brings the schema up to date.
    ///
    /// On `PostgreSQL` each service owns the schema named after it.
    pub async fn open(
        url: &str,
        service: &str,
        migrations: Migrations,
        options: Options,
    ) -> Result<Self> {
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, migrations, options).await
        } else {
            Self::open_postgres(url, service, migrations, options).await
        }
    }

    async fn open_sqlite(url: &str, migrations: Migrations, options: Options) -> Result<Self> {
        let connect = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answer is given only after the flush: NORMAL may lose acknowledged commits when power fails.
            .synchronous(SqliteSynchronous::Full)
            // Growing the file costs twice per flush; keep what the log once needed.
            .pragma("journal_size_limit", "67108864")
            .busy_timeout(options.acquire_timeout);
        let writer: SqlitePool = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(options.acquire_timeout)
            // A full disk makes SQLite end some transactions by itself, which leaves the driver believing in them.
            .before_acquire(|connection, _| {
                Box::pin(async move { Ok(!connection.is_in_transaction()) })
            })
            .connect_with(connect.clone())
            .await?;
        Migrator::with_migrations(migrations.sqlite).run(&writer).await?;
        let readers = SqlitePoolOptions::new()
            .max_connections(options.readers)
            .acquire_timeout(options.acquire_timeout)
            .connect_lazy_with(connect.create_if_missing(false).read_only(true));
        Ok(Self::Sqlite { readers, writer })
    }

    async fn open_postgres(
        url: &str,
        service: &str,
        migrations: Migrations,
        options: Options,
    ) -> Result<Self> {
        let connect = PgConnectOptions::from_str(url)?
            .application_name(&format!("headway-{service}"))
            .options([
                ("search_path", service),
                // A process frozen inside a transaction must not hold every other writer up.
                ("idle_in_transaction_session_timeout", "30000"),
                ("lock_timeout", "30000"),
            ]);
        let port = connect.get_port();
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(options.readers + 2)
            .acquire_timeout(options.acquire_timeout)
            .after_connect(move |_, _| {
                Box::pin(async move { nodelay::set(port).map(drop).map_err(Into::into) })
            })
            .connect_with(connect)
            .await?;
        let statement = format!("CREATE SCHEMA IF NOT EXISTS \"{}\"", service.replace('"', ""));
        pool.execute(AssertSqlSafe(statement)).await?;
        Migrator::with_migrations(migrations.postgres).run(&pool).await?;
        Ok(Self::Postgres(pool))
    }
}
