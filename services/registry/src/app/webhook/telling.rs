//! What telling targets needs.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use contract::journal::journal_service_client::JournalServiceClient;
use identity::TrustId;
use rpc::{Error, Peer, Reach, Reason, Result};
use tokio::sync::Notify;
use uuid::Uuid;
use webhook::{Keys, Sender};

use crate::domain::webhook::Webhook;

/// The services whose journals a webhook is told of.
pub(crate) const SERVICES: [&str; 3] = ["registry", "intelligence", "improvement"];

/// The type of a ping, which is no event.
pub(crate) const PING: &str = "headway.registry.v1.WebhookPing";

/// A channel to a service, for reading the journal as a trust, or as the platform.
pub type Channels = dyn Fn(&'static str, Reach) -> Result<Peer> + Send + Sync;

/// Whether a client may still read all of a trust's journal; an error while that is not known.
pub type Standing = dyn Fn(&str, Uuid) -> Result<bool> + Send + Sync;

/// Keys, the way out, and the ways to the journals.
pub(crate) struct Telling {
    pub(crate) keys: Keys,
    pub(crate) sender: Sender,
    channels: OnceLock<(Box<Channels>, Box<Standing>)>,
    /// Trusts with events that their webhooks may not have been told of.
    news: Mutex<BTreeSet<TrustId>>,
    pub(crate) wake: Notify,
}

impl std::fmt::Debug for Telling {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Telling")
    }
}

impl Telling {
    pub(crate) fn new(keys: Keys, sender: Sender) -> Arc<Self> {
        let (channels, news, wake) = (OnceLock::new(), Mutex::default(), Notify::new());
        Arc::new(Self { keys, sender, channels, news, wake })
    }

    /// A channel to a service's journal.
    pub(crate) fn journal(
        &self,
        service: &'static str,
        reach: Reach,
    ) -> Result<JournalServiceClient<Peer>> {
        let unready = || Error::new(Reason::Unavailable, "the service is starting");
        let (channels, _) = self.channels.get().ok_or_else(unready)?;
        Ok(JournalServiceClient::new(channels(service, reach)?))
    }

    pub(crate) fn may_read(&self, webhook: &Webhook) -> Result<bool> {
        let standing = self.channels.get().map(|it| &it.1);
        standing.map_or(Ok(true), |it| it(&webhook.client_id, webhook.trust_id.0))
    }

    pub(crate) fn connect(&self, channels: Box<Channels>, standing: Box<Standing>) {
        // Whoever is first says it for the life of the process.
        drop(self.channels.set((channels, standing)));
    }

    /// Notes that a trust's journals hold something new.
    pub(crate) fn heard(&self, trust_id: TrustId) {
        self.news.lock().unwrap_or_else(PoisonError::into_inner).insert(trust_id);
    }

    /// The trusts of which there is something new since this was asked last.
    pub(crate) fn take_news(&self) -> BTreeSet<TrustId> {
        std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
