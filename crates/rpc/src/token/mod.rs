//! Credentials: signed tokens (RFC 7519, RFC 9068, Ed25519) that say who holds them, whose data they reach and for what.

pub mod jwk;
mod keyset;

use std::{
    collections::{BTreeSet, HashMap},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration as Span, Instant},
};

use chrono::{DateTime, Duration, Utc};
use jsonwebtoken::{Algorithm, Header, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use self::keyset::Key;
use crate::{Error, Reason, Result, Scope, new_id, parse_scope, scope_name};

/// What deployments that were given no public address call themselves in their tokens.
pub const ISSUER: &str = "headway";
/// The longest that a token holds, in seconds.
pub const LONGEST_S: i64 = 3600;
/// How long a token holds that a service of the deployment gives itself.
pub const OF_SERVICES: Duration = Duration::minutes(5);
/// RFC 9068, 2.1: nothing else that is signed can be taken for a token.
const TYPE: &str = "at+jwt";
/// Seconds that clocks may differ by.
const LEEWAY: i64 = 30;
/// Tokens remembered at the most; beyond, all are forgotten.
const REMEMBERED: usize = 10_000;
/// How often the folder is looked at, and how often at the most for a key that is not known.
const LOOK: Span = Span::from_secs(5);
const LOOK_AGAIN: Span = Span::from_secs(1);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    /// Scopes, parted by spaces (RFC 9068).
    scope: String,
    /// The trust it is confined to; absent for the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trust: Option<Uuid>,
    /// Set where the deployment speaks for itself: no client stands behind it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    service: bool,
}

/// What a token says that is ours and in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub client_id: String,
    pub trust: Option<Uuid>,
    pub scopes: BTreeSet<i32>,
    pub jti: String,
    /// Unix seconds, as the next.
    pub issued_at: i64,
    pub expires_at: i64,
    /// The deployment speaks for itself: no client stands behind it.
    pub service: bool,
}

/// A token to be given, to a client for one trust or for the whole platform.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    pub client_id: &'a str,
    pub trust: Option<Uuid>,
    pub scopes: &'a [Scope],
    pub lifetime: Duration,
}

/// The keys that sign and verify tokens, as their folder has them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    issuer: String,
    state: Mutex<State>,
}

struct State {
    keys: Arc<[Key]>,
    looked: Instant,
    /// Tokens found good, by their SHA-256.
    verified: HashMap<[u8; 32], Arc<Token>>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys")
    }
}

impl Keys {
    /// Reads the keys of a folder, making the first where there is none. `issuer` is what tokens name as their issuer
    /// and their audience.
    pub fn open(folder: &Path, issuer: &str) -> io::Result<Self> {
        keyset::begin(folder)?;
        let state = State {
            keys: keyset::read(folder)?.into(),
            looked: Instant::now(),
            verified: HashMap::new(),
        };
        let (folder, issuer) = (folder.to_owned(), issuer.to_owned());
        Ok(Self(Arc::new(Inner { folder, issuer, state: Mutex::new(state) })))
    }

    /// Makes another key, which signs as soon as every process has read it. The others verify until no token that they
    /// signed holds; `alone` removes them, and with them every token there is.
    pub fn rotate(&self, alone: bool) -> io::Result<()> {
        keyset::rotate(&self.0.folder, alone, crate::now())?;
        self.look(&mut self.state());
        Ok(())
    }

    /// What tokens name as their issuer.
    pub fn issuer(&self) -> &str {
        &self.0.issuer
    }

    /// The public keys whose tokens hold, as a JSON Web Key Set (RFC 7517).
    pub fn jwks(&self) -> Value {
        let keys = self.keys();
        let public: Vec<_> = keyset::verifying(&keys, crate::now()).map(|it| &it.public).collect();
        json!({ "keys": public })
    }

    /// Gives a token that nobody but the deployment itself stands for. `trust` confines it; without one it reaches the
    /// whole platform.
    pub fn issue(
        &self,
        client_id: &str,
        trust: Option<Uuid>,
        scopes: &[Scope],
        now: DateTime<Utc>,
        lifetime: Duration,
    ) -> Result<String> {
        self.sign(&Asked { client_id, trust, scopes, lifetime }, now, true)
    }

    /// Gives a client a token: it holds for as long as the client and its grants do.
    pub fn issue_to(&self, asked: &Asked<'_>, now: DateTime<Utc>) -> Result<String> {
        self.sign(asked, now, false)
    }

