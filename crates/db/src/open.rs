use std::{str::FromStr, time::Duration};

use sqlx::{
    AssertSqlSafe, Connection, Executor, PgConnection, PgPool, Result, SqlitePool,
    migrate::{MigrateError, Migration, Migrator},
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use crate::{Db, access, confine, promises};

/// False in the build that crash tests must catch; see the feature `no-flush`.
const FLUSHED: bool = cfg!(not(feature = "no-flush"));

/// How a service's database is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Connections kept for reading.
    pub readers: u32,
    pub acquire_timeout: Duration,
    /// How long a transaction may idle, for a process that froze inside one holds every writer up: `PostgreSQL` ends it
    /// after that. Whoever waits for its lock waits twice as long.
    pub stall: Duration,
    pub access: Access,
}

/// With which rights a service works on `PostgreSQL`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Under the role `headway_<schema>`, which owns nothing.
    Restricted,
    /// As whoever the URL names: for a schema that is dropped again.
    Owner,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            readers: 8,
            acquire_timeout: Duration::from_secs(5),
            stall: Duration::from_secs(30),
            access: Access::Restricted,
        }
    }
}

/// Schema changes of one service, once per dialect, in order of their numbers.
#[derive(Debug, Default)]
pub struct Migrations {
    sqlite: Vec<Migration>,
    postgres: Vec<Migration>,
    append_only: Vec<&'static str>,
    sealed: Vec<&'static str>,
    parts: Vec<Part>,
}

/// A table whose rows are parts of another's and name no trust of their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) table: &'static str,
    pub(crate) of: &'static str,
    /// The column by which both know what they belong to.
    pub(crate) key: &'static str,
}

impl Migrations {
    pub fn new(sqlite: &Migrator, postgres: &Migrator) -> Self {
        Self {
            sqlite: sqlite.iter().cloned().collect(),
            postgres: postgres.iter().cloned().collect(),
            append_only: vec![],
            sealed: vec![],
            parts: vec![],
        }
    }

    pub(crate) fn sqlite(&self) -> &[Migration] {
        &self.sqlite
    }

