//! Appending: events get their places at the end of the log, under a lock that is held until they are durable and
//! visible, and are inserted by one statement however many they are.

use db::{Db, Tx};
use rpc::{Error, Reason, Result};
use sqlx::{
    PgConnection, Postgres, QueryBuilder, Sqlite, Transaction, error::ErrorKind,
    postgres::PgArguments, query::QueryScalar,
};

use crate::{
    Recorded,
    heads::{Heads, Refusal},
    subject, text,
};

/// What became of events that were to be inserted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Inserted {
    Yes,
    /// Another process has appended since the heads were read: nothing was inserted.
    Moved,
    /// One of them, or its place in its stream, is there already: the transaction is to be rolled back to before.
    Taken,
}

/// Places admitted events and inserts them, with their texts and what they are about.
pub(crate) async fn append(
    tx: &mut Tx,
    heads: &mut Heads,
    events: &mut [&mut Recorded],
) -> Result<Inserted> {
    if events.is_empty() {
        return Ok(Inserted::Yes);
    }
    let before = heads.place(tx, events).await?;
    let placed: Vec<&Recorded> = events.iter().map(|it| &**it).collect();
    let about = subject::about(tx, &mut heads.subjects, &placed).await?;
    match tx {
        Tx::Postgres(tx) => told(call(before, events, &about)?.fetch_one(&mut **tx).await),
        Tx::Sqlite(rows) => {
            let inserted = told(sqlite(rows, before, events).await)?;
            if inserted == Inserted::Yes {
                sqlite_texts(rows, events).await?;
                subject::keep(tx, &about).await?;
            }
            Ok(inserted)
        }
    }
}

/// Appends events by one statement that is a transaction of its own; nothing when it takes more than that, because
/// something is not remembered or the database is not `PostgreSQL`.
///
/// `line` is the connection this is sent by, kept while it is well: taking one from the pool costs as much again.
pub(crate) async fn at_once(
    db: &Db,
    line: &mut Option<PgConnection>,
    heads: &mut Heads,
    events: &mut [&mut Recorded],
) -> Result<Option<Inserted>> {
    if line.is_none() {
        *line = db.line().await?;
    }
    let Some(own) = line else { return Ok(None) };
    let Some((before, about)) = heads.remembered(events)? else { return Ok(None) };
    match call(before, events, &about)?.fetch_one(own).await {
        Err(error) if !unique(&error) => {
            *line = None;
            Err(error.into())
        }
        answer => told(answer).map(Some),
    }
}

fn told(inserted: Result<bool, sqlx::Error>) -> Result<Inserted> {
    match inserted {
        Ok(true) => Ok(Inserted::Yes),
        Ok(false) => Ok(Inserted::Moved),
        Err(error) if unique(&error) => Ok(Inserted::Taken),
        Err(error) => Err(error.into()),
    }
}

fn unique(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|it| it.kind() == ErrorKind::UniqueViolation)
}

fn version(event: &Recorded) -> Result<i32, sqlx::Error> {
    i32::try_from(event.version).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// The call of the database's own function: one array for each column.
fn call<'e>(
    before: i64,
    events: &'e [&mut Recorded],
    about: &'e [(String, i64)],
) -> Result<QueryScalar<'e, Postgres, bool, PgArguments>> {
    fn column<'e, T>(events: &'e [&mut Recorded], value: impl Fn(&'e Recorded) -> T) -> Vec<T> {
        events.iter().map(|it| value(it)).collect()
    }
    let versions: Vec<i32> = events.iter().map(|it| version(it)).collect::<Result<_, _>>()?;
    let texts = text::of(events);
    Ok(sqlx::query_scalar(
        "SELECT append_events($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18,
             $19, $20, $21, $22)",
    )
    .bind(before)
    .bind(column(events, |it| it.position))
    .bind(column(events, |it| it.trust_id))
    .bind(column(events, |it| it.trust_position))
    .bind(column(events, |it| it.event_id))
    .bind(column(events, |it| it.stream.as_str()))
    .bind(versions)
    .bind(column(events, |it| it.kind.as_str()))
    .bind(column(events, |it| it.data.as_slice()))
    .bind(column(events, |it| it.effective_on))
    .bind(column(events, |it| it.recorded_at))
    .bind(column(events, |it| it.corrects))
    .bind(column(events, |it| it.actor.as_str()))
    .bind(column(events, |it| it.correlation_id))
    .bind(column(events, |it| it.causation_id))
    .bind(column(events, |it| it.content_hash().to_vec()))
    .bind(texts.iter().map(|it| it.1.id).collect::<Vec<_>>())
    .bind(texts.iter().map(|it| it.0).collect::<Vec<_>>())
    .bind(texts.iter().map(|it| it.1.salt.as_slice()).collect::<Vec<_>>())
    .bind(texts.iter().map(|it| it.1.body.as_str()).collect::<Vec<_>>())
    .bind(about.iter().map(|it| it.0.as_str()).collect::<Vec<_>>())
    .bind(about.iter().map(|it| it.1).collect::<Vec<_>>()))
}

