//! What each event of clients, grants and identity providers changes in the tables.

use std::collections::BTreeSet;

use contract::registry as v1;
use db::Tx;
use identity::{SchoolId, TrustId};
use journal::Recorded;
use rpc::{Error, Result, Twin};

use super::{client, grant, provider};
use crate::{
    domain::access::{
        client::{Client, ClientChange, ClientState, PublicKey, Secret, SecretId},
        grant::{Grant, GrantId},
        provider::{Mapping, Provider},
    },
    store::event::{number, school_id},
};

/// Projects an event of this part of the registry; false when it is of another.
pub(crate) async fn project(tx: &mut Tx, event: &Recorded) -> Result<bool> {
    if let Some(it) = event.decode::<v1::ClientCreated>()? {
        client_created(tx, event, it).await?;
    } else if let Some((client_id, change)) = client_change(event)? {
        let mut found = client::get(tx, &client_id).await?;
        if let ClientChange::TokenRevoked { jti, expires_at } = &change {
            client::revoke(tx, (&client_id, jti), *expires_at, event.position).await?;
        }
        found.take(change, event.recorded_at);
        client::put(tx, &found, event.position).await?;
    } else if let Some(it) = event.decode::<v1::GrantGiven>()? {
        grant::put(tx, &given(event, it)?, event.position).await?;
    } else if let Some(it) = event.decode::<v1::GrantWithdrawn>()? {
        let grant_id = number(&it.grant_id, GrantId::parse)?;
        let found = grant::find(tx, grant_id).await?;
        let mut found = found.ok_or_else(|| Error::internal("a grant that was never given"))?;
        found.withdrawn_at = Some(event.recorded_at);
        found.withdrawn_by = Some(event.actor.clone());
        found.version += 1;
        grant::put(tx, &found, event.position).await?;
    } else if let Some(it) = event.decode::<v1::IdentityProviderSet>()? {
        provider::put(tx, &provider_of(event, it)?, event.position).await?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

async fn client_created(tx: &mut Tx, event: &Recorded, it: v1::ClientCreated) -> Result<()> {
    let created = Client {
        client_id: it.client_id,
        name: it.name,
        kind: Twin::told(it.kind)?,
        trust_id: Some(TrustId(event.trust_id)).filter(|it| !it.0.is_nil()),
        state: ClientState::Active,
        scopes: it.scopes.into_iter().collect(),
        secrets: Vec::new(),
        keys: Vec::new(),
        valid_from: event.recorded_at,
        version: 1,
        created_at: event.recorded_at,
    };
    client::put(tx, &created, event.position).await
}

fn client_change(event: &Recorded) -> Result<Option<(String, ClientChange)>> {
    let created_at = event.recorded_at;
    if let Some(it) = event.decode::<v1::ClientSecretAdded>()? {
        let sha256 = it.sha256.try_into().map_err(|_| Error::internal("a hash of 32 bytes"))?;
        let secret_id = number(&it.secret_id, SecretId::parse)?;
        let change = ClientChange::SecretAdded(Secret { secret_id, sha256, created_at });
        return Ok(Some((it.client_id, change)));
    }
    if let Some(it) = event.decode::<v1::ClientSecretWithdrawn>()? {
        let change = ClientChange::SecretWithdrawn(number(&it.secret_id, SecretId::parse)?);
        return Ok(Some((it.client_id, change)));
    }
    if let Some(it) = event.decode::<v1::ClientKeysSet>()? {
        let keys = it.keys.into_iter().map(|it| {
            let v1::ClientPublicKey { kid, algorithm, jwk } = it;
            PublicKey { kid, algorithm, jwk, created_at }
        });
        return Ok(Some((it.client_id, ClientChange::KeysSet(keys.collect()))));
    }
    if let Some(it) = event.decode::<v1::ClientMoved>()? {
        return Ok(Some((it.client_id, ClientChange::Moved(Twin::told(it.state)?))));
    }
    if let Some(it) = event.decode::<v1::TokenRevoked>()? {
        let expires_at = it.expires_at.and_then(|it| it.try_into().ok());
        let expires_at = expires_at.ok_or_else(|| Error::internal("a token that never ends"))?;
        return Ok(Some((it.client_id, ClientChange::TokenRevoked { jti: it.jti, expires_at })));
    }
    Ok(None)
}

fn given(event: &Recorded, it: v1::GrantGiven) -> Result<Grant> {
    Ok(Grant {
        grant_id: number(&it.grant_id, GrantId::parse)?,
        trust_id: TrustId(event.trust_id),
        client_id: it.client_id,
        scopes: it.scopes.into_iter().collect(),
        school_ids: schools(&it.school_ids)?,
        kinds: it.kinds.into_iter().collect(),
        named: it.named,
        purpose: it.purpose,
        ends_on: it.ends_on.map(|it| number(&it, identity::date)).transpose()?,
        given_at: event.recorded_at,
        given_by: event.actor.clone(),
        withdrawn_at: None,
        withdrawn_by: None,
        version: 1,
    })
}

fn provider_of(event: &Recorded, it: v1::IdentityProviderSet) -> Result<Provider> {
    let mapping = |it: v1::MappedGroup| -> Result<Mapping> {
        Ok(Mapping {
            group: it.group,
            role: Twin::told(it.role)?,
            audience: Twin::told(it.audience)?,
            school_ids: schools(&it.school_ids)?,
            named: it.named,
        })
    };
    Ok(Provider {
        trust_id: TrustId(event.trust_id),
        issuer: it.issuer,
        audience: it.audience,
        groups_claim: it.groups_claim,
        mappings: it.mappings.into_iter().map(mapping).collect::<Result<_>>()?,
        enabled: it.enabled,
        version: i32::try_from(event.version).map_err(Error::internal)?,
        changed_at: event.recorded_at,
    })
}

fn schools(ids: &[String]) -> Result<BTreeSet<SchoolId>> {
    ids.iter().map(|it| school_id(it)).collect()
}
