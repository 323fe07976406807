//! The keys that sign tokens: files of a folder, read again while the process runs, so that a rotation needs no restart.
//!
//! `token-key.pem` is the first, `token-key-<Unix seconds>.pem` one made later. All of them are published; the newest
//! signs, once every process has had time to read it, and the one before verifies until no token it signed holds.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{DecodingKey, EncodingKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{LONGEST_S, create_private};

const FIRST: &str = "token-key.pem";
const PREFIX: &str = "token-key-";
/// Seconds after which every process has read a new key.
const SETTLED_S: i64 = 15;
/// Seconds that a key verifies beyond the longest life of what it signed.
const MARGIN_S: i64 = 300;

/// One key, and since when it is there.
#[derive(Clone)]
pub(super) struct Key {
    pub(super) kid: String,
    /// Unix seconds; 0 for the first.
    pub(super) made: i64,
    pub(super) signing: EncodingKey,
    pub(super) verifying: DecodingKey,
    /// The public key as a JSON Web Key.
    pub(super) public: Value,
}

impl Key {
    /// Takes the private key as PKCS #8 PEM.
    pub(super) fn read(pem: &str, made: i64) -> io::Result<Self> {
        let key = SigningKey::from_pkcs8_pem(pem).map_err(io::Error::other)?;
        let public = key.verifying_key();
        let x = BASE64_URL_SAFE_NO_PAD.encode(public.as_bytes());
        // RFC 7638: the members that matter, in the order of their names.
        let print = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        let kid = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(print));
        let pem_of_public = public.to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
        let public = json!({
            "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid, "use": "sig", "alg": "EdDSA",
        });
        Ok(Self {
            kid,
            made,
            signing: EncodingKey::from_ed_pem(pem.as_bytes()).map_err(io::Error::other)?,
            verifying: DecodingKey::from_ed_pem(pem_of_public.as_bytes())
                .map_err(io::Error::other)?,
            public,
        })
    }
}

/// The keys of a folder, oldest first.
pub(super) fn read(folder: &Path) -> io::Result<Vec<Key>> {
    let of_file = |(made, path): (i64, PathBuf)| {
        let read = fs::read_to_string(&path).and_then(|pem| Key::read(&pem, made));
        match read {
            // Another process removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => {
                let detail = format!("{} does not hold a key: {error}", path.display());
                Some(Err(io::Error::other(detail)))
            }
            Ok(key) => Some(Ok(key)),
        }
    };
    files(folder)?.into_iter().filter_map(of_file).collect()
}

/// Makes the first key where there is none.
pub(super) fn begin(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    if files(folder)?.is_empty() { create(&folder.join(FIRST)) } else { Ok(()) }
}

/// Makes another key and removes those that no token needs; all others, when it is to be `alone`.
pub(super) fn rotate(folder: &Path, alone: bool, now: DateTime<Utc>) -> io::Result<()> {
    let files = files(folder)?;
    // Two of one second would be one file.
    let now = files.last().map_or(now.timestamp(), |it| now.timestamp().max(it.0 + 1));
    create(&folder.join(format!("{PREFIX}{now}.pem")))?;
    let superseded = files.iter().skip(1).map(|it| it.0).chain([now]);
    for ((_, path), superseded) in files.iter().zip(superseded) {
        if alone || is_over(superseded, now) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// Which of the keys, oldest first, signs now.
pub(super) fn signing(keys: &[Key], now: DateTime<Utc>) -> Option<&Key> {
    let settled = keys.iter().rev().find(|it| it.made + SETTLED_S <= now.timestamp());
    settled.or_else(|| keys.first())
}

/// Those of the keys, oldest first, whose tokens hold.
pub(super) fn verifying(keys: &[Key], now: DateTime<Utc>) -> impl Iterator<Item = &Key> {
    let superseded = keys.iter().skip(1).map(|it| Some(it.made)).chain([None]);
    let pairs = keys.iter().zip(superseded);
    pairs
        .filter(move |(_, made)| made.is_none_or(|it| !is_over(it, now.timestamp())))
        .map(|it| it.0)
}

fn is_over(superseded: i64, now: i64) -> bool {
    superseded + LONGEST_S + MARGIN_S < now
}

fn create(path: &Path) -> io::Result<()> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(io::Error::other)?;
    let key = SigningKey::from_bytes(&seed);
    let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
    create_private(path, pem.as_bytes())
}

/// Key files by the time they were made.
fn files(folder: &Path) -> io::Result<Vec<(i64, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let made = match name.to_str() {
            Some(FIRST) => Some(0),
            Some(it) => it
                .strip_prefix(PREFIX)
                .and_then(|it| it.strip_suffix(".pem"))
                .and_then(|it| it.parse().ok()),
            None => None,
        };
        files.extend(made.map(|it| (it, entry.path())));
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn kids<'k>(keys: impl Iterator<Item = &'k Key>) -> Vec<i64> {
        keys.map(|it| it.made).collect()
    }

    #[test]
    fn a_new_key_signs_once_everybody_has_read_it_and_the_old_one_verifies_on() {
        let folder = tempfile::tempdir().unwrap();
        begin(folder.path()).unwrap();
        begin(folder.path()).unwrap();
        let first = read(folder.path()).unwrap();
        assert_eq!(kids(first.iter()), [0], "the first is made once");
        let now = crate::now();
        rotate(folder.path(), false, now).unwrap();
        let keys = read(folder.path()).unwrap();
        let made = now.timestamp();
        let at = |seconds| now + TimeDelta::seconds(seconds);
        for (seconds, signs, verify) in [
            (0, 0, vec![0, made]),
            (SETTLED_S, made, vec![0, made]),
            (LONGEST_S + MARGIN_S, made, vec![0, made]),
            (LONGEST_S + MARGIN_S + 1, made, vec![made]),
        ] {
            assert_eq!(signing(&keys, at(seconds)).unwrap().made, signs, "{seconds} s");
            assert_eq!(kids(verifying(&keys, at(seconds))), verify, "{seconds} s");
        }
        let later = at(LONGEST_S + MARGIN_S + 1);
        rotate(folder.path(), false, later).unwrap();
        let kept = read(folder.path()).unwrap();
        assert_eq!(kids(kept.iter()), [made, later.timestamp()], "what nobody needs is removed");
        rotate(folder.path(), true, later + TimeDelta::seconds(1)).unwrap();
        assert_eq!(kids(read(folder.path()).unwrap().iter()), [later.timestamp() + 1]);
    }
}
