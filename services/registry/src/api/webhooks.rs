use contract::registry::{
    self as v1, CreateWebhookPingRequest, CreateWebhookReplayRequest, CreateWebhookRequest,
    CreateWebhookSecretRequest, CreateWebhookTransitionRequest, DeleteWebhookRequest,
    DeleteWebhookResponse, GetWebhookRequest, ListWebhookDeliveriesRequest,
    ListWebhookDeliveriesResponse, ListWebhooksRequest, ListWebhooksResponse, UpdateWebhookRequest,
    Webhook, WebhookDelivery, webhook_service_server::WebhookService,
};
use journal::event_types;
use rpc::{Ctx, Error, Fault, Fields, PAGES, Page, Result, Twin};
use uuid::Uuid;

use super::convert::{NAME_LIMIT, id, trust_id};
use crate::{
    App,
    app::{ChangedWebhook, NewWebhook, SERVICES, WebhookView},
    domain::webhook::{Attempt, Delivery, DeliveryState, EventTypes, WebhookId, WebhookState},
    store::webhook_event::place,
    wire::count,
};

/// How long a secret goes on signing beside its successor, in hours: when nothing is said, and at the most.
const OVERLAP_HOURS: (u32, u32) = (24, 168);
/// The most types of event that a webhook may name.
const TYPES_LIMIT: usize = 200;

/// Webhooks behind their two doors.
#[derive(Clone, Debug)]
pub struct WebhookDoors(pub(crate) App);

rpc::doors! {
    impl WebhookService as "headway.registry.v1.WebhookService" for WebhookDoors {
        CreateWebhook => create_webhook(CreateWebhookRequest) -> Webhook;
        ListWebhooks => list_webhooks(ListWebhooksRequest) -> ListWebhooksResponse;
        GetWebhook => get_webhook(GetWebhookRequest) -> Webhook;
        UpdateWebhook => update_webhook(UpdateWebhookRequest) -> Webhook;
        DeleteWebhook => delete_webhook(DeleteWebhookRequest) -> DeleteWebhookResponse;
        CreateWebhookTransition => create_webhook_transition(CreateWebhookTransitionRequest) -> Webhook;
        CreateWebhookSecret => create_webhook_secret(CreateWebhookSecretRequest) -> Webhook;
        CreateWebhookPing => create_webhook_ping(CreateWebhookPingRequest) -> WebhookDelivery;
        CreateWebhookReplay => create_webhook_replay(CreateWebhookReplayRequest) -> Webhook;
        ListWebhookDeliveries => list_webhook_deliveries(ListWebhookDeliveriesRequest) -> ListWebhookDeliveriesResponse;
    }
    also {}
}

impl WebhookDoors {
    async fn create_webhook(&self, ctx: &Ctx, request: CreateWebhookRequest) -> Result<Webhook> {
        let trust_id = trust_id(&request.trust_id)?;
        let mut fields = Fields::new();
        let url = fields.text("/url", request.url);
        let description = described(&mut fields, request.description);
        let event_types = chosen(&mut fields, "/eventTypes", request.event_types);
        let new = fields.done(|| {
            let (url, description, event_types) = (url?, description?, event_types?);
            Some(NewWebhook { trust_id, url, description, event_types })
        })?;
        let created = self.0.create_webhook(ctx, new).await?;
        self.shown_with_secret(ctx, created)
    }

