//! One webhook's turn: what is due is tried again, then what is new is sent, one message after the other. A failure ends
//! the turn.

use std::time::{Duration, Instant};

use bytes::Bytes;
use contract::journal::{Event, ListEventsRequest};
use db::{Tenant, Tx};
use identity::TrustId;
use journal::{Held, Leases};
use rpc::{Ctx, Error, Reach, Reason, Result};
use serde_json::json;
use uuid::Uuid;
use webhook::{GIVEN_UP_AFTER, Message, Outcome, wait};

use super::{
    App, SERVICES,
    deliver::{NAME, Next},
    unreachable,
};
use crate::{
    domain::webhook::{
        AWAY, Attempt, Delivery, DeliveryState, DisabledReason, Place, Verdict, WAITING, Webhook,
        WebhookId, WebhookState,
    },
    store::{delivery, webhook as stored, webhook_event::Change},
};

/// Events looked at together, whether the webhook wants them or not.
const PAGE: u32 = 100;
/// After this long others have their turn.
const TURN: Duration = Duration::from_secs(20);

impl App {
    pub(super) async fn turn(
        &self,
        webhook_id: WebhookId,
        trust_id: TrustId,
        held: Held,
    ) -> Result<Next> {
        let (began, now) = (Instant::now(), rpc::now());
        let mut tx = self.journal.db().read_as(Tenant::Trust(trust_id.0)).await?;
        let Some(webhook) = stored::find(&mut tx, webhook_id).await? else {
            return Ok(Next::Rest);
        };
        let health = stored::health(&mut tx, webhook_id).await?;
        let mut due = delivery::due_of(&mut tx, webhook_id, now, WAITING).await?;
        drop(tx);
        let mut on = webhook.state == WebhookState::Enabled;
        if on && !self.telling()?.may_read(&webhook)? {
            self.switch_off(held, webhook_id, DisabledReason::AccessWithdrawn).await?;
            on = false;
        }
        on &= health.not_before.is_none_or(|it| it <= now);
        due.retain(|it| on || it.is_ping());
        for delivery in due {
            let Some(body) = self.body(&webhook, &delivery).await? else {
                return Err(Error::internal("an event that was to be sent is not in its journal"));
            };
            if !self.attempt(&webhook, held, &delivery, body).await? {
                return Ok(Next::Rest);
            }
            if began.elapsed() > TURN {
                return Ok(Next::More);
            }
        }
        if !on {
            return Ok(Next::Rest);
        }
        let mut next = Next::Rest;
        for service in SERVICES {
            match self.send_new(&webhook, held, service, began).await {
                Ok(Some(Next::More)) => next = Next::More,
                Ok(Some(Next::Rest)) => {}
                Ok(None) => return Ok(Next::Rest),
                // A journal that is away does not hold up the others; there is another look within a minute.
                Err(error) if error.reason == Reason::Unavailable => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::debug!(%webhook_id, service, %error, cause, "told later");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(next)
    }

    /// Takes what a journal has gained, and sends it; nothing when a message failed.
    async fn send_new(
        &self,
        webhook: &Webhook,
        held: Held,
        service: &'static str,
        began: Instant,
    ) -> Result<Option<Next>> {
        let mut tx = self.journal.db().read_as(Tenant::Trust(webhook.trust_id.0)).await?;
        let places = stored::places(&mut tx, webhook.webhook_id).await?;
        let waiting = delivery::pending(&mut tx, webhook.webhook_id).await?;
        drop(tx);
        let Some(place) = places.into_iter().find(|it| it.service == service) else {
            return Ok(Some(Next::Rest));
        };
        let room = usize::try_from(WAITING - waiting).unwrap_or(0);
        if room == 0 {
            return Ok(Some(Next::Rest));
        }
        let (events, end) = self.page(webhook, &place, PAGE).await?;
        let Some(taken) = take(webhook, service, events, room)? else {
            return Ok(Some(Next::Rest));
        };
        let to = taken.to;
        self.enqueue(webhook, held, place, &taken).await?;
        for (delivery, body) in taken.deliveries {
            if began.elapsed() > TURN {
                return Ok(Some(Next::More));
            }
            if !self.attempt(webhook, held, &delivery, body).await? {
                return Ok(None);
            }
        }
        Ok(Some(if to < end { Next::More } else { Next::Rest }))
    }

    /// Events of the webhook's trust after a place, and where the journal ends.
    async fn page(&self, webhook: &Webhook, after: &Place, size: u32) -> Result<(Vec<Event>, i64)> {
        let service = SERVICES.into_iter().find(|it| *it == after.service);
        let service = service.ok_or_else(|| Error::internal("a place in no journal"))?;
        let mut journal = self.telling()?.journal(service, Reach::Trust(webhook.trust_id.0))?;
        let request = ListEventsRequest {
            service: service.to_owned(),
            after: u64::try_from(after.position).map_err(Error::internal)?,
            page_size: Some(size),
            ..ListEventsRequest::default()
        };
        let listed = journal.list_events(request).await.map_err(unreachable)?.into_inner();
        Ok((listed.events, i64::try_from(listed.head).map_err(Error::internal)?))
    }

    /// Keeps what is to be sent before it is sent, together with how far the journal is read.
    async fn enqueue(
        &self,
        webhook: &Webhook,
        held: Held,
        from: Place,
        taken: &Taken,
    ) -> Result<()> {
        let (webhook_id, to) = (webhook.webhook_id, taken.to);
        let deliveries: Vec<_> = taken.deliveries.iter().map(|it| it.0.clone()).collect();
        let ctx = Ctx::system(crate::NAME);
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    holds(tx, held).await?;
                    if !stored::advance(tx, webhook_id, &from, to).await? {
                        let detail = "the webhook goes on from elsewhere by now";
                        return Err(Error::new(Reason::Unavailable, detail));
                    }
                    for delivery in &deliveries {
                        delivery::insert(tx, delivery).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// What a delivery says; nothing when its event is not to be had.
    async fn body(&self, webhook: &Webhook, delivery: &Delivery) -> Result<Option<Bytes>> {
        let (Some(service), Some(position)) = (&delivery.service, delivery.position) else {
            return Ok(Some(ping(delivery).into()));
        };
        let before = Place { service: service.clone(), position: position - 1 };
        let (events, _) = self.page(webhook, &before, 1).await?;
        let found = events.into_iter().find(|it| it.event_id == delivery.message_id.to_string());
        found.map(|it| body(&it, service)).transpose()
    }

    /// Sends a message once and records how that went; says whether it was taken.
    async fn attempt(
        &self,
        webhook: &Webhook,
        held: Held,
        delivery: &Delivery,
        body: Bytes,
    ) -> Result<bool> {
        let telling = self.telling()?;
        let (id, at) = (delivery.message_id.to_string(), rpc::now());
        let signatures = webhook.generations(at).into_iter().map(|generation| {
            telling.keys.pair(webhook.webhook_id.0, generation).sign(&id, at, &body)
        });
        let signature = signatures.collect::<Vec<_>>().join(" ");
        let message = Message { id, at, body, signature };
        let outcome = telling.sender.send(&webhook.url, message).await;
        let taken = outcome.is_success();
        let result = if taken { "delivered" } else { "failed" };
        metrics::counter!("headway_webhook_attempts_total", "result" => result).increment(1);
        metrics::histogram!("headway_webhook_seconds").record(outcome.took.as_secs_f64());
        self.record_attempt(held, delivery.clone(), at, outcome).await?;
        Ok(taken)
    }

    async fn record_attempt(
        &self,
        held: Held,
        delivery: Delivery,
        at: chrono::DateTime<chrono::Utc>,
        outcome: Outcome,
    ) -> Result<()> {
        let (app, ctx) = (self.clone(), Ctx::system(crate::NAME));
        let ctx2 = ctx.clone();
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    holds(tx, held).await?;
                    let Some(delivery) = delivery::find(tx, delivery.delivery_id).await? else {
                        return Ok(());
                    };
                    let number = delivery::attempts(tx, delivery.delivery_id).await? + 1;
                    let attempt = Attempt {
                        delivery_id: delivery.delivery_id,
                        number,
                        attempted_at: at,
                        status: outcome.status.map(i32::from),
                        duration_ms: i32::try_from(outcome.took.as_millis()).unwrap_or(i32::MAX),
                        failure: outcome.failure.clone(),
                    };
                    delivery::tried(tx, &delivery, &attempt).await?;
                    if outcome.is_success() {
                        succeeded(tx, &delivery, ctx2.now).await
                    } else {
                        app.failed(tx, &ctx2, &delivery, number, &outcome).await
                    }
                })
            })
            .await
    }

