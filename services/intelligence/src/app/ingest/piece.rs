//! Parts of received batches among the pushes: whether they are still to be entered, and what is told of their batches.

use db::Tx;
use journal::{Draft, Held, Leases};
use rpc::{Ctx, Error, Reason, Result};

use super::{Push, Sheet, enter::Entered};
use crate::{
    domain::{
        Arrival, Batch, BatchId, BatchState, Feed, Hash, Read, RecordResult, Snapshot, Totals, Work,
    },
    store,
};

/// The name of applying received batches among the work that is leased.
pub(in crate::app) const NAME: &str = "ingest";

/// The next part of a received batch, and the lease under which it is applied.
#[derive(Clone, Debug)]
pub(crate) struct Piece {
    pub work: Work,
    pub held: Held,
}

impl Push {
    /// A part of a received batch.
    pub(in crate::app) fn piece(
        feed: Feed,
        piece: Piece,
        snapshot: Option<Snapshot>,
        read: Read,
    ) -> Self {
        let dry_run = piece.work.dry_run;
        Self {
            feed,
            dry_run,
            arrival: Arrival::default(),
            snapshot,
            records: read.records,
            generation: 0,
            skipped_rows: read.skipped_rows,
            piece: Some(piece),
        }
    }
}

/// The answers of those that are not to be entered: their part is applied, or their lease gone.
pub(super) async fn answered(
    tx: &mut Tx,
    asked: &[(&Ctx, &Push<Hash>)],
) -> Result<Vec<Option<Result<Batch>>>> {
    let mut answers = Vec::with_capacity(asked.len());
    for (_, push) in asked {
        let Some(Piece { work, held }) = &push.piece else {
            answers.push(None);
            continue;
        };
        if !Leases::holds(tx, NAME, held).await? {
            let detail = "the lease of a partition has gone to another process";
            answers.push(Some(Err(Error::new(Reason::Unavailable, detail))));
            continue;
        }
        let now = store::work::get(tx, work.batch_id).await?;
        let due = now.is_some_and(|it| it.done == work.done);
        answers.push(if due { None } else { Some(Ok(there(tx, work.batch_id).await?)) });
    }
    Ok(answers)
}

/// A push's batch once its records have come to these results, and the events that say so.
pub(super) async fn told(
    tx: &mut Tx,
    ctx: &Ctx,
    push: &Push<Hash>,
    (sheet, results): (&Sheet, &[RecordResult]),
) -> Result<(Batch, Vec<Draft>)> {
    use store::event::batch::{advanced, applied, received, validating};
    let strange = || Error::internal("a batch was applied twice");
    let Some(Piece { work, .. }) = &push.piece else {
        let before = fresh(ctx, push);
        let batch = before.done(Totals::of(results), ctx.now).ok_or_else(strange)?;
        let events =
            [received(&before, &push.arrival, ctx.new_id()), applied(&batch, ctx.new_id())];
        return Ok((batch, events.into()));
    };
    let totals = work.totals.and(&Totals::of(results));
    let mut batch = there(tx, work.batch_id).await?;
    batch.skipped_rows += push.skipped_rows;
    let mut drafts = Vec::new();
    if work.done == 0 && !work.is_last() {
        batch = batch.taken_up().ok_or_else(strange)?;
        drafts.push(validating(&batch, work.parts, ctx.new_id()));
    }
    if work.is_last() {
        batch.unconfirmed = sheet.unconfirmed;
        batch = batch.done(totals, ctx.now).ok_or_else(strange)?;
        drafts.push(applied(&batch, ctx.new_id()));
    } else {
        batch = batch.advanced(totals).ok_or_else(strange)?;
        drafts.push(advanced(&batch, work.done + 1, ctx.new_id()));
    }
    Ok((batch, drafts))
}

/// Notes of every part that it is applied.
pub(super) async fn advance(
    tx: &mut Tx,
    asked: &[(&Ctx, &Push<Hash>)],
    entered: &[Entered],
) -> Result<()> {
    for ((_, push), entered) in asked.iter().zip(entered) {
        if let Some(Piece { work, .. }) = &push.piece {
            store::work::advance(tx, work, &work.totals.and(&Totals::of(&entered.results))).await?;
        }
    }
    Ok(())
}

async fn there(tx: &mut Tx, batch_id: BatchId) -> Result<Batch> {
    let found = store::batch::get(tx, batch_id).await?;
    found.ok_or_else(|| Error::internal("work waits of a batch that is not there"))
}

/// A push that came whole, before its records are entered.
fn fresh(ctx: &Ctx, push: &Push<Hash>) -> Batch {
    Batch {
        batch_id: BatchId(ctx.new_id()),
        feed_id: push.feed.feed_id,
        trust_id: push.feed.trust_id,
        state: BatchState::Received,
        dry_run: push.dry_run,
        snapshot: push.snapshot.clone(),
        totals: Totals::default(),
        skipped_rows: push.arrival.skipped_rows + push.skipped_rows,
        unconfirmed: None,
        received_at: ctx.now,
        applied_at: None,
        version: 1,
    }
}
