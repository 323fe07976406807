use std::time::Duration;

use db::{Db, Migrations, Options};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, SqliteConnection};
use tempfile::TempDir;

use crate::postgres;

/// A fresh, empty database, gone when the test is.
#[derive(Debug)]
pub enum Database {
    Sqlite(TempDir),
    Postgres { url: String },
}

impl Database {
    pub fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().unwrap())
    }

    pub async fn postgres() -> Self {
        let server = postgres_url().await;
        let name = format!("headway_{}", rpc::new_id().simple());
        let mut admin = PgConnection::connect(&format!("{server}/postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("CREATE DATABASE {name}"));
        sqlx::query(create).execute(&mut admin).await.unwrap();
        Self::Postgres { url: format!("{server}/{name}") }
    }

    /// Where a service keeps its tables.
    pub fn url(&self, service: &str) -> String {
        match self {
            Self::Sqlite(folder) => {
                format!("sqlite:{}", folder.path().join(service).with_extension("db").display())
            }
            Self::Postgres { url } => url.clone(),
        }
    }

    /// Opens it for a service; more than once gives the same tables again.
    pub async fn open(&self, service: &str, migrations: Migrations) -> Db {
        let options =
            Options { readers: 3, acquire_timeout: Duration::from_secs(30), ..Options::default() };
        Db::open(&self.url(service), service, migrations, options).await.unwrap()
    }

    /// Runs statements on a service's tables in one transaction as whoever owns them, which the service itself is not.
    pub async fn as_owner(&self, service: &str, statements: &[&'static str]) -> sqlx::Result<()> {
        match self {
            Self::Sqlite(_) => {
                let mut owner = SqliteConnection::connect(&self.url(service)).await?;
                let mut tx = owner.begin_with("BEGIN IMMEDIATE").await?;
                for statement in statements {
                    tx.execute(*statement).await?;
                }
                tx.commit().await
            }
            Self::Postgres { url } => {
                let mut owner = PgConnection::connect(url).await?;
                owner.execute(AssertSqlSafe(format!("SET search_path = \"{service}\""))).await?;
                let mut tx = owner.begin().await?;
                for statement in statements {
                    tx.execute(*statement).await?;
                }
                tx.commit().await
            }
        }
    }
}

/// The server named by `TEST_PG_URL`, or one of our own for as long as this process runs.
#[expect(clippy::disallowed_methods, reason = "tests are told of a server by the environment")]
pub async fn postgres_url() -> String {
    match std::env::var("TEST_PG_URL") {
        Ok(url) => url,
        Err(_) => postgres::start().await,
    }
}
