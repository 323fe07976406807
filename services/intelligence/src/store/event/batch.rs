//! The events of a batch's life.

use std::collections::{BTreeMap, BTreeSet};

use chrono::NaiveDate;
use contract::intelligence as pb;
use db::Tx;
use identity::{SchoolId, TrustId};
use journal::{Draft, Recorded};
use rpc::{Error, Result, Twin};
use uuid::Uuid;

use super::id;
use crate::{
    domain::{Arrival, Batch, BatchId, BatchState, FeedId, Snapshot, Totals, Unconfirmed},
    store,
};

/// A push has arrived: the first event of its batch.
pub(crate) fn received(batch: &Batch, arrival: &Arrival, event_id: Uuid) -> Draft {
    let message = pb::BatchReceived {
        batch_id: batch.batch_id.to_string(),
        feed_id: batch.feed_id.to_string(),
        client_id: arrival.client_id.clone(),
        format: arrival.format.to_owned(),
        media_type: arrival.media_type.clone(),
        bytes: arrival.bytes,
        sha256: arrival.sha256.to_vec(),
        records: arrival.records,
        dry_run: batch.dry_run,
        snapshot: batch.snapshot.as_ref().map(scope),
        skipped_rows: arrival.skipped_rows,
    };
    draft(batch, 1, &message, event_id)
}

/// A worker has taken it up, to apply it in so many parts.
pub(crate) fn validating(batch: &Batch, parts: u32, event_id: Uuid) -> Draft {
    let message = pb::BatchValidating { batch_id: batch.batch_id.to_string(), parts };
    draft(batch, batch.version, &message, event_id)
}

/// So many of its parts are applied, and not all.
pub(crate) fn advanced(batch: &Batch, parts: u32, event_id: Uuid) -> Draft {
    let totals = &batch.totals;
    let message = pb::BatchAdvanced {
        batch_id: batch.batch_id.to_string(),
        parts,
        records: totals.records,
        accepted: totals.accepted,
        unchanged: totals.unchanged,
        corrected: totals.corrected,
        parked: totals.parked,
        rejected: totals.rejected,
        skipped_rows: batch.skipped_rows,
    };
    draft(batch, batch.version, &message, event_id)
}

/// Its records came to this.
pub(crate) fn applied(batch: &Batch, event_id: Uuid) -> Draft {
    let totals = &batch.totals;
    let message = pb::BatchApplied {
        batch_id: batch.batch_id.to_string(),
        feed_id: batch.feed_id.to_string(),
        state: batch.state.to_wire(),
        records: totals.records,
        accepted: totals.accepted,
        unchanged: totals.unchanged,
        corrected: totals.corrected,
        parked: totals.parked,
        rejected: totals.rejected,
        skipped_rows: Some(batch.skipped_rows),
        removed: Some(totals.removed),
        unconfirmed: batch.unconfirmed.map(|it| it.removed),
        in_scope: batch.unconfirmed.map(|it| it.in_scope),
    };
    draft(batch, batch.version, &message, event_id)
}

/// Some of its records waited until their deadline.
pub(crate) fn parked_expired(batch: &Batch, records: u32, dropped: u32, event_id: Uuid) -> Draft {
    let batch_id = batch.batch_id.to_string();
    let message = pb::BatchParkedExpired { batch_id, records, dropped };
    draft(batch, batch.version, &message, event_id)
}

fn draft<M>(batch: &Batch, version: u32, message: &M, event_id: Uuid) -> Draft
where
    M: prost::Message + prost::Name,
{
    Draft::new(event_id, batch.trust_id.0, format!("batch/{}", batch.batch_id), version, message)
}

fn scope(it: &Snapshot) -> pb::SnapshotScope {
    pb::SnapshotScope {
        kind: it.kind.to_wire(),
        school_ids: it.school_ids.iter().map(ToString::to_string).collect(),
        starts_on: it.starts_on.map(|it| it.to_string()),
        ends_on: it.ends_on.map(|it| it.to_string()),
        confirmed: it.confirmed,
    }
}

fn snapshot(it: pb::SnapshotScope) -> Result<Snapshot> {
    let day = |it: Option<String>| it.map(|it| it.parse::<NaiveDate>()).transpose();
    Ok(Snapshot {
        kind: Twin::told(it.kind)?,
        school_ids: it.school_ids.iter().map(|it| id(it).map(SchoolId)).collect::<Result<_>>()?,
        starts_on: day(it.starts_on).map_err(Error::internal)?,
        ends_on: day(it.ends_on).map_err(Error::internal)?,
        confirmed: it.confirmed,
    })
}

/// What an event says of a batch.
enum Said {
    Received(pb::BatchReceived),
    Validating,
    Advanced(Totals, u32),
    Applied(pb::BatchApplied),
    Expired(pb::BatchParkedExpired),
}

/// Batches as a run of events leaves them: each is read and written once, however many of the events are its.
#[derive(Default)]
pub(super) struct Batches {
    said: Vec<(BatchId, Said, usize)>,
}

