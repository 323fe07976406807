use std::collections::BTreeSet;

use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolNumber, TrustId};
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Fault, Fields, Page, Result, Scope};

use super::schools;
use crate::{
    App,
    app::within,
    domain::access::{
        client::Client,
        grant::{Grant, GrantId, GrantState},
    },
    store::{
        access::{
            client, event,
            grant::{self, Wanted},
        },
        school, trust,
    },
};

/// Something a trust lets a client do, to be given.
#[derive(Clone, Debug)]
pub(crate) struct NewGrant {
    pub trust_id: TrustId,
    pub client_id: String,
    pub scopes: BTreeSet<i32>,
    pub schools: Vec<SchoolNumber>,
    pub kinds: BTreeSet<i32>,
    pub named: bool,
    pub purpose: String,
    pub ends_on: Option<NaiveDate>,
}

/// A grant with its client's name and the URNs its schools have now.
#[derive(Clone, Debug)]
pub(crate) struct GrantView {
    pub grant: Grant,
    pub client_name: String,
    pub urns: Vec<String>,
}

impl App {
    pub(crate) async fn create_grant(&self, ctx: &Ctx, new: NewGrant) -> Result<GrantView> {
        ctx.within(new.trust_id.0)?;
        if new.schools.is_empty() && ctx.schools().is_some() {
            let detail = "your own grant is of some schools: name those that this one is to be of";
            return Err(Error::field("/urns", Fault::invalid(detail)));
        }
        let (app, context) = (self.clone(), ctx.clone());
        let given = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let given = decide(tx, &context, new).await?;
                    let draft = event::grant_given(context.new_id(), &given);
                    app.journal.record(tx, &context, vec![draft]).await?;
                    required(tx, given.grant_id).await
                })
            })
            .await?;
        view(&mut self.journal.db().read().await?, given).await
    }

    pub(crate) async fn withdraw_grant(&self, ctx: &Ctx, grant_id: GrantId) -> Result<GrantView> {
        let (app, context) = (self.clone(), ctx.clone());
        let withdrawn = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    journal::lock(tx).await?;
                    let found = required(tx, grant_id).await?;
                    within(&context, found.trust_id, || missing(grant_id))?;
                    if found.school_ids.is_empty() {
                        context.every_school()?;
                    }
                    for id in &found.school_ids {
                        let urn = school::get(tx, *id).await?.details.urn;
                        context.school(id.0, urn.as_str())?;
                    }
                    if found.withdrawn_at.is_some() {
                        return Ok(found);
                    }
                    let draft = event::grant_withdrawn(context.new_id(), &found)?;
                    app.journal.record(tx, &context, vec![draft]).await?;
                    required(tx, grant_id).await
                })
            })
            .await?;
        view(&mut self.journal.db().read().await?, withdrawn).await
    }

    pub(crate) async fn grant(
        &self,
        ctx: &Ctx,
        grant_id: GrantId,
        as_of: Option<AsOf>,
    ) -> Result<GrantView> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let now = required(&mut tx, grant_id).await?;
        within(ctx, now.trust_id, || missing(grant_id))?;
        if own_only(ctx).is_some_and(|own| own != now.client_id) {
            return Err(missing(grant_id));
        }
        drop(tx);
        let mut names = self.journal.db().read().await?;
        let Some(at) = as_of else { return view(&mut names, now).await };
        let of = Of::Stream(format!("grant/{grant_id}"));
        let mut then = self.journal.as_of(now.trust_id.0, at, of).await?;
        let found = grant::find(&mut then, grant_id).await?;
        view(&mut names, found.ok_or_else(|| at.absent("grant", grant_id))?).await
    }

    /// A trust's grants, of one client or of all; only its own to a caller whom the trust has granted no more.
    pub(crate) async fn grants(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        (client_id, state): (Option<String>, Option<GrantState>),
        page: Page<GrantId>,
    ) -> Result<(Vec<GrantView>, Option<String>)> {
        ctx.within(trust_id.0)?;
        if own_only(ctx).is_some_and(|own| client_id.as_deref() != Some(own)) {
            ctx.granted(&rpc::Asked::default())?;
        }
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        trust::get(&mut tx, trust_id).await?;
        let wanted = Wanted { client_id: client_id.as_deref(), state, today: ctx.today() };
        let found = grant::list(&mut tx, Some(trust_id), wanted, page.after, page.limit()).await?;
        drop(tx);
        self.listed(found, &page).await
    }

    /// What the calling client has been granted, within its reach.
    pub(crate) async fn own_grants(
        &self,
        ctx: &Ctx,
        page: Page<GrantId>,
    ) -> Result<(Vec<GrantView>, Option<String>)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let client_id = Some(ctx.caller.client_id.as_str());
        let wanted = Wanted { client_id, state: None, today: ctx.today() };
        let own = ctx.own_trust().map(TrustId);
        let found = grant::list(&mut tx, own, wanted, page.after, page.limit()).await?;
        drop(tx);
        self.listed(found, &page).await
    }

    async fn listed(
        &self,
        found: Vec<Grant>,
        page: &Page<GrantId>,
    ) -> Result<(Vec<GrantView>, Option<String>)> {
        let (found, next) = page.cut(found, |it| it.grant_id)?;
        let mut names = self.journal.db().read().await?;
        let mut views = Vec::with_capacity(found.len());
        for it in found {
            views.push(view(&mut names, it).await?);
        }
        Ok((views, next))
    }
}

