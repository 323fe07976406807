//! One database handle for `SQLite` and `PostgreSQL`.
//!
//! Statements are written once, in the dialect both understand (`$1`, `RETURNING`, `ON CONFLICT`); [`on!`] type-checks
//! each of them against both drivers. Only the migrations are written twice, because only the DDL really differs.

mod access;
mod any;
mod confine;
mod open;
mod promises;
mod scratch;
mod scrub;

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool, Postgres, Result, Sqlite, SqlitePool,
    Transaction, types::Uuid,
};

pub use any::fetch_any;
pub use open::{Access, Migrations, Options};
pub use scratch::Scratch;

/// The pools of one service's database.
#[derive(Clone, Debug)]
pub enum Db {
    /// WAL lets many read while one writes: readers have a pool, the writer has one connection.
    Sqlite {
        readers: SqlitePool,
        writer: SqlitePool,
    },
    Postgres(PgPool),
}

/// An open transaction; dropping it without [`Tx::commit`] rolls it back.
#[derive(Debug)]
pub enum Tx {
    Sqlite(Transaction<'static, Sqlite>),
    Postgres(Transaction<'static, Postgres>),
}

/// Whose rows a transaction sees.
///
/// `PostgreSQL` holds every statement to it by row-level security; a transaction that names nobody sees nothing. It
/// travels with BEGIN, so it costs no round trip, and it ends with the transaction, so no pooled connection keeps it.
/// `SQLite` has no such thing: there the `WHERE` of each statement is all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tenant {
    /// The service itself, across trusts.
    Platform,
    Trust(Uuid),
}

impl From<Option<Uuid>> for Tenant {
    /// A caller confined to no trust is the platform's.
    fn from(trust_id: Option<Uuid>) -> Self {
        trust_id.map_or(Self::Platform, Self::Trust)
    }
}

impl Db {
    /// Begins a transaction that only reads, from one snapshot, across trusts: for the platform's own work. What answers a
    /// request names its tenant by [`Db::read_as`].
    pub async fn read(&self) -> Result<Tx> {
        self.read_as(Tenant::Platform).await
    }

    /// Begins a transaction that only reads, from one snapshot, what that tenant may see.
    pub async fn read_as(&self, tenant: Tenant) -> Result<Tx> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin().await?)),
            Self::Postgres(pool) => {
                let begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
                Ok(Tx::Postgres(begin_whole(pool, scoped(begin, tenant)).await?))
            }
        }
    }

    /// Begins a transaction that may write, across trusts: a group commits operations of several.
    pub async fn begin(&self) -> Result<Tx> {
        self.begin_as(Tenant::Platform).await
    }

    /// Begins a transaction that may write what is that tenant's, and sees nothing else.
    pub async fn begin_as(&self, tenant: Tenant) -> Result<Tx> {
        match self {
            // A deferred SQLite transaction that later writes can fail with SQLITE_BUSY at once; taking the write
            // lock first makes it wait its turn instead.
            Self::Sqlite { writer, .. } => {
                Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?))
            }
            Self::Postgres(pool) => {
                Ok(Tx::Postgres(begin_whole(pool, scoped("BEGIN", tenant)).await?))
            }
        }
    }

    /// Begins a transaction that may write with a statement of each dialect, by one round trip.
    pub async fn begin_with(&self, sqlite: &'static str, postgres: &'static str) -> Result<Tx> {
        match self {
            Self::Sqlite { writer, .. } => {
                let begin = AssertSqlSafe(format!("BEGIN IMMEDIATE; {sqlite}"));
                Ok(Tx::Sqlite(writer.begin_with(begin).await?))
            }
            Self::Postgres(pool) => {
                let begin = scoped("BEGIN", Tenant::Platform);
                Ok(Tx::Postgres(begin_whole(pool, format!("{begin}; {postgres}")).await?))
            }
        }
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        let mut tx = self.read().await?;
        on!(&mut tx, |c| sqlx::query("SELECT 1").execute(c).await.map(drop))
    }

    /// A connection of its own, outside the pool; nothing on `SQLite`.
    pub async fn line(&self) -> Result<Option<PgConnection>> {
        let Self::Postgres(pool) = self else { return Ok(None) };
        let options = pool.connect_options();
        let line = PgConnection::connect_with(&options).await?;
        nodelay::set(options.get_port())?;
        Ok(Some(line))
    }

    /// Waits for what is under way and closes every connection of the pool.
    pub async fn close(&self) {
        match self {
            Self::Sqlite { readers, writer } => {
                readers.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// Begins in a task of its own. A caller who goes away in the middle of BEGIN would otherwise leave the connection in a
/// transaction of which the pool does not know, and whoever gets it next would read an old snapshot, or write nothing.
///
/// The pool does not ask connections whether they are well, which would double every round trip; one that the server has
/// closed meanwhile, as when it was restarted, is told here and gone from the pool.
async fn begin_whole(pool: &PgPool, begin: String) -> Result<Transaction<'static, Postgres>> {
    let pool = pool.clone();
    let task = tokio::spawn(async move {
        for _ in 0..pool.options().get_max_connections() {
            match pool.begin_with(AssertSqlSafe(begin.clone())).await {
                Err(error) if is_closed(&error) => {}
                tried => return tried,
            }
        }
        pool.begin_with(AssertSqlSafe(begin)).await
    });
    task.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}

/// Whether a connection turned out to be closed: cut, or ended by the server (`admin_shutdown`, `crash_shutdown`,
/// `idle_session_timeout`).
fn is_closed(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) => true,
        sqlx::Error::Database(it) => {
            matches!(it.code().as_deref(), Some("57P01" | "57P02" | "57P05"))
        }
        _ => false,
    }
}

fn scoped(begin: &str, tenant: Tenant) -> String {
    match tenant {
        Tenant::Platform => format!("{begin}; SET LOCAL headway.tenant = 'platform'"),
        Tenant::Trust(trust_id) => format!("{begin}; SET LOCAL headway.tenant = '{trust_id}'"),
    }
}

impl Tx {
    pub async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.commit().await,
            Self::Postgres(tx) => tx.commit().await,
        }
    }

    pub async fn rollback(self) -> Result<()> {
        match self {
            Self::Sqlite(tx) => tx.rollback().await,
            Self::Postgres(tx) => tx.rollback().await,
        }
    }
}

/// Runs one statement on whichever database the transaction belongs to.
#[macro_export]
macro_rules! on {
    ($tx:expr, |$connection:ident| $statement:expr) => {
        match $tx {
            $crate::Tx::Sqlite(tx) => {
                let $connection = &mut **tx;
                $statement
            }
            $crate::Tx::Postgres(tx) => {
                let $connection = &mut **tx;
                $statement
            }
        }
    };
}
