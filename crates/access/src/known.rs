//! What is known of clients, grants and identity providers, and what it comes to for a token.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use chrono::NaiveDate;
use contract::registry::{
    ClientKind, ClientState, DirectoryClient, DirectoryGrant, DirectoryProvider,
    GetDirectoryResponse,
};
use rpc::{Allowance, Caller, Error, Permit, Reach, Result, Scope, token::Token};
use uuid::Uuid;

use crate::{people::Said, roles::Provider};

#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Of the registry's journal: everything up to here is known.
    pub(crate) position: u64,
    clients: HashMap<String, Client>,
    /// By client, then by grant.
    grants: HashMap<String, HashMap<Uuid, Grant>>,
    providers: HashMap<Uuid, Arc<Provider>>,
    /// Ids of tokens that were revoked by themselves, with the Unix seconds at which they expire.
    revoked: HashMap<String, i64>,
}

#[derive(Debug)]
struct Client {
    is_operator: bool,
    is_active: bool,
    scopes: BTreeSet<i32>,
    /// Unix seconds.
    valid_from: i64,
}

#[derive(Debug)]
struct Grant {
    trust_id: Uuid,
    allowance: Allowance,
    ends_on: Option<NaiveDate>,
}

impl Grant {
    fn holds(&self, today: NaiveDate) -> bool {
        self.ends_on.is_none_or(|ends_on| today <= ends_on)
    }
}

impl Known {
    /// Takes in what has changed; says whether anything has.
    pub(crate) fn take(&mut self, news: GetDirectoryResponse) -> Result<bool> {
        let GetDirectoryResponse { position, clients, grants, providers, revoked } = news;
        let changed = !(clients.is_empty()
            && grants.is_empty()
            && providers.is_empty()
            && revoked.is_empty());
        for it in clients {
            self.clients.insert(it.client_id.clone(), client(it));
        }
        for it in grants {
            self.grant(it)?;
        }
        for it in providers {
            let trust_id = id(&it.trust_id)?;
            if it.enabled {
                self.providers.insert(trust_id, Arc::new(provider(trust_id, it)?));
            } else {
                self.providers.remove(&trust_id);
            }
        }
        let now = rpc::now().timestamp();
        self.revoked.retain(|_, ends| *ends > now - 60);
        for it in revoked {
            self.revoked.insert(it.jti, i64::try_from(it.expires_at_s).unwrap_or(i64::MAX));
        }
        self.position = position;
        Ok(changed)
    }

    fn grant(&mut self, it: DirectoryGrant) -> Result<()> {
        let grant_id = id(&it.grant_id)?;
        let of_client = self.grants.entry(it.client_id).or_default();
        if it.withdrawn {
            of_client.remove(&grant_id);
            return Ok(());
        }
        let all_or = |it: BTreeSet<_>| Some(it).filter(|it| !it.is_empty());
        let allowance = Allowance {
            scopes: it.scopes.into_iter().collect(),
            schools: all_or(ids(&it.school_ids)?),
            kinds: Some(it.kinds.into_iter().collect()).filter(|it: &BTreeSet<_>| !it.is_empty()),
            named: it.named,
            purpose: it.purpose,
        };
        let ends_on = it.ends_on.map(|it| it.parse()).transpose().map_err(Error::internal)?;
        of_client.insert(grant_id, Grant { trust_id: id(&it.trust_id)?, allowance, ends_on });
        Ok(())
    }

    /// Who holds a client's token and what it may do today; none when it is good for nothing.
    pub(crate) fn caller(&self, token: &Token, today: NaiveDate) -> Option<Caller> {
        let client = self.clients.get(&token.client_id).filter(|it| it.is_active)?;
        if token.issued_at < client.valid_from || self.revoked.contains_key(&token.jti) {
            return None;
        }
        let reach = token.trust.map_or(Reach::Platform, Reach::Trust);
        if client.is_operator {
            let mut caller = Caller::whole(&*token.client_id, reach, []);
            caller.scopes = token.scopes.intersection(&client.scopes).copied().collect();
            return Some(caller);
        }
        let trust_id = token.trust?;
        let given = self.grants.get(&token.client_id).into_iter().flat_map(HashMap::values);
        let holds = |it: &&Grant| it.trust_id == trust_id && it.holds(today);
        let allowances = given.filter(holds).map(|it| it.allowance.clone()).collect();
        Some(Caller {
            client_id: token.client_id.clone(),
            reach,
            scopes: token.scopes.clone(),
            permit: Arc::new(Permit::Granted(allowances)),
            person: None,
        })
    }

    /// Whether a client's webhooks of a trust go on: it is active, and some grant lets it read all of the trust's journal.
    pub(crate) fn stands(&self, client_id: &str, trust_id: Uuid, today: NaiveDate) -> bool {
        let Some(client) = self.clients.get(client_id) else { return true };
        let scope = i32::from(Scope::JournalRead);
        let given = self.grants.get(client_id).into_iter().flat_map(HashMap::values);
        let mut given = given.filter(|it| it.trust_id == trust_id && it.holds(today));
        client.is_active
            && (client.is_operator
                || given.any(|it| {
                    it.allowance.scopes.contains(&scope) && it.allowance.schools.is_none()
                }))
    }

    /// The provider that a token says it is of, if a trust takes it.
    pub(crate) fn provider(&self, said: &Said) -> Option<Arc<Provider>> {
        let mut providers = self.providers.values();
        providers
            .find(|it| it.issuer == said.issuer && said.audiences.contains(&it.audience))
            .cloned()
    }
}