    /// Signs what is no token of ours: for the demonstration's identity provider, which has keys of its own.
    pub fn sign_other(&self, claims: &Value) -> Result<String> {
        let keys = self.keys();
        let key = keyset::signing(&keys, crate::now());
        let key = key.ok_or_else(|| Error::internal("no key signs"))?;
        let header = Header { kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.signing).map_err(Error::internal)
    }

    fn sign(&self, asked: &Asked<'_>, now: DateTime<Utc>, service: bool) -> Result<String> {
        let claims = Claims {
            iss: self.0.issuer.clone(),
            aud: self.0.issuer.clone(),
            sub: asked.client_id.to_owned(),
            client_id: asked.client_id.to_owned(),
            iat: now.timestamp(),
            exp: (now + asked.lifetime).timestamp(),
            jti: new_id().to_string(),
            scope: asked.scopes.iter().map(|it| scope_name(*it)).collect::<Vec<_>>().join(" "),
            trust: asked.trust,
            service,
        };
        let keys = self.keys();
        let key = keyset::signing(&keys, now).ok_or_else(|| Error::internal("no key signs"))?;
        let (typ, kid) = (Some(TYPE.to_owned()), Some(key.kid.clone()));
        let header = Header { typ, kid, ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, &claims, &key.signing).map_err(Error::internal)
    }

