//! Asking the log: each question is put so that an index answers it, however long the log is.

use std::fmt::Write;

use chrono::{DateTime, NaiveDate, Utc};
use db::{Tx, on};
use rpc::Result;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::{
    Recorded,
    read::{Row, head},
};

/// Which events to list. What is asked for together must hold together.
#[derive(Clone, Debug)]
pub struct Query {
    /// Only this trust's; positions are then counted within it.
    pub trust_id: Option<Uuid>,
    pub after: i64,
    pub before: i64,
    pub newest_first: bool,
    pub stream: Option<String>,
    /// As `kind/id`.
    pub subject: Option<String>,
    pub types: Option<Vec<String>>,
    /// In effect from this day on, and up to this day.
    pub effective: (Option<NaiveDate>, Option<NaiveDate>),
    /// Recorded from this instant on, and up to this instant.
    pub recorded: (Option<DateTime<Utc>>, Option<DateTime<Utc>>),
}

impl Default for Query {
    fn default() -> Self {
        Self {
            trust_id: None,
            after: 0,
            before: i64::MAX,
            newest_first: false,
            stream: None,
            subject: None,
            types: None,
            effective: (None, None),
            recorded: (None, None),
        }
    }
}

/// Binds the values of a statement, whichever database it is for.
macro_rules! bound {
    ($query:expr, $values:expr) => {{
        let mut query = $query;
        for value in $values {
            query = match value {
                Value::Number(it) => query.bind(it),
                Value::Text(it) => query.bind(it),
                Value::Id(it) => query.bind(it),
                Value::Date(it) => query.bind(it),
            };
        }
        query
    }};
}

/// At most `limit` events, in the order asked for.
pub async fn list(tx: &mut Tx, query: &Query, limit: i64) -> Result<Vec<Recorded>> {
    let Some(sql) = plan(tx, query, limit).await? else { return Ok(Vec::new()) };
    let rows: Vec<Row> = on!(tx, |c| {
        bound!(sqlx::query_as(AssertSqlSafe(sql.text)), sql.values).fetch_all(c).await
    })?;
    rows.into_iter().map(Recorded::try_from).collect()
}

/// How the database goes about it: for a test that no question reads the whole log.
pub async fn explain(tx: &mut Tx, query: &Query, limit: i64) -> Result<Vec<String>> {
    let Some(sql) = plan(tx, query, limit).await? else { return Ok(Vec::new()) };
    let (prefix, column) = match tx {
        Tx::Sqlite(_) => ("EXPLAIN QUERY PLAN ", 3),
        Tx::Postgres(_) => ("EXPLAIN ", 0),
    };
    let text = format!("{prefix}{}", sql.text);
    on!(tx, |c| {
        let rows = bound!(sqlx::query(AssertSqlSafe(text)), sql.values).fetch_all(c).await?;
        rows.iter().map(|it| Ok(sqlx::Row::try_get(it, column)?)).collect()
    })
}

/// A statement under construction, and the values of its `$1`, `$2`, ….
#[derive(Debug, Default)]
struct Sql {
    text: String,
    values: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Number(i64),
    Text(String),
    Id(Uuid),
    Date(NaiveDate),
}

impl Sql {
    fn bind(&mut self, value: Value) -> String {
        self.values.push(value);
        format!("${}", self.values.len())
    }
}

/// Between two positions, neither included: as the caller counts, and in the log.
#[derive(Clone, Copy, Debug)]
struct Span {
    own: (i64, i64),
    log: (i64, i64),
}

async fn plan(tx: &mut Tx, query: &Query, limit: i64) -> Result<Option<Sql>> {
    let head = head(tx, query.trust_id).await?;
    let (from, to) = query.recorded;
    let mut span = (query.after, query.before.min(head + 1));
    if let Some(from) = from {
        span.0 = span.0.max(first(tx, query.trust_id, head, |it| it >= from).await? - 1);
    }
    if let Some(to) = to {
        span.1 = span.1.min(first(tx, query.trust_id, head, |it| it > to).await?);
    }
    if span.0 + 1 >= span.1 {
        return Ok(None);
    }
    let span = in_log(tx, query.trust_id, head, span).await?;
    let undated = match query.effective {
        (None, None) => None,
        (from, to) => {
            let day = calendar::london_date;
            let from =
                first(tx, query.trust_id, head, |it| from.is_none_or(|from| day(it) >= from));
            let from = from.await?;
            let to =
                first(tx, query.trust_id, head, |it| to.is_some_and(|to| day(it) > to)).await?;
            Some((span.own.0.max(from - 1), span.own.1.min(to)))
        }
    };
    Ok(Some(statement(query, span, undated, limit)))
}

/// Where the caller's positions lie in the log.
async fn in_log(tx: &mut Tx, trust_id: Option<Uuid>, head: i64, own: (i64, i64)) -> Result<Span> {
    let mut log = own;
    if trust_id.is_some() {
        log.0 = if own.0 == 0 { 0 } else { at(tx, trust_id, own.0).await?.0 };
        log.1 = if own.1 > head { i64::MAX } else { at(tx, trust_id, own.1).await?.0 };
    }
    Ok(Span { own, log })
}

