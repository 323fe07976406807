//! What happens to clients, grants and identity providers, as the events of the contract.

use contract::registry as v1;
use journal::Draft;
use rpc::{Error, Result, Twin};
use uuid::Uuid;

use super::client::trust_of;
use crate::domain::access::{
    client::{Client, ClientChange},
    grant::Grant,
    provider::Provider,
};

pub(crate) fn client_created(event_id: Uuid, it: &Client) -> Draft {
    let message = v1::ClientCreated {
        client_id: it.client_id.clone(),
        name: it.name.clone(),
        kind: it.kind.to_wire(),
        scopes: it.scopes.iter().copied().collect(),
    };
    Draft::new(event_id, trust_of(it), format!("client/{}", it.client_id), 1, &message)
}

/// What happens next to a client.
pub(crate) fn client_changed(event_id: Uuid, it: &Client, change: &ClientChange) -> Result<Draft> {
    let client_id = it.client_id.clone();
    let version = u32::try_from(it.version + 1).map_err(Error::internal)?;
    let (trust_id, stream) = (trust_of(it), format!("client/{client_id}"));
    Ok(match change {
        ClientChange::SecretAdded(it) => {
            let (secret_id, sha256) = (it.secret_id.to_string(), it.sha256.to_vec());
            let message = v1::ClientSecretAdded { client_id, secret_id, sha256 };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        ClientChange::SecretWithdrawn(it) => {
            let message = v1::ClientSecretWithdrawn { client_id, secret_id: it.to_string() };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        ClientChange::KeysSet(keys) => {
            let keys = keys.iter().map(|it| v1::ClientPublicKey {
                kid: it.kid.clone(),
                algorithm: it.algorithm.clone(),
                jwk: it.jwk.clone(),
            });
            let message = v1::ClientKeysSet { client_id, keys: keys.collect() };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        ClientChange::Moved(state) => {
            let message = v1::ClientMoved { client_id, state: state.to_wire() };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        ClientChange::TokenRevoked { jti, expires_at } => {
            let (jti, expires_at) = (jti.clone(), Some((*expires_at).into()));
            let message = v1::TokenRevoked { client_id, jti, expires_at };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
    })
}

pub(crate) fn grant_given(event_id: Uuid, it: &Grant) -> Draft {
    let message = v1::GrantGiven {
        grant_id: it.grant_id.to_string(),
        client_id: it.client_id.clone(),
        scopes: it.scopes.iter().copied().collect(),
        school_ids: it.school_ids.iter().map(ToString::to_string).collect(),
        kinds: it.kinds.iter().copied().collect(),
        named: it.named,
        purpose: it.purpose.clone(),
        ends_on: it.ends_on.map(|it| it.to_string()),
    };
    Draft::new(event_id, it.trust_id.0, format!("grant/{}", it.grant_id), 1, &message)
}

pub(crate) fn grant_withdrawn(event_id: Uuid, it: &Grant) -> Result<Draft> {
    let message = v1::GrantWithdrawn { grant_id: it.grant_id.to_string() };
    let version = u32::try_from(it.version + 1).map_err(Error::internal)?;
    let stream = format!("grant/{}", it.grant_id);
    Ok(Draft::new(event_id, it.trust_id.0, stream, version, &message))
}

pub(crate) fn provider_set(event_id: Uuid, it: &Provider) -> Result<Draft> {
    let mappings = it.mappings.iter().map(|it| v1::MappedGroup {
        group: it.group.clone(),
        role: it.role.to_wire(),
        audience: it.audience.to_wire(),
        school_ids: it.school_ids.iter().map(ToString::to_string).collect(),
        named: it.named,
    });
    let message = v1::IdentityProviderSet {
        trust_id: it.trust_id.to_string(),
        issuer: it.issuer.clone(),
        audience: it.audience.clone(),
        groups_claim: it.groups_claim.clone(),
        mappings: mappings.collect(),
        enabled: it.enabled,
    };
    let version = u32::try_from(it.version).map_err(Error::internal)?;
    let stream = format!("identity_provider/{}", it.trust_id);
    Ok(Draft::new(event_id, it.trust_id.0, stream, version, &message))
}
