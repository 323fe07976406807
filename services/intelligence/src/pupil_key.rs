//! Pupils are known by a keyed hash alone.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use identity::TrustId;
use rpc::{Error, Result};
use sha2::Sha256;

use crate::domain::{BatchId, Hash, Record};

/// The key every trust's own key is derived from. Whoever has it and a vendor's ids can tell whose marks are whose.
#[derive(Clone)]
pub(crate) struct MasterKey([u8; 32]);

/// A trust's key, ready to hash.
#[derive(Clone)]
pub(crate) struct TrustKey(Hmac<Sha256>);

impl MasterKey {
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// HMAC-SHA256 of the trust's id under the master key.
    pub(crate) fn of_trust(&self, trust_id: TrustId) -> Result<TrustKey> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).map_err(Error::internal)?;
        mac.update(trust_id.0.as_bytes());
        let key = mac.finalize().into_bytes();
        Ok(TrustKey(Hmac::new_from_slice(&key).map_err(Error::internal)?))
    }
}

impl TrustKey {
    /// Records with every pupil's id hashed.
    pub(crate) fn hashed(&self, records: Vec<Record>) -> Vec<Record<Hash>> {
        // Remembering hashes would cost as much as making them: few pushes name a pupil more than once.
        let renamed = |Record { line, external_id, body }: Record| {
            let body = body.map(|it| it.renamed(|pupil| self.hash(&pupil)));
            Record { line, external_id, body }
        };
        records.into_iter().map(renamed).collect()
    }

    /// The first half of HMAC-SHA256: 128 bits, enough that no two pupils of a trust share one.
    pub(crate) fn hash(&self, pupil: &str) -> Hash {
        let mut mac = self.0.clone();
        mac.update(pupil.as_bytes());
        let full: [u8; 32] = mac.finalize().into_bytes().into();
        let mut half = Hash::default();
        half.iter_mut().zip(full).for_each(|(to, from)| *to = from);
        half
    }
}

/// What is kept for a while of a body that names pupils is sealed: AES-256-GCM under a key of the trust's. Each part of
/// each batch is sealed once, and so has a nonce of its own.
impl TrustKey {
    pub(crate) fn seal(&self, batch_id: BatchId, part: u32, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (key, nonce, aad) = self.sealing(batch_id, part)?;
        key.seal_in_place_append_tag(nonce, aad, &mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }

    /// Refuses what was sealed under another key, of another batch, or as another part of it.
    pub(crate) fn open(&self, batch_id: BatchId, part: u32, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (key, nonce, aad) = self.sealing(batch_id, part)?;
        let length = key.open_in_place(nonce, aad, &mut bytes).map_err(Error::internal)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }

    fn sealing(&self, batch_id: BatchId, part: u32) -> Result<(LessSafeKey, Nonce, Aad<Vec<u8>>)> {
        let derived = |what: &[u8]| -> [u8; 32] {
            let mut mac = self.0.clone();
            // No pupil's id begins with a NUL: no door lets one in.
            mac.update(b"\0sealed parts");
            mac.update(what);
            mac.finalize().into_bytes().into()
        };
        let place = [batch_id.0.as_bytes().as_slice(), &part.to_be_bytes()].concat();
        let key = UnboundKey::new(&AES_256_GCM, &derived(b"")).map_err(Error::internal)?;
        let nonce = derived(&place).into_iter().take(12).collect::<Vec<_>>();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(Error::internal)?;
        Ok((LessSafeKey::new(key), nonce, Aad::from(place)))
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}
