use db::Tx;
use identity::{SchoolNumber, TrustId};
use rpc::{Ctx, Error, Fault, Fields, Result};

use super::schools;
use crate::{
    App,
    domain::access::provider::{Audience, Mapping, Provider, Role, issuer},
    store::{
        access::{event, provider},
        school, trust,
    },
};

/// A group and what its members are to be able to do.
#[derive(Clone, Debug)]
pub(crate) struct NewMapping {
    pub group: String,
    pub role: Role,
    pub audience: Audience,
    pub schools: Vec<SchoolNumber>,
    pub named: bool,
}

/// Where a trust's people are to sign in.
#[derive(Clone, Debug)]
pub(crate) struct NewProvider {
    pub trust_id: TrustId,
    pub issuer: String,
    pub audience: String,
    pub groups_claim: String,
    pub mappings: Vec<NewMapping>,
    pub enabled: bool,
    pub expected_version: Option<u32>,
}

/// A provider with the URNs of each mapping's schools.
#[derive(Clone, Debug)]
pub(crate) struct ProviderView {
    pub provider: Provider,
    pub urns: Vec<Vec<String>>,
}

impl App {
    pub(crate) async fn set_identity_provider(
        &self,
        ctx: &Ctx,
        new: NewProvider,
    ) -> Result<ProviderView> {
        ctx.within(new.trust_id.0)?;
        let (app, context) = (self.clone(), ctx.clone());
        let set = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    journal::lock(tx).await?;
                    let trust_id = new.trust_id;
                    let set = decide(tx, &context, new, app.loopback_issuers).await?;
                    let draft = event::provider_set(context.new_id(), &set)?;
                    app.journal.record(tx, &context, vec![draft]).await?;
                    required(tx, trust_id).await
                })
            })
            .await?;
        view(&mut self.journal.db().read_as(ctx.tenant()).await?, set).await
    }

    pub(crate) async fn identity_provider(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
    ) -> Result<ProviderView> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        trust::get(&mut tx, trust_id).await?;
        let found = required(&mut tx, trust_id).await?;
        view(&mut tx, found).await
    }
}

async fn decide(tx: &mut Tx, ctx: &Ctx, new: NewProvider, loopback: bool) -> Result<Provider> {
    trust::get(tx, new.trust_id).await?;
    let before = provider::find(tx, new.trust_id).await?;
    let version = match &before {
        Some(it) => {
            rpc::unchanged(it.version, rpc::expected_version(new.expected_version)?)?;
            it.version + 1
        }
        None => 1,
    };
    let mut fields = Fields::new();
    let issuer = fields.take("/issuer", issuer(&new.issuer, loopback));
    let mut mappings = Vec::with_capacity(new.mappings.len());
    for (index, it) in new.mappings.iter().enumerate() {
        let pointer = format!("/mappings/{index}/urns");
        let ids = schools(tx, ctx, new.trust_id, (&mut fields, &pointer), &it.schools).await?;
        let same = |other: &Mapping| other.group == it.group && other.role == it.role;
        if mappings.iter().any(same) {
            let pointer = format!("/mappings/{index}/group");
            fields.refuse(&pointer, Fault::invalid("is mapped to this role twice"));
        }
        mappings.push(Mapping {
            group: it.group.clone(),
            role: it.role,
            audience: it.audience,
            school_ids: ids.into_iter().collect(),
            named: it.named,
        });
    }
    fields.done(|| {
        Some(Provider {
            trust_id: new.trust_id,
            issuer: issuer?,
            audience: new.audience,
            groups_claim: new.groups_claim,
            mappings,
            enabled: new.enabled,
            version,
            changed_at: ctx.now,
        })
    })
}

async fn required(tx: &mut Tx, trust_id: TrustId) -> Result<Provider> {
    let found = provider::find(tx, trust_id).await?;
    found.ok_or_else(|| Error::not_found("identity provider of trust", trust_id))
}

async fn view(tx: &mut Tx, provider: Provider) -> Result<ProviderView> {
    let mut urns = Vec::with_capacity(provider.mappings.len());
    for it in &provider.mappings {
        let ids: Vec<_> = it.school_ids.iter().copied().collect();
        let found = school::urns(tx, &ids).await?.into_values().map(|it| it.to_string());
        let mut found: Vec<_> = found.collect();
        found.sort();
        urns.push(found);
    }
    Ok(ProviderView { provider, urns })
}
