//! What callers can do: each operation authorises, reads, decides and records once.

mod batch;
mod book;
mod feed;
mod observation;
mod push;
mod school;
mod signal;
mod standing;

use db::Db;
use journal::{Follower, Journal, Source};

use crate::{NAME, pupil_key::MasterKey, store};

pub(crate) use feed::NamedFeed;
pub(crate) use observation::Question;
pub(crate) use observation::place;
pub(crate) use push::Push;
pub use school::RegistryFollower;
pub(crate) use standing::Standing;

/// The service over its open database.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) journal: Journal,
    key: MasterKey,
}

impl App {
    /// `master_key` makes pupils' ids unreadable; it must stay the same for as long as the database does.
    pub fn open(db: Db, master_key: [u8; 32]) -> Self {
        let journal = Journal::open(NAME, db, store::event::State);
        Self { journal, key: MasterKey::new(master_key) }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// Learns of schools from the registry's journal. A URN passes from one school to another, so order between
    /// schools matters: one partition.
    pub fn follow(&self, registry: Source) -> Follower {
        Follower::new(self.journal.clone(), registry, RegistryFollower)
    }
}