    /// What a token says, if it is ours and in force. Whether its client and grants still are, others must say.
    ///
    /// Checking a signature takes longer than all the rest of a short request: tokens are remembered by their hash
    /// until they expire.
    pub fn verify(&self, token: &str) -> Result<Arc<Token>> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let mut state = self.state();
        if state.looked.elapsed() >= LOOK {
            self.look(&mut state);
        }
        if let Some(known) = state.verified.get(&hash)
            && known.expires_at + LEEWAY >= crate::now().timestamp()
        {
            return Ok(Arc::clone(known));
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused())?;
        let is_ours = |it: &Header| {
            it.alg == Algorithm::EdDSA
                && it.typ.as_deref().is_some_and(|it| it.eq_ignore_ascii_case(TYPE))
        };
        let kid = header.kid.as_ref().filter(|_| is_ours(&header)).ok_or_else(refused)?;
        let find =
            |keys: &[Key]| keyset::verifying(keys, crate::now()).find(|it| it.kid == *kid).cloned();
        let mut key = find(&state.keys);
        if key.is_none() && state.looked.elapsed() >= LOOK_AGAIN {
            self.look(&mut state);
            key = find(&state.keys);
        }
        drop(state);
        let token = Arc::new(self.check(token, &key.ok_or_else(refused)?)?);
        let mut state = self.state();
        if state.verified.len() >= REMEMBERED {
            state.verified.clear();
        }
        state.verified.insert(hash, Arc::clone(&token));
        Ok(token)
    }

    fn check(&self, token: &str, key: &Key) -> Result<Token> {
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[&self.0.issuer]);
        validation.set_audience(&[&self.0.issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.unsigned_abs();
        let claims = jsonwebtoken::decode::<Claims>(token, &key.verifying, &validation)
            .map_err(|_| refused())?
            .claims;
        let holds_too_long = claims.exp - claims.iat > LONGEST_S;
        if holds_too_long || claims.iat > crate::now().timestamp() + LEEWAY {
            return Err(refused());
        }
        Ok(Token {
            client_id: claims.client_id,
            trust: claims.trust,
            scopes: claims.scope.split(' ').filter_map(parse_scope).map(i32::from).collect(),
            jti: claims.jti,
            issued_at: claims.iat,
            expires_at: claims.exp,
            service: claims.service,
        })
    }

    fn keys(&self) -> Arc<[Key]> {
        let mut state = self.state();
        if state.looked.elapsed() >= LOOK {
            self.look(&mut state);
        }
        Arc::clone(&state.keys)
    }

    /// Reads the folder again; what was verified by keys that are gone is forgotten.
    fn look(&self, state: &mut State) {
        state.looked = Instant::now();
        match keyset::read(&self.0.folder) {
            Ok(keys) => {
                let same = keys.iter().map(|it| &it.kid).eq(state.keys.iter().map(|it| &it.kid));
                if !same {
                    state.verified.clear();
                    state.keys = keys.into();
                }
            }
            Err(error) => tracing::error!(%error, "the keys of tokens cannot be read again"),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused() -> Error {
    Error::new(Reason::Unauthenticated, "the token is not valid")
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

    fn keys() -> (tempfile::TempDir, Keys) {
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path(), ISSUER).unwrap();
        (folder, keys)
    }

    fn issue(keys: &Keys, lifetime: Duration) -> String {
        let trust = Some(Uuid::from_u128(7));
        keys.issue("arbor", trust, &[Scope::RecordsWrite], crate::now(), lifetime).unwrap()
    }

    #[test]
    fn a_token_says_who_for_whom_and_what() {
        let (_folder, keys) = keys();
        let token = keys.verify(&issue(&keys, Duration::hours(1))).unwrap();
        assert_eq!((token.client_id.as_str(), token.trust), ("arbor", Some(Uuid::from_u128(7))));
        assert_eq!(token.scopes, [Scope::RecordsWrite.into()].into());
        assert!(token.service);
        let scopes = [Scope::RecordsRead];
        let lifetime = Duration::minutes(9);
        let asked = Asked { client_id: "arbor", trust: None, scopes: &scopes, lifetime };
        let token = keys.verify(&keys.issue_to(&asked, crate::now()).unwrap()).unwrap();
        assert_eq!((token.expires_at - token.issued_at, token.service), (540, false));
        assert!(!token.jti.is_empty());
    }

    /// threat: T-FORGED-TOKEN
    #[test]
    fn expired_forged_and_mangled_tokens_are_refused() {
        let ((_one, first), (_two, second)) = (keys(), keys());
        let token = issue(&first, Duration::hours(1));
        assert!(second.verify(&token).is_err(), "another key");
        assert!(first.verify(&issue(&first, Duration::hours(-1))).is_err(), "expired");
        assert!(first.verify(&issue(&first, Duration::minutes(61))).is_err(), "holds too long");
        assert!(first.verify(&token[..token.len() - 2]).is_err(), "cut short");
        assert!(first.verify("").is_err());
    }

    #[test]
    fn a_token_for_another_audience_or_of_another_kind_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let here = Keys::open(folder.path(), "https://here").unwrap();
        let there = Keys::open(folder.path(), "https://there").unwrap();
        assert!(here.verify(&issue(&there, Duration::hours(1))).is_err());
        let keys = here.keys();
        let claims = json!({
            "iss": "https://here", "aud": "https://here", "sub": "x", "client_id": "x", "jti": "1",
            "iat": crate::now().timestamp(), "exp": crate::now().timestamp() + 60, "scope": "",
        });
        for (typ, good) in [(Some("at+jwt"), true), (Some("JWT"), false), (None, false)] {
            let header = Header {
                typ: typ.map(str::to_owned),
                kid: Some(keys[0].kid.clone()),
                ..Header::new(Algorithm::EdDSA)
            };
            let token = jsonwebtoken::encode(&header, &claims, &keys[0].signing).unwrap();
            assert_eq!(here.verify(&token).is_ok(), good, "{typ:?}");
        }
    }

    /// threat: T-EXPIRED-TOKEN
    #[test]
    fn a_remembered_token_expires_all_the_same() {
        let (_folder, keys) = keys();
        let short = issue(&keys, Duration::seconds(1 - LEEWAY));
        assert!(keys.verify(&short).is_ok());
        assert!(keys.verify(&short).is_ok());
        std::thread::sleep(Span::from_millis(2100));
        assert!(keys.verify(&short).is_err());
    }

    /// threat: T-LEAKED-KEY
    #[test]
    fn tokens_of_both_keys_hold_until_one_stands_alone() {
        let (folder, keys) = keys();
        let old = issue(&keys, Duration::hours(1));
        keys.verify(&old).unwrap();
        keys.rotate(false).unwrap();
        assert_eq!(keys.jwks()["keys"].as_array().unwrap().len(), 2, "published before it signs");
        // Another process with the same folder.
        let other = Keys::open(folder.path(), ISSUER).unwrap();
        let later = crate::now() + Duration::seconds(20);
        let new = other.issue("arbor", None, &[], later, Duration::minutes(1)).unwrap();
        let kid = |it: &str| jsonwebtoken::decode_header(it).unwrap().kid;
        assert_ne!(kid(&old), kid(&new), "the new key signs once it has settled");
        assert!(keys.verify(&old).is_ok() && keys.verify(&new).is_ok());
        keys.rotate(true).unwrap();
        assert!(keys.verify(&old).is_err() && keys.verify(&new).is_err());
    }
}
