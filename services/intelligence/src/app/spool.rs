//! Bodies too large for one transaction, and batches that must wait their turn: their parts are kept while they come, and
//! become a batch once the body has ended well.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use db::Tenant;
use identity::TrustId;
use journal::{Held, partition};
use relay::Place;
use rpc::{Ctx, Error, Reason, Result};
use tokio::sync::Notify;

use super::App;
use crate::{
    domain::{
        Arrival, Batch, BatchId, BatchState, Feed, Format, PARTITIONS, Part, Sizes, Snapshot,
        Totals, Work,
    },
    store::{self, work::Sealed},
};

/// How long parts of an upload that broke off are kept at the most. Whoever needs longer for a body must send smaller
/// ones.
const UPLOAD: TimeDelta = TimeDelta::hours(6);
/// The longest that an answer may wait for its batch.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Where the parts of received batches wait.
#[derive(Debug, Default)]
pub(super) struct Spool {
    pub(super) sizes: Sizes,
    /// `JetStream`; without it, the database.
    pub(super) queue: Option<relay::Work>,
    /// Wakes this process's workers.
    pub(super) news: Notify,
}

/// A body under way. Dropped before it is received, it leaves nothing.
#[derive(Debug)]
pub(crate) struct Upload {
    app: App,
    feed: Feed,
    batch_id: BatchId,
    parts: u32,
    kept: bool,
}

/// What the caller said of a push beside its records.
#[derive(Clone, Debug)]
pub(crate) struct Header {
    /// An encoded `PushRecordsRequest` without records.
    pub message: Vec<u8>,
    pub dry_run: bool,
    pub snapshot: Option<Snapshot>,
    pub arrival: Arrival,
}

impl App {
    /// Takes batches of these sizes; with a queue, every batch goes through it.
    #[must_use]
    pub fn taking(mut self, sizes: Sizes, queue: Option<relay::Work>) -> Self {
        self.spool = Arc::new(Spool { sizes, queue, news: Notify::new() });
        self
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.spool.sizes
    }

    /// Whether a push of one part may be applied while its caller waits: there is no queue, and nothing of the trust is
    /// in front of it.
    pub(crate) async fn is_at_once(&self, trust_id: TrustId) -> Result<bool> {
        Ok(self.spool.queue.is_none() && !self.busy.is_busy(self.journal.db(), trust_id).await?)
    }

    pub(crate) fn upload(&self, ctx: &Ctx, feed: &Feed) -> Upload {
        let batch_id = BatchId(ctx.new_id());
        Upload { app: self.clone(), feed: feed.clone(), batch_id, parts: 0, kept: false }
    }

    /// Reads a part of a received batch; nothing if it is not there.
    pub(super) async fn part(&self, work: &Work) -> Result<Option<Part>> {
        let Some(sealed) = self.sealed(work).await? else { return Ok(None) };
        let key = self.keys.of_trust(work.trust_id, self.keys.newest())?;
        let bytes = key.open(work.batch_id, work.done, sealed.sealed)?;
        Ok(Some(Part {
            format: sealed.format,
            first_line: u32::try_from(sealed.first_line).map_err(Error::internal)?,
            records: u32::try_from(sealed.records).map_err(Error::internal)?,
            bytes,
        }))
    }

    async fn sealed(&self, work: &Work) -> Result<Option<Sealed>> {
        let Some(queue) = &self.spool.queue else {
            let mut tx = self.journal.db().read_as(Tenant::Trust(work.trust_id.0)).await?;
            return store::work::part(&mut tx, work.batch_id, work.done).await;
        };
        let Some((headers, bytes)) =
            queue.get(&place(work.partition, work.batch_id, work.done)).await?
        else {
            // It may have been received before there was a queue.
            let mut tx = self.journal.db().read_as(Tenant::Trust(work.trust_id.0)).await?;
            return store::work::part(&mut tx, work.batch_id, work.done).await;
        };
        let strange = || Error::internal("a message of the work queue is not of this build");
        let number = |name| headers.get(name).and_then(|it| it.as_str().parse().ok());
        let format = headers.get("headway-format").and_then(|it| Format::parse(it.as_str()));
        Ok(Some(Sealed {
            format: format.ok_or_else(strange)?,
            first_line: number("headway-first-line").ok_or_else(strange)?,
            records: number("headway-records").ok_or_else(strange)?,
            sealed: bytes.to_vec(),
        }))
    }

    /// Forgets what broken uploads left in the database, and in the partitions held of the queue.
    pub(super) async fn sweep(&self, held: &[Held]) -> Result<()> {
        let before = rpc::now() - UPLOAD;
        let mut tx = self.journal.db().begin().await?;
        let gone = store::work::sweep(&mut tx, before).await?;
        tx.commit().await?;
        if gone > 0 {
            tracing::info!(parts = gone, "parts of uploads that broke off are forgotten");
        }
        let Some(queue) = &self.spool.queue else { return Ok(()) };
        for Held { partition, .. } in held {
            for batch_id in queue.batches(*partition).await? {
                let batch_id = BatchId(batch_id);
                let mut tx = self.journal.db().read().await?;
                let waits = store::work::get(&mut tx, batch_id).await?.is_some();
                if !waits && batch_id.is_before(before) {
                    queue.discard(*partition, batch_id.0).await?;
                }
            }
        }
        Ok(())
    }
}

