//! Pupils are known by a keyed hash alone.

use hmac::{Hmac, KeyInit, Mac};
use identity::TrustId;
use rpc::{Error, Result};
use sha2::Sha256;

use crate::store::pupil::Hash;

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

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey")
    }
}
