//! Tokens for clients (RFC 6749, 4.4): who asks is proven, what it may do is looked up, and no more is given.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};
use identity::TrustId;
use rpc::{
    Error, Scope, parse_scope, scope_name,
    token::{self, Keys, Token, jwk},
};
use serde::Deserialize;
use uuid::Uuid;

use crate::{
    App,
    domain::access::{
        client::{Client, ClientKind, ClientState},
        grant::GrantState,
    },
    store::access::{assertion, client, grant},
};

/// How long an assertion may hold, as long as libraries make them: what was taken is remembered for as long.
const ASSERTION: Duration = Duration::minutes(60);
/// Seconds that clocks may differ by.
const LEEWAY: Duration = Duration::seconds(30);

/// How a client proves that it is itself.
#[derive(Clone, Debug)]
pub(crate) enum Proof {
    Secret {
        client_id: String,
        secret: String,
    },
    /// A JWT that it signed, for one of these audiences (RFC 7523), and the client id it was sent with.
    Assertion {
        jwt: String,
        client_id: Option<String>,
        audiences: Vec<String>,
    },
}

/// What a client asks for.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub proof: Proof,
    /// Scopes, parted by spaces; all that are granted when none.
    pub scope: Option<String>,
    /// The trust it is for (RFC 8707).
    pub trust: Option<Uuid>,
}

/// A token that was given.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pub token: String,
    pub expires_in: i64,
    pub scope: String,
}

