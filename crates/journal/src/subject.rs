//! What recorded events are about, kept so that everything about one thing is read without reading everything.
//!
//! An event is about what its marked fields name, and about all that earlier events of its stream are about: a move of
//! a project says only which project, but it is about the project's school as well.

use std::collections::{BTreeSet, HashMap};

use db::Tx;
use rpc::{Error, Result};
use serde_json::json;
use sqlx::types::Json;

use crate::{Recorded, kind::event_type};

/// Keeps what events are about that have just been recorded, in their order: one statement however many.
pub(crate) async fn index(tx: &mut Tx, events: &[Recorded]) -> Result<()> {
    let About { said, inherited } = about(events)?;
    if said.is_empty() && inherited.is_empty() {
        return Ok(());
    }
    match tx {
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO event_subject (subject, position)
                 SELECT * FROM unnest($1::text[], $2::bigint[])
                 UNION
                 SELECT earlier.subject, later.position
                 FROM unnest($3::text[], $4::integer[], $5::bigint[]) later (stream, version, position)
                 JOIN event ON event.stream = later.stream AND event.version = later.version
                 JOIN event_subject earlier ON earlier.position = event.position",
            )
            .bind(said.iter().map(|it| it.0.as_str()).collect::<Vec<_>>())
            .bind(said.iter().map(|it| it.1).collect::<Vec<_>>())
            .bind(inherited.iter().map(|it| it.0).collect::<Vec<_>>())
            .bind(inherited.iter().map(|it| it.1).collect::<Vec<_>>())
            .bind(inherited.iter().map(|it| it.2).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            sqlx::query(
                "INSERT INTO event_subject (subject, position)
                 SELECT value ->> 0, value ->> 1 FROM json_each($1)
                 UNION
                 SELECT earlier.subject, later.value ->> 2
                 FROM json_each($2) later
                 JOIN event ON event.stream = later.value ->> 0 AND event.version = later.value ->> 1
                 JOIN event_subject earlier ON earlier.position = event.position",
            )
            .bind(Json(json!(said)))
            .bind(Json(json!(inherited)))
            .execute(&mut **tx)
            .await?;
        }
    }
    Ok(())
}

#[derive(Default)]
struct About<'a> {
    /// Subjects that events of this slice name, and the positions that are about them.
    said: BTreeSet<(String, i64)>,
    /// Stream and version of the last event before this slice, and a position that is about the same.
    inherited: Vec<(&'a str, i32, i64)>,
}

fn about(events: &[Recorded]) -> Result<About<'_>> {
    let mut about = About::default();
    let mut streams: HashMap<&str, (u32, BTreeSet<String>)> = HashMap::new();
    for event in events {
        let (first, so_far) =
            streams.entry(&event.stream).or_insert((event.version, BTreeSet::new()));
        so_far.extend(event_type(&event.kind)?.subjects(&event.data)?);
        // A thing's own stream says already that it is about it.
        so_far.remove(&event.stream);
        about.said.extend(so_far.iter().map(|it| (it.clone(), event.position)));
        if *first > 1 {
            let before = i32::try_from(*first - 1).map_err(Error::internal)?;
            about.inherited.push((&event.stream, before, event.position));
        }
    }
    Ok(about)
}