    async fn list_webhooks(
        &self,
        ctx: &Ctx,
        request: ListWebhooksRequest,
    ) -> Result<ListWebhooksResponse> {
        let trust_id = trust_id(&request.trust_id)?;
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &("webhooks", trust_id), PAGES)?;
        let (found, next_page_token) = self.0.webhooks(ctx, trust_id, page).await?;
        let webhooks = found.into_iter().map(|it| self.shown(ctx, it)).collect::<Result<_>>()?;
        Ok(ListWebhooksResponse { webhooks, next_page_token })
    }

    async fn get_webhook(&self, ctx: &Ctx, request: GetWebhookRequest) -> Result<Webhook> {
        let found = self.0.webhook(ctx, webhook_id(&request.webhook_id)?).await?;
        self.shown(ctx, found)
    }

    async fn update_webhook(&self, ctx: &Ctx, request: UpdateWebhookRequest) -> Result<Webhook> {
        let webhook_id = webhook_id(&request.webhook_id)?;
        let expected_version = rpc::expected_version(request.expected_version)?;
        let mut fields = Fields::new();
        let url = match request.url {
            Some(url) => fields.text("/url", url).map(Some),
            None => Some(None),
        };
        let description = match request.description {
            Some(text) => described(&mut fields, text).map(Some),
            None => Some(None),
        };
        let event_types = match request.events {
            Some(it) => chosen(&mut fields, "/events/types", it.types).map(Some),
            None => Some(None),
        };
        let changed = fields.done(|| {
            let (url, description, event_types) = (url?, description?, event_types?);
            Some(ChangedWebhook { webhook_id, expected_version, url, description, event_types })
        })?;
        let changed = self.0.update_webhook(ctx, changed).await?;
        self.shown(ctx, changed)
    }

    async fn delete_webhook(
        &self,
        ctx: &Ctx,
        request: DeleteWebhookRequest,
    ) -> Result<DeleteWebhookResponse> {
        self.0.delete_webhook(ctx, webhook_id(&request.webhook_id)?).await?;
        Ok(DeleteWebhookResponse {})
    }

    async fn create_webhook_transition(
        &self,
        ctx: &Ctx,
        request: CreateWebhookTransitionRequest,
    ) -> Result<Webhook> {
        let webhook_id = webhook_id(&request.webhook_id)?;
        let expected_version = rpc::expected_version(request.expected_version)?;
        let mut fields = Fields::new();
        let to = fields.listed::<WebhookState>("/to", request.to);
        let to = fields.done(|| to)?;
        let switched = self.0.switch_webhook(ctx, webhook_id, expected_version, to).await?;
        self.shown(ctx, switched)
    }

    async fn create_webhook_secret(
        &self,
        ctx: &Ctx,
        request: CreateWebhookSecretRequest,
    ) -> Result<Webhook> {
        let webhook_id = webhook_id(&request.webhook_id)?;
        let (default, most) = OVERLAP_HOURS;
        let hours = request.overlap_hours.unwrap_or(default);
        if hours > most {
            let fault = Fault::invalid(format!("must be 0 to {most}"));
            return Err(Error::field("/overlapHours", fault));
        }
        let rotated = self.0.rotate_webhook_secret(ctx, webhook_id, hours).await?;
        self.shown_with_secret(ctx, rotated)
    }

    async fn create_webhook_ping(
        &self,
        ctx: &Ctx,
        request: CreateWebhookPingRequest,
    ) -> Result<WebhookDelivery> {
        delivery(self.0.ping_webhook(ctx, webhook_id(&request.webhook_id)?).await?)
    }

    async fn create_webhook_replay(
        &self,
        ctx: &Ctx,
        request: CreateWebhookReplayRequest,
    ) -> Result<Webhook> {
        let webhook_id = webhook_id(&request.webhook_id)?;
        let service = SERVICES.into_iter().find(|it| *it == request.service);
        let service = service.ok_or_else(|| {
            let fault = Fault::invalid("is no service with a journal").accepting(SERVICES);
            Error::field("/service", fault)
        })?;
        let replayed = self.0.replay_webhook(ctx, webhook_id, service, request.after).await?;
        self.shown(ctx, replayed)
    }

    async fn list_webhook_deliveries(
        &self,
        ctx: &Ctx,
        request: ListWebhookDeliveriesRequest,
    ) -> Result<ListWebhookDeliveriesResponse> {
        let webhook_id = webhook_id(&request.webhook_id)?;
        let mut fields = Fields::new();
        let state = match request.state {
            Some(it) => fields.listed::<DeliveryState>("/state", it).map(Some),
            None => Some(None),
        };
        let state = fields.done(|| state)?;
        let filters = ("deliveries", webhook_id, state);
        let token = request.page_token.as_deref();
        let page = Page::<Uuid>::parse(request.page_size, token, &filters, PAGES)?;
        let (found, next_page_token) = self.0.deliveries(ctx, webhook_id, state, page).await?;
        let deliveries = found.into_iter().map(delivery).collect::<Result<_>>()?;
        Ok(ListWebhookDeliveriesResponse { deliveries, next_page_token })
    }

    fn shown(&self, ctx: &Ctx, view: WebhookView) -> Result<Webhook> {
        let keys = &self.0.telling()?.keys;
        let it = view.webhook;
        let signing = it.generations(ctx.now);
        let public_keys = signing
            .iter()
            .map(|generation| keys.pair(it.webhook_id.0, *generation).public_key())
            .collect();
        Ok(Webhook {
            webhook_id: it.webhook_id.to_string(),
            trust_id: it.trust_id.to_string(),
            url: it.url,
            description: it.description,
            event_types: it.event_types.0,
            state: it.state.to_wire(),
            disabled_reason: it.disabled_reason.map(Twin::to_wire),
            disabled_at: it.disabled_at.map(Into::into),
            client_id: it.client_id,
            created_at: Some(it.created_at.into()),
            public_keys,
            previous_secret_until: it.previous_until.filter(|it| *it > ctx.now).map(Into::into),
            secret: None,
            positions: view.places.iter().map(place).collect::<Result<_>>()?,
            pending: u32::try_from(view.pending).map_err(Error::internal)?,
            last_success_at: view.health.last_success_at.map(Into::into),
            failing_since: view.health.failing_since.map(Into::into),
            version: count(it.version),
        })
    }

    /// The secret is added here and not before: answers are kept for retries, and no database may hold it.
    fn shown_with_secret(&self, ctx: &Ctx, view: WebhookView) -> Result<Webhook> {
        let (webhook_id, newest) = (view.webhook.webhook_id, count(view.webhook.generation));
        let secret = self.0.telling()?.keys.pair(webhook_id.0, newest).secret();
        Ok(Webhook { secret: Some(secret), ..self.shown(ctx, view)? })
    }
}

