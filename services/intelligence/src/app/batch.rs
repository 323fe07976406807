use db::Tx;
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Page, Reason, Result};

use super::App;
use crate::{
    domain::{Batch, BatchId, Outcome, RecordResult},
    store,
};

impl App {
    pub(crate) async fn batch(
        &self,
        ctx: &Ctx,
        batch_id: BatchId,
        as_of: Option<AsOf>,
    ) -> Result<Batch> {
        let mut tx = self.journal.db().read().await?;
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
        let mut tx = self.journal.db().read().await?;
        readable(&mut tx, ctx, batch_id).await?;
        if batch_id < BatchId::oldest_kept(ctx.now) {
            let detail = "results are kept for 30 days after a push";
            return Err(Error::new(Reason::NotFound, detail));
        }
        let wanted = usize::try_from(page.limit()).map_err(Error::internal)?;
        let mut results = Vec::new();
        let mut next = page.after.unwrap_or(0) + 1;
        while results.len() < wanted {
            let line = i32::try_from(next).map_err(Error::internal)?;
            let Some(stretch) = store::batch::results_from(&mut tx, batch_id, line).await? else {
                break;
            };
            let Some(last) = stretch.last().map(|it| it.line).filter(|it| *it >= next) else {
                break;
            };
            let chosen = stretch.into_iter().filter(|it| {
                it.line >= next && outcome.is_none_or(|outcome| it.outcome == outcome)
            });
            results.extend(chosen);
            next = last + 1;
        }
        results.truncate(wanted);
        Ok(results)
    }
}

async fn readable(tx: &mut Tx, ctx: &Ctx, batch_id: BatchId) -> Result<Batch> {
    let missing = || Error::not_found("batch", batch_id);
    let batch = store::batch::get(tx, batch_id).await?.ok_or_else(missing)?;
    ctx.within(batch.trust_id.0).map_err(|_| missing())?;
    let feed = store::feed::get(tx, batch.feed_id).await?.ok_or_else(missing)?;
    feed.may_read(&ctx.caller)?;
    Ok(batch)
}
