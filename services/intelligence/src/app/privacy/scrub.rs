//! After an erasure the bytes of what was erased are still in the database's files, where nothing reads them. They go soon
//! after, and the erasure says when and how.

use chrono::{DateTime, Utc};
use rpc::{Ctx, Result};

use crate::{app::App, store};

/// The tables in which something of a person may have stood.
pub(super) const TABLES: [&str; 14] = [
    "roll",
    "register",
    "tally",
    "pupil",
    "pupil_alias",
    "fact",
    "parked_record",
    "batch_result",
    "batch_part",
    "tombstone",
    "snapshot_seen",
    "held_person",
    "answer",
    "text",
];

impl App {
    /// Rids the files of what was erased since; says of how many erasures.
    pub(crate) async fn scrub_erased(&self, now: DateTime<Utc>) -> Result<usize> {
        let mut tx = self.journal.db().read().await?;
        let due = store::privacy::erasure::unscrubbed(&mut tx).await?;
        tx.rollback().await?;
        if due.is_empty() {
            return Ok(0);
        }
        let how = self.journal.db().scrub(&TABLES).await?;
        let ctx = Ctx { now, ..Ctx::system(crate::NAME) };
        let (journal, context, count) = (self.journal.clone(), ctx.clone(), due.len());
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    let mut drafts = Vec::new();
                    for it in due {
                        // Another process may have been at it.
                        let there = store::privacy::erasure::get(tx, it.erasure_id).await?;
                        if let Some(it) = there.filter(|it| it.scrubbed_at.is_none()) {
                            let event_id = context.new_id();
                            let event = store::privacy::event::erasure_scrubbed;
                            drafts.push(event(&it, &how, event_id));
                        }
                    }
                    journal.record(tx, &context, drafts).await.map(drop)
                })
            })
            .await?;
        Ok(count)
    }
}
