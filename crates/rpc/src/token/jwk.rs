//! Public keys of others (RFC 7517): of clients, and of the identity providers of trusts.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, dangerous, jwk::Jwk};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::LEEWAY;

/// The smallest modulus of RSA, in bytes.
const MODULUS: usize = 256;

/// A key that verifies signatures of one algorithm, and of no other.
#[derive(Clone)]
pub struct PublicKey {
    pub kid: String,
    pub algorithm: Algorithm,
    key: DecodingKey,
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PublicKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

impl PublicKey {
    /// Reads a JSON Web Key that has a `kid`, or says what is wrong with it. Nothing private or symmetric is taken.
    pub fn read(jwk: &Value) -> Result<Self, &'static str> {
        let text = |name: &str| jwk.get(name).and_then(Value::as_str);
        if ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().any(|it| jwk.get(it).is_some()) {
            return Err(
                "holds a private or secret key: send public keys only, and replace this one",
            );
        }
        let kid = text("kid").filter(|it| (1..=200).contains(&it.len()));
        let kid = kid.ok_or("needs a `kid` of 1 to 200 characters")?.to_owned();
        if text("use").is_some_and(|it| it != "sig") {
            return Err("is not for signatures");
        }
        let algorithm = match (text("kty"), text("crv"), text("alg")) {
            (Some("OKP"), Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => Algorithm::EdDSA,
            (Some("EC"), Some("P-256"), None | Some("ES256")) => Algorithm::ES256,
            (Some("RSA"), _, None | Some("RS256")) => Algorithm::RS256,
            (Some("RSA"), _, Some("PS256")) => Algorithm::PS256,
            _ => {
                return Err(
                    "must be an Ed25519, P-256 or RSA key for EdDSA, ES256, RS256 or PS256",
                );
            }
        };
        if let Some(modulus) = text("n") {
            let bytes = BASE64_URL_SAFE_NO_PAD.decode(modulus).map_err(|_| "is not a key")?;
            if bytes.len() < MODULUS {
                return Err("is too short: RSA keys have at least 2048 bits");
            }
        }
        let mut plain = jwk.clone();
        if let Some(members) = plain.as_object_mut() {
            // Said above; the spelling is of no matter any more.
            members.remove("alg");
        }
        let jwk: Jwk = serde_json::from_value(plain).map_err(|_| "is not a JSON Web Key")?;
        let key = DecodingKey::from_jwk(&jwk).map_err(|_| "is not a key")?;
        Ok(Self { kid, algorithm, key })
    }

    /// The claims of a token that this key signed and that is in force for one of the audiences.
    pub fn verify<C: DeserializeOwned + Clone>(
        &self,
        token: &str,
        issuer: &str,
        audiences: &[String],
    ) -> Option<C> {
        let mut validation = Validation::new(self.algorithm);
        validation.set_issuer(&[issuer]);
        validation.set_audience(audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY.unsigned_abs();
        jsonwebtoken::decode::<C>(token, &self.key, &validation).ok().map(|it| it.claims)
    }
}

/// What a token says of itself before anybody has verified it: whose key to ask for, and nothing to act on.
#[derive(Clone, Debug)]
pub struct Unverified {
    pub kid: Option<String>,
    pub issuer: String,
    pub audiences: Vec<String>,
}

impl Unverified {
    pub fn read(token: &str) -> Option<Self> {
        let header = jsonwebtoken::decode_header(token).ok()?;
        let claims: Value = dangerous::insecure_decode_claims(token).ok()?;
        let issuer = claims.get("iss")?.as_str()?.to_owned();
        let audiences = match claims.get("aud")? {
            Value::String(it) => vec![it.clone()],
            Value::Array(all) => {
                all.iter().filter_map(|it| Some(it.as_str()?.to_owned())).collect()
            }
            _ => return None,
        };
        Some(Self { kid: header.kid, issuer, audiences })
    }
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{EncodingKey, Header};
    use serde_json::json;

    use super::*;

    const X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    /// threat: T-ASSERTION
    #[test]
    fn only_public_keys_of_known_algorithms_are_taken() {
        let ed = json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1"});
        assert_eq!(PublicKey::read(&ed).unwrap().algorithm, Algorithm::EdDSA);
        for (wrong, what) in [
            (json!({"kty": "OKP", "crv": "Ed25519", "x": X}), "kid"),
            (json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1", "d": X}), "private"),
            (json!({"kty": "oct", "k": "c2VjcmV0", "kid": "1"}), "secret"),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1", "alg": "HS256"}),
                "must be",
            ),
            (
                json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1", "use": "enc"}),
                "signatures",
            ),
            (json!({"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "1"}), "short"),
            (json!({"kty": "EC", "crv": "P-384", "kid": "1"}), "must be"),
        ] {
            let said = PublicKey::read(&wrong).unwrap_err();
            assert!(said.contains(what), "{wrong}: {said}");
        }
    }

    /// threat: T-ASSERTION
    #[test]
    fn a_signature_by_the_public_key_as_a_secret_is_none() {
        let key = PublicKey::read(&json!({"kty": "OKP", "crv": "Ed25519", "x": X, "kid": "1"}));
        let claims =
            json!({"iss": "i", "aud": "a", "sub": "s", "exp": crate::now().timestamp() + 60});
        let public = BASE64_URL_SAFE_NO_PAD.decode(X).unwrap();
        let secret = EncodingKey::from_secret(&public);
        let forged =
            jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &secret).unwrap();
        assert!(key.unwrap().verify::<Value>(&forged, "i", &["a".to_owned()]).is_none());
    }
}
