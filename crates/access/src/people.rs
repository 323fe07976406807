//! Tokens of the identity providers of trusts (`OpenID` Connect), verified by the keys the providers publish.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use reqwest::{
    Url,
    dns::{Addrs, Name, Resolve, Resolving},
    redirect,
};
use rpc::{
    Error, Reason, Result,
    token::jwk::{PublicKey, Unverified},
};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::roles::Provider;

/// How long keys are taken as they were read, and how long at the most when the provider does not answer.
const YOUNG: Duration = Duration::from_mins(10);
const OLDEST: Duration = Duration::from_hours(1);
/// How often a provider is asked for a key that is not known, at the most.
const AGAIN: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);
/// The largest answer of a provider, in bytes.
const ANSWER: usize = 512 << 10;
/// Tokens remembered at the most, and for how long: beyond, they are verified again.
const REMEMBERED: usize = 10_000;
const TRUSTED: Duration = Duration::from_mins(5);
/// Keys of one provider at the most.
const KEYS: usize = 50;

/// Which addresses issuers may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outward {
    /// Public ones, by https.
    Public,
    /// Those of this machine as well, by http too: for development.
    Loopback,
}

/// What a token says of its issuer, before it is verified.
pub(crate) type Said = Unverified;

/// What a verified token says of a person.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: String,
    #[serde(default)]
    exp: i64,
    #[serde(flatten)]
    others: BTreeMap<String, Value>,
}

impl Claims {
    /// The groups that a claim lists.
    pub(crate) fn groups(&self, claim: &str) -> BTreeSet<&str> {
        match self.others.get(claim) {
            Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
            Some(Value::String(only)) => [only.as_str()].into(),
            _ => BTreeSet::new(),
        }
    }
}

/// Verifies people's tokens.
#[derive(Clone)]
pub struct People(Arc<Inner>);

struct Inner {
    http: reqwest::Client,
    outward: Outward,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    issuers: HashMap<String, Issuer>,
    verified: HashMap<[u8; 32], (Arc<Claims>, Instant)>,
}

/// The keys of an issuer.
#[derive(Clone, Default)]
struct Issuer {
    keys: Arc<[PublicKey]>,
    read: Option<Instant>,
    tried: Option<Instant>,
}

impl std::fmt::Debug for People {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("People")
    }
}

