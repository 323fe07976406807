//! For which reasons an RPC may be refused: those that follow from its form, and those that the contract names.

use std::collections::BTreeMap;

use rpc::{Method, Reason, name, status};
use serde_json::{Map, Value, json};

use super::limits;
use crate::catalogue::Entry;

/// Every reason a method's request may be refused for, by status.
fn reasons(method: &Method) -> BTreeMap<u16, Vec<Reason>> {
    let input = method.descriptor.input();
    let has = |name: &str| input.get_field_by_name(name).is_some();
    let mut reasons = vec![
        Reason::Unauthenticated,
        Reason::ScopeMissing,
        Reason::GrantMissing,
        Reason::RateLimited,
        Reason::Overloaded,
        Reason::RequestInvalid,
        Reason::QueryTooLong,
        Reason::HeadersTooMany,
        Reason::Internal,
        Reason::Unavailable,
        Reason::RequestTimedOut,
    ];
    let mut when = |applies: bool, more: &[Reason]| {
        reasons.extend(more.iter().filter(|_| applies));
    };
    when(has("page_token"), &[Reason::PageTokenInvalid]);
    when(method.path.contains('{'), &[Reason::NotFound]);
    when(has("urn") || has("urns"), &[Reason::SchoolUnknown]);
    when(
        method.has_body(),
        &[
            Reason::BodyMalformed,
            Reason::BodyStalled,
            Reason::BodyTooLarge,
            Reason::MediaTypeUnsupported,
            Reason::EncodingUnsupported,
        ],
    );
    when(
        method.writes(),
        &[
            Reason::IdempotencyInFlight,
            Reason::IdempotencyKeyReused,
            Reason::StorageFull,
            Reason::JournalDamaged,
        ],
    );
    when(has("expected_version"), &[Reason::VersionStale, Reason::VersionMissing]);
    reasons.extend(named(method));
    let mut by_status: BTreeMap<u16, Vec<Reason>> = BTreeMap::new();
    for reason in reasons {
        let of_status = by_status.entry(status(reason).as_u16()).or_default();
        if !of_status.contains(&reason) {
            of_status.push(reason);
        }
    }
    by_status
}

/// The reasons that the contract names for a method.
fn named(method: &Method) -> Vec<Reason> {
    let Some(option) = contract::pool().get_extension_by_name("headway.common.v1.refusal") else {
        return Vec::new();
    };
    let options = method.descriptor.options();
    let named = options.get_extension(&option);
    let named = named.as_list().unwrap_or_default().iter();
    named.filter_map(|it| Reason::try_from(it.as_enum_number()?).ok()).collect()
}

/// The refusals of a method, as answers by status.
pub(super) fn responses(method: &Method) -> Map<String, Value> {
    let answers = reasons(method).into_iter().map(|(status, reasons)| {
        let names: Vec<_> = reasons.iter().copied().map(name).collect();
        let told =
            reasons.iter().map(|it| format!("- `{}`: {}", name(*it), Entry::of(*it).meaning));
        let examples: Map<String, Value> = names
            .iter()
            .map(|it| {
                let at = format!("#/components/examples/{it}");
                ((*it).to_owned(), json!({"$ref": at}))
            })
            .collect();
        let waits = matches!(status, 409 | 429 | 503);
        let answer = json!({
            "description": told.collect::<Vec<_>>().join("\n"),
            "headers": limits::headers(waits),
            "content": {"application/problem+json": {
                "schema": {"allOf": [
                    {"$ref": "#/components/schemas/Problem"},
                    {"properties": {"reason": {"enum": names}}},
                ]},
                "examples": examples,
            }},
        });
        (status.to_string(), answer)
    });
    answers.collect()
}

/// An example of each reason's problem document.
pub(super) fn examples() -> Map<String, Value> {
    Entry::all()
        .map(|it| {
            let name = it.name().to_owned();
            (name, json!({"summary": it.meaning, "value": it.problem()}))
        })
        .collect()
}