/// The most rows in one statement: fifteen values each, of 32,766 that `SQLite` binds.
const ROWS: usize = 512;

/// Rows in statements of 512, 256, … 1, so that ten prepared statements serve groups of every size.
async fn sqlite(
    tx: &mut Transaction<'static, Sqlite>,
    before: i64,
    events: &[&mut Recorded],
) -> Result<bool, sqlx::Error> {
    let mut rest = events;
    while !rest.is_empty() {
        let size = ROWS.min(1 << rest.len().ilog2());
        let (rows, others) = rest.split_at(size);
        let after = before + i64::try_from(events.len() - rest.len()).unwrap_or(i64::MAX);
        if !sqlite_rows(tx, after, rows).await? {
            return Ok(false);
        }
        rest = others;
    }
    Ok(true)
}

async fn sqlite_rows(
    tx: &mut Transaction<'static, Sqlite>,
    after: i64,
    events: &[&mut Recorded],
) -> Result<bool, sqlx::Error> {
    let mut insert = QueryBuilder::<Sqlite>::new(
        "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
             effective_on, recorded_at, corrects, actor, correlation_id, causation_id, content_hash)
         SELECT * FROM (",
    );
    let mut wrong = None;
    insert.push_values(events, |mut row, event| {
        let version = version(event).unwrap_or_else(|error| {
            wrong = Some(error);
            0
        });
        row.push_bind(event.position)
            .push_bind(event.trust_id)
            .push_bind(event.trust_position)
            .push_bind(event.event_id)
            .push_bind(event.stream.as_str())
            .push_bind(version)
            .push_bind(event.kind.as_str())
            .push_bind(event.data.as_slice())
            .push_bind(event.effective_on)
            .push_bind(event.recorded_at)
            .push_bind(event.corrects)
            .push_bind(event.actor.as_str())
            .push_bind(event.correlation_id)
            .push_bind(event.causation_id)
            .push_bind(event.content_hash().to_vec());
    });
    if let Some(error) = wrong {
        return Err(error);
    }
    insert.push(") WHERE (SELECT coalesce(max(position), 0) FROM event) = ").push_bind(after);
    let done = insert.build().execute(&mut **tx).await?;
    Ok(done.rows_affected() > 0)
}

async fn sqlite_texts(
    tx: &mut Transaction<'static, Sqlite>,
    events: &[&mut Recorded],
) -> Result<(), sqlx::Error> {
    for (trust_id, text) in text::of(events) {
        sqlx::query("INSERT INTO text (text_id, trust_id, salt, body) VALUES ($1, $2, $3, $4)")
            .bind(text.id)
            .bind(trust_id)
            .bind(text.salt.as_slice())
            .bind(&text.body)
            .execute(&mut **tx)
            .await?;
    }
    Ok(())
}

/// Appends the events of one operation by themselves.
pub(crate) async fn alone(
    tx: &mut Tx,
    heads: &mut Heads,
    mut events: Vec<Recorded>,
) -> Result<Vec<Recorded>> {
    loop {
        match heads.admit(tx, &events, false).await {
            Err(Refusal::Stale(_)) if !heads.current(tx).await? => continue,
            admitted => admitted?,
        }
        let mut placed: Vec<&mut Recorded> = events.iter_mut().collect();
        match append(tx, heads, &mut placed).await? {
            Inserted::Yes => return Ok(events),
            Inserted::Moved => heads.forget(),
            Inserted::Taken => {
                heads.forget();
                let detail = "somebody changed it after you read it: read it again";
                return Err(Error::new(Reason::VersionStale, detail));
            }
        }
    }
}
