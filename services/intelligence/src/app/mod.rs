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
mod privacy;
mod rekey;
mod school;
mod signal;
mod snapshot;
mod spool;
mod standing;
mod tally;
mod unit;
mod worker;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::NaiveDate;
use db::Db;
use identity::TrustId;
use journal::{Follower, Journal, Source};

use crate::{NAME, pupil_key::MasterKeys, store};

pub(crate) use changes::Told;
pub(crate) use feed::NamedFeed;
pub(crate) use ingest::Push;
pub(crate) use mapping::SaveMapping;
pub(crate) use observation::{Question, Split};
pub(crate) use parked::NamedParked;
pub(crate) use privacy::{
    CreateErasure, CreateHold, Export, HeldAs, NamedErasure, NamedHold, Person,
};
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
    keys: MasterKeys,
    generations: Generations,
    /// The day on which retention was looked to last.
    retained_on: Arc<Mutex<Option<NaiveDate>>>,
    spool: Arc<spool::Spool>,
}

/// With how many keys ids of trusts were hashed when that was last read.
type Generations = Arc<Mutex<HashMap<TrustId, u32>>>;

impl App {
    /// `keys` make people's ids unreadable. They must stay the same for as long as the database does, but that another may
    /// be added at the end.
    pub fn open(db: Db, keys: impl Into<MasterKeys>) -> Self {
        let journal = Journal::open(NAME, db, store::event::State);
        let feeds = Arc::<authority::Feeds>::default();
        let (keys, generations) = (keys.into(), Generations::default());
        let known = (keys.clone(), Arc::clone(&generations));
        let ingest = ingest::Ingest::new(journal.clone(), Arc::clone(&feeds), known);
        Self {
            journal,
            feeds,
            busy: Arc::default(),
            ingest,
            keys,
            generations,
            retained_on: Arc::default(),
            spool: Arc::default(),
        }
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

    /// Whether retention has not been looked to on this day; it has from then on.
    fn is_new_day(&self, today: NaiveDate) -> bool {
        let mut last = self.retained_on.lock().unwrap_or_else(PoisonError::into_inner);
        last.replace(today) != Some(today)
    }

    fn day_is_not_over(&self) {
        self.retained_on.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
