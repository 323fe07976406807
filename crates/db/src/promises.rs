//! What a database must promise before a service works on it: that a commit it answered survives a crash.

use sqlx::{Error, PgPool, Result, SqlitePool};

/// What `PRAGMA synchronous` answers for FULL.
const FULL: i64 = 2;

/// Settings without which `PostgreSQL` loses or tears commits, the values that keep them, and how to have those.
const NEEDED: [(&str, &[&str], &str); 3] = [
    ("fsync", &["on"], "set fsync = on in postgresql.conf and reload"),
    ("full_page_writes", &["on"], "set full_page_writes = on in postgresql.conf and reload"),
    (
        "synchronous_commit",
        &["on", "remote_apply"],
        "set synchronous_commit = on in postgresql.conf, and ALTER DATABASE or ALTER ROLE … RESET synchronous_commit \
         where one of them says otherwise",
    ),
];

/// Refuses a server whose settings, as our sessions see them, promise less.
pub(crate) async fn postgres(pool: &PgPool) -> Result<()> {
    let mut connection = pool.acquire().await?;
    for (name, enough, remedy) in NEEDED {
        let value: String = sqlx::query_scalar("SELECT current_setting($1)")
            .bind(name)
            .fetch_one(&mut *connection)
            .await?;
        if !enough.contains(&value.as_str()) {
            return Err(refused(format!(
                "PostgreSQL runs with {name} = {value} and may lose what it acknowledged: {remedy}"
            )));
        }
    }
    Ok(())
}

/// Refuses a file system on which `SQLite` could not be set to flush every commit.
pub(crate) async fn sqlite(writer: &SqlitePool) -> Result<()> {
    let synchronous: i64 = sqlx::query_scalar("PRAGMA synchronous").fetch_one(writer).await?;
    let mode: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(writer).await?;
    if synchronous == FULL && mode == "wal" {
        return Ok(());
    }
    Err(refused(format!(
        "SQLite runs with synchronous = {synchronous} and journal_mode = {mode} where {FULL} and wal are needed: put \
         data_dir on a local file system"
    )))
}

fn refused(message: String) -> Error {
    Error::Configuration(message.into())
}

#[cfg(test)]
mod tests {
    use std::str::FromStr;

    use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

    use super::*;

    #[tokio::test]
    async fn less_than_full_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (mode, synchronous, named) in [
            (SqliteJournalMode::Wal, SqliteSynchronous::Normal, "synchronous = 1"),
            (SqliteJournalMode::Delete, SqliteSynchronous::Full, "journal_mode = delete"),
        ] {
            let url = format!("sqlite:{}", folder.path().join(format!("{named}.db")).display());
            let options = SqliteConnectOptions::from_str(&url).unwrap().create_if_missing(true);
            let pool =
                SqlitePool::connect_with(options.journal_mode(mode).synchronous(synchronous));
            let error = sqlite(&pool.await.unwrap()).await.unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
    }
}
