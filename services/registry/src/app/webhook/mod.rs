//! Webhooks: what their owners do with them, and telling their targets.

mod deliver;
mod news;
mod telling;
mod turn;

use std::sync::Arc;

use contract::journal::ListEventsRequest;
use db::Tx;
use futures::future::try_join_all;
use identity::TrustId;
use rpc::{Ctx, Error, Fault, Page, Reach, Reason, Result, Scope, unchanged};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::App;
use crate::{
    domain::webhook::{
        Attempt, Delivery, DeliveryState, DisabledReason, EventTypes, Health, LIMIT, Place,
        Webhook, WebhookId, WebhookState,
    },
    store::{
        delivery, trust, webhook as stored,
        webhook_event::{Change, draft},
    },
};

pub use telling::{Channels, Standing};
pub(crate) use telling::{PING, SERVICES, Telling};

#[derive(Clone, Debug)]
pub(crate) struct NewWebhook {
    pub(crate) trust_id: TrustId,
    pub(crate) url: String,
    pub(crate) description: String,
    pub(crate) event_types: EventTypes,
}

#[derive(Clone, Debug)]
pub(crate) struct ChangedWebhook {
    pub(crate) webhook_id: WebhookId,
    pub(crate) expected_version: u32,
    pub(crate) url: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) event_types: Option<EventTypes>,
}

/// A webhook, and how it fares.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct WebhookView {
    pub(crate) webhook: Webhook,
    pub(crate) places: Vec<Place>,
    pub(crate) health: Health,
    pub(crate) pending: i64,
}

impl App {
    /// Tells nobody anything before this: where journals are, and who may still read them.
    pub fn connect(&self, channels: Box<Channels>, standing: Box<Standing>) {
        if let Some(telling) = &self.telling {
            telling.connect(channels, standing);
        }
    }

    pub(crate) fn telling(&self) -> Result<&Arc<Telling>> {
        let detail = "this deployment sends no webhooks";
        self.telling.as_ref().ok_or_else(|| Error::new(Reason::NotOffered, detail))
    }

