//! The append-only log of a service: what happened, in the order it was committed, in the same transaction as the
//! state it changed.
//!
//! Positions run from 1 without a gap, and their order is the order of commits, so a reader needs no more than
//! "after the last position I saw". State tables are only ever written by projecting events: the log rebuilds them.

mod aggregate;
mod answer;
mod append;
mod as_of;
mod cloud;
mod command;
mod compare;
mod described;
mod erase;
mod event;
mod follow;
mod gather;
mod group;
mod heads;
mod hint;
mod kind;
mod listing;
mod operate;
pub mod proof;
mod query;
mod read;
mod reading;
mod rebuild;
mod service;
mod subject;
mod tail;
pub mod text;
mod upcast;
mod write;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, Weak},
};

use chrono::{DateTime, Utc};
use db::{Db, Migrations, Tx};
use futures::{Stream, future::BoxFuture};
use rpc::{Ctx, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use aggregate::{Aggregate, Decision};
use group::Log;

pub use as_of::{AsOf, Of};
pub use cloud::cloud_event;
pub use compare::{Comparison, Difference};
pub use erase::ErasedText;
pub use event::{Draft, Recorded};
pub use follow::{
    Carrier, Events, Follower, Handler, Held, Leases, ParkedStream, Source, partition,
};
pub use gather::Gather;
pub use heads::lock;
pub use kind::{EventType, event_types};
pub use proof::{Audit, Flaw, audit, verify};
pub use query::{Query, explain, list};
pub use read::{Filter, events};
pub use rebuild::{Rebuilt, rebuild, rebuild_in_place};
pub use service::Journals;
pub use upcast::Upcast;

/// The tables every service has: events, texts, idempotent answers and consumer positions. Numbers below 100 are ours.
pub fn migrations() -> Migrations {
    Migrations::new(&sqlx::migrate!("migrations/sqlite"), &sqlx::migrate!("migrations/postgres"))
        .append_only(&["checkpoint", "event", "event_type", "journal_node"])
        .sealed(&["event"])
        .parts(&[("event_subject", "event", "position")])
}

/// Turns events into a service's state tables: live, within the writing transaction, and again on rebuild.
pub trait Projection: Send + Sync + 'static {
    /// The tables derived from the journal alone, those that refer to others first.
    fn tables(&self) -> &'static [&'static str];

    /// The migrations that make an empty database of the service, to replay events into.
    fn schema(&self) -> Migrations {
        migrations()
    }

    /// How events of types that are no longer written are read, of this service's journal and of those it follows.
    fn upcasts(&self) -> &'static [Upcast] {
        &[]
    }

    /// Writes what events change, in their order. A type it does not know is an error: skipping one would lose state.
    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>>;

    /// Removes all rows that a stream's events made and that hold texts of it, so that they can be projected again without
    /// a text that was erased; false where no table holds any.
    fn clear<'t>(&'t self, _tx: &'t mut Tx, _stream: &'t str) -> BoxFuture<'t, Result<bool>> {
        Box::pin(async { Ok(false) })
    }
}

/// Where and when an event was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    pub position: i64,
    pub trust_position: i64,
    pub recorded_at: DateTime<Utc>,
}

/// One service's journal, and the one way to write to its database.
#[derive(Clone)]
pub struct Journal {
    log: Log,
    writer: write::Writer,
    news: Arc<watch::Sender<u64>>,
    /// News from other processes.
    hints: Arc<watch::Sender<u64>>,
    listening: Arc<OnceLock<()>>,
    instance: String,
    recent: Arc<tail::Recent>,
    followers: Arc<Mutex<BTreeMap<&'static str, Weak<follow::Followed>>>>,
    closing: CancellationToken,
    proof: Arc<proof::State>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Journal").field(&self.log.service).finish()
    }
}

impl Journal {
    /// Starts the writer over an open database.
    pub fn open(service: &'static str, db: Db, projection: impl Projection) -> Self {
        let news = Arc::new(watch::Sender::new(0));
        let (instance, closing) = (rpc::new_id().to_string(), CancellationToken::new());
        if let Db::Postgres(pool) = &db {
            let (pool, heard) = (pool.clone(), news.subscribe());
            tokio::spawn(hint::tell(pool, service, instance.clone(), heard, closing.clone()));
        }
        let log = Log::new(service, db, Arc::new(projection));
        let proof = Arc::default();
        Self {
            writer: write::Writer::start(log.clone(), Arc::clone(&news), Arc::clone(&proof)),
            log,
            news,
            hints: Arc::new(watch::Sender::new(0)),
            listening: Arc::default(),
            instance,
            recent: Arc::default(),
            followers: Arc::default(),
            closing,
            proof,
        }
    }

    pub fn service(&self) -> &'static str {
        self.log.service
    }

    pub fn db(&self) -> &Db {
        &self.log.db
    }

    pub fn projection(&self) -> &dyn Projection {
        &*self.log.projection
    }

    /// Whether every event can be read: fails at start rather than at the first old event.
    pub fn check(&self) -> Result<()> {
        self.log.reading.check()
    }

    /// Ends every subscription and signs no more, so that a server can stop.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Every event after a position, then each new one once it is committed; ends when the journal closes.
    pub fn subscribe(
        &self,
        after: i64,
    ) -> impl Stream<Item = Result<Arc<Recorded>>> + Send + use<> {
        tail::follow(self.clone(), None, after)
    }

    /// The newest position; 0 while there is none.
    pub async fn head(&self) -> Result<i64> {
        let mut tx = self.log.db.read().await?;
        read::head(&mut tx, None).await
    }

    /// Resolves once the journal is closed.
    pub async fn closed(&self) {
        self.closing.cancelled().await;
    }

    /// Appends events to the log and projects them, in the transaction of [`Journal::write`].
    pub async fn record(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Recorded>> {
        let events = drafts.into_iter().map(|it| Recorded::unplaced(ctx, it)).collect();
        self.log.record(tx, events).await
    }

    /// Appends the events of several operations and projects them, by as many statements as for one: those of each,
    /// in the order given. For [`Gather::run`].
    pub async fn record_all(
        &self,
        tx: &mut Tx,
        decided: Vec<(&Ctx, Vec<Draft>)>,
    ) -> Result<Vec<Vec<Recorded>>> {
        let counts: Vec<usize> = decided.iter().map(|it| it.1.len()).collect();
        let events = decided
            .into_iter()
            .flat_map(|(ctx, drafts)| drafts.into_iter().map(move |it| Recorded::unplaced(ctx, it)))
            .collect();
        let mut recorded = self.log.record(tx, events).await?.into_iter();
        Ok(counts.into_iter().map(|it| recorded.by_ref().take(it).collect()).collect())
    }
}
