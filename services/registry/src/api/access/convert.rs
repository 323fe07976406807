//! Requests about clients, grants and identity providers as commands.

use std::collections::BTreeSet;

use contract::{intelligence::RecordKind, registry as v1};
use identity::{SchoolNumber, TrustId};
use rpc::{Ctx, Error, Fault, Fields, Reason, Result, Scope, scope_name, token::jwk};
use serde_json::Value;

use crate::{
    api::convert::{NAME_LIMIT, name, short, trust_id},
    app::access::{NewClient, NewGrant, NewKeys, NewMapping, NewProvider},
    domain::access::{
        client::{ClientState, KEYS, PublicKey, client_id},
        grantable,
        provider::{GROUPS, MAPPINGS},
    },
};

/// Schools that a grant or a mapping names at the most; who needs more names none, for all.
const SCHOOLS: usize = 200;

pub(super) fn new_client(request: v1::CreateClientRequest) -> Result<NewClient> {
    let mut fields = Fields::new();
    let name = name(&mut fields, "/name", request.name);
    let chosen = fields.optional("/clientId", request.client_id.as_deref(), client_id);
    let trust_id = fields.optional("/trustId", request.trust_id.as_deref(), TrustId::parse);
    fields.done(|| {
        Some(NewClient { name: name?, client_id: chosen?, trust_id: trust_id?, operates: None })
    })
}

pub(super) fn new_keys(ctx: &Ctx, request: &v1::SetClientKeysRequest) -> Result<NewKeys> {
    let expected_version = rpc::expected_version(request.expected_version)?;
    let wrong = |detail: String| Error::field("/jwks", Fault::invalid(detail));
    let set: Value =
        serde_json::from_str(&request.jwks).map_err(|_| wrong("must be JSON".to_owned()))?;
    let listed = set.get("keys").and_then(Value::as_array);
    let listed = listed.ok_or_else(|| wrong("must be an object with `keys`".to_owned()))?;
    if listed.len() > KEYS {
        return Err(wrong(format!("must hold at most {KEYS} keys")));
    }
    let mut keys: Vec<PublicKey> = Vec::with_capacity(listed.len());
    for (index, it) in listed.iter().enumerate() {
        let key = jwk::PublicKey::read(it).map_err(|what| wrong(format!("key {index} {what}")))?;
        if keys.iter().any(|other| other.kid == key.kid) {
            return Err(wrong(format!("key {index} has the kid of another")));
        }
        keys.push(PublicKey {
            kid: key.kid,
            algorithm: format!("{:?}", key.algorithm),
            jwk: it.to_string(),
            created_at: ctx.now,
        });
    }
    Ok(NewKeys { keys, expected_version })
}

pub(super) fn transition(kind: i32) -> Result<ClientState> {
    use v1::ClientTransitionKind as K;
    match K::try_from(kind) {
        Ok(K::Disabled) => Ok(ClientState::Disabled),
        Ok(K::Enabled) => Ok(ClientState::Active),
        Ok(K::Unspecified) | Err(_) => {
            let reason = if kind == 0 { Reason::FieldRequired } else { Reason::FieldInvalid };
            let names = [K::Disabled, K::Enabled].map(|it| it.as_str_name());
            Err(Error::field("/kind", Fault::new(reason, "must be given").accepting(names)))
        }
    }
}

pub(super) fn new_grant(request: v1::CreateGrantRequest) -> Result<NewGrant> {
    let trust_id = trust_id(&request.trust_id)?;
    let mut fields = Fields::new();
    let client_id = fields.text("/clientId", request.client_id);
    let grantable = grantable();
    if request.scopes.is_empty() {
        fields.required::<Scope>("/scopes", None);
    }
    for (index, it) in request.scopes.iter().enumerate() {
        if !grantable.contains(it) {
            let known = Scope::try_from(*it).map_or_else(|_| it.to_string(), scope_name);
            let names = grantable.iter().filter_map(|it| Scope::try_from(*it).ok());
            let fault = Fault::invalid(format!("{known} is not a scope that a trust can grant"));
            let fault = fault.accepting(names.map(|it| it.as_str_name()));
            fields.refuse(&format!("/scopes/{index}"), fault);
        }
    }
    for (index, it) in request.kinds.iter().enumerate() {
        if RecordKind::try_from(*it).is_err() || *it == 0 {
            let fault = Fault::invalid("is not one of the names of this list");
            fields.refuse(&format!("/kinds/{index}"), fault);
        }
    }
    let schools = numbers(&mut fields, "/urns", &request.urns);
    let purpose = short(&mut fields, "/purpose", request.purpose, NAME_LIMIT);
    let ends_on = fields.optional("/endsOn", request.ends_on.as_deref(), identity::date);
    fields.done(|| {
        Some(NewGrant {
            trust_id,
            client_id: client_id?,
            scopes: request.scopes.into_iter().collect::<BTreeSet<_>>(),
            schools: schools?,
            kinds: request.kinds.into_iter().collect(),
            named: request.named,
            purpose: purpose?,
            ends_on: ends_on?,
        })
    })
}

pub(super) fn new_provider(request: v1::SetIdentityProviderRequest) -> Result<NewProvider> {
    let trust_id = trust_id(&request.trust_id)?;
    let mut fields = Fields::new();
    let issuer = fields.text("/issuer", request.issuer);
    let audience = short(&mut fields, "/audience", request.audience, NAME_LIMIT);
    let claim = request.groups_claim.unwrap_or_else(|| GROUPS.to_owned());
    let groups_claim = short(&mut fields, "/groupsClaim", claim, NAME_LIMIT);
    if request.mappings.len() > MAPPINGS {
        fields.refuse("/mappings", Fault::invalid(format!("must be at most {MAPPINGS}")));
    }
    let mut mappings = Vec::with_capacity(request.mappings.len());
    for (index, it) in request.mappings.into_iter().enumerate() {
        let at = |field: &str| format!("/mappings/{index}/{field}");
        let group = short(&mut fields, &at("group"), it.group, NAME_LIMIT);
        let role = fields.listed(&at("role"), it.role);
        let audience = fields.listed(&at("audience"), it.audience);
        let schools = numbers(&mut fields, &at("urns"), &it.urns);
        mappings.push((group, role, audience, schools, it.named));
    }
    fields.done(|| {
        let mappings = mappings.into_iter().map(|(group, role, audience, schools, named)| {
            let (group, role) = (group?, role?);
            Some(NewMapping { group, role, audience: audience?, schools: schools?, named })
        });
        Some(NewProvider {
            trust_id,
            issuer: issuer?,
            audience: audience?,
            groups_claim: groups_claim?,
            mappings: mappings.collect::<Option<_>>()?,
            enabled: request.enabled,
            expected_version: request.expected_version,
        })
    })
}

fn numbers(fields: &mut Fields, pointer: &str, urns: &[String]) -> Option<Vec<SchoolNumber>> {
    if urns.len() > SCHOOLS {
        let detail = format!("must be at most {SCHOOLS}; leave them out for every school");
        fields.refuse(pointer, Fault::invalid(detail));
        return None;
    }
    let parsed = urns.iter().enumerate();
    let parsed: Vec<_> = parsed
        .map(|(index, it)| fields.take(&format!("{pointer}/{index}"), SchoolNumber::parse(it)))
        .collect();
    parsed.into_iter().collect()
}
