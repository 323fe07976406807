//! OpenAPI 3.1, generated from the contract's descriptors: it cannot say other than what is served.

use prost_reflect::FileDescriptor;
use rpc::{Reason, methods};
use serde_json::{Value, json};

mod example;
mod limits;
mod operation;
mod own;
mod refusal;
pub(crate) mod schema;

use crate::catalogue::Entry;
use example::Examples;
use schema::Schemas;

const ABOUT: &str = "REST is the canonical JSON of the same messages that gRPC carries, on the same port. Whatever is \
    refused is told as a problem document (RFC 9457) with a `reason` of a closed list: /errors. Every POST takes an \
    Idempotency-Key, so anything may be sent again. Events: /asyncapi.json.";

/// The document of every RPC that has a REST form, and of what the host answers itself.
pub fn openapi() -> Value {
    let mut paths = own::paths();
    let mut schemas = Schemas::default();
    let examples = Examples::read();
    for method in methods() {
        let item = paths.entry(method.path.clone()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            let verb = method.verb.as_str().to_ascii_lowercase();
            item.insert(verb, operation::operation(method, &mut schemas, &examples));
        }
    }
    // Which no operation answers with, but the journal's events hold.
    for it in journal::event_types().values() {
        schemas.message(&it.message);
    }
    schemas.done.insert("Problem".to_owned(), problem());
    schemas.done.insert("CloudEvent".to_owned(), cloud_event());
    json!({
        "openapi": "3.1.0",
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "info": {
            "title": "Headway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The improvement platform for multi-academy trusts",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "Where this document comes from"}],
        "tags": tags(),
        "paths": paths,
        "webhooks": {"event": webhook()},
        "components": {
            "schemas": schemas.done,
            "headers": limits::definitions(),
            "responses": responses(),
            "examples": refusal::examples(),
            "securitySchemes": own::security(),
        },
        "security": [{"oauth2": []}, {"token": []}],
    })
}

fn tags() -> Vec<Value> {
    let services = contract::pool().services().filter(|it| it.full_name().starts_with("headway."));
    let service = services
        .map(|it| json!({"name": it.name(), "description": comment(it.path(), &it.parent_file())}));
    let host = json!({"name": "Host", "description": "Documents, health and metrics."});
    service.chain([host]).collect()
}

/// What a webhook's target is sent.
fn webhook() -> Value {
    let header = |name: &str, text: &str| {
        json!({
            "name": name, "in": "header", "required": true, "description": text,
            "schema": {"type": "string"},
        })
    };
    json!({"post": {
        "operationId": "ReceiveEvent",
        "tags": ["WebhookService"],
        "summary": "An event of the trust, sent to a webhook's URL",
        "description": "As Standard Webhooks has it; /asyncapi.json has the form of each type's `data`.",
        "security": [],
        "parameters": [
            header("webhook-id", "The event's id: the same however often it is sent."),
            header("webhook-timestamp", "When this attempt was made, in Unix seconds."),
            header("webhook-signature", "`v1,…` (HMAC-SHA256) and `v1a,…` (Ed25519), parted by spaces; two of each while \
                                         a secret is being replaced."),
        ],
        "requestBody": {"required": true, "content": {"application/cloudevents+json": {
            "schema": {"$ref": "#/components/schemas/CloudEvent"},
        }}},
        "responses": {
            "2XX": {"description": "Taken"},
            "410": {"description": "Gone: the webhook is switched off"},
            "default": {"description": "Not taken: sent again, after Retry-After where there is one"},
        },
    }})
}

/// An event in the form that webhooks and server-sent events have.
pub(crate) fn cloud_event() -> Value {
    let text = |text: &str| json!({"type": "string", "description": text});
    json!({
        "type": "object",
        "description": "An event as CloudEvents 1.0, structured JSON.",
        "required": ["specversion", "id", "source", "type", "time", "datacontenttype", "trustid", "data"],
        "properties": {
            "specversion": {"type": "string", "const": "1.0"},
            "id": text("The event's id."),
            "source": text("The journal that holds it: `/v1/journals/{service}`."),
            "type": text("Full name of the event's message."),
            "subject": text("Its stream, as `kind/id`."),
            "time": {"type": "string", "format": "date-time", "description": "When it was recorded."},
            "datacontenttype": {"type": "string", "const": "application/json"},
            "sequence": text("Its position in the journal, as the reader counts: dense and in commit order."),
            "trustid": text("The trust whose event it is."),
            "data": {"type": "object", "description": "The message in its canonical JSON."},
        },
    })
}

/// Answers that do not depend on the operation.
fn responses() -> Value {
    let named =
        [Reason::Unauthenticated, Reason::ScopeMissing, Reason::NotFound, Reason::RateLimited];
    let answer = |reason: Reason| {
        let entry = Entry::of(reason);
        let problem = json!({
            "description": entry.meaning,
            "headers": limits::headers(reason == Reason::RateLimited),
            "content": {"application/problem+json": {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": entry.problem(),
            }},
        });
        (format!("{reason:?}"), problem)
    };
    Value::Object(named.into_iter().map(answer).collect())
}

fn problem() -> Value {
    let reasons: Vec<_> = Entry::all().map(|it| it.name()).collect();
    json!({
        "type": "object",
        "description": "What went wrong (RFC 9457).",
        "required": ["type", "title", "status", "detail", "reason", "errors", "requestId"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Where the reason is explained."},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "What went wrong this time."},
            "reason": {"type": "string", "enum": reasons},
            "requestId": {"type": "string", "format": "uuid", "description": "To be quoted when it is reported."},
            "errors": {"type": "array", "description": "Every field that is wrong.", "items": {
                "type": "object",
                "required": ["pointer", "code", "detail", "accepted"],
                "properties": {
                    "pointer": {"type": "string", "description": "JSON Pointer into the request"},
                    "code": {"type": "string", "enum": reasons},
                    "detail": {"type": "string"},
                    "accepted": {"type": "array", "items": {"type": "string"}},
                },
            }},
        },
    })
}

/// What the contract says of the thing at a path of its file.
pub(crate) fn comment(path: &[i32], file: &FileDescriptor) -> String {
    let file = file.file_descriptor_proto();
    let locations = file.source_code_info.as_ref().map(|it| it.location.as_slice());
    let found = locations.unwrap_or_default().iter().find(|it| it.path == path);
    let text = found.and_then(|it| it.leading_comments.as_deref()).unwrap_or_default();
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ").trim().to_owned()
}
