//! A journal as lines of JSON that somebody else can check: events in order, and each checkpoint after the last event
//! it covers.

use std::io;

use rpc::{Error, Reach, Result};
use serde_json::{Value, json};

use super::{api, store};
use crate::{Filter, Journal, read::events, service::show};

const CHUNK: i64 = 256;

/// Writes a journal line by line, from one snapshot, holding no more than a few hundred events; gives how many there
/// were. The first line names origin and keys, the last says what came between.
pub async fn export(
    journal: &Journal,
    mut line: impl FnMut(&Value) -> io::Result<()>,
) -> Result<u64> {
    let mut line = |value: &Value| line(value).map_err(Error::internal);
    line(&json!({"journal": api::keys(journal)?, "service": journal.service()}))?;
    let mut tx = journal.db().read().await?;
    let mut next = store::after(&mut tx, 0).await?;
    let (mut after, mut checkpoints) = (0, 0_u64);
    loop {
        let chunk = events(&mut tx, after, &Filter::default(), CHUNK).await?;
        if chunk.is_empty() {
            break;
        }
        for event in chunk {
            after = event.position;
            line(&json!({
                "event": show(&event, Reach::Platform, false)?,
                "logPosition": event.position.to_string(),
                "trustPosition": event.trust_position.to_string(),
            }))?;
            if let Some(reached) = next.take_if(|it| i64::try_from(it.size) == Ok(after)) {
                checkpoints += 1;
                next = store::after(&mut tx, reached.size).await?;
                line(&json!({"checkpoint": api::message(reached)}))?;
            }
        }
    }
    // A checkpoint over events that are not there belongs in the export all the same: it is the evidence.
    while let Some(beyond) = next.take() {
        checkpoints += 1;
        next = store::after(&mut tx, beyond.size).await?;
        line(&json!({"checkpoint": api::message(beyond)}))?;
    }
    let events = u64::try_from(after).map_err(Error::internal)?;
    line(&json!({"end": {"events": events.to_string(), "checkpoints": checkpoints.to_string()}}))?;
    Ok(events)
}
