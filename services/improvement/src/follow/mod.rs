//! What this service learns from the journals of the others. Kinds of events it has no use for are passed over.

mod intelligence;
mod registry;

use rpc::{Error, Fault, Peer, Result};

use crate::App;

pub use intelligence::Signals;
pub use registry::Schools;

impl App {
    /// Follows the registry and the intelligence service until the journal is closed.
    pub async fn follow(self, registry: Peer, intelligence: Peer) {
        futures::future::join(
            journal::follow(self.journal().clone(), "registry", registry, Schools),
            journal::follow(self.journal().clone(), "intelligence", intelligence, Signals),
        )
        .await;
    }
}

/// A value another service wrote. One that cannot be read holds this follower up, with the cause in its log.
fn told<T>(parsed: Result<T, Fault>) -> Result<T> {
    parsed.map_err(Error::internal)
}
