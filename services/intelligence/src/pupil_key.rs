//! Pupils and staff are known by a keyed hash alone.
//!
//! There may be several keys, one for each *generation*: the first hashes the vendor's id, each later one the hash before
//! it. So all hashes of a trust can be made anew with one more key although nobody keeps the ids they came from, and
//! whoever has the keys before alone can tell nothing by what there is now.

use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, AES_256_GCM_SIV, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use identity::TrustId;
use rpc::{Error, Reason, Result};
use sha2::Sha256;

use crate::domain::{BatchId, Hash, Record};

/// The keys every trust's own keys are derived from, oldest first. Whoever has them and a vendor's ids can tell whose
/// marks are whose.
#[derive(Clone)]
pub struct MasterKeys(Arc<[[u8; 32]]>);

/// A trust's keys, ready to hash.
#[derive(Clone)]
pub(crate) struct TrustKey(Vec<Hmac<Sha256>>);

impl From<[u8; 32]> for MasterKeys {
    fn from(key: [u8; 32]) -> Self {
        Self([key].into())
    }
}

impl From<Vec<[u8; 32]>> for MasterKeys {
    fn from(keys: Vec<[u8; 32]>) -> Self {
        Self(keys.into())
    }
}

impl MasterKeys {
    /// How many keys there are.
    pub(crate) fn newest(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// A trust's keys up to a generation: HMAC-SHA256 of the trust's id under each master key.
    pub(crate) fn of_trust(&self, trust_id: TrustId, generation: u32) -> Result<TrustKey> {
        let wanted = usize::try_from(generation.max(1)).map_err(Error::internal)?;
        let keys = self.0.get(..wanted).ok_or_else(|| {
            let detail =
                "this process lacks the newest key of pupils' ids: it must be started again";
            Error::new(Reason::Unavailable, detail)
        })?;
        let derived = keys.iter().map(|key| {
            let mut mac = Hmac::<Sha256>::new_from_slice(key).map_err(Error::internal)?;
            mac.update(trust_id.0.as_bytes());
            let key = mac.finalize().into_bytes();
            Hmac::new_from_slice(&key).map_err(Error::internal)
        });
        Ok(TrustKey(derived.collect::<Result<_>>()?))
    }
}

impl TrustKey {
    pub(crate) fn generation(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }

    /// Records with every id of a pupil or of staff hashed.
    pub(crate) fn hashed(&self, records: Vec<Record>) -> Vec<Record<Hash>> {
        // Remembering hashes would cost as much as making them: few pushes name a pupil more than once.
        let renamed = |Record { line, external_id, body }: Record| {
            let body = body.map(|it| it.renamed(|pupil| self.hash(&pupil)));
            Record { line, external_id, body }
        };
        records.into_iter().map(renamed).collect()
    }

    /// The first half of HMAC-SHA256, and of as many more as there are later keys: 128 bits, enough that no two pupils of
    /// a trust share one.
    pub(crate) fn hash(&self, person: &str) -> Hash {
        let first = self.0.first().map_or_else(Hash::default, |key| half(key, person.as_bytes()));
        self.renewed(first, 1)
    }

    /// What a hash of an earlier generation has become.
    pub(crate) fn renewed(&self, hash: Hash, generation: u32) -> Hash {
        let before = usize::try_from(generation).unwrap_or(usize::MAX);
        self.0.iter().skip(before).fold(hash, |hash, key| half(key, &hash))
    }

    fn derived(&self, what: &[&[u8]]) -> [u8; 32] {
        let Some(key) = self.0.last() else { return [0; 32] };
        let mut mac = key.clone();
        // No id begins with a NUL: no door lets one in.
        mac.update(b"\0");
        for it in what {
            mac.update(it);
        }
        mac.finalize().into_bytes().into()
    }

