//! Answers about clients, grants, identity providers and the directory.

use chrono::NaiveDate;
use contract::registry as v1;
use identity::SchoolId;
use rpc::{Error, Result, Twin};

use crate::{
    app::access::{Directory, GrantView, Made, ProviderView, Shown},
    domain::access::{
        client::{Client, Secret},
        grant::Grant,
        provider::Provider,
    },
    wire::count,
};

/// A client that the caller manages.
pub(super) fn managed(client: Client) -> v1::Client {
    self::client(Shown { client, manages: true })
}

pub(super) fn client(Shown { client: it, manages }: Shown) -> v1::Client {
    let secrets = it.secrets.into_iter().filter(|_| manages).map(|it| kept(&it, None)).collect();
    let keys = it.keys.into_iter().filter(|_| manages).map(|it| v1::ClientKey {
        kid: it.kid,
        algorithm: it.algorithm,
        created_at: Some(it.created_at.into()),
    });
    v1::Client {
        client_id: it.client_id,
        name: it.name,
        kind: it.kind.to_wire(),
        trust_id: it.trust_id.map(|it| it.to_string()),
        state: it.state.to_wire(),
        secrets,
        keys: keys.collect(),
        scopes: it.scopes.into_iter().collect(),
        version: count(it.version),
        created_at: Some(it.created_at.into()),
    }
}

pub(super) fn secret(made: Made) -> v1::ClientSecret {
    kept(&made.kept, made.secret)
}

fn kept(it: &Secret, secret: Option<String>) -> v1::ClientSecret {
    let secret_id = it.secret_id.to_string();
    v1::ClientSecret { secret_id, created_at: Some(it.created_at.into()), secret }
}

pub(super) fn grant(view: GrantView, today: NaiveDate) -> v1::Grant {
    let GrantView { grant: it, client_name, urns } = view;
    v1::Grant {
        state: it.state(today).to_wire(),
        grant_id: it.grant_id.to_string(),
        trust_id: it.trust_id.to_string(),
        client_id: it.client_id,
        client_name,
        scopes: it.scopes.into_iter().collect(),
        urns,
        kinds: it.kinds.into_iter().collect(),
        named: it.named,
        purpose: it.purpose,
        ends_on: it.ends_on.map(|it| it.to_string()),
        given_at: Some(it.given_at.into()),
        given_by: it.given_by,
        withdrawn_at: it.withdrawn_at.map(Into::into),
        withdrawn_by: it.withdrawn_by,
        version: count(it.version),
    }
}

pub(super) fn grants(
    (views, next_page_token): (Vec<GrantView>, Option<String>),
    today: NaiveDate,
) -> v1::ListGrantsResponse {
    let grants = views.into_iter().map(|it| grant(it, today)).collect();
    v1::ListGrantsResponse { grants, next_page_token }
}

pub(super) fn provider(view: ProviderView) -> v1::IdentityProvider {
    let ProviderView { provider: it, urns } = view;
    let mappings = it.mappings.into_iter().zip(urns).map(|(it, urns)| v1::RoleMapping {
        group: it.group,
        role: it.role.to_wire(),
        audience: it.audience.to_wire(),
        urns,
        named: it.named,
    });
    v1::IdentityProvider {
        trust_id: it.trust_id.to_string(),
        issuer: it.issuer,
        audience: it.audience,
        groups_claim: it.groups_claim,
        mappings: mappings.collect(),
        enabled: it.enabled,
        version: count(it.version),
        changed_at: Some(it.changed_at.into()),
    }
}

pub(super) fn directory(it: Directory) -> Result<v1::GetDirectoryResponse> {
    let revoked = it.revoked.into_iter().map(|(jti, expires_at)| v1::RevokedToken {
        jti,
        expires_at_s: u64::try_from(expires_at).unwrap_or_default(),
    });
    Ok(v1::GetDirectoryResponse {
        position: u64::try_from(it.position).map_err(Error::internal)?,
        clients: it.clients.into_iter().map(listed).collect(),
        grants: it.grants.into_iter().map(given).collect(),
        providers: it.providers.into_iter().map(known).collect(),
        revoked: revoked.collect(),
    })
}

fn listed(it: Client) -> v1::DirectoryClient {
    v1::DirectoryClient {
        client_id: it.client_id,
        kind: it.kind.to_wire(),
        state: it.state.to_wire(),
        scopes: it.scopes.into_iter().collect(),
        valid_from_s: u64::try_from(it.valid_from.timestamp()).unwrap_or_default(),
    }
}

fn given(it: Grant) -> v1::DirectoryGrant {
    v1::DirectoryGrant {
        grant_id: it.grant_id.to_string(),
        trust_id: it.trust_id.to_string(),
        client_id: it.client_id,
        scopes: it.scopes.into_iter().collect(),
        school_ids: it.school_ids.iter().map(SchoolId::to_string).collect(),
        kinds: it.kinds.into_iter().collect(),
        named: it.named,
        purpose: it.purpose,
        ends_on: it.ends_on.map(|it| it.to_string()),
        withdrawn: it.withdrawn_at.is_some(),
    }
}

fn known(it: Provider) -> v1::DirectoryProvider {
    let mappings = it.mappings.into_iter().map(|it| v1::DirectoryMapping {
        group: it.group,
        role: it.role.to_wire(),
        audience: it.audience.to_wire(),
        school_ids: it.school_ids.iter().map(SchoolId::to_string).collect(),
        named: it.named,
    });
    v1::DirectoryProvider {
        trust_id: it.trust_id.to_string(),
        issuer: it.issuer,
        audience: it.audience,
        groups_claim: it.groups_claim,
        mappings: mappings.collect(),
        enabled: it.enabled,
    }
}
