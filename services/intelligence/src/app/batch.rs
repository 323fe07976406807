use db::Tx;
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Page, Reason, Result};

use super::App;
use crate::{
    domain::{Batch, BatchId, Kind, Outcome, RESULTS_KEPT, RecordResult},
    store,
};

impl App {
    pub(crate) async fn batch(
        &self,
        ctx: &Ctx,
        batch_id: BatchId,
        as_of: Option<AsOf>,
    ) -> Result<Batch> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let now = readable(&mut tx, ctx, batch_id).await?;
        let Some(at) = as_of else { return Ok(now) };
        drop(tx);
        let of = Of::Stream(format!("batch/{batch_id}"));
        let mut then = self.journal.as_of(now.trust_id.0, at, of).await?;
        let found = store::batch::get(&mut then, batch_id).await?;
        found.ok_or_else(|| at.absent("batch", batch_id))
    }

    /// What became of each record of a batch, in the order pushed.
    pub(crate) async fn results(
        &self,
        ctx: &Ctx,
        batch_id: BatchId,
        outcome: Option<Outcome>,
        page: &Page<u32>,
    ) -> Result<Vec<RecordResult>> {
        let wanted = usize::try_from(page.limit()).map_err(Error::internal)?;
        let mut results = Vec::new();
        let mut next = page.after.unwrap_or(0) + 1;
        while results.len() < wanted {
            let Some(stretch) = self.stretch(ctx, batch_id, next).await? else { break };
            next = stretch.last().map_or(next, |it| it.ordinal) + 1;
            let chosen = |it: &RecordResult| outcome.is_none_or(|outcome| it.outcome == outcome);
            results.extend(stretch.into_iter().filter(chosen));
        }
        results.truncate(wanted);
        Ok(results)
    }

    /// Some results from the one of a number on; none at the end.
    pub(crate) async fn stretch(
        &self,
        ctx: &Ctx,
        batch_id: BatchId,
        from: u32,
    ) -> Result<Option<Vec<RecordResult>>> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let batch = readable(&mut tx, ctx, batch_id).await?;
        if batch_id < BatchId::oldest_kept(ctx.now) {
            let detail =
                format!("results are kept for {} days after a push", RESULTS_KEPT.num_days());
            return Err(Error::new(Reason::NotFound, detail));
        }
        let stretch = store::batch::results_from(&mut tx, batch_id, from).await?;
        let rest = |it: Vec<RecordResult>| it.into_iter().filter(|it| it.ordinal >= from).collect();
        let rest: Option<Vec<RecordResult>> = stretch.map(rest);
        let feed = store::feed::get(&mut tx, batch.feed_id).await?;
        tx.rollback().await?;
        let kinds = feed.map(|it| it.kinds).unwrap_or_default();
        let kinds: Vec<Kind> = kinds.into_iter().filter(|it| it.is_personal()).collect();
        if !kinds.is_empty() {
            let read =
                (batch.trust_id, "headway.intelligence.v1.IntelligenceService.ListBatchResults");
            let rows = rest.as_ref().map_or(0, Vec::len);
            self.note_read(ctx, read, &kinds, rows, None).await?;
        }
        Ok(rest.filter(|it| !it.is_empty()))
    }
}

async fn readable(tx: &mut Tx, ctx: &Ctx, batch_id: BatchId) -> Result<Batch> {
    let missing = || Error::not_found("batch", batch_id);
    let batch = store::batch::get(tx, batch_id).await?.ok_or_else(missing)?;
    ctx.within(batch.trust_id.0).map_err(|_| missing())?;
    let feed = store::feed::get(tx, batch.feed_id).await?.ok_or_else(missing)?;
    feed.may_read(ctx)?;
    Ok(batch)
}