    async fn failed(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        it: &Delivery,
        number: i32,
        outcome: &Outcome,
    ) -> Result<()> {
        let now = ctx.now;
        let mut health = stored::health(tx, it.webhook_id).await?;
        let wait = wait(u32::try_from(number).unwrap_or(1), outcome.pause);
        let verdict = it.failed(&health, outcome.is_gone(), now, (wait, GIVEN_UP_AFTER));
        let (state, next, ended) = match verdict {
            Verdict::Again(next) => (DeliveryState::Pending, Some(next), None),
            Verdict::Over | Verdict::Off(_) => (DeliveryState::Failed, None, Some(now)),
        };
        delivery::settle(tx, it.delivery_id, state, next, ended).await?;
        if !it.is_ping() {
            health.failures = health.failures.saturating_add(1);
            health.failing_since = health.failing_since.or(Some(now));
            health.not_before = next.filter(|_| outcome.pause.is_some());
            stored::set_health(tx, (it.webhook_id, it.trust_id), &health).await?;
        }
        match verdict {
            Verdict::Off(reason) => self.turn_off(tx, ctx, it.webhook_id, reason).await,
            Verdict::Again(_) | Verdict::Over => Ok(()),
        }
    }

    async fn switch_off(
        &self,
        held: Held,
        webhook_id: WebhookId,
        reason: DisabledReason,
    ) -> Result<()> {
        let (app, ctx) = (self.clone(), Ctx::system(crate::NAME));
        let ctx2 = ctx.clone();
        self.journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    holds(tx, held).await?;
                    app.turn_off(tx, &ctx2, webhook_id, reason).await
                })
            })
            .await
    }

    /// Records that a webhook is off, unless it is.
    async fn turn_off(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        webhook_id: WebhookId,
        reason: DisabledReason,
    ) -> Result<()> {
        let webhook = stored::find(tx, webhook_id).await?;
        let Some(webhook) = webhook.filter(|it| it.state == WebhookState::Enabled) else {
            return Ok(());
        };
        tracing::warn!(%webhook_id, ?reason, "a webhook is off");
        self.record_change(tx, ctx, &webhook, Change::Disabled(reason)).await
    }
}

