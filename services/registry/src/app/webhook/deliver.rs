//! Whose turn it is. Replicas share the webhooks by leases; within one, webhooks take turns, so many at once in all and
//! so many of one trust.

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    time::Duration,
};

use identity::TrustId;
use journal::{Held, Leases, partition};
use rpc::{Ctx, Error, Result};
use tokio::{
    task::JoinSet,
    time::{Instant, MissedTickBehavior, interval, sleep, timeout},
};

use super::{App, news};
use crate::{
    domain::webhook::WebhookId,
    store::{delivery, webhook as stored},
};

/// What the leases are called.
pub(super) const NAME: &str = "webhooks";
const PARTITIONS: u16 = 16;
const LEASE: Duration = Duration::from_secs(10);
/// How long giving leases back may take when stopping.
const PARTING: Duration = Duration::from_secs(2);
/// How often hints are acted on: events that come in quick succession are told of in one turn.
const BREATH: Duration = Duration::from_millis(250);
/// How often what is to be tried again is looked for.
const LOOK: Duration = Duration::from_secs(1);
/// How often a webhook is looked at of which nothing was heard.
const ROUND: Duration = Duration::from_mins(1);
/// Turns at once, and of one trust.
const TURNS: usize = 64;
const TURNS_OF_TRUST: usize = 4;
/// Webhooks with something due that are looked at together.
const DUE: i64 = 1000;
const AGAIN: Duration = Duration::from_secs(2);
/// How often deliveries of the past are forgotten, for how long they are kept, and how many at a time go.
const CLEANING: Duration = Duration::from_mins(10);
const KEPT: chrono::TimeDelta = chrono::TimeDelta::days(30);
const CLEANED: i64 = 500;

/// Whether a webhook has more to send right away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    More,
    Rest,
}

impl App {
    /// Tells the targets of webhooks until the journal is closed.
    pub async fn tell(self) {
        let Some(telling) = self.telling.clone() else { return };
        let mut leases = Leases::new(&self.journal, NAME, PARTITIONS, LEASE);
        tokio::select! {
            () = self.journal.closed() => {}
            () = news::listen(telling) => {}
            () = self.clean() => {}
            () = self.take_turns(&mut leases) => {}
        }
        // Best effort: what is not given back expires.
        drop(timeout(PARTING, leases.release()).await);
    }

    async fn take_turns(&self, leases: &mut Leases) {
        loop {
            if let Err(error) = self.round(leases).await {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "webhooks will be told later");
            }
            sleep(AGAIN).await;
        }
    }

    async fn round(&self, leases: &mut Leases) -> Result<()> {
        let telling = self.telling()?;
        let (mut beat, mut breath, mut look) =
            (interval(LEASE / 3), interval(BREATH), interval(LOOK));
        for it in [&mut beat, &mut breath, &mut look] {
            it.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        let mut turns = Turns::default();
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    turns.held = leases.beat().await?.into_iter().map(|it| (it.partition, it)).collect();
                    let mut tx = self.journal.db().read().await?;
                    turns.know(stored::enabled(&mut tx).await?);
                }
                _ = breath.tick() => {
                    for trust_id in telling.take_news() {
                        turns.heard(trust_id);
                    }
                }
                _ = look.tick() => self.look(&mut turns).await?,
                () = telling.wake.notified() => {
                    let mut tx = self.journal.db().read().await?;
                    turns.know(stored::enabled(&mut tx).await?);
                    drop(tx);
                    self.look(&mut turns).await?;
                }
                Some(ended) = turns.running.join_next() => turns.ended(ended.map_err(Error::internal)?),
            }
            turns.begin(self);
        }
    }

    async fn look(&self, turns: &mut Turns) -> Result<()> {
        let mut tx = self.journal.db().read().await?;
        for (webhook_id, trust_id) in delivery::due(&mut tx, rpc::now(), DUE).await? {
            turns.queue(webhook_id, trust_id);
        }
        turns.come_round();
        Ok(())
    }

    /// Forgets deliveries that are over and older than is kept. Whichever replica does it, it is done.
    async fn clean(&self) {
        loop {
            sleep(CLEANING).await;
            if let Err(error) = self.forget_deliveries(rpc::now() - KEPT).await {
                tracing::warn!(%error, "old deliveries of webhooks are forgotten later");
            }
        }
    }

    /// Forgets deliveries that were over before a time.
    pub async fn forget_deliveries(&self, before: chrono::DateTime<chrono::Utc>) -> Result<u64> {
        let mut forgotten = 0;
        loop {
            let ctx = Ctx::system(crate::NAME);
            let step = self
                .journal
                .write(&ctx, move |tx| Box::pin(delivery::forget(tx, before, CLEANED)))
                .await?;
            forgotten += step;
            if step == 0 {
                return Ok(forgotten);
            }
        }
    }
}