fn client(it: DirectoryClient) -> Client {
    Client {
        is_operator: it.kind() == ClientKind::Operator,
        is_active: it.state() == ClientState::Active,
        valid_from: i64::try_from(it.valid_from_s).unwrap_or(i64::MAX),
        scopes: it.scopes.into_iter().collect(),
    }
}

fn provider(trust_id: Uuid, it: DirectoryProvider) -> Result<Provider> {
    let mappings = it.mappings.into_iter().map(|it| {
        let schools = Some(ids(&it.school_ids)?).filter(|it| !it.is_empty());
        let (role, audience) = (it.role(), it.audience());
        Ok(crate::roles::Mapping { group: it.group, role, audience, schools, named: it.named })
    });
    Ok(Provider {
        trust_id,
        mappings: mappings.collect::<Result<_>>()?,
        issuer: it.issuer,
        audience: it.audience,
        groups_claim: it.groups_claim,
    })
}

fn ids(texts: &[String]) -> Result<BTreeSet<Uuid>> {
    texts.iter().map(|it| id(it)).collect()
}

fn id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(Error::internal)
}

#[cfg(test)]
mod tests {
    use contract::registry::RevokedToken;
    use rpc::Asked;

    use super::*;

    const TRUST: Uuid = Uuid::from_u128(1);

    fn day(it: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 3, it).unwrap()
    }

    fn token(jti: &str, trust: Option<Uuid>) -> Token {
        let scopes = [Scope::RecordsWrite.into()].into();
        let (jti, client_id) = (jti.to_owned(), "arbor".to_owned());
        Token { client_id, trust, scopes, jti, issued_at: 100, expires_at: 3700, service: false }
    }

    fn arbor(state: ClientState, valid_from_s: u64) -> DirectoryClient {
        DirectoryClient {
            client_id: "arbor".to_owned(),
            kind: ClientKind::Application.into(),
            state: state.into(),
            scopes: vec![],
            valid_from_s,
        }
    }

    fn grant() -> DirectoryGrant {
        DirectoryGrant {
            grant_id: Uuid::from_u128(9).to_string(),
            trust_id: TRUST.to_string(),
            client_id: "arbor".to_owned(),
            scopes: vec![Scope::RecordsWrite.into()],
            ends_on: Some("2026-03-10".to_owned()),
            ..DirectoryGrant::default()
        }
    }

    fn known() -> Known {
        let mut known = Known::default();
        let news = GetDirectoryResponse {
            clients: vec![arbor(ClientState::Active, 50)],
            grants: vec![grant()],
            ..GetDirectoryResponse::default()
        };
        assert!(known.take(news).unwrap());
        assert!(!known.take(GetDirectoryResponse::default()).unwrap(), "nothing is no news");
        known
    }

    fn may(known: &Known, token: &Token, on: u32) -> bool {
        let caller = known.caller(token, day(on));
        caller.is_some_and(|it| it.permit.covers(Scope::RecordsWrite, &Asked::default()))
    }

    /// threat: T-OLD-GRANT
    #[test]
    fn a_grant_holds_for_its_trust_until_its_last_day_or_its_withdrawal() {
        let mut known = known();
        assert!(may(&known, &token("1", Some(TRUST)), 10));
        assert!(!may(&known, &token("1", Some(TRUST)), 11), "its last day is over");
        assert!(!may(&known, &token("1", Some(Uuid::from_u128(2))), 10), "another trust's");
        assert!(known.caller(&token("1", None), day(1)).is_none(), "a vendor has no platform");
        let withdrawn = DirectoryGrant { withdrawn: true, ..grant() };
        known.take(GetDirectoryResponse { grants: vec![withdrawn], ..Default::default() }).unwrap();
        assert!(!may(&known, &token("1", Some(TRUST)), 10));
        assert!(known.caller(&token("1", Some(TRUST)), day(10)).is_some(), "itself it is still");
    }

    /// threat: T-STOLEN-TOKEN
    #[test]
    fn revoked_tokens_and_disabled_clients_are_nobodys() {
        let mut known = known();
        let expires_at_s = u64::MAX;
        let revoked = vec![RevokedToken { jti: "1".to_owned(), expires_at_s }];
        known.take(GetDirectoryResponse { revoked, ..Default::default() }).unwrap();
        assert!(known.caller(&token("1", Some(TRUST)), day(1)).is_none());
        assert!(known.caller(&token("2", Some(TRUST)), day(1)).is_some());
        for (client, good) in [
            (arbor(ClientState::Disabled, 50), false),
            (arbor(ClientState::Active, 101), false),
            (arbor(ClientState::Active, 100), true),
        ] {
            known
                .take(GetDirectoryResponse { clients: vec![client], ..Default::default() })
                .unwrap();
            assert_eq!(known.caller(&token("2", Some(TRUST)), day(1)).is_some(), good);
        }
        let nobody = Token { client_id: "nobody".to_owned(), ..token("3", Some(TRUST)) };
        assert!(known.caller(&nobody, day(1)).is_none());
    }

    #[test]
    fn an_operators_client_has_no_more_than_both_it_and_its_token() {
        let mut known = known();
        let operator = DirectoryClient {
            kind: ClientKind::Operator.into(),
            scopes: vec![Scope::RecordsWrite.into(), Scope::PlatformWrite.into()],
            ..arbor(ClientState::Active, 0)
        };
        known.take(GetDirectoryResponse { clients: vec![operator], ..Default::default() }).unwrap();
        let caller = known.caller(&token("1", None), day(1)).unwrap();
        assert_eq!((caller.reach, caller.permit.as_ref()), (Reach::Platform, &Permit::Whole));
        assert_eq!(caller.scopes, [Scope::RecordsWrite.into()].into());
    }
}
