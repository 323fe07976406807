//! What has to be done as time passes: waits that end, and what is not kept any longer. Small steps, each a transaction
//! of its own, so that no push waits for long.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rpc::{Ctx, Result};

use super::App;
use crate::{
    domain::{BatchId, TOMBSTONES_KEPT},
    store,
};

/// Rows that go in one step.
const STEP: i64 = 1000;

/// How often it is looked for what is due.
const PAUSE: Duration = Duration::from_mins(1);

impl App {
    /// Does what is due, again and again, until the journal is closed.
    pub async fn keep_house(self) {
        loop {
            if let Err(error) = self.keep_at(rpc::now()).await {
                tracing::warn!(cause = %error, "what is due is left for later");
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = self.journal.closed() => return,
            }
        }
    }

    /// Does everything that is due at a moment.
    pub async fn keep_at(&self, now: DateTime<Utc>) -> Result<()> {
        while self.expire_parked(now).await? > 0 {}
        while self.forget(now).await? > 0 {}
        self.retain(now).await?;
        self.renew_pseudonyms(now).await?;
        self.scrub_erased(now).await?;
        Ok(())
    }

    /// Forgets some of what is kept for a time; says how much went.
    async fn forget(&self, now: DateTime<Utc>) -> Result<u64> {
        let ctx = Ctx { now, ..Ctx::system(crate::NAME) };
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    let oldest = BatchId::oldest_kept(now);
                    let results = store::batch::forget_results(tx, oldest, STEP).await?;
                    let parked = store::parked::forget(tx, oldest, STEP).await?;
                    let gone = store::change::forget(tx, now - TOMBSTONES_KEPT, STEP).await?;
                    Ok(results + parked + gone as u64)
                })
            })
            .await
    }
}
