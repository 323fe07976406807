//! What happens to webhooks as events of the contract, and what each changes in their table.

use contract::registry as v1;
use db::Tx;
use identity::TrustId;
use journal::{Draft, Recorded};
use prost::{Message, Name};
use rpc::{Error, Result, Twin};
use uuid::Uuid;

use super::{event::number, webhook};
use crate::domain::webhook::{DisabledReason, EventTypes, Place, Webhook, WebhookId, WebhookState};

/// What somebody, or the service itself, does to a webhook.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Created(Vec<Place>),
    Changed { url: Option<String>, description: Option<String>, event_types: Option<EventTypes> },
    Enabled,
    Disabled(DisabledReason),
    SecretRotated { overlap_hours: u32 },
    Replayed(Place),
    Deleted,
}

/// The event of a change; `it` is the webhook before it, or as it is created.
pub(crate) fn draft(event_id: Uuid, it: &Webhook, change: Change) -> Result<Draft> {
    let webhook_id = it.webhook_id.to_string();
    match change {
        Change::Created(places) => {
            let message = v1::WebhookCreated {
                webhook_id,
                url: it.url.clone(),
                description: it.description.clone(),
                event_types: it.event_types.0.clone(),
                positions: places.iter().map(place).collect::<Result<_>>()?,
            };
            drafted(event_id, it, 1, &message)
        }
        Change::Changed { url, description, event_types } => {
            let events = event_types.map(|it| v1::EventChoice { types: it.0 });
            let message = v1::WebhookChanged { webhook_id, url, description, events };
            drafted(event_id, it, it.version + 1, &message)
        }
        Change::Enabled => {
            drafted(event_id, it, it.version + 1, &v1::WebhookEnabled { webhook_id })
        }
        Change::Disabled(reason) => {
            let message = v1::WebhookDisabled { webhook_id, reason: reason.to_wire() };
            drafted(event_id, it, it.version + 1, &message)
        }
        Change::SecretRotated { overlap_hours } => {
            let message = v1::WebhookSecretRotated {
                webhook_id,
                generation: u32::try_from(it.generation + 1).map_err(Error::internal)?,
                overlap_hours,
            };
            drafted(event_id, it, it.version + 1, &message)
        }
        Change::Replayed(from) => {
            let message = v1::WebhookReplayed { webhook_id, from: Some(place(&from)?) };
            drafted(event_id, it, it.version + 1, &message)
        }
        Change::Deleted => {
            drafted(event_id, it, it.version + 1, &v1::WebhookDeleted { webhook_id })
        }
    }
}

fn drafted<M: Message + Name>(
    event_id: Uuid,
    it: &Webhook,
    version: i32,
    message: &M,
) -> Result<Draft> {
    let version = u32::try_from(version).map_err(Error::internal)?;
    let stream = format!("webhook/{}", it.webhook_id);
    Ok(Draft::new(event_id, it.trust_id.0, stream, version, message))
}

pub(crate) fn place(it: &Place) -> Result<v1::JournalPosition> {
    let position = u64::try_from(it.position).map_err(Error::internal)?;
    Ok(v1::JournalPosition { service: it.service.clone(), position })
}

/// Writes what an event changes; false when it is none of a webhook.
pub(crate) async fn project(tx: &mut Tx, event: &Recorded) -> Result<bool> {
    if !event.stream.starts_with("webhook/") {
        return Ok(false);
    }
    let id = event.stream.trim_start_matches("webhook/");
    let webhook_id = number(id, WebhookId::parse)?;
    if event.decode::<v1::WebhookDeleted>()?.is_some() {
        webhook::remove(tx, webhook_id).await?;
        return Ok(true);
    }
    let mut it = match event.decode::<v1::WebhookCreated>()? {
        Some(created) => new(event, webhook_id, created),
        None => webhook::find(tx, webhook_id)
            .await?
            .ok_or_else(|| Error::internal(format!("webhook {webhook_id} was never created")))?,
    };
    if !change(&mut it, event)? {
        return Ok(false);
    }
    it.version = i32::try_from(event.version).map_err(Error::internal)?;
    webhook::put(tx, &it).await?;
    Ok(true)
}

fn new(event: &Recorded, webhook_id: WebhookId, it: v1::WebhookCreated) -> Webhook {
    Webhook {
        webhook_id,
        trust_id: TrustId(event.trust_id),
        url: it.url,
        description: it.description,
        event_types: EventTypes(it.event_types),
        state: WebhookState::Enabled,
        disabled_reason: None,
        disabled_at: None,
        client_id: event.actor.clone(),
        generation: 1,
        previous_until: None,
        created_at: event.recorded_at,
        version: 1,
    }
}

/// Changes a webhook as an event says; false when the event is of no known type.
fn change(webhook: &mut Webhook, event: &Recorded) -> Result<bool> {
    if let Some(it) = event.decode::<v1::WebhookChanged>()? {
        webhook.url = it.url.unwrap_or_else(|| webhook.url.clone());
        webhook.description = it.description.unwrap_or_else(|| webhook.description.clone());
        if let Some(events) = it.events {
            webhook.event_types = EventTypes(events.types);
        }
    } else if event.decode::<v1::WebhookEnabled>()?.is_some() {
        webhook.state = WebhookState::Enabled;
        (webhook.disabled_reason, webhook.disabled_at) = (None, None);
    } else if let Some(it) = event.decode::<v1::WebhookDisabled>()? {
        webhook.state = WebhookState::Disabled;
        webhook.disabled_reason = Some(Twin::told(it.reason)?);
        webhook.disabled_at = Some(event.recorded_at);
    } else if let Some(it) = event.decode::<v1::WebhookSecretRotated>()? {
        webhook.generation = i32::try_from(it.generation).map_err(Error::internal)?;
        let overlap = chrono::TimeDelta::hours(it.overlap_hours.into());
        webhook.previous_until = Some(event.recorded_at + overlap);
    } else {
        let unchanging = event.decode::<v1::WebhookCreated>()?.is_some()
            || event.decode::<v1::WebhookReplayed>()?.is_some();
        return Ok(unchanging);
    }
    Ok(true)
}
