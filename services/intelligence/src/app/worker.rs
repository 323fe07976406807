//! Applying received batches: the partitions that this process has the lease of, some trusts at once, each trust's batches
//! one after the other and part by part.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use db::Tenant;
use futures::future::BoxFuture;
use identity::TrustId;
use journal::{Held, Leases};
use rpc::{Caller, Ctx, Error, Fault, Problem, Reach, Reason, Result, Scope};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, interval_at, sleep, timeout},
};

use super::{
    App, Push,
    ingest::{NAME, Piece},
    spool::place,
};
use crate::{
    domain::{Feed, PARTITIONS, Part, Read, Record, Work},
    store,
};

/// How long a partition stays with a process that says nothing.
const LEASE: Duration = Duration::from_secs(10);
/// How long giving leases back may take when stopping.
const PARTING: Duration = Duration::from_secs(2);
/// How often to look for work that no one in this process told of.
const LOOK: Duration = Duration::from_millis(100);
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often what broken uploads left is looked for.
const SWEEP: Duration = Duration::from_mins(10);

/// Reads the records of a part, whose push was told of with that header.
pub(crate) type Reading = fn(App, Ctx, Feed, Vec<u8>, Part) -> BoxFuture<'static, Result<Read>>;

/// Workers of one process.
pub(crate) struct Workers {
    app: App,
    read: Reading,
    count: usize,
}

/// A trust whose part could not be applied, and is tried again later.
struct Pause {
    until: Instant,
    next: Duration,
}

impl App {
    /// Applies received batches until the journal is closed, those of so many trusts at once.
    pub(crate) async fn apply_received(&self, read: Reading, count: usize) {
        let workers = Arc::new(Workers { app: self.clone(), read, count: count.max(1) });
        let mut leases = Leases::new(&self.journal, NAME, PARTITIONS, LEASE);
        tokio::select! {
            () = self.journal.closed() => {}
            () = workers.work(&mut leases) => {}
        }
        // Best effort: what is not given back expires.
        drop(timeout(PARTING, leases.release()).await);
    }
}

