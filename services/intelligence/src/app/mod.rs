//! What callers can do: each operation authorises, reads, decides and records once.

mod authority;
mod batch;
mod book;
mod busy;
mod changes;
mod expiry;
mod facts;
mod feed;
mod ingest;
mod keep;
mod mapping;
mod measured;
mod observation;
mod parked;
mod rekey;
mod school;
mod signal;
mod snapshot;
mod spool;
mod standing;
mod tally;
mod unit;
mod worker;

use std::sync::Arc;

use db::Db;
use journal::{Follower, Journal, Source};

use crate::{NAME, pupil_key::MasterKey, store};

pub(crate) use changes::Told;
pub(crate) use feed::NamedFeed;
pub(crate) use ingest::Push;
pub(crate) use mapping::SaveMapping;
pub(crate) use observation::{Question, Split};
pub(crate) use parked::NamedParked;
pub use school::RegistryFollower;
pub(crate) use spool::{Header, LONGEST_WAIT, Upload};
pub(crate) use standing::Standing;

/// The service over its open database.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) journal: Journal,
    feeds: Arc<authority::Feeds>,
    busy: Arc<busy::Busy>,
    ingest: Arc<ingest::Ingest>,
    key: MasterKey,
    spool: Arc<spool::Spool>,
}

impl App {
    /// `master_key` makes pupils' ids unreadable; it must stay the same for as long as the database does.
    pub fn open(db: Db, master_key: [u8; 32]) -> Self {
        let journal = Journal::open(NAME, db, store::event::State);
        let feeds = Arc::<authority::Feeds>::default();
        let ingest = ingest::Ingest::new(journal.clone(), Arc::clone(&feeds));
        let (key, spool) = (MasterKey::new(master_key), Arc::default());
        Self { journal, feeds, busy: Arc::default(), ingest, key, spool }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Learns of schools from the registry's journal. A URN passes from one school to another, so order between
    /// schools matters: one partition.
    pub fn follow(&self, registry: Source) -> Follower {
        let handler = RegistryFollower::new(self.journal.clone());
        Follower::new(self.journal.clone(), registry, handler)
    }
}