    pub(crate) async fn create_webhook(&self, ctx: &Ctx, new: NewWebhook) -> Result<WebhookView> {
        ctx.within(new.trust_id.0)?;
        reads_the_journal(ctx)?;
        self.admit(Some(&new.url)).await?;
        let places = self.heads(new.trust_id).await?;
        let (app, ctx2) = (self.clone(), ctx.clone());
        let created = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    trust::get(tx, new.trust_id).await?;
                    if stored::count(tx, new.trust_id).await? >= LIMIT {
                        let detail = format!("a trust may have {LIMIT} webhooks");
                        return Err(Error::new(Reason::WebhookLimit, detail));
                    }
                    let webhook = Webhook {
                        webhook_id: WebhookId(ctx2.new_id()),
                        trust_id: new.trust_id,
                        url: new.url,
                        description: new.description,
                        event_types: new.event_types,
                        state: WebhookState::Enabled,
                        disabled_reason: None,
                        disabled_at: None,
                        client_id: ctx2.caller.client_id.clone(),
                        generation: 1,
                        previous_until: None,
                        created_at: ctx2.now,
                        version: 1,
                    };
                    for place in &places {
                        stored::set_place(tx, &webhook, place).await?;
                    }
                    let draft = draft(ctx2.new_id(), &webhook, Change::Created(places))?;
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    view(tx, webhook.webhook_id).await
                })
            })
            .await?;
        self.wake();
        Ok(created)
    }

    pub(crate) async fn webhook(&self, ctx: &Ctx, webhook_id: WebhookId) -> Result<WebhookView> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let it = view(&mut tx, webhook_id).await?;
        within(ctx, &it.webhook)?;
        Ok(it)
    }

    pub(crate) async fn webhooks(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        page: Page<WebhookId>,
    ) -> Result<(Vec<WebhookView>, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        trust::get(&mut tx, trust_id).await?;
        let found = stored::list(&mut tx, trust_id, page.after, page.limit()).await?;
        let (found, next) = page.cut(found, |it| it.webhook_id)?;
        let mut views = Vec::with_capacity(found.len());
        for it in found {
            views.push(view(&mut tx, it.webhook_id).await?);
        }
        Ok((views, next))
    }

    pub(crate) async fn update_webhook(
        &self,
        ctx: &Ctx,
        it: ChangedWebhook,
    ) -> Result<WebhookView> {
        reads_the_journal(ctx)?;
        self.webhook(ctx, it.webhook_id).await?;
        self.admit(it.url.as_deref()).await?;
        let ChangedWebhook { webhook_id, expected_version, url, description, event_types } = it;
        self.change(ctx, webhook_id, move |webhook| {
            unchanged(webhook.version, expected_version)?;
            Ok(Some(Change::Changed { url, description, event_types }))
        })
        .await
    }

    pub(crate) async fn switch_webhook(
        &self,
        ctx: &Ctx,
        webhook_id: WebhookId,
        expected_version: u32,
        to: WebhookState,
    ) -> Result<WebhookView> {
        if to == WebhookState::Enabled {
            reads_the_journal(ctx)?;
        }
        self.change(ctx, webhook_id, move |webhook| {
            unchanged(webhook.version, expected_version)?;
            webhook.may_become(to)?;
            Ok(Some(match to {
                WebhookState::Enabled => Change::Enabled,
                WebhookState::Disabled => Change::Disabled(DisabledReason::Requested),
            }))
        })
        .await
    }

    pub(crate) async fn rotate_webhook_secret(
        &self,
        ctx: &Ctx,
        webhook_id: WebhookId,
        overlap_hours: u32,
    ) -> Result<WebhookView> {
        self.change(ctx, webhook_id, move |_| Ok(Some(Change::SecretRotated { overlap_hours })))
            .await
    }

    pub(crate) async fn delete_webhook(&self, ctx: &Ctx, webhook_id: WebhookId) -> Result<()> {
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let webhook = of(tx, &ctx2, webhook_id).await?;
                    let draft = draft(ctx2.new_id(), &webhook, Change::Deleted)?;
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    stored::forget(tx, webhook_id).await
                })
            })
            .await
    }

    /// Queues a ping.
    pub(crate) async fn ping_webhook(
        &self,
        ctx: &Ctx,
        webhook_id: WebhookId,
    ) -> Result<(Delivery, Vec<Attempt>)> {
        self.telling()?;
        let ctx2 = ctx.clone();
        let queued = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let webhook = of(tx, &ctx2, webhook_id).await?;
                    let delivery_id = ctx2.new_id();
                    let ping = Delivery {
                        delivery_id,
                        webhook_id,
                        trust_id: webhook.trust_id,
                        service: None,
                        position: None,
                        message_id: delivery_id,
                        kind: PING.to_owned(),
                        state: DeliveryState::Pending,
                        created_at: ctx2.now,
                        next_attempt_at: Some(ctx2.now),
                        ended_at: None,
                    };
                    delivery::insert(tx, &ping).await?;
                    Ok(ping)
                })
            })
            .await?;
        self.wake();
        Ok((queued, Vec::new()))
    }

    /// Goes on from another place.
    pub(crate) async fn replay_webhook(
        &self,
        ctx: &Ctx,
        webhook_id: WebhookId,
        service: &'static str,
        after: u64,
    ) -> Result<WebhookView> {
        reads_the_journal(ctx)?;
        let trust_id = self.webhook(ctx, webhook_id).await?.webhook.trust_id;
        let head = self.head(service, trust_id).await?.position;
        let position = i64::try_from(after).ok().filter(|it| *it <= head).ok_or_else(|| {
            let fault = Fault::invalid(format!("is beyond the newest position, {head}"));
            Error::field("/after", fault)
        })?;
        let place = Place { service: service.to_owned(), position };
        self.change(ctx, webhook_id, move |_| Ok(Some(Change::Replayed(place)))).await
    }

    pub(crate) async fn deliveries(
        &self,
        ctx: &Ctx,
        webhook_id: WebhookId,
        state: Option<DeliveryState>,
        page: Page<Uuid>,
    ) -> Result<(Vec<(Delivery, Vec<Attempt>)>, Option<String>)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        of(&mut tx, ctx, webhook_id).await?;
        let found = delivery::list(&mut tx, webhook_id, state, page.after, page.limit()).await?;
        page.cut(found, |it| it.0.delivery_id)
    }

    /// Decides on a webhook and records what was decided.
    async fn change<F>(&self, ctx: &Ctx, webhook_id: WebhookId, decide: F) -> Result<WebhookView>
    where
        F: FnOnce(&Webhook) -> Result<Option<Change>> + Send + 'static,
    {
        let (app, ctx2) = (self.clone(), ctx.clone());
        let changed = self
            .journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let webhook = of(tx, &ctx2, webhook_id).await?;
                    if let Some(change) = decide(&webhook)? {
                        app.record_change(tx, &ctx2, &webhook, change).await?;
                    }
                    view(tx, webhook_id).await
                })
            })
            .await?;
        self.wake();
        Ok(changed)
    }

    /// Records a change, with what it means for what waits.
    async fn record_change(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        webhook: &Webhook,
        change: Change,
    ) -> Result<()> {
        match &change {
            Change::Replayed(place) => stored::set_place(tx, webhook, place).await?,
            Change::Enabled => {
                let key = (webhook.webhook_id, webhook.trust_id);
                let last_success_at = stored::health(tx, webhook.webhook_id).await?.last_success_at;
                let health = Health { last_success_at, ..Health::default() };
                stored::set_health(tx, key, &health).await?;
                delivery::hurry(tx, webhook.webhook_id, ctx.now).await?;
            }
            _ => {}
        }
        let draft = draft(ctx.new_id(), webhook, change)?;
        self.journal.record(tx, ctx, vec![draft]).await?;
        Ok(())
    }

    async fn admit(&self, url: Option<&str>) -> Result<()> {
        let telling = self.telling()?;
        let Some(url) = url else { return Ok(()) };
        let admitted = telling.sender.admit(url).await;
        admitted.map(drop).map_err(|fault| Error::field("/url", fault))
    }

    /// Where the journals end, as the trust counts.
    async fn heads(&self, trust_id: TrustId) -> Result<Vec<Place>> {
        try_join_all(SERVICES.map(|it| self.head(it, trust_id))).await
    }

    async fn head(&self, service: &'static str, trust_id: TrustId) -> Result<Place> {
        let mut journal = self.telling()?.journal(service, Reach::Trust(trust_id.0))?;
        let request = ListEventsRequest {
            service: service.to_owned(),
            page_size: Some(1),
            ..ListEventsRequest::default()
        };
        let listed = journal.list_events(request).await.map_err(unreachable)?.into_inner();
        let position = i64::try_from(listed.head).map_err(Error::internal)?;
        Ok(Place { service: service.to_owned(), position })
    }

    fn wake(&self) {
        if let Some(telling) = &self.telling {
            telling.wake.notify_one();
        }
    }
}