type Ended = (WebhookId, TrustId, Result<Next>);

#[derive(Default)]
struct Turns {
    held: BTreeMap<i32, Held>,
    /// Webhooks that are on, with when each was looked at last.
    known: HashMap<WebhookId, (TrustId, Option<Instant>)>,
    of_trust: HashMap<TrustId, Vec<WebhookId>>,
    queue: VecDeque<(WebhookId, TrustId)>,
    queued: HashSet<WebhookId>,
    running: JoinSet<Ended>,
    /// Those whose turn it is; true when something more was heard meanwhile.
    busy: HashMap<WebhookId, bool>,
    busy_trusts: HashMap<TrustId, usize>,
}

impl Turns {
    /// Learns which webhooks there are; those that are new, here at least, are looked at.
    fn know(&mut self, enabled: Vec<(WebhookId, TrustId)>) {
        let before = std::mem::take(&mut self.known);
        self.of_trust.clear();
        for (webhook_id, trust_id) in enabled {
            if self.held_of(webhook_id).is_none() {
                continue;
            }
            let looked_at = before.get(&webhook_id).and_then(|it| it.1);
            self.known.insert(webhook_id, (trust_id, looked_at));
            self.of_trust.entry(trust_id).or_default().push(webhook_id);
        }
        self.come_round();
    }

    fn held_of(&self, webhook_id: WebhookId) -> Option<Held> {
        let partition = partition(&webhook_id.to_string(), i32::from(PARTITIONS));
        self.held.get(&partition).copied()
    }

    fn heard(&mut self, trust_id: TrustId) {
        for webhook_id in self.of_trust.get(&trust_id).cloned().unwrap_or_default() {
            self.queue(webhook_id, trust_id);
        }
    }

    /// Queues those that were not looked at for long.
    fn come_round(&mut self) {
        let long_ago = |at: &Option<Instant>| at.is_none_or(|it| it.elapsed() > ROUND);
        let late: Vec<_> =
            self.known.iter().filter(|it| long_ago(&it.1.1)).map(|it| (*it.0, it.1.0)).collect();
        for (webhook_id, trust_id) in late {
            self.queue(webhook_id, trust_id);
        }
    }

    fn queue(&mut self, webhook_id: WebhookId, trust_id: TrustId) {
        if let Some(again) = self.busy.get_mut(&webhook_id) {
            *again = true;
        } else if self.held_of(webhook_id).is_some() && self.queued.insert(webhook_id) {
            self.queue.push_back((webhook_id, trust_id));
        }
    }

    /// Begins as many turns as there is room for, in the order of the queue; a trust that has enough waits.
    fn begin(&mut self, app: &App) {
        let mut passed = VecDeque::new();
        while self.busy.len() < TURNS {
            let Some((webhook_id, trust_id)) = self.queue.pop_front() else { break };
            let Some(held) = self.held_of(webhook_id) else {
                self.queued.remove(&webhook_id);
                continue;
            };
            let busy = self.busy_trusts.entry(trust_id).or_default();
            if *busy >= TURNS_OF_TRUST {
                passed.push_back((webhook_id, trust_id));
                continue;
            }
            *busy += 1;
            self.queued.remove(&webhook_id);
            self.busy.insert(webhook_id, false);
            if let Some(known) = self.known.get_mut(&webhook_id) {
                known.1 = Some(Instant::now());
            }
            let app = app.clone();
            self.running.spawn(async move {
                let done = app.turn(webhook_id, trust_id, held).await;
                (webhook_id, trust_id, done)
            });
        }
        passed.append(&mut self.queue);
        self.queue = passed;
    }

    fn ended(&mut self, (webhook_id, trust_id, done): Ended) {
        let again = self.busy.remove(&webhook_id).unwrap_or(false);
        if let Some(busy) = self.busy_trusts.get_mut(&trust_id) {
            *busy -= 1;
            if *busy == 0 {
                self.busy_trusts.remove(&trust_id);
            }
        }
        match done {
            Ok(Next::Rest) if !again => {}
            Ok(_) => self.queue(webhook_id, trust_id),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%webhook_id, %error, cause, "a webhook will be told later");
            }
        }
    }
}
