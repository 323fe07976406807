//! AsyncAPI 3.0, generated from the descriptors of events: every type of event, and the three ways it is told by.

use journal::{EventType, event_types};
use serde_json::{Map, Value, json};

use crate::openapi::{self, comment, schema::Schemas};

/// The journals, and the packages whose events each may hold.
const SERVICES: [&str; 3] = ["registry", "intelligence", "improvement"];

/// The document of everything that is told as it happens.
pub fn asyncapi() -> Value {
    let mut schemas = Schemas::default();
    let mut messages = Map::new();
    for (name, it) in event_types() {
        let data = schemas.message(&it.message);
        let payload = json!({"allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {"type": "object", "properties": {"type": {"const": name}, "data": data}},
        ]});
        messages.insert(name.clone(), message(name, it, &payload, false));
        messages.insert(format!("webhook.{name}"), message(name, it, &payload, true));
    }
    messages.insert("webhook.ping".to_owned(), ping(&mut schemas));
    for service in SERVICES {
        messages.insert(format!("jetstream.{service}"), carried(service));
    }
    schemas.done.insert("CloudEvent".to_owned(), openapi::cloud_event());
    schemas.done.insert("WebhookHeaders".to_owned(), webhook_headers());
    schemas.done.insert("JetStreamHeaders".to_owned(), carried_headers());
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "Headway's events",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What is told as it happens. The journals are the truth; every event has a position there, dense and \
                in commit order, so a reader keeps one number and misses nothing. No event holds a pupil's data or free text.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "servers": servers(),
        "channels": channels(),
        "operations": operations(),
        "components": {
            "messages": messages,
            "schemas": schemas.done,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "nats": {"type": "userPassword", "description": "As the NATS server has it."},
            },
        },
    })
}

fn servers() -> Value {
    json!({
        "headway": {
            "host": "{host}",
            "protocol": "https",
            "description": "Where this document comes from; the scope is `journal:read`.",
            "variables": {"host": {"default": "localhost:8080"}},
            "security": [{"$ref": "#/components/securitySchemes/token"}],
        },
        "nats": {
            "host": "{host}",
            "protocol": "nats",
            "description": "NATS with JetStream, where the deployment has one. For the platform's own: it carries every trust's events.",
            "variables": {"host": {"default": "localhost:4222"}},
            "security": [{"$ref": "#/components/securitySchemes/nats"}],
        },
    })
}

/// Whether a journal may hold events of that type: its own, and what operators do, which any may.
fn may_hold(service: &str, name: &str) -> bool {
    name.starts_with(&format!("headway.{service}.")) || name.starts_with("headway.journal.")
}

fn channels() -> Value {
    let mut channels = Map::new();
    let reference = |it: &str| json!({"$ref": format!("#/components/messages/{it}")});
    for service in SERVICES {
        let held = event_types().keys().filter(|it| may_hold(service, it));
        let messages: Map<String, Value> = held.map(|it| (key(it), reference(it))).collect();
        channels.insert(format!("{service}-stream"), json!({
            "address": format!("/v1/journals/{service}/events/stream"),
            "title": format!("The journal of the {service} service, as server-sent events"),
            "description": "Every event after `after` or `Last-Event-ID`, then each new one once it is committed: at least once, \
                in order, without a gap. The event's `id` is its position, its `data` the document below.",
            "servers": [{"$ref": "#/servers/headway"}],
            "messages": messages,
        }));
        channels.insert(format!("{service}-jetstream"), json!({
            "address": format!("headway.{service}.{{trustId}}.{{type}}"),
            "title": format!("The journal of the {service} service, over JetStream"),
            "description": format!("The stream `headway-{service}`, in which an event's sequence is its position."),
            "servers": [{"$ref": "#/servers/nats"}],
            "parameters": {
                "trustId": {"description": "The trust whose event it is."},
                "type": {"description": "Full name of the event's message."},
            },
            "messages": {"event": reference(&format!("jetstream.{service}"))},
        }));
    }
    let mut told: Map<String, Value> =
        event_types().keys().map(|it| (key(it), reference(&format!("webhook.{it}")))).collect();
    told.insert("ping".to_owned(), reference("webhook.ping"));
    channels.insert("webhook".to_owned(), json!({
        "address": null,
        "title": "A webhook's URL",
        "description": "As Standard Webhooks has it: POST, at least once, as a rule in order; a hint, for the journal is the truth. \
            Registered by `POST /v1/trusts/{trust_id}/webhooks`.",
        "messages": told,
    }));
    Value::Object(channels)
}

