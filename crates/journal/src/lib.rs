//! The append-only log of a service: what happened, in the order it was committed, in the same transaction as the
//! state it changed.
//!
//! Positions run from 1 without a gap, and their order is the order of commits, so a reader needs no more than
//! "after the last position I saw". State tables are only ever written by projecting events: the log rebuilds them.

mod aggregate;
mod answer;
mod append;
mod command;
mod event;
mod follow;
mod group;
mod heads;
mod read;
mod rebuild;
mod service;
pub mod text;
mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use db::{Db, Migrations, Tx};
use futures::future::BoxFuture;
use rpc::{Ctx, Result};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use aggregate::{Aggregate, Decision};
use group::Log;

pub use event::{Draft, Recorded};
pub use follow::{Handler, follow};
pub use heads::lock;
pub use read::{Filter, events};
pub use rebuild::{Comparison, Flaw, rebuild, verify};
pub use service::Journals;

/// The tables every service has: events, texts, idempotent answers and consumer positions. Numbers below 100 are ours.
pub fn migrations() -> Migrations {
    Migrations::new(&sqlx::migrate!("migrations/sqlite"), &sqlx::migrate!("migrations/postgres"))
        .append_only(&["event"])
}

/// Turns events into a service's state tables: live, within the writing transaction, and again on rebuild.
pub trait Projection: Send + Sync + 'static {
    /// The tables derived from the journal alone, those that refer to others first.
    fn tables(&self) -> &'static [&'static str];

    /// Writes what events change, in their order. A type it does not know is an error: skipping one would lose state.
    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>>;
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
    closing: CancellationToken,
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
        let log = Log::new(service, db, Arc::new(projection));
        Self {
            writer: write::Writer::start(log.clone(), Arc::clone(&news)),
            log,
            news,
            closing: CancellationToken::new(),
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

    /// Ends every subscription, so that a server can stop.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Appends events to the log and projects them, in the transaction of [`Journal::write`].
    pub async fn record(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Recorded>> {
        self.log.record(tx, ctx, drafts).await
    }
}
