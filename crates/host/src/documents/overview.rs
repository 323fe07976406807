//! The first page, and the page of events.
#![expect(clippy::indexing_slicing, reason = "a member that a JSON value lacks reads as null")]

use maud::{Markup, html};
use serde_json::Value;

use super::{
    frame::{line_of, page, prose, tags, words},
    reference::{operations, verb_and_path},
};

pub(super) fn overview(openapi: &Value) -> Markup {
    let tags = tags(openapi);
    let content = html! {
        p { (openapi["info"]["summary"].as_str().unwrap_or_default()) ". "
            "Version " (openapi["info"]["version"].as_str().unwrap_or_default()) "." }
        p {
            "REST and gRPC carry the same messages on one port. Machines read "
            a href="/openapi.json" { "OpenAPI 3.1" } " and " a href="/asyncapi.json" { "AsyncAPI 3.0" }
            "; gRPC has reflection."
        }
        h2 { "Five things to know" }
        dl {
            dt { "Who calls" }
            dd { "A client gets a token at " code { "POST /oauth2/token" } " (OAuth 2.0 client credentials) and sends it as "
                code { "Authorization: Bearer …" } ". What it may do are its scopes, within what trusts have granted. What belongs to "
                "another trust is answered as if it did not exist." }
            dt { "Send anything again" }
            dd { "Every request that changes something takes an " code { "Idempotency-Key" } ": the same key and request give the stored "
                "answer, for 24 hours." }
            dt { "Versions" }
            dd { "What several may change has an " code { "ETag" } "; send it back as " code { "If-Match" } "." }
            dt { "Lists" }
            dd { code { "pageSize" } " and " code { "pageToken" } "; the last page has no " code { "nextPageToken" } "." }
            dt { "Errors" }
            dd { "Problem documents with a " code { "reason" } " of a closed list and every wrong field by JSON Pointer: "
                a href="/errors" { "all reasons" } ". 429 and 503 say when to come back." }
        }
        h2 { "Operations" }
        @for tag in &tags {
            section {
                h3 { a href={ "/docs/" (tag.to_lowercase()) } { (words(tag)) } }
                @for it in openapi["tags"].as_array().into_iter().flatten().filter(|it| it["name"] == **tag) {
                    (prose(it["description"].as_str().unwrap_or_default()))
                }
                ul class="operations" {
                    @for (verb, path, operation) in operations(openapi, tag) {
                        @let id = operation["operationId"].as_str().unwrap_or_default();
                        li {
                            a href={ "/docs/" (tag.to_lowercase()) "#" (id) } { (verb_and_path(verb, path)) }
                            " " (line_of(operation["summary"].as_str().unwrap_or_default()))
                        }
                    }
                }
            }
        }
    };
    page("Headway for integrators", &tags, &content)
}

/// Every type of event, by the journal that holds it.
pub(super) fn events(asyncapi: &Value) -> Markup {
    let channels = asyncapi["channels"].as_object();
    let content = html! {
        (prose(asyncapi["info"]["description"].as_str().unwrap_or_default()))
        p { "Machines read " a href="/asyncapi.json" { "AsyncAPI 3.0" } "." }
        @for (name, channel) in channels.into_iter().flatten() {
            section {
                h2 id=(name) { (channel["title"].as_str().unwrap_or(name)) }
                @if let Some(address) = channel["address"].as_str() { p { code { (address) } } }
                (prose(channel["description"].as_str().unwrap_or_default()))
                @if name.ends_with("-stream") { (types(asyncapi, channel)) }
            }
        }
    };
    page("Events", &[], &content)
}

fn types(asyncapi: &Value, channel: &Value) -> Markup {
    let messages = channel["messages"].as_object().into_iter().flatten();
    let found = messages.filter_map(|(_, it)| {
        let name = it["$ref"].as_str()?.rsplit('/').next()?;
        Some((name, &asyncapi["components"]["messages"][name]))
    });
    html! {
        table {
            caption { "Types of event" }
            thead { tr { th scope="col" { "Type" } th scope="col" { "Stream" } th scope="col" { "Meaning" } } }
            tbody {
                @for (name, message) in found {
                    @let component = name.trim_start_matches("headway.").replace(".v1.", ".");
                    tr {
                        th scope="row" { a href={ "/docs/schemas#" (component) } { code { (name) } } }
                        td { (line_of(message["summary"].as_str().unwrap_or_default().trim_start_matches("Stream "))) }
                        td { (line_of(message["description"].as_str().unwrap_or_default())) }
                    }
                }
            }
        }
    }
}