impl Upload {
    /// Keeps the next part; once this answers, it is durable.
    pub(crate) async fn keep(&mut self, part: Part) -> Result<()> {
        let (trust_id, number) = (self.feed.trust_id, self.parts);
        let keys = &self.app.keys;
        let key = keys.of_trust(trust_id, keys.newest())?;
        let sealed = Sealed {
            format: part.format,
            first_line: i32::try_from(part.first_line).map_err(Error::internal)?,
            records: i32::try_from(part.records).map_err(Error::internal)?,
            sealed: key.seal(self.batch_id, number, part.bytes)?,
        };
        self.parts += 1;
        if let Some(queue) = &self.app.spool.queue {
            let headers = [
                ("headway-format", sealed.format.name().to_owned()),
                ("headway-first-line", sealed.first_line.to_string()),
                ("headway-records", sealed.records.to_string()),
            ];
            let place = place(partition_of(trust_id), self.batch_id, number);
            return queue.put(&place, &headers, sealed.sealed).await;
        }
        let mut tx = self.app.journal.db().begin_as(Tenant::Trust(trust_id.0)).await?;
        let key = (trust_id, self.batch_id, number);
        store::work::keep_part(&mut tx, key, &sealed, rpc::now()).await?;
        Ok(tx.commit().await?)
    }

    /// Makes a batch of the parts, to be applied in its turn; a retry is given the batch there is.
    pub(crate) async fn receive(mut self, ctx: &Ctx, told: Header) -> Result<Batch> {
        let received = Received {
            batch_id: self.batch_id,
            feed: self.feed.clone(),
            parts: self.parts,
            spooled: self.app.spool.queue.is_none(),
            told,
        };
        let (app, context) = (self.app.clone(), ctx.clone());
        let receive = self.app.journal.write(ctx, move |tx| {
            Box::pin(async move { app.receive(tx, &context, received).await })
        });
        let batch = receive.await?;
        self.kept = batch.batch_id == self.batch_id;
        self.app.spool.news.notify_one();
        Ok(batch)
    }
}

struct Received {
    batch_id: BatchId,
    feed: Feed,
    parts: u32,
    /// Whether the parts are in the database.
    spooled: bool,
    told: Header,
}

impl App {
    async fn receive(&self, tx: &mut db::Tx, ctx: &Ctx, it: Received) -> Result<Batch> {
        let Received { batch_id, feed, parts, spooled, told } = it;
        if spooled && store::work::parts(tx, batch_id).await? != i64::from(parts) {
            let detail =
                "the body took too long, and its first parts are forgotten; send smaller ones";
            return Err(Error::new(Reason::Unavailable, detail));
        }
        let mut batch = Batch {
            batch_id,
            feed_id: feed.feed_id,
            trust_id: feed.trust_id,
            state: BatchState::Received,
            dry_run: told.dry_run,
            snapshot: told.snapshot,
            totals: Totals::default(),
            skipped_rows: 0,
            unconfirmed: None,
            received_at: ctx.now,
            applied_at: None,
            version: 1,
        };
        let draft = store::event::batch::received(&batch, &told.arrival, ctx.new_id());
        let recorded = self.journal.record(tx, ctx, vec![draft]).await?;
        let event = recorded.first().ok_or_else(|| Error::internal("no event was recorded"))?;
        batch.received_at = event.recorded_at;
        let work = Work {
            batch_id,
            trust_id: feed.trust_id,
            feed_id: feed.feed_id,
            client_id: ctx.caller.client_id.clone(),
            permit: (*ctx.caller.permit).clone(),
            partition: partition_of(feed.trust_id),
            place: event.position,
            dry_run: told.dry_run,
            header: told.message,
            parts,
            done: 0,
            totals: Totals::default(),
            received_at: event.recorded_at,
        };
        store::work::insert(tx, &work).await?;
        Ok(batch)
    }

    /// The batch once it is settled, or as it is when the wait is over.
    pub(crate) async fn settled(&self, batch: Batch, wait: Duration) -> Result<Batch> {
        use futures::StreamExt;
        if wait.is_zero() || batch.state.is_done() {
            return Ok(batch);
        }
        // What happens after this is heard of; what happened before is seen below.
        let head = self.journal.head().await?;
        let stream = format!("batch/{}", batch.batch_id);
        let mut events = self.journal.subscribe(head).boxed();
        let until = tokio::time::Instant::now() + wait.min(LONGEST_WAIT);
        loop {
            let mut tx = self.journal.db().read_as(Tenant::Trust(batch.trust_id.0)).await?;
            let now = store::batch::get(&mut tx, batch.batch_id).await?;
            drop(tx);
            let now = now.ok_or_else(|| Error::not_found("batch", batch.batch_id))?;
            if now.state.is_done() {
                return Ok(now);
            }
            loop {
                match tokio::time::timeout_at(until, events.next()).await {
                    Err(_) | Ok(None) => return Ok(now),
                    Ok(Some(event)) => {
                        if event?.stream == stream {
                            break;
                        }
                    }
                }
            }
        }
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.kept || self.parts == 0 {
            return;
        }
        let (app, batch_id, trust_id) = (self.app.clone(), self.batch_id, self.feed.trust_id);
        // Best effort: what is not forgotten here is swept.
        tokio::spawn(async move {
            let forgotten = async {
                if let Some(queue) = &app.spool.queue {
                    return queue.discard(partition_of(trust_id), batch_id.0).await;
                }
                let mut tx = app.journal.db().begin_as(Tenant::Trust(trust_id.0)).await?;
                store::work::discard(&mut tx, batch_id).await?;
                Ok(tx.commit().await?)
            };
            if let Err(error) = forgotten.await {
                tracing::debug!(%batch_id, %error, "an upload that broke off is not forgotten yet");
            }
        });
    }
}

pub(super) fn place(partition: i32, batch_id: BatchId, part: u32) -> Place {
    Place { partition, batch_id: batch_id.0, part }
}

fn partition_of(trust_id: TrustId) -> i32 {
    partition(&trust_id.to_string(), i32::from(PARTITIONS))
}
