//! Keys that live beside the databases, never in them.

use std::{fs, io, path::Path};

use journal::proof;
use rpc::token::{Keys, create_private};

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
    /// Reads the keys of a folder, making those that are missing. `name` is what checkpoints call the deployment.
    pub(crate) fn open(folder: &Path, name: Option<&str>) -> io::Result<Self> {
        let tokens = Keys::open(folder)?;
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
