//! Operations and schemas, each with all there is to know.
#![expect(clippy::indexing_slicing, reason = "a member that a JSON value lacks reads as null")]

use maud::{Markup, html};
use serde_json::Value;

use super::frame::{line_of, page, prose, sample, tags, words};

/// The operations of a group, by path.
pub(super) fn operations<'a>(
    openapi: &'a Value,
    tag: &'a str,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Value)> {
    let paths = openapi["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        let verbs = item.as_object().into_iter().flatten();
        verbs.map(move |(verb, operation)| (verb.as_str(), path.as_str(), operation))
    });
    all.filter(move |(_, _, it)| it["tags"][0] == tag)
}

pub(super) fn verb_and_path(verb: &str, path: &str) -> Markup {
    html! { code { span class="verb" { (verb.to_uppercase()) } " " (path) } }
}

pub(super) fn tag(openapi: &Value, tag: &str) -> Markup {
    let content = html! {
        @for it in openapi["tags"].as_array().into_iter().flatten().filter(|it| it["name"] == *tag) {
            (prose(it["description"].as_str().unwrap_or_default()))
        }
        @for (verb, path, it) in operations(openapi, tag) { (operation(verb, path, it)) }
    };
    page(&words(tag), &tags(openapi), &content)
}

fn operation(verb: &str, path: &str, it: &Value) -> Markup {
    let id = it["operationId"].as_str().unwrap_or_default();
    html! {
        section class="operation" aria-labelledby=(id) {
            h2 id=(id) { (verb_and_path(verb, path)) }
            p class="summary" { (line_of(it["summary"].as_str().unwrap_or_default())) "." }
            (prose(it["description"].as_str().unwrap_or_default()))
            @if let Some(parameters) = it["parameters"].as_array().filter(|it| !it.is_empty()) {
                (parameters_of(parameters))
            }
            @if let Some(content) = it["requestBody"]["content"].as_object() {
                h3 { "Body" }
                @for (media, body) in content { (media_type(media, body)) }
            }
            h3 { "Answers" }
            @for (status, answer) in it["responses"].as_object().into_iter().flatten() {
                @if status.starts_with('2') {
                    p { strong { (status) } " " (line_of(answer["description"].as_str().unwrap_or_default())) }
                    @for (media, body) in answer["content"].as_object().into_iter().flatten() { (media_type(media, body)) }
                }
            }
            (refusals(&it["responses"]))
        }
    }
}

fn parameters_of(parameters: &[Value]) -> Markup {
    html! {
        table {
            caption { "Parameters" }
            thead { tr { th scope="col" { "Name" } th scope="col" { "In" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
            tbody {
                @for it in parameters {
                    tr {
                        th scope="row" { code { (it["name"].as_str().unwrap_or_default()) } }
                        td { (it["in"].as_str().unwrap_or_default()) }
                        td { (kind(&it["schema"])) }
                        td {
                            (line_of(it["description"].as_str().unwrap_or_default()))
                            @if !it["example"].is_null() { " For example " code { (plain(&it["example"])) } "." }
                        }
                    }
                }
            }
        }
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn media_type(media: &str, body: &Value) -> Markup {
    let schema = &body["schema"];
    html! {
        p { code { (media) } ": " (kind(schema)) }
        @if schema["properties"].is_object() { (fields(schema)) }
        @for (_, it) in body["examples"].as_object().into_iter().flatten() {
            details {
                summary { "Example: " (it["summary"].as_str().unwrap_or_default()) }
                (sample(&it["value"]))
            }
        }
    }
}

fn fields(schema: &Value) -> Markup {
    html! {
        table {
            caption { "Fields" }
            thead { tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
            tbody {
                @for (name, it) in schema["properties"].as_object().into_iter().flatten() {
                    tr {
                        th scope="row" { code { (name) } }
                        td { (kind(it)) }
                        td { (line_of(it["description"].as_str().unwrap_or_default())) }
                    }
                }
            }
        }
    }
}

fn refusals(responses: &Value) -> Markup {
    let refused = responses.as_object().into_iter().flatten().filter(|it| !it.0.starts_with('2'));
    html! {
        table {
            caption { "Refusals" }
            thead { tr { th scope="col" { "Status" } th scope="col" { "Reasons" } } }
            tbody {
                @for (status, it) in refused {
                    @let reasons = &it["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["reason"]["enum"];
                    tr {
                        th scope="row" { (status) }
                        td {
                            @for reason in reasons.as_array().into_iter().flatten().filter_map(Value::as_str) {
                                a href={ "/errors/" (reason.to_lowercase().replace('_', "-")) } { code { (reason) } } " "
                            }
                            @if !reasons.is_array() { (line_of(it["description"].as_str().unwrap_or_default())) }
                        }
                    }
                }
            }
        }
    }
}

/// A schema in a few words, with a link to what it is made of.
fn kind(schema: &Value) -> Markup {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return html! { a href={ "/docs/schemas#" (name) } { (name) } };
    }
    let format = schema["format"].as_str().or_else(|| schema["contentEncoding"].as_str());
    match schema["type"].as_str() {
        Some("array") => html! { "list of " (kind(&schema["items"])) },
        Some("object") if schema["additionalProperties"].is_object() => {
            html! { "map to " (kind(&schema["additionalProperties"])) }
        }
        Some("string") if schema["pattern"].as_str().is_some_and(|it| it.contains("[0-9]{1,1")) => {
            html! { "whole number in a string" }
        }
        Some(name) => html! { (name) @if let Some(format) = format { " (" (format) ")" } },
        None => html! { "binary" },
    }
}

pub(super) fn schemas(openapi: &Value) -> Markup {
    let all = openapi["components"]["schemas"].as_object().into_iter().flatten();
    let content = html! {
        p { "The messages of the contract, as JSON. What is absent has no value, or the one that its type begins with." }
        @for (name, schema) in all {
            section {
                h2 id=(name) { code { (name) } }
                (prose(schema["description"].as_str().unwrap_or_default()))
                @if schema["properties"].is_object() { (fields(schema)) }
                @if let Some(names) = schema["enum"].as_array() {
                    p { "One of "
                        @for it in names.iter().filter_map(Value::as_str) { code { (it) } " " }
                    }
                }
            }
        }
    };
    page("Schemas", &tags(openapi), &content)
}
