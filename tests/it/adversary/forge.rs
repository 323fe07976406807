//! Tokens that must open nothing: made with every key but the right one, or with the right one and a wrong content.

use std::path::Path;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{
    SigningKey,
    pkcs8::{DecodePrivateKey, EncodePublicKey, spki::der::pem::LineEnding},
};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

/// Somebody who has seen a genuine token and knows the public key.
pub(crate) struct Forger {
    genuine: String,
    header: Value,
    claims: Value,
    /// The right key, to make tokens that are wrong in one thing alone.
    key: SigningKey,
}

impl Forger {
    pub(crate) fn new(data: &Path, genuine: &str) -> Self {
        let mut parts = genuine.split('.').map(|it| URL_SAFE_NO_PAD.decode(it).unwrap());
        let header: Value = serde_json::from_slice(&parts.next().unwrap()).unwrap();
        let claims = serde_json::from_slice(&parts.next().unwrap()).unwrap();
        let key = keys(&data.join("keys")).into_iter().find(|it| {
            let (signed, signature) = genuine.rsplit_once('.').unwrap();
            sign(it, signed) == signature
        });
        Self { genuine: genuine.to_owned(), header, claims, key: key.unwrap() }
    }

    /// The same token, signed once more: it must be taken, or nothing below shows anything.
    pub(crate) fn again(&self) -> String {
        self.signed(&self.header, &self.claims)
    }

    fn signed(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", part(header), part(claims));
        format!("{signed}.{}", sign(&self.key, &signed))
    }

    fn header(&self, changes: &Value) -> Value {
        changed(&self.header, changes)
    }

    fn claims(&self, changes: &Value) -> Value {
        changed(&self.claims, changes)
    }

    /// Each with what is wrong with it.
    pub(crate) fn hostile(&self) -> Vec<(&'static str, Option<String>)> {
        let (signed, signature) = self.genuine.rsplit_once('.').unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let now = rpc::now().timestamp();
        let own = SigningKey::from_bytes(&[9; 32]);
        let by = |key: &SigningKey, header: &Value| {
            let signed = format!("{}.{claims}", part(header));
            format!("{signed}.{}", sign(key, &signed))
        };
        let keyed = |secret: &[u8], changes: &Value| {
            let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
            let signed = format!("{}.{claims}", part(&self.header(changes)));
            mac.update(signed.as_bytes());
            format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
        };
        let public = self.key.verifying_key();
        let pem = public.to_public_key_pem(LineEnding::LF).unwrap();
        let own_jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(own.verifying_key().as_bytes())});
        let kid = |kid: &str| self.header(&json!({"alg": "HS256", "kid": kid}));
        let with = |changes: Value| self.signed(&self.header, &self.claims(&changes));
        let hostile = vec![
            ("no words", String::new()),
            ("no token", "secret".to_owned()),
            ("two parts", signed.to_owned()),
            ("four parts", format!("{}.x", self.genuine)),
            ("no signature", format!("{signed}.")),
            ("a signature cut short", format!("{signed}.{}", &signature[..signature.len() - 4])),
            ("another's signature", format!("{signed}.{}", sign(&own, signed))),
            ("another's key", by(&own, &self.header)),
            ("other claims under the signature", {
                let claims = part(&self.claims(&json!({"sub": "somebody-else"})));
                format!("{header}.{claims}.{signature}")
            }),
            ("alg none", format!("{}.{claims}.", part(&self.header(&json!({"alg": "none"}))))),
            ("alg NONE, signed", by(&self.key, &self.header(&json!({"alg": "NONE"})))),
            ("alg in small letters", by(&self.key, &self.header(&json!({"alg": "eddsa"})))),
            ("HS256 with the public key as PEM", keyed(pem.as_bytes(), &json!({"alg": "HS256"}))),
            (
                "HS256 with the public key's bytes",
                keyed(public.as_bytes(), &json!({"alg": "HS256"})),
            ),
            ("a key that it brings along", by(&own, &self.header(&json!({"jwk": own_jwk})))),
            (
                "a key to be fetched",
                by(&own, &self.header(&json!({"jku": "https://attacker.example/jwks.json"}))),
            ),
            (
                "a chain to be fetched",
                by(&own, &self.header(&json!({"x5u": "https://attacker.example/x.pem"}))),
            ),
            ("kid of an empty file", keyed(b"", &kid("../../../../../../dev/null"))),
            ("kid of a query", keyed(b"a", &kid("' UNION SELECT 'a' --"))),
            ("kid of nobody", by(&own, &self.header(&json!({"kid": "nobody"})))),
            ("expired", with(json!({"iat": now - 7200, "exp": now - 3600}))),
            ("expired a minute ago", with(json!({"iat": now - 3600, "exp": now - 60}))),
            ("without an end", with(json!({"exp": null}))),
            ("an end that is no number", with(json!({"exp": "never"}))),
            ("not yet", with(json!({"nbf": now + 3600}))),
            ("of another audience", with(json!({"aud": "https://other.example"}))),
            ("of no audience", with(json!({"aud": null}))),
            ("of another issuer", with(json!({"iss": "https://other.example"}))),
            ("of nobody", with(json!({"sub": null}))),
        ];
        let hostile = hostile.into_iter().map(|(what, token)| (what, Some(token)));
        [("nothing at all", None)].into_iter().chain(hostile).collect()
    }
}

/// Every key that a deployment keeps in PEM, in whichever folder of its keys.
fn keys(folder: &Path) -> Vec<SigningKey> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(keys(&entry.path()));
        } else if let Ok(text) = std::fs::read_to_string(entry.path()) {
            found.extend(SigningKey::from_pkcs8_pem(&text).ok());
        }
    }
    found
}

fn part(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn sign(key: &SigningKey, text: &str) -> String {
    use ed25519_dalek::Signer;
    URL_SAFE_NO_PAD.encode(key.sign(text.as_bytes()).to_bytes())
}

/// With some members set; null takes one away.
fn changed(value: &Value, changes: &Value) -> Value {
    let mut made = value.clone();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            made.as_object_mut().unwrap().remove(name);
        } else {
            made[name] = value.clone();
        }
    }
    made
}
