//! Removing from the files what was deleted from the tables. A deleted row leaves its bytes behind: on free pages, in the
//! write-ahead log, in the statistics of the planner.

use std::time::Duration;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Result, Row, SqlitePool};

use crate::Db;

/// The largest table that is written anew, in bytes: nobody reads or writes it meanwhile.
const REWRITTEN: i64 = 1 << 30;
/// How often readers are waited for who keep the write-ahead log from being emptied, and how long each time.
const TRIES: u32 = 50;
const PAUSE: Duration = Duration::from_millis(200);

impl Db {
    /// Removes from the database's files what was deleted from these tables, and says how that was done. On `SQLite` the
    /// whole file is written anew, and writers wait for it; on `PostgreSQL` each table, unless it is too large for that.
    ///
    /// Outside of any transaction. Copies that others made of the files are theirs to remove.
    pub async fn scrub(&self, tables: &[&str]) -> Result<String> {
        match self {
            Self::Sqlite { writer, .. } => scrub_sqlite(writer).await,
            Self::Postgres(_) => match self.line().await? {
                Some(mut line) => scrub_postgres(&mut line, tables).await,
                None => Ok(String::new()),
            },
        }
    }
}

async fn scrub_sqlite(writer: &SqlitePool) -> Result<String> {
    let mut connection = writer.acquire().await?;
    (&mut *connection).execute("VACUUM").await?;
    for _ in 0..TRIES {
        // Busy: whether somebody still reads what is in the write-ahead log.
        let row =
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *connection).await?;
        if row.try_get::<i64, _>(0)? == 0 {
            return Ok("VACUUM, and the write-ahead log emptied".to_owned());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(sqlx::Error::Protocol("readers kept the write-ahead log from being emptied".to_owned()))
}

async fn scrub_postgres(line: &mut PgConnection, tables: &[&str]) -> Result<String> {
    // The service's role owns nothing, and only an owner may write a table anew.
    line.execute("SET ROLE NONE").await?;
    let mut left = Vec::new();
    for table in tables {
        let size: Option<i64> =
            sqlx::query_scalar("SELECT pg_total_relation_size(to_regclass($1))")
                .bind(format!("\"{table}\""))
                .fetch_one(&mut *line)
                .await?;
        let Some(size) = size else { continue };
        let how = if size <= REWRITTEN {
            "FULL, ANALYZE"
        } else {
            left.push(*table);
            "ANALYZE"
        };
        line.execute(AssertSqlSafe(format!("VACUUM ({how}) \"{table}\""))).await?;
    }
    // The planner's statistics hold samples of values. Whoever owns the database may write them anew; and what is written
    // anew leaves its old file to the next checkpoint.
    let statistics = line.execute("VACUUM (FULL) pg_catalog.pg_statistic").await.is_ok();
    let checkpoint = line.execute("CHECKPOINT").await.is_ok();
    let spared = if left.is_empty() {
        String::new()
    } else {
        let large = left.join(", ");
        format!(
            ", but VACUUM alone of {large}, whose freed pages are overwritten as they are used again"
        )
    };
    let samples = if statistics { ", and of the planner's statistics" } else { "" };
    let files = if checkpoint { "" } else { "; the old files go with the next checkpoint" };
    Ok(format!("VACUUM FULL of the tables{spared}{samples}{files}"))
}