/// The first position recorded when `since` holds, one beyond the head if none: times never decrease with positions.
async fn first(
    tx: &mut Tx,
    trust_id: Option<Uuid>,
    head: i64,
    since: impl Fn(DateTime<Utc>) -> bool,
) -> Result<i64> {
    let (mut low, mut high) = (1, head + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if since(at(tx, trust_id, middle).await?.1) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(low)
}

async fn at(tx: &mut Tx, trust_id: Option<Uuid>, position: i64) -> Result<(i64, DateTime<Utc>)> {
    Ok(match trust_id {
        None => on!(tx, |c| sqlx::query_as(
            "SELECT position, recorded_at FROM event WHERE position = $1"
        )
        .bind(position)
        .fetch_one(c)
        .await)?,
        Some(trust_id) => on!(tx, |c| {
            sqlx::query_as(
            "SELECT position, recorded_at FROM event WHERE trust_id = $1 AND trust_position = $2"
        )
        .bind(trust_id)
        .bind(position)
        .fetch_one(c)
        .await
        })?,
    })
}

/// One or more arms, each led by an index and in order, and the first of all of them together.
fn statement(query: &Query, span: Span, undated: Option<(i64, i64)>, limit: i64) -> Sql {
    let mut sql = Sql::default();
    let limit = sql.bind(Value::Number(limit));
    let way = if query.newest_first { "DESC" } else { "ASC" };
    let mut arms = Vec::new();
    let mut arm = |from: &str, conditions: &[String], order: &str| {
        let number = arms.len();
        arms.push(format!(
            "SELECT * FROM (SELECT e.* FROM {from} WHERE {} ORDER BY {order} {way} LIMIT {limit}) arm{number}",
            conditions.join(" AND ")
        ));
    };
    let log = between(&mut sql, "e.position", span.log);
    if let Some(stream) = &query.stream {
        let stream = format!("e.stream = {}", sql.bind(Value::Text(stream.clone())));
        let rest = rest(&mut sql, query, undated, true);
        arm("event e", &[vec![stream, log], rest].concat(), "e.version");
    } else if let Some(subject) = &query.subject {
        let named = sql.bind(Value::Text(subject.clone()));
        let rest = rest(&mut sql, query, undated, true);
        let own = vec![format!("e.stream = {named}"), log];
        arm("event e", &[own, rest.clone()].concat(), "e.version");
        let about = vec![
            format!("s.subject = {named}"),
            between(&mut sql, "s.position", span.log),
            "e.position = s.position".to_owned(),
        ];
        arm("event_subject s, event e", &[about, rest].concat(), "s.position");
    } else if let Some(undated) = undated {
        let rest = rest(&mut sql, query, None, true);
        let dated = vec![in_effect(&mut sql, query), log];
        arm("event e", &[dated, rest.clone()].concat(), "e.position");
        let column = counted(query);
        let silent = vec!["e.effective_on IS NULL".to_owned(), between(&mut sql, column, undated)];
        arm("event e", &[silent, rest].concat(), column);
    } else if let Some(types) = &query.types {
        let rest = rest(&mut sql, query, None, false);
        for name in types {
            let of = vec![format!("e.type = {}", sql.bind(Value::Text(name.clone()))), log.clone()];
            arm("event e", &[of, rest.clone()].concat(), "e.position");
        }
    } else {
        let column = counted(query);
        let own = vec![between(&mut sql, column, span.own)];
        let rest = rest(&mut sql, query, None, true);
        arm("event e", &[own, rest].concat(), column);
    }
    sql.text = format!("{} ORDER BY position {way} LIMIT {limit}", arms.join(" UNION ALL "));
    sql
}

/// The column of the caller's own positions.
fn counted(query: &Query) -> &'static str {
    if query.trust_id.is_some() { "e.trust_position" } else { "e.position" }
}

fn between(sql: &mut Sql, column: &str, (low, high): (i64, i64)) -> String {
    let (low, high) = (sql.bind(Value::Number(low)), sql.bind(Value::Number(high)));
    format!("{column} > {low} AND {column} < {high}")
}

/// What holds beside what the index leads to.
fn rest(sql: &mut Sql, query: &Query, undated: Option<(i64, i64)>, types: bool) -> Vec<String> {
    let mut rest = Vec::new();
    if let Some(trust_id) = query.trust_id {
        rest.push(format!("e.trust_id = {}", sql.bind(Value::Id(trust_id))));
    }
    if let Some(names) = query.types.as_ref().filter(|_| types) {
        let names: Vec<_> = names.iter().map(|it| sql.bind(Value::Text(it.clone()))).collect();
        rest.push(format!("e.type IN ({})", names.join(", ")));
    }
    if let Some(undated) = undated {
        let dated = in_effect(sql, query);
        let silent = between(sql, counted(query), undated);
        rest.push(format!("({dated} OR e.effective_on IS NULL AND {silent})"));
    }
    rest
}

fn in_effect(sql: &mut Sql, query: &Query) -> String {
    let mut held = "e.effective_on IS NOT NULL".to_owned();
    for (sign, day) in [(">=", query.effective.0), ("<=", query.effective.1)] {
        if let Some(day) = day {
            let day = sql.bind(Value::Date(day));
            // Writing to a String cannot fail.
            _ = write!(held, " AND e.effective_on {sign} {day}");
        }
    }
    format!("({held})")
}
