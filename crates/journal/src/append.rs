//! Appending: events get their places at the end of the log, under a lock that is held until they are durable and
//! visible, and are inserted by one statement however many they are.

use db::Tx;
use rpc::{Error, Reason, Result};
use sqlx::{Postgres, QueryBuilder, Sqlite, Transaction, error::ErrorKind};

use crate::{
    Recorded,
    heads::{Heads, Refusal},
    text,
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

/// Places admitted events and inserts them, their texts included.
pub(crate) async fn append(
    tx: &mut Tx,
    heads: &mut Heads,
    events: &mut [&mut Recorded],
) -> Result<Inserted> {
    if events.is_empty() {
        return Ok(Inserted::Yes);
    }
    let before = heads.place(tx, events).await?;
    let inserted = match tx {
        Tx::Sqlite(tx) => sqlite(tx, before, events).await,
        Tx::Postgres(tx) => postgres(tx, before, events).await,
    };
    match inserted {
        Ok(true) => {}
        Ok(false) => return Ok(Inserted::Moved),
        Err(error) if unique(&error) => return Ok(Inserted::Taken),
        Err(error) => return Err(error.into()),
    }
    text::keep(tx, events).await?;
    Ok(Inserted::Yes)
}

fn unique(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|it| it.kind() == ErrorKind::UniqueViolation)
}

fn version(event: &Recorded) -> Result<i32, sqlx::Error> {
    i32::try_from(event.version).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// One array for each column. READ COMMITTED matters: the guard sees what was committed before the lock was had.
async fn postgres(
    tx: &mut Transaction<'static, Postgres>,
    before: i64,
    events: &[&mut Recorded],
) -> Result<bool, sqlx::Error> {
    fn column<'e, T>(events: &'e [&mut Recorded], value: impl Fn(&'e Recorded) -> T) -> Vec<T> {
        events.iter().map(|it| value(it)).collect()
    }
    let versions: Vec<i32> = events.iter().map(|it| version(it)).collect::<Result<_, _>>()?;
    let done = sqlx::query(
        "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
             effective_on, recorded_at, corrects, actor, correlation_id, causation_id, content_hash)
         SELECT * FROM unnest($2::bigint[], $3::uuid[], $4::bigint[], $5::uuid[], $6::text[], $7::int[],
             $8::text[], $9::bytea[], $10::date[], $11::timestamptz[], $12::uuid[], $13::text[], $14::uuid[],
             $15::uuid[], $16::bytea[])
         WHERE (SELECT coalesce(max(position), 0) FROM event) = $1",
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
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() > 0)
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