impl Workers {
    async fn work(self: &Arc<Self>, leases: &mut Leases) {
        let mut wait = FIRST_WAIT;
        loop {
            let started = Instant::now();
            if let Err(error) = self.round(leases).await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "will look for batches again");
            }
            wait = if started.elapsed() > LONGEST_WAIT {
                FIRST_WAIT
            } else {
                (wait * 2).min(LONGEST_WAIT)
            };
            sleep(wait).await;
        }
    }

    /// Works on the partitions held until something fails.
    async fn round(self: &Arc<Self>, leases: &mut Leases) -> Result<()> {
        let mut beat = interval(LEASE / 3);
        let mut sweep = interval_at(Instant::now() + SWEEP, SWEEP);
        for it in [&mut beat, &mut sweep] {
            it.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut held = leases.beat().await?;
        let mut turn = Turn::default();
        loop {
            self.fill(&held, &mut turn).await?;
            tokio::select! {
                Some(done) = turn.running.join_next() => turn.took(done.map_err(Error::internal)?),
                _ = beat.tick() => held = leases.beat().await?,
                _ = sweep.tick() => {
                    let (app, held) = (self.app.clone(), held.clone());
                    // Beside the work: a queue that does not answer must not cost the leases.
                    turn.sweeping.abort_all();
                    turn.sweeping.spawn(async move {
                        if let Err(error) = app.sweep(&held).await {
                            tracing::warn!(%error, "what broken uploads left is looked for again later");
                        }
                    });
                }
                () = self.app.spool.news.notified() => {}
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Begins as many parts as there are workers free, trust after trust.
    async fn fill(self: &Arc<Self>, held: &[Held], turn: &mut Turn) -> Result<()> {
        let leased: BTreeMap<i32, Held> = held.iter().map(|it| (it.partition, *it)).collect();
        let bits = leased.keys().fold(0_i64, |bits, it| bits | (1 << it));
        let mut wrapped = turn.after.is_none();
        while turn.running.len() < self.count && bits != 0 {
            let limit = i64::try_from(2 * self.count).unwrap_or(i64::MAX);
            let mut tx = self.app.journal.db().read().await?;
            let heads = store::work::heads(&mut tx, bits, turn.after, limit).await?;
            drop(tx);
            let last = i64::try_from(heads.len()).is_ok_and(|it| it < limit);
            for work in heads {
                if turn.running.len() >= self.count {
                    return Ok(());
                }
                turn.after = Some(work.trust_id);
                let Some(held) = leased.get(&work.partition) else { continue };
                if turn.may_take(work.trust_id) {
                    turn.busy.insert(work.trust_id);
                    let (workers, held) = (Arc::clone(self), *held);
                    turn.running.spawn(async move {
                        let trust_id = work.trust_id;
                        (trust_id, workers.apply(work, held).await)
                    });
                }
            }
            if last {
                turn.after = None;
                if std::mem::replace(&mut wrapped, true) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Applies the next part of a batch.
    async fn apply(&self, work: Work, held: Held) -> Result<()> {
        let mut caller = Caller::whole(&*work.client_id, Reach::Trust(work.trust_id.0), []);
        caller.permit = Arc::new(work.permit.clone());
        let ctx = Ctx { caller, scope: Scope::RecordsWrite, ..Ctx::system(NAME) };
        let mut tx = self.app.journal.db().read_as(Tenant::Trust(work.trust_id.0)).await?;
        let feed = store::feed::get(&mut tx, work.feed_id).await?;
        let batch = store::batch::get(&mut tx, work.batch_id).await?;
        let snapshot = batch.and_then(|it| it.snapshot);
        drop(tx);
        let feed =
            feed.ok_or_else(|| Error::internal("a batch waits of a feed that is not there"))?;
        let Some(part) = self.app.part(&work).await? else {
            let (batch_id, part) = (work.batch_id, work.done);
            return Err(Error::internal(format!("part {part} of batch {batch_id} is lost")));
        };
        // What a day allows is asked of the day it was received.
        let received = Ctx { now: work.received_at, ..ctx.clone() };
        let (first_line, count) = (part.first_line, part.records);
        let read = (self.read)(self.app.clone(), received, feed.clone(), work.header.clone(), part);
        let read = match read.await {
            Err(error) if is_of_the_body(&error) => {
                Read { records: refused(first_line, count, &error), skipped_rows: 0 }
            }
            read => read?,
        };
        let piece = Piece { work: work.clone(), held };
        let push = Push::piece(feed.clone(), piece.clone(), snapshot, read);
        match self.app.push(&ctx, push).await {
            Err(error) if is_of_the_body(&error) => {
                let records = refused(first_line, count, &error);
                let read = Read { records, skipped_rows: 0 };
                self.app.push(&ctx, Push::piece(feed, piece, None, read)).await?
            }
            applied => applied?,
        };
        if let Some(queue) = &self.app.spool.queue {
            // Applied it is: what stays is of no batch any more, and swept.
            if let Err(error) = queue.remove(&place(work.partition, work.batch_id, work.done)).await
            {
                tracing::debug!(batch_id = %work.batch_id, %error, "an applied part stays in the queue");
            }
        }
        Ok(())
    }
}

/// Whether a part cannot be read, or may not be applied, however often it is tried.
fn is_of_the_body(error: &Error) -> bool {
    matches!(
        error.reason,
        Reason::BodyMalformed
            | Reason::RequestInvalid
            | Reason::ColumnMissing
            | Reason::FileMalformed
            | Reason::BodyTooLarge
            | Reason::RemovalUnconfirmed
    )
}

/// The records of a part that cannot be read, each with what is wrong with all.
fn refused(first_line: u32, count: u32, error: &Error) -> Vec<Record> {
    let problems = || {
        let whole = Problem {
            pointer: String::new(),
            fault: Fault::new(error.reason, error.detail.clone()),
        };
        if error.problems.is_empty() { vec![whole] } else { error.problems.clone() }
    };
    let lines = (first_line..).zip(0..count.max(1)).map(|it| it.0);
    lines.map(|line| Record { line, external_id: String::new(), body: Err(problems()) }).collect()
}

/// Whose turn it is.
#[derive(Default)]
struct Turn {
    running: JoinSet<(TrustId, Result<()>)>,
    sweeping: JoinSet<()>,
    busy: HashSet<TrustId>,
    paused: HashMap<TrustId, Pause>,
    /// The trust that had the last turn.
    after: Option<TrustId>,
}

impl Turn {
    fn may_take(&self, trust_id: TrustId) -> bool {
        let pauses = self.paused.get(&trust_id).is_some_and(|it| it.until > Instant::now());
        !pauses && !self.busy.contains(&trust_id)
    }

    /// A part was applied, or not: then its trust waits a while.
    fn took(&mut self, (trust_id, done): (TrustId, Result<()>)) {
        self.busy.remove(&trust_id);
        let Err(error) = done else {
            self.paused.remove(&trust_id);
            return;
        };
        let wait = self.paused.get(&trust_id).map_or(FIRST_WAIT, |it| it.next);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        if matches!(error.reason, Reason::Unavailable | Reason::Overloaded) {
            tracing::warn!(%trust_id, %error, cause, "a part of a batch will be applied again");
        } else {
            tracing::error!(%trust_id, %error, cause, "a part of a batch could not be applied; trying again");
        }
        let pause = Pause { until: Instant::now() + wait, next: (wait * 2).min(LONGEST_WAIT) };
        self.paused.insert(trust_id, pause);
    }
}