impl People {
    pub fn new(outward: Outward) -> Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(PATIENCE)
            // What an issuer says it is must be said by itself.
            .redirect(redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(Guarded(outward)))
            .build()
            .map_err(Error::internal)?;
        Ok(Self(Arc::new(Inner { http, outward, state: Mutex::default() })))
    }

    /// What a token says, if its provider signed it and it is in force.
    pub(crate) async fn verify(
        &self,
        token: &str,
        said: &Said,
        provider: &Provider,
    ) -> Result<Arc<Claims>> {
        let hash: [u8; 32] = Sha256::digest(token).into();
        if let Some((claims, at)) = self.state().verified.get(&hash)
            && at.elapsed() < TRUSTED
            && claims.exp >= rpc::now().timestamp()
        {
            return Ok(Arc::clone(claims));
        }
        let audiences = [provider.audience.clone()];
        let keys = self.keys(&provider.issuer, said.kid.as_deref()).await?;
        let named = keys.iter().filter(|it| said.kid.as_ref().is_none_or(|kid| it.kid == *kid));
        let found = named
            .filter(|it| ["EdDSA", "ES256", "RS256"].contains(&&*format!("{:?}", it.algorithm)))
            .find_map(|it| it.verify::<Claims>(token, &provider.issuer, &audiences));
        let claims = Arc::new(found.ok_or_else(crate::refused)?);
        let mut state = self.state();
        if state.verified.len() >= REMEMBERED {
            state.verified.clear();
        }
        state.verified.insert(hash, (Arc::clone(&claims), Instant::now()));
        Ok(claims)
    }

    /// The keys of an issuer, asked for again when they are old or do not have the one that is wanted.
    async fn keys(&self, issuer: &str, kid: Option<&str>) -> Result<Arc<[PublicKey]>> {
        let known = self.state().issuers.get(issuer).cloned().unwrap_or_default();
        let young = known.read.is_some_and(|it| it.elapsed() < YOUNG);
        let has = |keys: &[PublicKey]| kid.is_none_or(|kid| keys.iter().any(|it| it.kid == kid));
        let tried = known.tried.is_some_and(|it| it.elapsed() < AGAIN);
        if young && has(&known.keys) || tried && known.read.is_some_and(|it| it.elapsed() < OLDEST)
        {
            return Ok(known.keys);
        }
        self.state().issuers.entry(issuer.to_owned()).or_default().tried = Some(Instant::now());
        match self.read(issuer).await {
            Ok(keys) => {
                let keys: Arc<[PublicKey]> = keys.into();
                let (read, tried) = (Some(Instant::now()), Some(Instant::now()));
                let issuer_now = Issuer { keys: Arc::clone(&keys), read, tried };
                let mut state = self.state();
                state.issuers.insert(issuer.to_owned(), issuer_now);
                // A key that is gone verifies nothing any more.
                state.verified.clear();
                Ok(keys)
            }
            Err(problem) => {
                tracing::warn!(problem, "an identity provider's keys cannot be read");
                if known.read.is_some_and(|it| it.elapsed() < OLDEST) {
                    return Ok(known.keys);
                }
                let detail = "the identity provider does not say by which keys it signs; try again";
                Err(Error::new(Reason::Unavailable, detail))
            }
        }
    }

    async fn read(&self, issuer: &str) -> Result<Vec<PublicKey>, &'static str> {
        #[derive(Deserialize)]
        struct Metadata {
            issuer: String,
            jwks_uri: String,
        }
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let path = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
        let metadata: Metadata = self.get(&path).await?;
        if metadata.issuer != issuer {
            return Err("its metadata is of another issuer");
        }
        let set: Set = self.get(&metadata.jwks_uri).await?;
        // Keys that are not for signing, or of kinds not taken, are no fault of the others.
        let keys = set.keys.iter().filter_map(|it| PublicKey::read(it).ok());
        Ok(keys.take(KEYS).collect())
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, url: &str) -> Result<T, &'static str> {
        let url = Url::parse(url).map_err(|_| "it names no URL")?;
        if !self.0.outward.allows(&url) {
            return Err("its address is not one that is asked");
        }
        let answer = self.0.http.get(url).send().await.map_err(|_| "it does not answer")?;
        let mut answer = answer.error_for_status().map_err(|_| "it refuses to answer")?;
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|_| "its answer breaks off")? {
            body.extend_from_slice(&chunk);
            if body.len() > ANSWER {
                return Err("its answer is too large");
            }
        }
        serde_json::from_slice(&body).map_err(|_| "its answer is not what it should be")
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outward {
    /// Whether a URL may be asked, as far as it can be seen before its name is resolved.
    fn allows(self, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        let literal: Option<IpAddr> =
            host.trim_start_matches('[').trim_end_matches(']').parse().ok();
        let here = host == "localhost" || literal.is_some_and(|it| it.is_loopback());
        match (url.scheme(), self) {
            ("http", Self::Loopback) => here,
            ("https", _) => literal.is_none_or(|it| self.reaches(it)),
            _ => false,
        }
    }

    fn reaches(self, address: IpAddr) -> bool {
        is_public(address) || self == Self::Loopback && address.is_loopback()
    }
}

/// Whether an address is of the open internet: not of this machine, of a private network, or of nobody.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(it) => {
            let [a, b, ..] = it.octets();
            let shared = a == 100 && (64..128).contains(&b);
            let special = a == 0 || a >= 240 || (a, b) == (198, 18) || (a, b) == (198, 19);
            let assigned = it.octets().starts_with(&[192, 0, 0]);
            !(it.is_private()
                || it.is_loopback()
                || it.is_link_local()
                || it.is_multicast()
                || it.is_documentation()
                || shared
                || special
                || assigned)
        }
        IpAddr::V6(it) => {
            // Global unicast, without documentation, and without what carries an IPv4 address inside.
            let [first, second, ..] = it.segments();
            (first & 0xe000) == 0x2000
                && (first, second) != (0x2001, 0x0db8)
                && (first, second) != (0x2001, 0)
                && first != 0x2002
        }
    }
}

/// Resolves names to addresses that may be asked, and to no others: a name can mean anything.
struct Guarded(Outward);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let outward = self.0;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed: Vec<SocketAddr> = found.filter(|it| outward.reaches(it.ip())).collect();
            if allowed.is_empty() {
                return Err("it has no address that may be asked".into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// threat: T-ISSUER-REQUEST
    #[test]
    fn only_public_addresses_are_asked() {
        for (url, public, loopback) in [
            ("https://login.microsoftonline.com/x/v2.0", true, true),
            ("https://8.8.8.8/", true, true),
            ("http://login.microsoftonline.com/", false, false),
            ("http://127.0.0.1:8080/", false, true),
            ("http://[::1]:8080/", false, true),
            ("http://localhost:8080/", false, true),
            ("https://127.0.0.1/", false, true),
            ("https://10.0.0.1/", false, false),
            ("https://169.254.169.254/latest/meta-data", false, false),
            ("https://[::ffff:10.0.0.1]/", false, false),
            ("https://[fd00::1]/", false, false),
            ("https://100.64.0.1/", false, false),
            ("https://0.0.0.0/", false, false),
            ("file:///etc/passwd", false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(Outward::Public.allows(&parsed), public, "{url}");
            assert_eq!(Outward::Loopback.allows(&parsed), loopback, "{url}");
        }
    }
}
