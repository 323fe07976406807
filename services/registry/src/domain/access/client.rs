use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use identity::TrustId;
use rpc::{Error, Fault, Reason, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Secrets a client has at once at the most: the one in use, and the one that takes its place.
pub(crate) const SECRETS: usize = 2;
/// Public keys a client has at once at the most.
pub(crate) const KEYS: usize = 4;

identity::id! {
    /// One secret of a client, which is not the secret itself.
    SecretId
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum ClientKind {
    Application,
    Operator,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub(crate) enum ClientState {
    Active,
    Disabled,
}

/// A program that asks for tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Client {
    pub client_id: String,
    pub name: String,
    pub kind: ClientKind,
    /// The trust that made it, to which it belongs.
    pub trust_id: Option<TrustId>,
    pub state: ClientState,
    /// An operator's.
    pub scopes: BTreeSet<i32>,
    pub secrets: Vec<Secret>,
    pub keys: Vec<PublicKey>,
    /// Tokens from before this are refused.
    pub valid_from: DateTime<Utc>,
    pub version: i32,
    pub created_at: DateTime<Utc>,
}

/// What is kept of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Secret {
    pub secret_id: SecretId,
    pub sha256: [u8; 32],
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PublicKey {
    pub kid: String,
    pub algorithm: String,
    /// As a JSON Web Key.
    pub jwk: String,
    pub created_at: DateTime<Utc>,
}

/// What happens to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ClientChange {
    SecretAdded(Secret),
    SecretWithdrawn(SecretId),
    KeysSet(Vec<PublicKey>),
    Moved(ClientState),
    TokenRevoked { jti: String, expires_at: DateTime<Utc> },
}

impl Client {
    /// Whether a trust may grant it something.
    pub(crate) fn takes_from(&self, trust_id: TrustId) -> bool {
        self.kind == ClientKind::Application && self.trust_id.is_none_or(|it| it == trust_id)
    }

    /// Whether a secret is one of its own. Takes as long whichever it is.
    pub(crate) fn has_secret(&self, secret: &str) -> bool {
        let hash: [u8; 32] = Sha256::digest(secret).into();
        let same = |it: &Secret| it.sha256.ct_eq(&hash);
        self.secrets.iter().map(same).fold(0.into(), |any: subtle::Choice, it| any | it).into()
    }

    /// Another secret, unless there are as many as there may be.
    pub(crate) fn add_secret(
        &self,
        (secret_id, secret): (Uuid, &str),
        now: DateTime<Utc>,
    ) -> Result<ClientChange> {
        if self.secrets.len() >= SECRETS {
            let ids: Vec<_> = self.secrets.iter().map(|it| it.secret_id.to_string()).collect();
            let detail = format!(
                "the client has {SECRETS} secrets, which is as many as it may have: withdraw one of {}",
                ids.join(" and ")
            );
            return Err(Error::new(Reason::TransitionNotAllowed, detail));
        }
        let sha256 = Sha256::digest(secret).into();
        Ok(ClientChange::SecretAdded(Secret {
            secret_id: SecretId(secret_id),
            sha256,
            created_at: now,
        }))
    }

    /// A secret's end.
    pub(crate) fn withdraw_secret(&self, secret_id: SecretId) -> Result<ClientChange> {
        if !self.secrets.iter().any(|it| it.is(secret_id)) {
            return Err(Error::not_found("secret", secret_id));
        }
        Ok(ClientChange::SecretWithdrawn(secret_id))
    }

    /// Off or on again; nothing when it is so already.
    pub(crate) fn move_to(&self, state: ClientState) -> Option<ClientChange> {
        (self.state != state).then_some(ClientChange::Moved(state))
    }

    /// The client once something has happened to it.
    pub(crate) fn take(&mut self, change: ClientChange, at: DateTime<Utc>) {
        match change {
            ClientChange::SecretAdded(it) => self.secrets.push(it),
            ClientChange::SecretWithdrawn(id) => self.secrets.retain(|it| !it.is(id)),
            ClientChange::KeysSet(keys) => {
                let before = std::mem::take(&mut self.keys);
                let known = |it: &PublicKey| before.iter().find(|old| old.jwk == it.jwk);
                let since = |it: &PublicKey| known(it).map_or(it.created_at, |it| it.created_at);
                self.keys =
                    keys.into_iter().map(|it| PublicKey { created_at: since(&it), ..it }).collect();
            }
            ClientChange::Moved(state) => {
                self.state = state;
                self.valid_from = at;
            }
            ClientChange::TokenRevoked { .. } => {}
        }
        self.version += 1;
    }
}

impl Secret {
    /// Whether it has that id, which everybody may know.
    pub(crate) fn is(&self, named: SecretId) -> bool {
        let own = self.secret_id;
        own == named
    }
}

/// An id that whoever runs the platform chose for a client.
pub(crate) fn client_id(text: &str) -> Result<String, Fault> {
    let allowed =
        |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || ['.', '_', '-'].contains(&it);
    if (3..=64).contains(&text.len()) && text.chars().all(allowed) {
        Ok(text.to_owned())
    } else {
        Err(Fault::invalid("must be 3 to 64 of a-z, 0-9, `.`, `_` and `-`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client() -> Client {
        Client {
            client_id: "arbor".to_owned(),
            name: "Arbor".to_owned(),
            kind: ClientKind::Application,
            trust_id: None,
            state: ClientState::Active,
            scopes: BTreeSet::new(),
            secrets: vec![],
            keys: vec![],
            valid_from: DateTime::UNIX_EPOCH,
            version: 1,
            created_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn two_secrets_overlap_and_a_third_waits() {
        let mut it = client();
        for (number, secret) in [(1, "one"), (2, "two")] {
            let id = Uuid::from_u128(number);
            it.take(it.add_secret((id, secret), rpc::now()).unwrap(), rpc::now());
        }
        assert!(it.has_secret("one") && it.has_secret("two") && !it.has_secret("three"));
        let third = it.add_secret((Uuid::nil(), "three"), rpc::now()).unwrap_err();
        assert_eq!(third.reason, Reason::TransitionNotAllowed);
        let one = SecretId(Uuid::from_u128(1));
        it.take(it.withdraw_secret(one).unwrap(), rpc::now());
        assert!(!it.has_secret("one") && it.has_secret("two"));
        assert_eq!(it.withdraw_secret(one).unwrap_err().reason, Reason::NotFound);
        assert!(!client().has_secret(""), "no secret is no empty secret");
    }

    #[test]
    fn a_client_that_was_disabled_comes_back_without_its_tokens() {
        let mut it = client();
        let at = rpc::now();
        it.take(it.move_to(ClientState::Disabled).unwrap(), at);
        assert_eq!(it.move_to(ClientState::Disabled), None);
        it.take(it.move_to(ClientState::Active).unwrap(), at);
        assert_eq!((it.state, it.valid_from, it.version), (ClientState::Active, at, 3));
    }

    #[test]
    fn a_trusts_own_client_takes_from_no_other() {
        let (one, other) = (TrustId(Uuid::from_u128(1)), TrustId(Uuid::from_u128(2)));
        assert!(client().takes_from(one));
        let own = Client { trust_id: Some(one), ..client() };
        assert!(own.takes_from(one) && !own.takes_from(other));
        assert!(!Client { kind: ClientKind::Operator, ..client() }.takes_from(one));
    }

    #[test]
    fn ids_are_plain() {
        for good in ["arbor", "mis-a.1_b", "abc"] {
            assert!(client_id(good).is_ok(), "{good}");
        }
        for bad in ["ab", "Arbor", "a b c", "a/b/c", "person:1", &"a".repeat(65)] {
            assert!(client_id(bad).is_err(), "{bad}");
        }
    }
}
