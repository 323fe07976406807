//! A database of its own on a PostgreSQL server, gone afterwards.

use std::str::FromStr;

use anyhow::Result;
use sqlx::{AssertSqlSafe, ConnectOptions, postgres::PgConnectOptions};

pub(super) struct Scratch {
    server: PgConnectOptions,
    name: String,
}

impl Scratch {
    pub(super) async fn create(url: &str) -> Result<Self> {
        let server = PgConnectOptions::from_str(url)?;
        let name = format!("headway_bench_{}", rpc::new_id().simple());
        let scratch = Self { server, name };
        scratch.order(format!("CREATE DATABASE {}", scratch.name)).await?;
        Ok(scratch)
    }

    pub(super) fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    pub(super) fn url(&self) -> String {
        self.options().to_url_lossy().to_string()
    }

    pub(super) async fn remove(self) -> Result<()> {
        self.order(format!("DROP DATABASE {} WITH (FORCE)", self.name)).await?;
        // Roles belong to the server: those that measurements worked under would outlive the database.
        self.order(
            "DO $$ DECLARE it name; BEGIN
             FOR it IN SELECT rolname FROM pg_roles WHERE rolname LIKE 'headway\\_bench\\_%' LOOP
                 EXECUTE format('DROP ROLE IF EXISTS %I', it);
             END LOOP;
             EXCEPTION WHEN dependent_objects_still_exist THEN NULL; END $$"
                .to_owned(),
        )
        .await
    }

    async fn order(&self, statement: String) -> Result<()> {
        let mut connection = self.server.connect().await?;
        sqlx::query(AssertSqlSafe(statement)).execute(&mut connection).await?;
        Ok(())
    }
}