/// Fails when another replica tells these webhooks by now.
async fn holds(tx: &mut Tx, held: Held) -> Result<()> {
    if Leases::holds(tx, NAME, &held).await? {
        return Ok(());
    }
    Err(Error::new(Reason::Unavailable, "the lease of a partition has gone to another replica"))
}

async fn succeeded(tx: &mut Tx, it: &Delivery, now: chrono::DateTime<chrono::Utc>) -> Result<()> {
    delivery::settle(tx, it.delivery_id, DeliveryState::Delivered, None, Some(now)).await?;
    let mut health = stored::health(tx, it.webhook_id).await?;
    if health.failures >= AWAY {
        delivery::hurry(tx, it.webhook_id, now).await?;
    }
    health.failures = 0;
    (health.failing_since, health.not_before) = (None, None);
    health.last_success_at = Some(now);
    stored::set_health(tx, (it.webhook_id, it.trust_id), &health).await
}

/// What is taken of a page of events.
struct Taken {
    deliveries: Vec<(Delivery, Bytes)>,
    /// The last position looked at.
    to: i64,
}

/// The events a webhook wants, as many as there is room for; nothing of an empty page.
fn take(
    webhook: &Webhook,
    service: &str,
    events: Vec<Event>,
    room: usize,
) -> Result<Option<Taken>> {
    let mut taken = None;
    for event in events {
        let position = i64::try_from(event.position).map_err(Error::internal)?;
        let taken = taken.get_or_insert(Taken { deliveries: Vec::new(), to: position });
        if taken.deliveries.len() >= room {
            break;
        }
        taken.to = position;
        if webhook.event_types.wants(&event.r#type) {
            let now = rpc::now();
            let delivery = Delivery {
                delivery_id: rpc::new_id(),
                webhook_id: webhook.webhook_id,
                trust_id: webhook.trust_id,
                service: Some(service.to_owned()),
                position: Some(position),
                message_id: Uuid::try_parse(&event.event_id).map_err(Error::internal)?,
                kind: event.r#type.clone(),
                state: DeliveryState::Pending,
                created_at: now,
                next_attempt_at: Some(now),
                ended_at: None,
            };
            taken.deliveries.push((delivery, body(&event, service)?));
        }
    }
    Ok(taken)
}

fn body(event: &Event, service: &str) -> Result<Bytes> {
    Ok(journal::cloud_event(event, service)?.to_string().into())
}

/// A ping in the form of an event.
fn ping(it: &Delivery) -> String {
    json!({
        "specversion": "1.0",
        "id": it.message_id,
        "source": format!("/v1/webhooks/{}", it.webhook_id),
        "type": it.kind,
        "time": it.created_at,
        "datacontenttype": "application/json",
        "trustid": it.trust_id,
        "data": {"webhookId": it.webhook_id},
    })
    .to_string()
}
