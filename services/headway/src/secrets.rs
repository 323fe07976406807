//! Keys that live beside the databases, never in them.

use std::{fs, io, path::Path};

use anyhow::Context;
use journal::proof;
use rpc::token::{ISSUER, Keys, create_private};

use crate::config::Config;

/// What the services must keep to themselves.
#[derive(Clone, Debug)]
pub(crate) struct Secrets {
    pub(crate) tokens: Keys,
    pub(crate) pupils: PupilKey,
    /// What signs checkpoints of the journals.
    pub(crate) journal: proof::Keys,
    /// What signs messages to webhooks.
    pub(crate) webhooks: webhook::Keys,
}

/// The master key of pupils' hashes. Losing it orphans every record; it must be backed up apart from the databases.
#[derive(Clone)]
pub(crate) struct PupilKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for PupilKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PupilKey")
    }
}

impl Secrets {
    /// Reads the keys that the settings name, making those that are missing.
    pub(crate) fn of(config: &Config) -> anyhow::Result<Self> {
        let folder = config.keys_dir();
        let issuer = config.public_url.as_deref().unwrap_or(ISSUER);
        Self::read(&folder, config.journal.name.as_deref(), issuer)
            .with_context(|| folder.display().to_string())
    }

    /// The same of a folder alone, as for a deployment with default settings.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        Self::read(folder, None, ISSUER)
    }

    /// `name` is what checkpoints call the deployment, `issuer` what tokens do.
    fn read(folder: &Path, name: Option<&str>, issuer: &str) -> io::Result<Self> {
        let tokens = Keys::open(folder, issuer)?;
        let path = folder.join("pupil-key");
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(io::Error::other)?;
        create_private(&path, &fresh)?;
        let key = fs::read(&path)?
            .try_into()
            .map_err(|_| io::Error::other(format!("{} must hold 32 bytes", path.display())))?;
        let journal = proof::Keys::open(&folder.join("journal"), name)?;
        let webhooks = webhook::Keys::open(folder)?;
        Ok(Self { tokens, pupils: PupilKey(key), journal, webhooks })
    }
}
