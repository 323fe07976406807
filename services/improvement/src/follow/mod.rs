//! What this service learns from the journals of the others. Kinds of events it has no use for are passed over.

mod intelligence;
mod registry;

use journal::{Follower, Source};
use rpc::{Error, Fault, Result};

use crate::App;

pub use intelligence::Signals;
pub use registry::Schools;

/// As many replicas can share the work.
const SIGNAL_PARTITIONS: u16 = 4;

impl App {
    /// What follows the registry. A URN passes from one school to another, so order between schools matters: one
    /// partition.
    pub fn follow_registry(&self, registry: Source) -> Follower {
        Follower::new(self.journal().clone(), registry, Schools)
    }

    /// What follows the intelligence service. One signal has nothing to do with another.
    pub fn follow_intelligence(&self, intelligence: Source) -> Follower {
        Follower::new(self.journal().clone(), intelligence, Signals).partitions(SIGNAL_PARTITIONS)
    }
}

/// A value another service wrote. One that cannot be read parks its stream, with the cause.
fn told<T>(parsed: Result<T, Fault>) -> Result<T> {
    parsed.map_err(Error::internal)
}