    /// The same key without its newest generation; none before the first.
    fn before(&self) -> Option<Self> {
        let (_, before) = self.0.split_last()?;
        (!before.is_empty()).then(|| Self(before.to_vec()))
    }
}

/// Whom nothing is kept of but that they were erased: a hash under a key that makes nothing else. It can be opened again,
/// for when the hashes are made anew, and always comes out the same.
impl TrustKey {
    pub(crate) fn seal_person(&self, person: &Hash) -> Result<Vec<u8>> {
        let mut bytes = person.to_vec();
        let (key, nonce) = self.erased()?;
        key.seal_in_place_append_tag(nonce, Aad::empty(), &mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }

    pub(crate) fn open_person(&self, mut seal: Vec<u8>) -> Result<Hash> {
        let (key, nonce) = self.erased()?;
        let opened = key.open_in_place(nonce, Aad::empty(), &mut seal).map_err(Error::internal)?;
        Hash::try_from(&*opened).map_err(|_| Error::internal("a seal holds no hash"))
    }

    fn erased(&self) -> Result<(LessSafeKey, Nonce)> {
        let key = self.derived(&[b"erased people"]);
        let key = UnboundKey::new(&AES_256_GCM_SIV, &key).map_err(Error::internal)?;
        Ok((LessSafeKey::new(key), Nonce::assume_unique_for_key([0; 12])))
    }
}

/// A part of a hash by which most others are told apart from it, and nobody is known.
pub(crate) fn mark(person: &Hash) -> i32 {
    let [first, second, ..] = *person;
    i32::from(u16::from_be_bytes([first, second]))
}

/// What is kept for a while of a body that names pupils is sealed: AES-256-GCM under a key of the trust's. Each part of
/// each batch is sealed once, and so has a nonce of its own.
impl TrustKey {
    pub(crate) fn seal(&self, batch_id: BatchId, part: u32, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (key, nonce, aad) = self.sealing(batch_id, part)?;
        key.seal_in_place_append_tag(nonce, aad, &mut bytes).map_err(Error::internal)?;
        Ok(bytes)
    }

    /// Refuses what was sealed under another trust's keys, of another batch, or as another part of it.
    pub(crate) fn open(&self, batch_id: BatchId, part: u32, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (key, nonce, aad) = self.sealing(batch_id, part)?;
        let mut opened = bytes.clone();
        match (key.open_in_place(nonce, aad, &mut opened), self.before()) {
            (Ok(plain), _) => {
                let length = plain.len();
                opened.truncate(length);
                Ok(opened)
            }
            // Sealed before the trust took another key on.
            (Err(_), Some(before)) => before.open(batch_id, part, bytes),
            (Err(refused), None) => Err(Error::internal(refused)),
        }
    }

    fn sealing(&self, batch_id: BatchId, part: u32) -> Result<(LessSafeKey, Nonce, Aad<Vec<u8>>)> {
        let place = [batch_id.0.as_bytes().as_slice(), &part.to_be_bytes()].concat();
        let key = self.derived(&[b"sealed parts"]);
        let key = UnboundKey::new(&AES_256_GCM, &key).map_err(Error::internal)?;
        let nonce = self.derived(&[b"sealed parts", &place]);
        let nonce = nonce.into_iter().take(12).collect::<Vec<_>>();
        let nonce = Nonce::try_assume_unique_for_key(&nonce).map_err(Error::internal)?;
        Ok((LessSafeKey::new(key), nonce, Aad::from(place)))
    }
}

fn half(key: &Hmac<Sha256>, what: &[u8]) -> Hash {
    let mut mac = key.clone();
    mac.update(what);
    let full: [u8; 32] = mac.finalize().into_bytes().into();
    let mut half = Hash::default();
    half.iter_mut().zip(full).for_each(|(to, from)| *to = from);
    half
}

impl std::fmt::Debug for TrustKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TrustKey")
    }
}

impl std::fmt::Debug for MasterKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKeys")
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_hash_goes_on_under_one_more_key() {
        let keys = MasterKeys::from(vec![[1; 32], [2; 32]]);
        let trust_id = TrustId(Uuid::from_u128(7));
        let first = keys.of_trust(trust_id, 1).unwrap();
        let second = keys.of_trust(trust_id, 2).unwrap();
        let before = first.hash("p1");
        assert_ne!(second.hash("p1"), before);
        assert_eq!(second.renewed(before, 1), second.hash("p1"));
        assert_eq!(second.renewed(before, 2), before, "it is of that generation already");
        assert_eq!(keys.of_trust(trust_id, 0).unwrap().hash("p1"), before);
        assert_eq!(keys.of_trust(trust_id, 3).unwrap_err().reason, Reason::Unavailable);
        let batch = BatchId(Uuid::from_u128(8));
        let sealed = first.seal(batch, 1, b"p1".to_vec()).unwrap();
        assert_eq!(second.open(batch, 1, sealed.clone()).unwrap(), b"p1");
        assert!(second.open(batch, 2, sealed).is_err());
    }

    #[test]
    fn a_seal_is_the_same_each_time_and_opens() {
        let keys = MasterKeys::from([1; 32]);
        let key = keys.of_trust(TrustId(Uuid::from_u128(7)), 1).unwrap();
        let person = key.hash("p1");
        let seal = key.seal_person(&person).unwrap();
        assert_eq!(key.seal_person(&person).unwrap(), seal);
        assert!(!seal.windows(4).any(|it| person.windows(4).any(|part| part == it)));
        assert_eq!(key.open_person(seal.clone()).unwrap(), person);
        let other = keys.of_trust(TrustId(Uuid::from_u128(8)), 1).unwrap();
        assert!(other.open_person(seal).is_err());
    }
}
