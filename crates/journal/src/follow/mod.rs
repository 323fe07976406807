//! Following another service's journal: read from the last position handled, apply, and move the position, all in one
//! transaction of the follower's own database.
//!
//! The work is divided into fixed partitions by a hash of the stream's name. Replicas of a service share them by
//! leases, each with an epoch: an effect is committed only together with the position, and the position moves only
//! under the epoch it was leased with. So a replica that froze past its lease cannot apply anything twice.

mod apply;
mod lag;
mod lease;
mod parked;
mod source;

use std::{
    sync::{Arc, Weak},
    time::Duration,
};

use db::Tx;
use futures::{StreamExt, future::BoxFuture};
use rpc::{Ctx, Error, Result};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

pub use lease::{Held, Leases, partition};
pub use parked::ParkedStream;
pub use source::{Carrier, Events, Source};

use crate::{Journal, Recorded, group::Log};

/// Events handled in one transaction at the most.
const GROUP: usize = 256;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How long a partition stays with a replica that says nothing.
const LEASE: Duration = Duration::from_secs(10);
/// How long giving leases back may take when stopping.
const PARTING: Duration = Duration::from_secs(2);

/// What a service does about another's events.
///
/// It says `Ok` to types of the contract that it does not care for; types that no contract of this build knows never
/// reach it. An error that is nobody's passing trouble parks the event's stream after a few attempts.
pub trait Handler: Send + Sync + 'static {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        ctx: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>>;
}

/// One journal that a service follows: where it comes from, and what is done about it.
pub(crate) struct Followed {
    own: Log,
    pub(crate) source: Source,
    handler: Box<dyn Handler>,
}

impl Followed {
    /// Hands an event over as a type of today.
    pub(crate) async fn handle(&self, tx: &mut Tx, ctx: &Ctx, event: &Recorded) -> Result<()> {
        for event in self.own.current(std::slice::from_ref(event))?.iter() {
            self.handler.handle(tx, ctx, event).await?;
        }
        Ok(())
    }
}

/// A consumer of another service's journal; one per source and process.
pub struct Follower {
    own: Journal,
    followed: Arc<Followed>,
    partitions: u16,
    lease: Duration,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Follower").field(&self.own.log.service).field(&self.followed.source).finish()
    }
}

impl Follower {
    /// Follows in one partition: events are handled in the order of the whole journal.
    pub fn new(own: Journal, source: Source, handler: impl Handler) -> Self {
        let followed =
            Arc::new(Followed { own: own.log.clone(), source, handler: Box::new(handler) });
        own.follows(followed.source.name(), &followed);
        Self { own, followed, partitions: 1, lease: LEASE }
    }

    /// Divides the work: only the order within each stream is kept. For handlers to whom other streams do not matter.
    #[must_use]
    pub fn partitions(self, partitions: u16) -> Self {
        Self { partitions: partitions.max(1), ..self }
    }

    /// How long a partition stays with a replica that says nothing, rather than 10 seconds.
    #[must_use]
    pub fn lease(self, lease: Duration) -> Self {
        Self { lease, ..self }
    }

    /// Follows until the journal is closed; trouble is logged and tried again from the last position handled.
    pub async fn run(self) {
        let mut leases = Leases::new(&self.own, self.source().name(), self.partitions, self.lease);
        tokio::select! {
            () = self.own.closing.cancelled() => {}
            () = self.work(&mut leases) => {}
            () = lag::watch(&self) => {}
        }
        // Best effort: what is not given back expires.
        drop(timeout(PARTING, leases.release()).await);
    }

    fn source(&self) -> &Source {
        &self.followed.source
    }

    async fn work(&self, leases: &mut Leases) {
        let mut wait = FIRST_WAIT;
        loop {
            match self.round(leases).await {
                Ok(0) => {}
                Ok(_) => wait = FIRST_WAIT,
                Err(error) => {
                    let (follower, source) = (self.own.log.service, self.source().name());
                    let cause = apply::causes(&error);
                    tracing::warn!(follower, source, cause, "will follow again");
                }
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Handles the events of the partitions held, until those change hands or the source ends; says how many.
    async fn round(&self, leases: &mut Leases) -> Result<u64> {
        let mut beat = interval(self.lease / 3);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beat.tick().await;
        let mut held = leases.beat().await?;
        while held.is_empty() {
            beat.tick().await;
            held = leases.beat().await?;
        }
        let from = held.iter().map(|it| it.position).min().unwrap_or(0);
        let mut groups = self.source().subscribe(from).await?.ready_chunks(GROUP);
        let mut count = 0;
        loop {
            let group = tokio::select! {
                group = groups.next() => group,
                _ = beat.tick() => {
                    let now = leases.beat().await?;
                    if !Held::same(&held, &now) {
                        return Ok(count);
                    }
                    continue;
                }
            };
            let Some(group) = group else { return Ok(count) };
            // What came before a failure is still good.
            let mut events = Vec::with_capacity(group.len());
            let mut failure = None;
            for event in group {
                match event {
                    Ok(event) => events.push(event),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            count += events.len() as u64;
            self.apply(leases, &mut held, events).await?;
            if let Some(error) = failure {
                return Err(error);
            }
        }
    }
}

impl Journal {
    fn follows(&self, source: &'static str, followed: &Arc<Followed>) {
        let mut followers =
            self.followers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        followers.insert(source, Arc::downgrade(followed));
    }

    /// What this process does about that source's events.
    pub(crate) fn followed(&self, source: &str) -> Result<Arc<Followed>> {
        let followers = self.followers.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        followers
            .get(source)
            .and_then(Weak::upgrade)
            .ok_or_else(|| Error::not_found("journal followed by this service", source))
    }
}
