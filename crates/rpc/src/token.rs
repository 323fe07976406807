//! Credentials: signed tokens (RFC 7519, Ed25519) that say who holds them, whose data they reach and for what.

use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Duration, Utc};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{EncodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{Caller, Error, Reach, Reason, Result, Scope, parse_scope, scope_name};

const ISSUER: &str = "headway";
/// Seconds that clocks may differ by.
const LEEWAY: i64 = 30;
/// Tokens remembered at the most; beyond, all are forgotten.
const REMEMBERED: usize = 10_000;

/// What a token says.
#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    iat: i64,
    exp: i64,
    /// Scopes, parted by spaces (RFC 9068).
    scope: String,
    /// The trust it is confined to; absent for the platform's own.
    trust: Option<Uuid>,
}

/// Holders and ends (Unix seconds) of tokens found good, by the tokens' SHA-256.
type Verified = HashMap<[u8; 32], (Caller, i64)>;

/// The key pair that signs and verifies tokens.
#[derive(Clone)]
pub struct Keys {
    encoding: EncodingKey,
    decoding: DecodingKey,
    verified: Arc<Mutex<Verified>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Reads `token-key.pem` in a folder, making it when there is none.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let path = folder.join("token-key.pem");
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(io::Error::other)?;
        let key = SigningKey::from_bytes(&seed);
        let pem = key.to_pkcs8_pem(LineEnding::LF).map_err(io::Error::other)?;
        create_private(&path, pem.as_bytes())?;
        Self::read(&fs::read_to_string(&path)?)
    }

    /// Takes the private key as PKCS #8 PEM.
    pub fn read(pem: &str) -> io::Result<Self> {
        use ed25519_dalek::pkcs8::DecodePrivateKey;
        let key = SigningKey::from_pkcs8_pem(pem).map_err(io::Error::other)?;
        let public =
            key.verifying_key().to_public_key_pem(LineEnding::LF).map_err(io::Error::other)?;
        Ok(Self {
            encoding: EncodingKey::from_ed_pem(pem.as_bytes()).map_err(io::Error::other)?,
            decoding: DecodingKey::from_ed_pem(public.as_bytes()).map_err(io::Error::other)?,
            verified: Arc::default(),
        })
    }

    /// Issues a token. `trust` confines it; without one it reaches the whole platform.
    pub fn issue(
        &self,
        client_id: &str,
        trust: Option<Uuid>,
        scopes: &[Scope],
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: ISSUER.to_owned(),
            sub: client_id.to_owned(),
            iat: now.timestamp(),
            exp: (now + lifetime).timestamp(),
            scope: scopes.iter().map(|it| scope_name(*it)).collect::<Vec<_>>().join(" "),
            trust,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::EdDSA), &claims, &self.encoding)
            .map_err(Error::internal)
    }

    /// The holder of a token that is ours and in force.
    ///
    /// Checking a signature takes longer than all the rest of a short request: tokens are remembered by their hash
    /// until they expire.
    pub fn verify(&self, token: &str) -> Result<Caller> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        match verified.get(&hash) {
            Some((caller, expires)) if *expires + LEEWAY >= crate::now().timestamp() => {
                return Ok(caller.clone());
            }
            _ => drop(verified),
        }
        let (caller, expires) = self.check(token)?;
        verified = self.verified.lock().unwrap_or_else(PoisonError::into_inner);
        if verified.len() >= REMEMBERED {
            verified.clear();
        }
        verified.insert(hash, (caller.clone(), expires));
        Ok(caller)
    }

    fn check(&self, token: &str) -> Result<(Caller, i64)> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[ISSUER]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.unsigned_abs();
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &validation)
            .map_err(|_| Error::new(Reason::Unauthenticated, "the token is not valid"))?
            .claims;
        let reach = claims.trust.map_or(Reach::Platform, Reach::Trust);
        let scopes = claims.scope.split(' ').filter_map(parse_scope);
        let caller = Caller::whole(claims.sub, reach, scopes);
        Ok((caller, claims.exp))
    }
}

/// Writes a secret that only its owner may read, unless it is there already.
///
/// It appears whole or not at all: another process may be starting in the same folder.
pub fn create_private(path: &Path, content: &[u8]) -> io::Result<()> {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};
    if path.exists() {
        return Ok(());
    }
    let draft = path.with_extension(format!("{}.new", crate::new_id()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(seed: u8) -> Keys {
        let key = SigningKey::from_bytes(&[seed; 32]);
        Keys::read(&key.to_pkcs8_pem(LineEnding::LF).unwrap()).unwrap()
    }

    fn issue(keys: &Keys, lifetime: Duration) -> String {
        let trust = Some(Uuid::from_u128(7));
        keys.issue("arbor", trust, &[Scope::RecordsWrite], crate::now(), lifetime).unwrap()
    }

    #[test]
    fn a_token_says_who_for_whom_and_what() {
        let keys = keys(1);
        let caller = keys.verify(&issue(&keys, Duration::hours(1))).unwrap();
        assert_eq!(caller.client_id, "arbor");
        assert_eq!(caller.reach, Reach::Trust(Uuid::from_u128(7)));
        assert!(caller.may(Scope::RecordsWrite));
        assert!(!caller.may(Scope::RegistryRead));
    }

    /// threat: T-FORGED-TOKEN
    #[test]
    fn expired_forged_and_mangled_tokens_are_refused() {
        let token = issue(&keys(1), Duration::hours(1));
        assert!(keys(2).verify(&token).is_err(), "another key");
        assert!(keys(1).verify(&issue(&keys(1), Duration::hours(-1))).is_err(), "expired");
        assert!(keys(1).verify(&token[..token.len() - 2]).is_err(), "cut short");
        assert!(keys(1).verify("").is_err());
    }

    /// threat: T-EXPIRED-TOKEN
    #[test]
    fn a_remembered_token_expires_all_the_same() {
        let keys = keys(1);
        let short = issue(&keys, Duration::seconds(1 - LEEWAY));
        assert!(keys.verify(&short).is_ok());
        assert!(keys.verify(&short).is_ok());
        std::thread::sleep(std::time::Duration::from_millis(2100));
        assert!(keys.verify(&short).is_err());
    }
}