    /// Tables whose rows the service may add and read, but neither change nor remove.
    #[must_use]
    pub fn append_only(mut self, tables: &[&'static str]) -> Self {
        self.append_only.extend(tables);
        self
    }

    /// Tables to which the service adds by functions of the database alone.
    #[must_use]
    pub fn sealed(mut self, tables: &[&'static str]) -> Self {
        self.sealed.extend(tables);
        self
    }

    /// Tables whose rows belong to the trust of a row of another table: `(table, of, key)`, where both have the column
    /// `key`. Tables with a `trust_id` are found by themselves.
    #[must_use]
    pub fn parts(mut self, parts: &[(&'static str, &'static str, &'static str)]) -> Self {
        self.parts.extend(parts.iter().map(|&(table, of, key)| Part { table, of, key }));
        self
    }

    /// Adds those of a shared crate; numbers must not clash.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.sqlite.extend(other.sqlite);
        self.postgres.extend(other.postgres);
        self.append_only.extend(other.append_only);
        self.sealed.extend(other.sealed);
        self.parts.extend(other.parts);
        self
    }
}

impl Db {
    /// Opens a `sqlite:` or `postgres:` URL and brings the schema up to date.
    ///
    /// On `PostgreSQL` each service has the schema named after it. A database that would lose what it acknowledged is
    /// refused, and so is one where the service's role cannot be had; the error says what to change.
    pub async fn open(
        url: &str,
        service: &str,
        migrations: Migrations,
        options: Options,
    ) -> Result<Self> {
        if !FLUSHED {
            eprintln!("BUILT WITH no-flush: {service} LOSES ACKNOWLEDGED WRITES IN A CRASH");
        }
        if url.starts_with("sqlite:") {
            Self::open_sqlite(url, migrations, options).await
        } else {
            Self::open_postgres(url, service, migrations, options).await
        }
    }

    async fn open_sqlite(url: &str, migrations: Migrations, options: Options) -> Result<Self> {
        let synchronous = if FLUSHED { SqliteSynchronous::Full } else { SqliteSynchronous::Off };
        let connect = SqliteConnectOptions::from_str(url)?
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            // An answer is given only after the flush: NORMAL may lose acknowledged commits when power fails.
            .synchronous(synchronous)
            // On macOS fsync leaves the data in the disk's cache.
            .pragma("fullfsync", "true")
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
        if FLUSHED {
            promises::sqlite(&writer).await?;
        }
        Migrator::with_migrations(migrations.sqlite).run(&writer).await.map_err(plainly)?;
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
        let schema = service.replace('"', "");
        let mut connect = PgConnectOptions::from_str(url)?
            .application_name(&format!("headway-{schema}"))
            .options([("search_path", schema.as_str())]);
        let role = prepare(&connect, &schema, migrations, options.access).await?;
        connect = connect.options(limits(options.stall));
        if let Some(role) = role {
            // RESET ROLE falls back to this one, not to the login.
            connect = connect.options([("role", role)]);
        }
        if !FLUSHED {
            connect = connect.options([("synchronous_commit", "off")]);
        }
        let port = connect.get_port();
        let pool: PgPool = PgPoolOptions::new()
            .max_connections(options.readers + 2)
            .acquire_timeout(options.acquire_timeout)
            .test_before_acquire(false)
            .after_connect(move |_, _| {
                Box::pin(async move { nodelay::set(port).map(drop).map_err(Into::into) })
            })
            .connect_with(connect)
            .await?;
        if FLUSHED {
            promises::postgres(&pool).await?;
        }
        Ok(Self::Postgres(pool))
    }
}

/// Makes or updates the schema as the login; gives the role to work under.
async fn prepare(
    connect: &PgConnectOptions,
    schema: &str,
    migrations: Migrations,
    access: Access,
) -> Result<Option<String>> {
    // What the owner does to the tables of all trusts, it does as the platform: it is held to the policies too.
    let connect = connect.clone().options([("headway.tenant", "platform")]);
    let mut owner = PgConnection::connect_with(&connect).await?;
    // Processes that start together take turns, until the connection is closed.
    sqlx::query("SELECT pg_advisory_lock(7311, hashtext($1))")
        .bind(schema)
        .execute(&mut owner)
        .await?;
    let create = format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\"");
    owner.execute(AssertSqlSafe(create)).await?;
    let Migrations { postgres, append_only, sealed, parts, .. } = migrations;
    Migrator::with_migrations(postgres).run(&mut owner).await.map_err(plainly)?;
    confine::confine(&mut owner, schema, &parts).await?;
    let role = match access {
        Access::Owner => None,
        Access::Restricted => {
            Some(access::establish(&mut owner, schema, (&append_only, &sealed)).await?)
        }
    };
    owner.close().await?;
    Ok(role)
}

/// Before the first release a schema may change where it was: what was made by the old one cannot be brought up to date.
fn plainly(error: MigrateError) -> sqlx::Error {
    match error {
        MigrateError::VersionMismatch(number) => sqlx::Error::Configuration(
            format!(
                "the tables were made by an earlier layout of Headway (migration {number:04} was another then), which was \
                 never released: begin with an empty data directory, or on PostgreSQL with an empty database"
            )
            .into(),
        ),
        other => other.into(),
    }
}

/// A process that is frozen, or whose machine has gone, must not hold every other writer up.
fn limits(stall: Duration) -> [(&'static str, String); 6] {
    [
        ("idle_in_transaction_session_timeout", stall.as_millis().to_string()),
        // Longer than that, or those who wait would give up just before the lock is freed.
        ("lock_timeout", (2 * stall).as_millis().to_string()),
        ("tcp_keepalives_idle", "15".to_owned()),
        ("tcp_keepalives_interval", "5".to_owned()),
        ("tcp_keepalives_count", "3".to_owned()),
        ("tcp_user_timeout", stall.as_millis().to_string()),
    ]
}
