use std::collections::BTreeSet;

use db::{Db, on};

/// Every column of every table and view as `table.column`, with a `?` where it may be null.
pub async fn columns(db: &Db) -> BTreeSet<String> {
    let query = match db {
        Db::Sqlite { .. } => {
            "SELECT t.name || '.' || c.name || iif(c.\"notnull\" OR c.pk, '', '?')
             FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type IN ('table', 'view')"
        }
        Db::Postgres(_) => {
            "SELECT table_name || '.' || column_name || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END
             FROM information_schema.columns WHERE table_schema = current_schema()"
        }
    };
    let mut tx = db.read().await.unwrap();
    let rows: Vec<String> = on!(&mut tx, |c| sqlx::query_scalar(query).fetch_all(c).await).unwrap();
    rows.into_iter().filter(|it| !it.starts_with("_sqlx") && !it.starts_with("sqlite_")).collect()
}
