//! What the databases hold of a trust: every value of every row that is its own.

use std::collections::{BTreeMap, BTreeSet};

use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};

use crate::story::Deployed;

const SERVICES: [&str; 3] = ["registry", "intelligence", "improvement"];

/// Values by the name of their column, as text; ids as they are written in JSON.
pub(crate) type Values = BTreeMap<String, BTreeSet<String>>;

/// Everything in the rows of a trust, on whichever database.
pub(crate) async fn harvest(deployed: &Deployed, postgres: Option<&str>, trust_id: &str) -> Values {
    let mut values = Values::new();
    for service in SERVICES {
        let rows = match postgres {
            Some(url) => of_postgres(url, service, trust_id).await,
            None => of_sqlite(&deployed.data().join(service).with_extension("db"), trust_id).await,
        };
        for (column, value) in rows {
            values.entry(column).or_default().insert(value);
        }
    }
    assert!(values["trust_id"].contains(trust_id), "the trust is found");
    values
}

async fn of_postgres(url: &str, service: &str, trust_id: &str) -> Vec<(String, String)> {
    let mut owner = PgConnection::connect(url).await.unwrap();
    let tables: Vec<String> = sqlx::query_scalar(
        "SELECT DISTINCT table_name::text FROM information_schema.columns JOIN information_schema.tables
         USING (table_schema, table_name)
         WHERE table_schema = $1 AND column_name = 'trust_id' AND table_type = 'BASE TABLE'",
    )
    .bind(service)
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let mut values = Vec::new();
    for table in tables {
        let sql = format!(
            "SELECT v.key, v.value FROM {service}.\"{table}\" it, jsonb_each_text(to_jsonb(it)) v
             WHERE it.trust_id = '{trust_id}' AND v.value IS NOT NULL LIMIT 200000"
        );
        let rows: Vec<(String, String)> =
            sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut owner).await.unwrap();
        values.extend(rows);
    }
    values
}

async fn of_sqlite(file: &std::path::Path, trust_id: &str) -> Vec<(String, String)> {
    let mut owner = SqliteConnection::connect(&format!("sqlite:{}", file.display())).await.unwrap();
    let columns: Vec<(String, String)> = sqlx::query_as(
        "SELECT m.name, c.name FROM sqlite_schema m, pragma_table_info(m.name) c WHERE m.type = 'table'
         AND EXISTS (SELECT 1 FROM pragma_table_info(m.name) WHERE name = 'trust_id')",
    )
    .fetch_all(&mut owner)
    .await
    .unwrap();
    let trust = trust_id.replace('-', "");
    let mut values = Vec::new();
    for (table, column) in columns {
        let sql = format!(
            "SELECT DISTINCT quote(\"{column}\") FROM \"{table}\" WHERE trust_id = x'{trust}'"
        );
        let found: Vec<String> =
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut owner).await.unwrap();
        values.extend(found.into_iter().map(|it| (column.clone(), plain(&it))));
    }
    values
}

/// A value as `quote` gives it, as JSON would have it: 16 bytes are an id.
fn plain(quoted: &str) -> String {
    let hex = quoted.strip_prefix("X'").and_then(|it| it.strip_suffix('\''));
    match hex {
        Some(hex) if hex.len() == 32 => {
            uuid::Uuid::try_parse(&hex.to_lowercase()).unwrap().to_string()
        }
        Some(hex) => hex.to_owned(),
        None => quoted.trim_matches('\'').replace("''", "'"),
    }
}