/// Why no token is given: in the words of RFC 6749, or because something of ours failed.
#[derive(Debug)]
pub(crate) enum Refused {
    Client(&'static str),
    Request { error: &'static str, description: String },
    Failed(Error),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Refused {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// One answer for whatever is wrong, so that nobody learns which clients there are.
const UNPROVEN: Refused =
    Refused::Client("the client is not known, or did not prove that it is itself");

fn refused(error: &'static str, description: impl Into<String>) -> Refused {
    Refused::Request { error, description: description.into() }
}

#[derive(Clone, Deserialize)]
struct Assertion {
    iss: String,
    sub: String,
    jti: Option<String>,
    exp: i64,
}

impl App {
    pub(crate) async fn token(&self, keys: &Keys, asked: &Request) -> Result<Issued, Refused> {
        let client = self.prove(&asked.proof).await?;
        let (trust, may) = match client.kind {
            ClientKind::Operator => (asked.trust, client.scopes.clone()),
            ClientKind::Application => self.granted(&client, asked.trust).await?,
        };
        let scopes = chosen(asked.scope.as_deref(), &may)?;
        let lifetime = Duration::seconds(token::LONGEST_S);
        let client_id = &client.client_id;
        let wanted = token::Asked { client_id, trust, scopes: &scopes, lifetime };
        let token = keys.issue_to(&wanted, rpc::now())?;
        let scope: Vec<_> = scopes.into_iter().map(scope_name).collect();
        Ok(Issued { token, expires_in: lifetime.num_seconds(), scope: scope.join(" ") })
    }

    /// Takes a token of the client's own back; one that is no token of its own is none of its business.
    pub(crate) async fn take_back(
        &self,
        proof: &Proof,
        token: Option<std::sync::Arc<Token>>,
    ) -> Result<(), Refused> {
        let client = self.prove(proof).await?;
        let own = token.filter(|it| it.client_id == client.client_id && !it.service);
        if let Some(token) = own {
            let ends = DateTime::from_timestamp(token.expires_at, 0).unwrap_or_else(rpc::now);
            self.revoke_token(&client.client_id, (token.jti.clone(), ends)).await?;
        }
        Ok(())
    }

    async fn prove(&self, proof: &Proof) -> Result<Client, Refused> {
        let client = match proof {
            Proof::Secret { client_id, secret } => {
                let mut tx = self.journal.db().read().await?;
                let found = client::find(&mut tx, client_id).await?.ok_or(UNPROVEN)?;
                found.has_secret(secret).then_some(found).ok_or(UNPROVEN)?
            }
            Proof::Assertion { jwt, client_id, audiences } => {
                let found = self.asserted(jwt, audiences).await?;
                let same = client_id.as_ref().is_none_or(|it| *it == found.client_id);
                same.then_some(found).ok_or(UNPROVEN)?
            }
        };
        if client.state == ClientState::Active { Ok(client) } else { Err(UNPROVEN) }
    }

    async fn asserted(&self, jwt: &str, audiences: &[String]) -> Result<Client, Refused> {
        let said = jwk::Unverified::read(jwt).ok_or(UNPROVEN)?;
        let mut tx = self.journal.db().read().await?;
        let found = client::find(&mut tx, &said.issuer).await?.ok_or(UNPROVEN)?;
        drop(tx);
        let named =
            found.keys.iter().filter(|it| said.kid.as_ref().is_none_or(|kid| it.kid == *kid));
        let keys = named.filter_map(|it| serde_json::from_str(&it.jwk).ok());
        let mut keys = keys.filter_map(|it| jwk::PublicKey::read(&it).ok());
        let claims = keys.find_map(|it| it.verify::<Assertion>(jwt, &said.issuer, audiences));
        let claims = claims.filter(|it| it.iss == it.sub).ok_or(UNPROVEN)?;
        let (now, ends) = (rpc::now(), DateTime::from_timestamp(claims.exp, 0).ok_or(UNPROVEN)?);
        if ends > now + ASSERTION + LEEWAY {
            return Err(Refused::Client("the assertion holds for longer than an hour"));
        }
        let plain = |it: &String| it.chars().all(|it| !it.is_control());
        let jti = claims.jti.filter(|it| (1..=255).contains(&it.len())).filter(plain);
        let jti = jti.ok_or(Refused::Client("the assertion needs a jti of 1 to 255 characters"))?;
        if self.take_once((&found.client_id, &jti), ends).await? {
            Ok(found)
        } else {
            Err(Refused::Client("the assertion was used before: sign one for each request"))
        }
    }

    async fn take_once(&self, id: (&str, &str), ends: DateTime<Utc>) -> Result<bool, Refused> {
        let mut tx = self.journal.db().begin().await?;
        assertion::forget(&mut tx, rpc::now() - LEEWAY * 2).await?;
        let first = assertion::take(&mut tx, id, ends).await?;
        tx.commit().await?;
        Ok(first)
    }

    /// The trust a token is to be for, and what that trust has granted the client.
    async fn granted(
        &self,
        client: &Client,
        asked: Option<Uuid>,
    ) -> Result<(Option<Uuid>, BTreeSet<i32>), Refused> {
        let mut tx = self.journal.db().read().await?;
        let today = calendar::london_date(rpc::now());
        let grants = grant::of_client(&mut tx, &client.client_id).await?;
        let mut trusts: BTreeSet<Uuid> = BTreeSet::new();
        let mut scopes: Vec<(TrustId, BTreeSet<i32>)> = Vec::new();
        for it in grants.into_iter().filter(|it| it.state(today) == GrantState::Active) {
            trusts.insert(it.trust_id.0);
            scopes.push((it.trust_id, it.scopes));
        }
        let only = || trusts.first().copied().filter(|_| trusts.len() == 1);
        let trust = match asked {
            Some(asked) if trusts.contains(&asked) => asked,
            Some(_) => {
                return Err(refused("invalid_target", "no grant of that trust to this client holds"));
            }
            None if trusts.is_empty() => {
                let description = "no trust has granted this client anything: ask the trust for a grant";
                return Err(refused("unauthorized_client", description));
            }
            None => only().ok_or_else(|| {
                let description = "several trusts have granted this client something: name the one that the token \
                                   is for, by resource=urn:headway:trust:<its id>";
                refused("invalid_target", description)
            })?,
        };
        let of_trust = scopes.into_iter().filter(|it| it.0.0 == trust);
        // Every client reads what is its own.
        let own = [i32::from(Scope::AccessRead)];
        Ok((Some(trust), of_trust.flat_map(|it| it.1).chain(own).collect()))
    }
}

/// The scopes asked for, each of which must be granted; all that are, when none is asked for.
fn chosen(asked: Option<&str>, may: &BTreeSet<i32>) -> Result<Vec<Scope>, Refused> {
    let granted = || may.iter().filter_map(|it| Scope::try_from(*it).ok());
    let Some(asked) = asked.filter(|it| !it.trim().is_empty()) else {
        return Ok(granted().collect());
    };
    let mut scopes = BTreeSet::new();
    for name in asked.split_ascii_whitespace() {
        let scope = parse_scope(name).filter(|it| may.contains(&i32::from(*it)));
        let Some(scope) = scope else {
            let granted: Vec<_> = granted().map(scope_name).collect();
            let description = format!("granted are: {}", granted.join(" "));
            return Err(refused("invalid_scope", description));
        };
        scopes.insert(i32::from(scope));
    }
    Ok(scopes.into_iter().filter_map(|it| Scope::try_from(it).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_scope_is_given_that_is_not_granted() {
        let may = [Scope::RecordsWrite, Scope::AccessRead].map(i32::from).into();
        assert_eq!(chosen(None, &may).unwrap(), [Scope::RecordsWrite, Scope::AccessRead]);
        assert_eq!(chosen(Some(""), &may).unwrap().len(), 2);
        assert_eq!(chosen(Some("records:write"), &may).unwrap(), [Scope::RecordsWrite]);
        for asked in ["records:read", "records:write records:read", "everything"] {
            let refused = chosen(Some(asked), &may).unwrap_err();
            assert!(matches!(refused, Refused::Request { error: "invalid_scope", .. }), "{asked}");
        }
    }
}
