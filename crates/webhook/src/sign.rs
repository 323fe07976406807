//! Secrets and signatures (Standard Webhooks, 1.0).
//!
//! No secret is stored: each is derived from one key in a file, by the webhook and the number of the secret. So no copy
//! of a database holds what would let its reader speak in our name.

use std::{fs, io, path::Path};

use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use ed25519_dalek::{Signer, SigningKey};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;

/// The key that all secrets are derived from. Losing it means a new secret for every webhook.
#[derive(Clone)]
pub struct Keys([u8; 32]);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

/// What signs for one webhook: a secret that it shares, and a key whose public half everybody may know.
pub struct Pair {
    secret: [u8; 32],
    key: SigningKey,
}

impl std::fmt::Debug for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pair")
    }
}

impl Keys {
    pub fn new(master: [u8; 32]) -> Self {
        Self(master)
    }

    /// Reads `webhook-key` in a folder, making it when there is none.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("webhook-key");
        let mut fresh = [0; 32];
        getrandom::fill(&mut fresh).map_err(io::Error::other)?;
        rpc::token::create_private(&path, &fresh)?;
        let wrong = |_| io::Error::other(format!("{} must hold 32 bytes", path.display()));
        fs::read(&path)?.try_into().map(Self).map_err(wrong)
    }

    /// What signs for a webhook, by the number of its secret.
    pub fn pair(&self, webhook_id: Uuid, generation: u32) -> Pair {
        let derive = |purpose: &str| {
            let purpose = format!("headway webhook {purpose}");
            let id = webhook_id.as_bytes();
            mac(&self.0, &[purpose.as_bytes(), id, &generation.to_be_bytes()])
        };
        Pair { secret: derive("v1"), key: SigningKey::from_bytes(&derive("v1a")) }
    }
}

impl Pair {
    /// As receivers configure it: shown once.
    pub fn secret(&self) -> String {
        format!("whsec_{}", BASE64_STANDARD.encode(self.secret))
    }

    /// As receivers configure it who would rather share no secret.
    pub fn public_key(&self) -> String {
        format!("whpk_{}", BASE64_STANDARD.encode(self.key.verifying_key().as_bytes()))
    }

    /// The two signatures of a message, as in the header `webhook-signature`.
    pub fn sign(&self, message_id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
        let head = format!("{message_id}.{}.", at.timestamp());
        let symmetric = mac(&self.secret, &[head.as_bytes(), body]);
        let signed = self.key.sign(&[head.as_bytes(), body].concat()).to_bytes();
        let (symmetric, signed) =
            (BASE64_STANDARD.encode(symmetric), BASE64_STANDARD.encode(signed));
        format!("v1,{symmetric} v1a,{signed}")
    }
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    // The form HMAC takes a key in: filled up with zeros to a block.
    let mut block = [0; 64];
    let (start, _) = block.split_at_mut(key.len());
    start.copy_from_slice(key);
    let mut mac = Hmac::<Sha256>::new(&block.into());
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_by_webhook_number_and_key() {
        let keys = Keys::new([1; 32]);
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let all = [
            keys.pair(a, 1).secret(),
            keys.pair(a, 2).secret(),
            keys.pair(b, 1).secret(),
            Keys::new([2; 32]).pair(a, 1).secret(),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
        assert_eq!(keys.pair(a, 1).secret(), all[0], "derived again, not stored");
        assert!(!format!("{keys:?}{:?}", keys.pair(a, 1)).contains(&all[0][6..]));
    }

    #[test]
    fn a_folder_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let secret = || Keys::open(folder.path()).unwrap().pair(Uuid::nil(), 1).secret();
        assert_eq!(secret(), secret());
    }

    /// The specification's own example.
    #[test]
    fn the_signature_is_the_specifications() {
        let secret = BASE64_STANDARD.decode("C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret).unwrap();
        mac.update(
            br#"msg_loFOjxBNrRLzqYUf.1731705121.{"event_type":"ping","data":{"success":true}}"#,
        );
        let expected = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let body = br#"{"event_type":"ping","data":{"success":true}}"#;
        let at = DateTime::from_timestamp(1_731_705_121, 0).unwrap();
        let mut padded = [0; 32];
        padded[..24].copy_from_slice(&secret);
        // HMAC pads a key with zeros, so a key of 24 bytes and the same with zeros sign alike.
        let pair = Pair { secret: padded, key: SigningKey::from_bytes(&[1; 32]) };
        let signed = pair.sign("msg_loFOjxBNrRLzqYUf", at, body);
        assert!(signed.starts_with(&format!("v1,{expected} v1a,")), "{signed}");
    }

    #[test]
    fn the_public_key_verifies() {
        use ed25519_dalek::{Signature, Verifier, VerifyingKey};
        let pair = Keys::new([3; 32]).pair(Uuid::nil(), 1);
        let at = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let signed = pair.sign("m", at, b"{}");
        let signature = BASE64_STANDARD.decode(signed.split_once(" v1a,").unwrap().1).unwrap();
        let public = BASE64_STANDARD.decode(&pair.public_key()[5..]).unwrap();
        let public = VerifyingKey::from_bytes(&public.try_into().unwrap()).unwrap();
        let signature = Signature::from_slice(&signature).unwrap();
        assert!(public.verify(b"m.1700000000.{}", &signature).is_ok());
    }
}