/// The client to whose own grants a caller is confined: the trust gave it no sight of others.
fn own_only(ctx: &Ctx) -> Option<&str> {
    let confined = !ctx.caller.permit.gives(Scope::AccessRead);
    confined.then_some(ctx.caller.client_id.as_str())
}

async fn decide(tx: &mut Tx, ctx: &Ctx, new: NewGrant) -> Result<Grant> {
    trust::get(tx, new.trust_id).await?;
    let mut fields = Fields::new();
    let known = client::find(tx, &new.client_id).await?;
    let takes = |it: &Client| it.takes_from(new.trust_id);
    if !known.is_some_and(|it| takes(&it)) {
        let detail = "no such client takes grants of this trust";
        fields.refuse("/clientId", Fault::invalid(detail));
    }
    if new.ends_on.is_some_and(|it| it < ctx.today()) {
        fields.refuse("/endsOn", Fault::invalid("must not lie in the past"));
    }
    let place = (&mut fields, "/urns");
    let school_ids = schools(tx, ctx, new.trust_id, place, &new.schools).await?;
    fields.done(|| {
        Some(Grant {
            grant_id: GrantId(ctx.new_id()),
            trust_id: new.trust_id,
            client_id: new.client_id,
            scopes: new.scopes,
            school_ids: school_ids.into_iter().collect(),
            kinds: new.kinds,
            named: new.named,
            purpose: new.purpose,
            ends_on: new.ends_on,
            given_at: ctx.now,
            given_by: ctx.caller.client_id.clone(),
            withdrawn_at: None,
            withdrawn_by: None,
            version: 1,
        })
    })
}

/// With the name of its client, which may be of no trust.
async fn view(tx: &mut Tx, grant: Grant) -> Result<GrantView> {
    let client_name = client::name(tx, &grant.client_id).await?;
    let ids: Vec<_> = grant.school_ids.iter().copied().collect();
    let urns = school::urns(tx, &ids).await?;
    let mut urns: Vec<_> = urns.into_values().map(|it| it.to_string()).collect();
    urns.sort();
    Ok(GrantView { grant, client_name, urns })
}

async fn required(tx: &mut Tx, grant_id: GrantId) -> Result<Grant> {
    grant::find(tx, grant_id).await?.ok_or_else(|| missing(grant_id))
}

fn missing(grant_id: GrantId) -> Error {
    Error::not_found("grant", grant_id)
}