impl Batches {
    /// Takes an event in, if it is of a batch.
    pub(super) fn take(&mut self, index: usize, event: &Recorded) -> Result<bool> {
        let (batch_id, said) = if let Some(it) = event.decode::<pb::BatchReceived>()? {
            (id(&it.batch_id)?, Said::Received(it))
        } else if let Some(it) = event.decode::<pb::BatchValidating>()? {
            (id(&it.batch_id)?, Said::Validating)
        } else if let Some(it) = event.decode::<pb::BatchAdvanced>()? {
            (id(&it.batch_id)?, Said::Advanced(so_far(&it), it.skipped_rows))
        } else if let Some(it) = event.decode::<pb::BatchApplied>()? {
            (id(&it.batch_id)?, Said::Applied(it))
        } else if let Some(it) = event.decode::<pb::BatchParkedExpired>()? {
            (id(&it.batch_id)?, Said::Expired(it))
        } else {
            return Ok(false);
        };
        self.said.push((BatchId(batch_id), said, index));
        Ok(true)
    }

    pub(super) async fn write(self, tx: &mut Tx, events: &[Recorded]) -> Result<()> {
        let is_first = |it: &&(BatchId, Said, usize)| matches!(it.1, Said::Received(_));
        let begun: BTreeSet<_> = self.said.iter().filter(is_first).map(|it| it.0).collect();
        let all: BTreeSet<_> = self.said.iter().map(|it| it.0).collect();
        let others: Vec<_> = all.difference(&begun).copied().collect();
        let mut batches: BTreeMap<BatchId, Batch> = if others.is_empty() {
            BTreeMap::new()
        } else {
            store::batch::any(tx, &others).await?
        };
        for (batch_id, said, index) in self.said {
            let Some(event) = events.get(index) else { continue };
            let before = batches.remove(&batch_id);
            batches.insert(batch_id, after(before, said, event)?);
        }
        let batches: Vec<Batch> = batches.into_values().collect();
        if batches.is_empty() { Ok(()) } else { store::batch::put(tx, &batches).await }
    }
}

/// A batch after an event of its own.
fn after(before: Option<Batch>, said: Said, event: &Recorded) -> Result<Batch> {
    let strange = || Error::internal("an event of a batch follows none that could come before");
    let batch = match said {
        Said::Received(it) => return begun(event, it),
        Said::Validating => before.and_then(|it| it.taken_up()),
        Said::Advanced(totals, skipped_rows) => {
            before.and_then(|it| Batch { skipped_rows, ..it }.advanced(totals))
        }
        Said::Applied(it) => {
            // The first versions of the service told of a batch only once it was applied.
            let before = before.map_or_else(|| alone(event, &it), Ok)?;
            let unconfirmed = it.unconfirmed.zip(it.in_scope);
            let unconfirmed =
                unconfirmed.map(|(removed, in_scope)| Unconfirmed { removed, in_scope });
            let skipped_rows = it.skipped_rows.unwrap_or(0);
            let dry_run = it.state() == pb::BatchState::Validated;
            let before = Batch { dry_run, skipped_rows, unconfirmed, ..before };
            before.done(totals(&it), event.recorded_at)
        }
        Said::Expired(it) => before.and_then(|before| before.expired(it.records)),
    };
    let batch = batch.ok_or_else(strange)?;
    Ok(Batch { version: event.version, ..batch })
}

fn begun(event: &Recorded, it: pb::BatchReceived) -> Result<Batch> {
    Ok(Batch {
        batch_id: BatchId(id(&it.batch_id)?),
        feed_id: FeedId(id(&it.feed_id)?),
        trust_id: TrustId(event.trust_id),
        state: BatchState::Received,
        dry_run: it.dry_run,
        snapshot: it.snapshot.map(snapshot).transpose()?,
        totals: Totals::default(),
        skipped_rows: it.skipped_rows,
        unconfirmed: None,
        received_at: event.recorded_at,
        applied_at: None,
        version: event.version,
    })
}

fn alone(event: &Recorded, it: &pb::BatchApplied) -> Result<Batch> {
    let (batch_id, feed_id) = (it.batch_id.clone(), it.feed_id.clone());
    begun(event, pb::BatchReceived { batch_id, feed_id, ..Default::default() })
}

fn totals(it: &pb::BatchApplied) -> Totals {
    Totals {
        records: it.records,
        accepted: it.accepted,
        unchanged: it.unchanged,
        corrected: it.corrected,
        parked: it.parked,
        rejected: it.rejected,
        removed: it.removed.unwrap_or(0),
    }
}

fn so_far(it: &pb::BatchAdvanced) -> Totals {
    Totals {
        records: it.records,
        accepted: it.accepted,
        unchanged: it.unchanged,
        corrected: it.corrected,
        parked: it.parked,
        rejected: it.rejected,
        removed: 0,
    }
}
