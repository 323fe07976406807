use sqlx::{AssertSqlSafe, FromRow, Result, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use crate::Tx;

/// The most ids in one statement on `SQLite`.
const MOST: usize = 512;

/// Fetches the rows of any of these ids by one statement, which says `= ANY($1)` where they go.
pub async fn fetch_any<R>(tx: &mut Tx, sql: &'static str, ids: &[Uuid]) -> Result<Vec<R>>
where
    R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
{
    match tx {
        Tx::Postgres(tx) => sqlx::query_as(sql).bind(ids).fetch_all(&mut **tx).await,
        Tx::Sqlite(tx) => {
            let mut rows = Vec::with_capacity(ids.len());
            for chunk in ids.chunks(MOST) {
                // SQLite has no arrays: a list, filled up with its last id so that few lengths are prepared.
                let length = chunk.len().next_power_of_two();
                let list = vec!["?"; length].join(", ");
                let sql = sql.replace("= ANY($1)", &format!("IN ({list})"));
                let mut query = sqlx::query_as(AssertSqlSafe(sql));
                let filling = chunk.last().into_iter().cycle();
                for id in chunk.iter().chain(filling).take(length) {
                    query = query.bind(id);
                }
                rows.append(&mut query.fetch_all(&mut **tx).await?);
            }
            Ok(rows)
        }
    }
}
