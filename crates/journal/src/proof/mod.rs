//! Evidence that a log was only ever added to: a Merkle tree over its events (RFC 9162), signed checkpoints (C2SP), and
//! proofs that anyone can check without us. `docs/journal/proof.md` describes every byte.

mod anchor;
mod api;
mod audit;
mod export;
mod head;
mod keys;
mod note;
mod sign;
mod store;
mod tiles;
mod tree;

use std::{borrow::Cow, sync::OnceLock, time::Duration};

use chrono::{DateTime, Utc};
use rpc::{Error, Reason, Result};
use tokio::sync::watch;

use crate::Journal;

pub use anchor::Anchor;
pub use audit::{Audit, Flaw, audit, verify};
pub use export::export;
pub use keys::Keys;
pub use note::{Statement, Verifier, open as open_note, open_text};
pub use tree::{Hash, verify_consistency, verify_inclusion};

/// Why a note or a proof is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub &'static str);

/// A signed statement about the first events of a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub size: u64,
    pub root: Hash,
    pub note: String,
    /// The first four bytes of each leaf since the checkpoint before.
    pub marks: Vec<u8>,
    pub signed_at: DateTime<Utc>,
}

/// How often a journal is signed, and where else its checkpoints go.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The least time between two checkpoints.
    pub checkpoint_interval: Duration,
    pub anchors: Vec<Anchor>,
    /// The least time between two notes sent to one anchor.
    pub anchor_interval: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            checkpoint_interval: Duration::from_secs(1),
            anchors: Vec::new(),
            anchor_interval: Duration::from_hours(1),
        }
    }
}

/// What a journal knows of its own soundness.
pub(crate) struct State {
    keys: OnceLock<Keys>,
    /// What is wrong at its head; writing stops with it.
    damage: watch::Sender<Option<String>>,
}

impl Default for State {
    fn default() -> Self {
        Self { keys: OnceLock::new(), damage: watch::Sender::new(None) }
    }
}

impl State {
    /// Refuses when the log does not verify at its head.
    pub(crate) fn intact(&self) -> Result<()> {
        match self.damage.borrow().as_ref() {
            None => Ok(()),
            Some(what) => Err(damaged(what.clone())),
        }
    }
}

impl Journal {
    /// Checks that the log verifies at its head, and keeps the keys for signing. A log that does not verify refuses
    /// every write from then on, while reads go on; [`Journal::damage`] says what is wrong.
    ///
    /// To be called before anybody may write. Fails when the database cannot be read at all.
    pub async fn guard(&self, keys: Keys) -> Result<()> {
        let keys = self.proof.keys.get_or_init(|| keys);
        let mut tx = self.db().read().await?;
        match head::check(&mut tx, keys, self.service()).await {
            Err(error) if error.reason == Reason::JournalDamaged => {
                self.condemn(&error);
                Ok(())
            }
            checked => checked,
        }
    }

    /// The name under which this journal's notes are signed.
    pub fn origin(&self) -> Result<String> {
        Ok(self.keys()?.origin(self.service()))
    }

    /// A note of any text, signed by the keys that sign checkpoints. Its lines end with a newline each, and the first must
    /// not be the journal's origin: that is how a checkpoint begins.
    pub fn sign_note(&self, text: &str) -> Result<String> {
        let keys = self.keys()?;
        let signing = keys.signing().map_err(Error::internal)?;
        Ok(note::sign_text(text, &keys.origin(self.service()), &signing))
    }

    /// Signs checkpoints while there is news, and carries them to the anchors, until the journal closes.
    pub fn attest(&self, settings: &Settings) {
        tokio::spawn(sign::run(self.clone(), settings.checkpoint_interval));
        for anchor in &settings.anchors {
            tokio::spawn(anchor::run(self.clone(), anchor.clone(), settings.anchor_interval));
        }
    }

    /// Signs what was appended since the last checkpoint, at once.
    pub async fn sign(&self) -> Result<()> {
        while sign::round(self).await? {}
        Ok(())
    }

    /// What is wrong with the log at its head, once something is.
    pub fn damage(&self) -> watch::Receiver<Option<String>> {
        self.proof.damage.subscribe()
    }

    fn condemn(&self, error: &Error) {
        let service = self.service();
        let what = error.detail.strip_prefix(PREFIX).unwrap_or(&error.detail).to_owned();
        tracing::error!(service, what, "the journal is damaged: no more writes");
        metrics::gauge!("headway_journal_damaged", "service" => service).set(1);
        self.proof.damage.send_if_modified(|it| it.is_none() && it.replace(what).is_none());
    }

    fn keys(&self) -> Result<&Keys> {
        let none = || Error::new(Reason::NotOffered, "this journal is not signed");
        self.proof.keys.get().ok_or_else(none)
    }
}

const PREFIX: &str = "the journal does not verify, nothing is written: ";

/// The log is not what was signed, or not what we wrote.
pub(crate) fn damaged(what: impl Into<Cow<'static, str>>) -> Error {
    let what = what.into();
    Error::new(Reason::JournalDamaged, format!("{PREFIX}{what}"))
}
