//! The pages of the error catalogue.

use maud::{Markup, html};
use rpc::status;
use serde_json::{Value, json};

use super::frame::{self, line_of, prose, sample};
use crate::catalogue::Entry;

/// A reason as JSON.
pub(super) fn told(it: &Entry) -> Value {
    json!({
        "type": it.uri(),
        "reason": it.name(),
        "status": status(it.reason).as_u16(),
        "meaning": it.meaning,
        "remedy": it.remedy,
        "example": it.problem(),
    })
}

pub(super) fn list() -> Markup {
    let content = html! {
        p {
            "Whatever is refused is told as a problem document (RFC 9457). Its " code { "reason" } " is one of these, and its "
            code { "type" } " leads to the reason's page. Over gRPC the same reason is in " code { "ErrorInfo" } "."
        }
        table {
            caption { "Every reason, with the status over HTTP" }
            thead { tr { th scope="col" { "Reason" } th scope="col" { "Status" } th scope="col" { "Meaning" } } }
            tbody {
                @for it in Entry::all() {
                    tr {
                        th scope="row" { a href=(it.uri()) { code { (it.name()) } } }
                        td { (place(&it)) }
                        td { (line_of(&it.meaning)) }
                    }
                }
            }
        }
    };
    frame::page("Errors", &[], &content)
}

pub(super) fn page(it: &Entry) -> Markup {
    let content = html! {
        p { strong { (place(it)) } }
        h2 { "What it means" }
        (prose(&it.meaning))
        h2 { "What to do" }
        (prose(&it.remedy))
        h2 { "For example" }
        (sample(&it.problem()))
        p { a href="/errors" { "Every reason" } }
    };
    frame::page(it.name(), &[], &content)
}

fn place(it: &Entry) -> String {
    if it.is_of_fields() {
        return "of a field or record".to_owned();
    }
    let status = status(it.reason);
    format!("{} {}", status.as_u16(), status.canonical_reason().unwrap_or_default())
}