fn webhook_id(text: &str) -> Result<WebhookId> {
    id("webhook", text, WebhookId::parse)
}

fn described(fields: &mut Fields, text: String) -> Option<String> {
    if text.chars().count() > NAME_LIMIT || text.contains('\0') {
        let detail = format!("must be at most {NAME_LIMIT} characters, without NUL");
        fields.refuse("/description", Fault::invalid(detail));
        return None;
    }
    Some(text)
}

fn chosen(fields: &mut Fields, pointer: &str, mut types: Vec<String>) -> Option<EventTypes> {
    if types.len() > TYPES_LIMIT {
        fields.refuse(pointer, Fault::invalid(format!("must be at most {TYPES_LIMIT}")));
        return None;
    }
    let mut known = true;
    for (index, name) in types.iter().enumerate() {
        if !event_types().contains_key(name) {
            let fault = Fault::invalid("is no type of event").accepting(event_types().keys());
            fields.refuse(&format!("{pointer}/{index}"), fault);
            known = false;
        }
    }
    types.sort();
    types.dedup();
    known.then_some(EventTypes(types))
}

fn delivery((it, attempts): (Delivery, Vec<Attempt>)) -> Result<WebhookDelivery> {
    let event = match (it.service, it.position) {
        (Some(service), Some(position)) => {
            let position = u64::try_from(position).map_err(Error::internal)?;
            Some(v1::JournalPosition { service, position })
        }
        _ => None,
    };
    Ok(WebhookDelivery {
        delivery_id: it.delivery_id.to_string(),
        webhook_id: it.webhook_id.to_string(),
        state: it.state.to_wire(),
        message_id: it.message_id.to_string(),
        r#type: it.kind,
        event,
        created_at: Some(it.created_at.into()),
        next_attempt_at: it.next_attempt_at.map(Into::into),
        ended_at: it.ended_at.map(Into::into),
        attempts: attempts.into_iter().map(attempt).collect(),
    })
}

fn attempt(it: Attempt) -> v1::WebhookAttempt {
    v1::WebhookAttempt {
        attempted_at: Some(it.attempted_at.into()),
        status: it.status.map(count),
        duration_ms: count(it.duration_ms),
        failure: it.failure,
    }
}
