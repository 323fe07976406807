//! What recorded events are about, kept so that everything about one thing is read without reading everything.
//!
//! An event is about what its marked fields name, and about all that earlier events of its stream are about: a move of
//! a project says only which project, but it is about the project's school as well.

use std::collections::{BTreeSet, HashMap};

use db::{Tx, on};
use rpc::{Error, Result};
use serde_json::json;
use sqlx::types::Json;

use crate::{Recorded, kind::event_type};

/// Streams whose subjects are remembered at the most; beyond, all are forgotten and looked up again as they come.
const STREAMS: usize = 100_000;

/// What each stream is about so far.
pub(crate) type Known = HashMap<String, BTreeSet<String>>;

/// Subjects, each with the position of an event that is about it.
pub(crate) type About = Vec<(String, i64)>;

/// What placed events are about: a subject and a position for each.
pub(crate) async fn about(tx: &mut Tx, known: &mut Known, events: &[&Recorded]) -> Result<About> {
    if known.len() > STREAMS {
        known.clear();
    }
    for event in events {
        if !known.contains_key(&event.stream) {
            known.insert(event.stream.clone(), so_far(tx, event).await?);
        }
    }
    about_known(known, events.iter().copied())
}

/// The same where every stream is known, or begins here.
pub(crate) fn about_known<'e>(
    known: &mut Known,
    events: impl Iterator<Item = &'e Recorded>,
) -> Result<About> {
    let mut about = About::new();
    for event in events {
        if !known.contains_key(&event.stream) {
            known.insert(event.stream.clone(), BTreeSet::new());
        }
        let Some(subjects) = known.get_mut(&event.stream) else { continue };
        subjects.extend(event_type(&event.kind)?.subjects(&event.data)?);
        // A thing's own stream says already that it is about it.
        subjects.remove(&event.stream);
        about.extend(subjects.iter().map(|it| (it.clone(), event.position)));
    }
    Ok(about)
}

/// What a stream is about up to the event before this one.
async fn so_far(tx: &mut Tx, event: &Recorded) -> Result<BTreeSet<String>> {
    if event.version == 1 {
        return Ok(BTreeSet::new());
    }
    let before = i32::try_from(event.version - 1).map_err(Error::internal)?;
    let subjects: Vec<String> = on!(tx, |c| sqlx::query_scalar(
        "SELECT event_subject.subject FROM event
         JOIN event_subject ON event_subject.position = event.position
         WHERE event.stream = $1 AND event.version = $2"
    )
    .persistent(false)
    .bind(&event.stream)
    .bind(before)
    .fetch_all(c)
    .await)?;
    Ok(subjects.into_iter().collect())
}

/// Keeps what events are about. On `PostgreSQL` the live log does so by its function.
pub(crate) async fn keep(tx: &mut Tx, about: &[(String, i64)]) -> Result<()> {
    if about.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO event_subject (subject, position)
                 SELECT * FROM unnest($1::text[], $2::bigint[])",
            )
            .bind(about.iter().map(|it| it.0.as_str()).collect::<Vec<_>>())
            .bind(about.iter().map(|it| it.1).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            sqlx::query(
                "INSERT INTO event_subject (subject, position)
                 SELECT value ->> 0, value ->> 1 FROM json_each($1)",
            )
            .bind(Json(json!(about)))
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}
