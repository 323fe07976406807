//! Applying events: a group in one transaction, and what to do about an event that cannot be applied.

use std::{
    error::Error as _,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use rpc::{Ctx, Error, Reason, Result};
use tokio::time::sleep;

use super::{
    Followed, Follower, Held, Leases,
    lease::partition,
    parked::{self, Poison},
};
use crate::Recorded;

/// How often an event is tried before its stream is parked. With the waits below that takes a second and a half, for
/// which the other streams of this replica wait too.
const ATTEMPTS: u32 = 5;
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// Where a group stood when it failed; the numbers below the last two are events.
const ELSEWHERE: usize = usize::MAX;
const LEASE_LOST: usize = usize::MAX - 1;

impl Follower {
    /// Applies events, which follow one another, to the partitions held, and moves their positions.
    pub(super) async fn apply(
        &self,
        leases: &Leases,
        held: &mut [Held],
        mut events: Vec<Recorded>,
    ) -> Result<()> {
        let count = leases.partitions;
        let unknown = events
            .iter()
            .position(|it| mine(held, count, it).is_some() && !self.own.log.knows(&it.kind));
        let beyond = unknown.map(|it| events.split_off(it));
        let mut rest = Arc::new(events);
        while !rest.is_empty() {
            let Err((at, error)) = self.group(count, held, Arc::clone(&rest), None).await else {
                break;
            };
            let Some(event) = rest.get(at).filter(|_| !passing(&error)) else { return Err(error) };
            let (before, event, after) = (rest.get(..at), event.clone(), rest.get(at + 1..));
            let (before, after) =
                (before.unwrap_or_default().to_vec(), after.unwrap_or_default().to_vec());
            if !before.is_empty() {
                self.group(count, held, Arc::new(before), None).await.map_err(|it| it.1)?;
            }
            self.insist(count, held, event, error).await?;
            rest = Arc::new(after);
        }
        self.stopped(beyond.as_ref().and_then(|it| it.first()))
    }

    /// Tries one event again and again, and parks its stream when that does not help.
    async fn insist(
        &self,
        count: i32,
        held: &mut [Held],
        event: Recorded,
        mut error: Error,
    ) -> Result<()> {
        let alone = Arc::new(vec![event]);
        let mut wait = FIRST_RETRY;
        for attempt in 1..ATTEMPTS {
            tracing::warn!(
                follower = self.own.log.service,
                source = self.source().name(),
                position = alone.first().map(|it| it.position),
                attempt,
                cause = causes(&error),
                "an event could not be applied"
            );
            sleep(wait).await;
            wait *= 2;
            match self.group(count, held, Arc::clone(&alone), None).await {
                Ok(()) => return Ok(()),
                Err((0, again)) if !passing(&again) => error = again,
                Err((_, error)) => return Err(error),
            }
        }
        let poison = Poison { reason: causes(&error), attempts: ATTEMPTS };
        tracing::error!(
            follower = self.own.log.service,
            source = self.source().name(),
            position = alone.first().map(|it| it.position),
            stream = alone.first().map(|it| it.stream.as_str()),
            cause = poison.reason,
            "a stream is parked: see `headway journal parked`"
        );
        self.group(count, held, alone, Some(poison)).await.map_err(|it| it.1)
    }

    /// Applies events in one transaction, or parks the only one; says where it failed.
    async fn group(
        &self,
        count: i32,
        held: &mut [Held],
        events: Arc<Vec<Recorded>>,
        poison: Option<Poison>,
    ) -> Result<(), (usize, Error)> {
        let at = Arc::new(AtomicUsize::new(ELSEWHERE));
        let ctx = Ctx::system(self.own.log.service);
        let group = Group {
            followed: Arc::clone(&self.followed),
            ctx: ctx.clone(),
            held: held.to_vec(),
            count,
            events: Arc::clone(&events),
            poison,
            at: Arc::clone(&at),
        };
        let applied = self.own.write(&ctx, move |tx| Box::pin(group.run(tx))).await;
        applied.map_err(|error| (at.load(Relaxed), error))?;
        let last = events.last().map_or(0, |it| it.position);
        for held in held {
            held.position = held.position.max(last);
        }
        Ok(())
    }

    /// An event of a type that nobody here knows may matter: the consumer stops before it until it is replaced by a
    /// build that knows. To pass over it would lose what it says, for ever.
    fn stopped(&self, unknown: Option<&Recorded>) -> Result<()> {
        let labels = [("service", self.own.log.service), ("source", self.source().name())];
        let stopped = metrics::gauge!("headway_consumer_stopped", &labels);
        let Some(event) = unknown else {
            stopped.set(0);
            return Ok(());
        };
        stopped.set(1);
        let error = unknown_type(event);
        tracing::error!(
            follower = self.own.log.service,
            source = self.source().name(),
            position = event.position,
            cause = causes(&error),
            "the consumer has stopped"
        );
        Err(error)
    }
}

pub(super) fn unknown_type(event: &Recorded) -> Error {
    Error::internal(format!(
        "no contract of this build knows {}, the type of position {}: install a newer one",
        event.kind, event.position
    ))
}

/// The partition of an event, when it is held and has not come so far.
fn mine<'h>(held: &'h [Held], count: i32, event: &Recorded) -> Option<&'h Held> {
    let partition = partition(&event.stream, count);
    held.iter().find(|it| it.partition == partition && it.position < event.position)
}

/// Whether a failure is of the moment: no fault of the event, so the whole group is tried again.
fn passing(error: &Error) -> bool {
    matches!(
        error.reason,
        Reason::Unavailable
            | Reason::Overloaded
            | Reason::StorageFull
            | Reason::IdempotencyInFlight
    )
}

/// An error with all its causes: what operators need, never told to callers.
pub(super) fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text = format!("{text}: {it}");
        cause = it.source();
    }
    text
}

struct Group {
    followed: Arc<Followed>,
    ctx: Ctx,
    held: Vec<Held>,
    count: i32,
    events: Arc<Vec<Recorded>>,
    poison: Option<Poison>,
    at: Arc<AtomicUsize>,
}

impl Group {
    /// Positions first: that locks out everybody else who would touch these partitions, replays included.
    async fn run(mut self, tx: &mut db::Tx) -> Result<()> {
        let name = self.followed.source.name();
        let last = self.events.last().map_or(0, |it| it.position);
        for held in self.held.iter().filter(|it| it.position < last) {
            if !Leases::advance(tx, name, held, last).await? {
                self.at.store(LEASE_LOST, Relaxed);
                let detail = "the lease of a partition has gone to another replica";
                return Err(Error::new(Reason::Unavailable, detail));
            }
        }
        let parked = parked::streams(tx, name).await?;
        for (index, event) in self.events.iter().enumerate() {
            if mine(&self.held, self.count, event).is_none() || parked.contains(&event.stream) {
                continue;
            }
            self.at.store(index, Relaxed);
            if let Some(poison) = self.poison.take() {
                parked::park(tx, name, event, &poison).await?;
            } else {
                let ctx = Ctx { cause: Some(event.event_id), ..self.ctx.clone() };
                self.followed.handle(tx, &ctx, event).await?;
            }
        }
        self.at.store(ELSEWHERE, Relaxed);
        Ok(())
    }
}
