//! Row-level security on `PostgreSQL`: whatever a statement asks for, a transaction sees the rows of the tenant it named.
//!
//! No migration says so of each table, because one could forget to: every table with a `trust_id` is confined when the
//! database is opened, and so is every table that was named as a part of one. A table that holds trusts' rows in another
//! manner is found out by a test, which knows each table that is open to all and why.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, Executor, PgConnection, Result};

use crate::open::Part;

/// Whether the transaction is the platform's.
const PLATFORM: &str = "current_setting('headway.tenant', true) = 'platform'";
/// The trust that the transaction is confined to; null when it is confined to none, or has named nobody.
const TRUST: &str = "nullif(nullif(current_setting('headway.tenant', true), ''), 'platform')::uuid";

/// Confines the tables of a schema that are not confined yet; theirs is the owner's connection.
pub(crate) async fn confine(owner: &mut PgConnection, schema: &str, parts: &[Part]) -> Result<()> {
    let mut statements = Vec::new();
    for table in with_trust(owner, schema).await? {
        statements.push(policies(schema, &table, "trust_id"));
    }
    for Part { table, of, key } in parts {
        if is_forced(owner, schema, table).await? {
            continue;
        }
        // A value, not EXISTS: that could be planned as a scan of the other table.
        let whose = format!(
            "(SELECT whole.trust_id FROM \"{schema}\".\"{of}\" whole WHERE whole.\"{key}\" = \"{table}\".\"{key}\")"
        );
        statements.push(policies(schema, table, &whose));
    }
    for view in of_owner(owner, schema).await? {
        // A view reads with the rights of whoever made it unless told otherwise.
        statements
            .push(format!("ALTER VIEW \"{schema}\".\"{view}\" SET (security_invoker = true)"));
    }
    for statement in statements {
        owner.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}

/// One call of several statements is one transaction: no table is ever confined by halves.
///
/// What is read is compared with sub-selects, which are computed once per statement however many rows there are; what is
/// written is compared row by row, for that costs less than a sub-select where rows are few.
fn policies(schema: &str, table: &str, whose: &str) -> String {
    let seen = format!("(SELECT {PLATFORM}) OR {whose} = (SELECT {TRUST})");
    let written = format!("{PLATFORM} OR {whose} = {TRUST}");
    let table = format!("\"{schema}\".\"{table}\"");
    let mut statements = String::new();
    for (name, clauses) in [
        ("seen", format!("FOR SELECT USING ({seen})")),
        ("added", format!("FOR INSERT WITH CHECK ({written})")),
        ("changed", format!("FOR UPDATE USING ({written})")),
        ("removed", format!("FOR DELETE USING ({written})")),
    ] {
        // Writing to a String cannot fail.
        _ = write!(
            statements,
            "DROP POLICY IF EXISTS {name} ON {table}; CREATE POLICY {name} ON {table} {clauses};"
        );
    }
    statements + &format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
}

/// Tables with a trust's id whose rows are shown to whoever asks.
async fn with_trust(owner: &mut PgConnection, schema: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
         WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND relkind IN ('r', 'p') AND attname = 'trust_id'
         AND NOT attisdropped AND NOT (relrowsecurity AND relforcerowsecurity) ORDER BY relname",
    )
    .bind(schema)
    .fetch_all(owner)
    .await
}

async fn is_forced(owner: &mut PgConnection, schema: &str, table: &str) -> Result<bool> {
    sqlx::query_scalar(
        "SELECT relrowsecurity AND relforcerowsecurity FROM pg_class
         WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND relname = $2",
    )
    .bind(schema)
    .bind(table)
    .fetch_one(owner)
    .await
}

/// Views that read with their owner's rights.
async fn of_owner(owner: &mut PgConnection, schema: &str) -> Result<Vec<String>> {
    sqlx::query_scalar(
        "SELECT relname::text FROM pg_class WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = $1) AND relkind = 'v'
         AND NOT coalesce('security_invoker=true' = ANY (reloptions), false) ORDER BY relname",
    )
    .bind(schema)
    .fetch_all(owner)
    .await
}