pub(crate) fn unreachable(status: tonic::Status) -> Error {
    Error::new(Reason::Unavailable, "a journal cannot be reached just now").caused_by(status)
}

/// A webhook shows what the journal does, of all schools: so who sets one up must be let read all of that.
fn reads_the_journal(ctx: &Ctx) -> Result<()> {
    if !ctx.caller.may(Scope::JournalRead) {
        let detail =
            "a webhook tells what the journal holds: the credential lacks the scope journal:read";
        return Err(Error::new(Reason::ScopeMissing, detail));
    }
    if ctx.caller.permit.schools(Scope::JournalRead, &rpc::Asked::default()).is_some() {
        let detail = "a webhook tells of every school: no grant covers the scope journal:read for all of them";
        return Err(Error::new(Reason::GrantMissing, detail));
    }
    Ok(())
}

fn within(ctx: &Ctx, webhook: &Webhook) -> Result<()> {
    super::within(ctx, webhook.trust_id, || absent(webhook.webhook_id))
}

fn absent(webhook_id: WebhookId) -> Error {
    Error::not_found("webhook", webhook_id)
}

/// A webhook the caller may see.
async fn of(tx: &mut Tx, ctx: &Ctx, webhook_id: WebhookId) -> Result<Webhook> {
    let it = stored::find(tx, webhook_id).await?.ok_or_else(|| absent(webhook_id))?;
    within(ctx, &it)?;
    Ok(it)
}

async fn view(tx: &mut Tx, webhook_id: WebhookId) -> Result<WebhookView> {
    let webhook = stored::find(tx, webhook_id).await?.ok_or_else(|| absent(webhook_id))?;
    let places = stored::places(tx, webhook_id).await?;
    let health = stored::health(tx, webhook_id).await?;
    let pending = delivery::pending(tx, webhook_id).await?;
    Ok(WebhookView { webhook, places, health, pending })
}
