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
    pub(crate) pupils: PupilKeys,
    /// What signs checkpoints of the journals.
    pub(crate) journal: proof::Keys,
    /// What signs messages to webhooks.
    pub(crate) webhooks: webhook::Keys,
}

/// The master keys of pupils' hashes, oldest first: `pupil-key`, `pupil-key-2` and so on. Losing one orphans every record;
/// they must be backed up apart from the databases, and none may ever be taken away.
#[derive(Clone)]
pub(crate) struct PupilKeys(pub(crate) Vec<[u8; 32]>);

impl std::fmt::Debug for PupilKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PupilKeys")
    }
}

impl PupilKeys {
    /// Reads the keys of a folder, making the first when there is none.
    fn open(folder: &Path) -> io::Result<Self> {
        create(&folder.join(name(1)))?;
        let mut keys = Vec::new();
        for number in 1.. {
            let path = folder.join(name(number));
            match fs::read(&path) {
                Ok(bytes) => keys.push(bytes.try_into().map_err(|_| {
                    io::Error::other(format!("{} must hold 32 bytes", path.display()))
                })?),
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                Err(error) => return Err(error),
            }
        }
        Ok(Self(keys))
    }

    /// Makes another key in a folder; says how many there are then.
    pub(crate) fn add(folder: &Path) -> io::Result<usize> {
        let next = Self::open(folder)?.0.len() + 1;
        create(&folder.join(name(next)))?;
        Ok(next)
    }
}

fn name(number: usize) -> String {
    if number == 1 { "pupil-key".to_owned() } else { format!("pupil-key-{number}") }
}

fn create(path: &Path) -> io::Result<()> {
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(io::Error::other)?;
    create_private(path, &fresh).map(drop)
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
        let pupils = PupilKeys::open(folder)?;
        let journal = proof::Keys::open(&folder.join("journal"), name)?;
        let webhooks = webhook::Keys::open(folder)?;
        Ok(Self { tokens, pupils, journal, webhooks })
    }
}