/// Headway is whose document this is: it sends.
fn operations() -> Value {
    let mut operations = Map::new();
    let mut send = |channel: &str, summary: &str| {
        operations.insert(
            format!("send-{channel}"),
            json!({
                "action": "send",
                "channel": {"$ref": format!("#/channels/{channel}")},
                "summary": summary,
            }),
        );
    };
    for service in SERVICES {
        send(&format!("{service}-stream"), "Streams the journal to a subscriber");
        send(&format!("{service}-jetstream"), "Publishes the journal");
    }
    send("webhook", "Tells a webhook of the events it chose");
    Value::Object(operations)
}

fn message(name: &str, it: &EventType, payload: &Value, webhook: bool) -> Value {
    let text = comment(it.message.path(), &it.message.parent_file());
    let mut message = json!({
        "name": name,
        "title": it.message.name(),
        "summary": format!("Stream `{}/{{id}}`", it.stream_kind),
        "description": text,
        "contentType": "application/cloudevents+json",
        "payload": payload,
    });
    if let Some(members) = message.as_object_mut().filter(|_| webhook) {
        members
            .insert("headers".to_owned(), json!({"$ref": "#/components/schemas/WebhookHeaders"}));
    }
    message
}

fn ping(schemas: &mut Schemas) -> Value {
    const NAME: &str = "headway.registry.v1.WebhookPing";
    let data = contract::pool().get_message_by_name(NAME).map(|it| schemas.message(&it));
    json!({
        "name": NAME,
        "title": "WebhookPing",
        "summary": "A test, sent when it is asked for; no event",
        "contentType": "application/cloudevents+json",
        "headers": {"$ref": "#/components/schemas/WebhookHeaders"},
        "payload": {"allOf": [
            {"$ref": "#/components/schemas/CloudEvent"},
            {"type": "object", "properties": {"type": {"const": NAME}, "data": data}},
        ]},
    })
}

/// An event as JetStream carries it: CloudEvents in binary mode.
fn carried(service: &str) -> Value {
    json!({
        "name": "headway.journal.v1.Event",
        "title": "Event",
        "summary": format!("An event of the {service} service"),
        "description": "The contract's `headway.journal.v1.Event` as protobuf; its `data` is the event's own message.",
        "contentType": "application/protobuf",
        "headers": {"$ref": "#/components/schemas/JetStreamHeaders"},
        "payload": {"type": "string", "contentMediaType": "application/protobuf"},
    })
}

fn headers(fields: &[(&str, &str)]) -> Value {
    let text = |it: &str| json!({"type": "string", "description": it});
    let properties: Map<String, Value> =
        fields.iter().map(|(name, said)| ((*name).to_owned(), text(said))).collect();
    let required: Vec<_> = fields.iter().map(|it| it.0).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn webhook_headers() -> Value {
    headers(&[
        ("webhook-id", "The event's id: the same however often it is sent."),
        ("webhook-timestamp", "When this attempt was made, in Unix seconds."),
        (
            "webhook-signature",
            "`v1,` HMAC-SHA256 and `v1a,` Ed25519 over id, timestamp and body; two of each while a secret is replaced.",
        ),
    ])
}

fn carried_headers() -> Value {
    headers(&[
        ("ce-specversion", "1.0"),
        ("ce-id", "The event's id."),
        ("ce-source", "The journal: `/v1/journals/{service}`."),
        ("ce-type", "Full name of the event's message."),
        ("ce-subject", "Its stream, as `kind/id`."),
        ("ce-time", "When it was recorded."),
        ("ce-sequence", "Its position in the log."),
        ("ce-trustid", "The trust whose event it is."),
    ])
}

/// A name within a channel: `SchoolJoined`; what several packages have keeps its package.
fn key(name: &str) -> String {
    name.rsplit('.').next().unwrap_or(name).to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_event_is_in_its_channels_and_nothing_else_is() {
        let document = asyncapi();
        let of = |channel: &str| -> BTreeSet<String> {
            let messages = document["channels"][channel]["messages"].as_object().unwrap();
            let named = |it: &Value| {
                let at = it["$ref"].as_str().unwrap().rsplit_once('/').unwrap().1.to_owned();
                assert!(!document["components"]["messages"][&at].is_null(), "{at}");
                at.trim_start_matches("webhook.").to_owned()
            };
            messages.values().map(named).filter(|it| it != "ping").collect()
        };
        let all: BTreeSet<String> = event_types().keys().cloned().collect();
        assert_eq!(of("webhook"), all);
        let mut streamed = BTreeSet::new();
        for service in SERVICES {
            streamed.append(&mut of(&format!("{service}-stream")));
        }
        assert_eq!(streamed, all);
    }

    #[test]
    fn no_two_events_of_a_channel_share_a_name() {
        let names: BTreeSet<_> = event_types().keys().map(|it| key(it)).collect();
        assert_eq!(names.len(), event_types().len());
    }
}
