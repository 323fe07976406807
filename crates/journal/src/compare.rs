//! Two versions of a table, compared in memory of a fixed size.

use std::cmp::Ordering;

use db::Tx;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use rpc::{Error, Result};
use sha2::{Digest, Sha256};
use sqlx::AssertSqlSafe;

/// Rows named where a table differs.
const NAMED: usize = 20;

/// A table as it is and as the log makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    pub table: &'static str,
    /// As it is.
    pub rows: i64,
    pub equal: bool,
    /// How many rows differ.
    pub differing: usize,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// A row that is not what the log makes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its primary key; nothing else of a row is told, for it may be personal.
    pub key: String,
    pub what: &'static str,
}

/// Compares a table as it is with the same table as it was made.
pub(crate) async fn compare(is: &mut Tx, made: &mut Tx, table: &'static str) -> Result<Comparison> {
    let shape = Shape::of(is, table).await?;
    let (rows, held) = digest(is, &shape).await?;
    let equal = digest(made, &shape).await? == (rows, held);
    let (differing, differences) =
        if equal { (0, Vec::new()) } else { differences(is, made, &shape).await? };
    Ok(Comparison { table, rows, equal, differing, differences })
}

/// How rows of a table are put as text, the same in both versions.
struct Shape {
    table: &'static str,
    key: String,
    row: String,
}

impl Shape {
    async fn of(tx: &mut Tx, table: &'static str) -> Result<Self> {
        Ok(match tx {
            Tx::Sqlite(tx) => {
                let columns: Vec<(String, bool)> =
                    sqlx::query_as("SELECT name, pk > 0 FROM pragma_table_info($1) ORDER BY pk")
                        .bind(table)
                        .fetch_all(&mut **tx)
                        .await?;
                let quoted = |it: &(String, bool)| format!("quote(\"{}\")", it.0);
                let key: Vec<_> = columns.iter().filter(|it| it.1).map(quoted).collect();
                let row: Vec<_> = columns.iter().map(quoted).collect();
                Self { table, key: key.join(" || ',' || "), row: row.join(" || ',' || ") }
            }
            Tx::Postgres(tx) => {
                let columns: Vec<String> = sqlx::query_scalar(
                    "SELECT a.attname::text FROM pg_index i
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                     WHERE i.indrelid = $1::text::regclass AND i.indisprimary ORDER BY a.attnum",
                )
                .bind(format!("\"{table}\""))
                .fetch_all(&mut **tx)
                .await?;
                let key: Vec<_> = columns.iter().map(|it| format!("\"{it}\"")).collect();
                let key = format!("concat_ws(',', {}) COLLATE \"C\"", key.join(", "));
                Self { table, key, row: format!("to_jsonb(\"{table}\")::text") }
            }
        })
    }

    fn rows<'t>(&self, tx: &'t mut Tx) -> BoxStream<'t, sqlx::Result<String>> {
        let sql = AssertSqlSafe(format!("SELECT {} FROM \"{}\"", self.row, self.table));
        match tx {
            Tx::Sqlite(tx) => sqlx::query_scalar(sql).fetch(&mut **tx).boxed(),
            Tx::Postgres(tx) => sqlx::query_scalar(sql).fetch(&mut **tx).boxed(),
        }
    }

    fn by_key<'t>(&self, tx: &'t mut Tx) -> BoxStream<'t, sqlx::Result<(String, String)>> {
        let Self { table, key, row } = self;
        let sql = AssertSqlSafe(format!("SELECT {key}, {row} FROM \"{table}\" ORDER BY {key}"));
        match tx {
            Tx::Sqlite(tx) => sqlx::query_as(sql).fetch(&mut **tx).boxed(),
            Tx::Postgres(tx) => sqlx::query_as(sql).fetch(&mut **tx).boxed(),
        }
    }
}

/// The number of rows of a table, and the sum of their SHA-256 modulo 2^256.
///
/// A sum asks for no order, so no row is sorted or kept. That two tables come to the same sum by accident is as likely as
/// one given value of a hash. Who can write both a table and the program could craft it; against them there is the
/// log's own tree, not this.
async fn digest(tx: &mut Tx, shape: &Shape) -> Result<(i64, [u8; 32])> {
    let mut rows = shape.rows(tx);
    let (mut count, mut sum) = (0, [0; 32]);
    while let Some(row) = rows.try_next().await? {
        count += 1;
        add(&mut sum, &Sha256::digest(row).into());
    }
    Ok((count, sum))
}

/// Both as numbers of 32 bytes, the first byte the least.
fn add(sum: &mut [u8; 32], it: &[u8; 32]) {
    let mut carry = 0;
    for (digit, other) in sum.iter_mut().zip(it) {
        let all = u16::from(*digit) + u16::from(*other) + carry;
        let [low, high] = all.to_le_bytes();
        (*digit, carry) = (low, u16::from(high));
    }
}

/// Goes through both versions side by side in the order of their keys.
async fn differences(
    is: &mut Tx,
    made: &mut Tx,
    shape: &Shape,
) -> Result<(usize, Vec<Difference>)> {
    let (mut is, mut made) = (shape.by_key(is), shape.by_key(made));
    let (mut one, mut other) = (next(&mut is).await?, next(&mut made).await?);
    let (mut count, mut named) = (0, Vec::new());
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok((count, named)),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => one.0.cmp(&other.0),
        };
        let found = match order {
            Ordering::Less => one.as_ref().map(|it| (&it.0, "the log does not make it")),
            Ordering::Greater => other.as_ref().map(|it| (&it.0, "is missing")),
            Ordering::Equal => one
                .as_ref()
                .filter(|it| other.as_ref().is_none_or(|other| other.1 != it.1))
                .map(|it| (&it.0, "is not as the log makes it")),
        };
        if let Some((key, what)) = found {
            count += 1;
            if named.len() < NAMED {
                named.push(Difference { key: key.clone(), what });
            }
        }
        if order.is_le() {
            one = next(&mut is).await?;
        }
        if order.is_ge() {
            other = next(&mut made).await?;
        }
    }
}

async fn next<T>(rows: &mut (impl Stream<Item = sqlx::Result<T>> + Unpin)) -> Result<Option<T>> {
    rows.try_next().await.map_err(Error::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_carries_and_wraps() {
        let mut sum = [255; 32];
        let mut one = [0; 32];
        one[0] = 1;
        add(&mut sum, &one);
        assert_eq!(sum, [0; 32]);
        sum[0] = 255;
        add(&mut sum, &one);
        assert_eq!((sum[0], sum[1]), (0, 1));
    }
}
