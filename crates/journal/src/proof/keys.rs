//! The keys that sign checkpoints: a folder of files that are added to, never changed.
//!
//! `0001.pem` is a private key (PKCS #8); once it must not sign any more, `0001.pub` takes its place. The newest two
//! private keys sign every checkpoint, so that whoever pinned the older can follow to the newer.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use ed25519_dalek::{
    SigningKey, VerifyingKey,
    pkcs8::{
        DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey,
        spki::der::pem::LineEnding,
    },
};
use rpc::token::create_private;

use super::Verifier;

/// Private keys that sign together: the newest and the one before.
const SIGNING: usize = 2;

/// The signing keys of a deployment, and the name under which they sign.
#[derive(Clone, Debug)]
pub struct Keys {
    folder: PathBuf,
    deployment: String,
}

/// A key as its file holds it.
enum Key {
    Signing(SigningKey),
    Retired(VerifyingKey),
}

impl Keys {
    /// Opens a folder, making the first key when there is none. `deployment` is what its operator calls it; without a
    /// name it is known by an id that is made once.
    pub fn open(folder: &Path, deployment: Option<&str>) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let named = folder.join("deployment");
        create_private(&named, rpc::new_id().to_string().as_bytes())?;
        let deployment = match deployment {
            Some(it) => it.to_owned(),
            None => fs::read_to_string(&named)?.trim().to_owned(),
        };
        if deployment.is_empty() || deployment.contains(|it: char| it == '+' || it.is_whitespace())
        {
            return Err(io::Error::other("a deployment's name holds no space and no plus sign"));
        }
        let keys = Self { folder: folder.to_owned(), deployment };
        if keys.read()?.is_empty() {
            keys.create(1)?;
        }
        Ok(keys)
    }

    /// The first line of the checkpoints of a service's journal.
    pub fn origin(&self, service: &str) -> String {
        format!("headway/{service}/{}", self.deployment)
    }

    /// Every key that signs or signed, oldest first, and whether it still does.
    pub fn verifiers(&self, service: &str) -> io::Result<Vec<(Verifier, bool)>> {
        let (origin, keys) = (self.origin(service), self.read()?);
        let signing = keys.iter().filter(|it| matches!(it, Key::Signing(_))).count();
        let mut silent = signing.saturating_sub(SIGNING);
        let listed = keys.iter().map(|it| match it {
            Key::Retired(key) => (Verifier::new(&origin, *key), false),
            Key::Signing(key) => {
                let signs = silent == 0;
                silent = silent.saturating_sub(1);
                (Verifier::new(&origin, key.verifying_key()), signs)
            }
        });
        Ok(listed.collect())
    }

    /// The private keys that sign now, newest first.
    pub(crate) fn signing(&self) -> io::Result<Vec<SigningKey>> {
        let keys = self.read()?.into_iter().rev();
        let signing = keys.filter_map(|it| match it {
            Key::Signing(key) => Some(key),
            Key::Retired(_) => None,
        });
        let signing: Vec<_> = signing.take(SIGNING).collect();
        if signing.is_empty() {
            return Err(io::Error::other(format!("no signing key in {}", self.folder.display())));
        }
        Ok(signing)
    }

    /// Makes another key. The one before goes on signing beside it, unless `alone`; older ones only verify from then on.
    ///
    /// Processes that run take the new key at their next checkpoint.
    pub fn rotate(&self, alone: bool) -> io::Result<()> {
        let files = self.files()?;
        self.create(files.last().map_or(1, |(number, _)| number + 1))?;
        let kept = if alone { 0 } else { SIGNING - 1 };
        let private: Vec<_> = files.iter().filter(|(_, path)| is_private(path)).collect();
        for (_, path) in private.iter().take(private.len().saturating_sub(kept)) {
            let key = SigningKey::from_pkcs8_pem(&fs::read_to_string(path)?);
            let public = key.map_err(io::Error::other)?.verifying_key();
            let pem = public.to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
            create_private(&path.with_extension("pub"), pem.as_bytes())?;
            fs::remove_file(path)?;
        }
        Ok(())
    }

    fn create(&self, number: u32) -> io::Result<()> {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let key = SigningKey::from_bytes(&seed);
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
        create_private(&self.folder.join(format!("{number:04}.pem")), pem.as_bytes())
    }

    /// Key files by number. Where a key is there both ways, a retirement was cut short: it is retired.
    fn files(&self) -> io::Result<Vec<(u32, PathBuf)>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            let number = path.file_stem().and_then(|it| it.to_str()).and_then(|it| it.parse().ok());
            let of_ours = path.extension().is_some_and(|it| it == "pem" || it == "pub");
            files.extend(number.filter(|_| of_ours).map(|it: u32| (it, path)));
        }
        files.sort_by_key(|(number, path)| (*number, is_private(path)));
        files.dedup_by_key(|(number, _)| *number);
        Ok(files)
    }

    fn read(&self) -> io::Result<Vec<Key>> {
        let read = |path: &Path| {
            let text = fs::read_to_string(path)?;
            if is_private(path) {
                SigningKey::from_pkcs8_pem(&text).map(Key::Signing).map_err(io::Error::other)
            } else {
                VerifyingKey::from_public_key_pem(&text).map(Key::Retired).map_err(io::Error::other)
            }
        };
        let of_file = |(_, path): (u32, PathBuf)| {
            read(&path).map_err(|error| {
                io::Error::other(format!("{} does not hold a key: {error}", path.display()))
            })
        };
        self.files()?.into_iter().map(of_file).collect()
    }
}

fn is_private(path: &Path) -> bool {
    path.extension().is_some_and(|it| it == "pem")
}
