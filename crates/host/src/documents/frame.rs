//! What the pages have in common: their frame, and words with code in them.

use maud::{DOCTYPE, Markup, html};
use serde_json::Value;

/// A page of the documents.
pub(super) fn page(title: &str, tags: &[&str], content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " – Headway" }
                link rel="stylesheet" href="/docs.css";
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                header {
                    nav aria-label="Documents" {
                        a href="/docs" { strong { "Headway" } }
                        @for tag in tags {
                            a href={ "/docs/" (tag.to_lowercase()) } { (words(tag)) }
                        }
                        a href="/docs/events" { "Events" }
                        a href="/docs/schemas" { "Schemas" }
                        a href="/errors" { "Errors" }
                    }
                }
                main id="content" {
                    h1 { (title) }
                    (content)
                }
            }
        }
    }
}

/// The groups of operations, in the document's order.
pub(super) fn tags(openapi: &Value) -> Vec<&str> {
    let tags = openapi["tags"].as_array();
    tags.into_iter().flatten().filter_map(|it| it["name"].as_str()).collect()
}

/// `WebhookService` is "Webhook".
pub(super) fn words(tag: &str) -> String {
    tag.strip_suffix("Service").unwrap_or(tag).to_owned()
}

/// Text in which what stands between backticks is code; a line that begins with a hyphen is a point of a list.
pub(super) fn prose(text: &str) -> Markup {
    let lines: Vec<_> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    let is_point = |it: &&str| it.starts_with("- ");
    html! {
        @for line in lines.iter().filter(|it| !is_point(it)) { p { (line_of(line)) } }
        @if lines.iter().any(is_point) {
            ul { @for line in lines.iter().filter(|it| is_point(it)) { li { (line_of(line.trim_start_matches("- "))) } } }
        }
    }
}

pub(super) fn line_of(line: &str) -> Markup {
    html! {
        @for (index, part) in line.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// JSON as people read it; a text as it is. It can be scrolled by keyboard.
pub(super) fn sample(value: &Value) -> Markup {
    let text = match value {
        Value::String(text) => text.clone(),
        other => serde_json::to_string_pretty(other).unwrap_or_default(),
    };
    html! { pre tabindex="0" { code { (text) } } }
}
