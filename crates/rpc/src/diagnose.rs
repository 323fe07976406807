//! Says everything that is wrong with a JSON body, by the contract's descriptors, once it has failed to parse.

use prost_reflect::{FieldDescriptor, Kind, MessageDescriptor};
use serde_json::Value;

use crate::{Fault, Problem, Reason};

/// Every place where `value` departs from the message, as JSON Pointers.
pub(crate) fn diagnose(message: &MessageDescriptor, value: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk(message, value, "", &mut problems);
    problems
}

fn walk(message: &MessageDescriptor, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    let Value::Object(members) = value else {
        return note(problems, at, wrong_type("an object"));
    };
    for (key, value) in members {
        let pointer = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
        match find(message, key) {
            None => note(problems, &pointer, unknown(message, key)),
            Some(_) if value.is_null() => {}
            Some(field) if field.is_list() => each(&field, value, &pointer, problems),
            Some(field) => check(&field, value, &pointer, problems),
        }
    }
    for choice in message.oneofs().filter(|it| !it.is_synthetic()) {
        let given: Vec<_> = choice
            .fields()
            .filter(|it| members.contains_key(it.json_name()) || members.contains_key(it.name()))
            .map(|it| it.json_name().to_owned())
            .collect();
        if given.len() > 1 {
            let detail = format!("only one of {} may be given", given.join(", "));
            note(problems, at, Fault::invalid(detail));
        }
    }
}

fn each(field: &FieldDescriptor, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    let Value::Array(items) = value else { return note(problems, at, wrong_type("an array")) };
    for (index, item) in items.iter().enumerate() {
        check(field, item, &format!("{at}/{index}"), problems);
    }
}

fn check(field: &FieldDescriptor, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    let fault = match field.kind() {
        Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
            let valid =
                value.as_str().is_some_and(|it| chrono::DateTime::parse_from_rfc3339(it).is_ok());
            (!valid).then(|| wrong_type("an RFC 3339 instant, for example 2026-11-21T09:00:00Z"))
        }
        Kind::Message(message) if message.full_name().starts_with("google.protobuf.") => None,
        Kind::Message(message) => return walk(&message, value, at, problems),
        Kind::String => (!value.is_string()).then(|| wrong_type("a string")),
        Kind::Bool => (!value.is_boolean()).then(|| wrong_type("true or false")),
        Kind::Bytes => (!value.is_string()).then(|| wrong_type("a base64 string")),
        Kind::Enum(kind) => {
            let known = value.as_str().is_some_and(|it| kind.get_value_by_name(it).is_some())
                || value
                    .as_i64()
                    .and_then(|it| i32::try_from(it).ok())
                    .is_some_and(|it| kind.get_value(it).is_some());
            (!known).then(|| {
                Fault::invalid("is not one of the names of this list")
                    .accepting(kind.values().skip(1).map(|it| it.name().to_owned()))
            })
        }
        Kind::Double | Kind::Float => number(value).is_none().then(|| wrong_type("a number")),
        Kind::Uint32 | Kind::Fixed32 => whole(value, 0.0, f64::from(u32::MAX)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
            whole(value, f64::from(i32::MIN), f64::from(i32::MAX))
        }
        Kind::Uint64 | Kind::Fixed64 => whole(value, 0.0, 1.8e19),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => whole(value, -9.2e18, 9.2e18),
    };
    if let Some(fault) = fault {
        note(problems, at, fault);
    }
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn whole(value: &Value, least: f64, most: f64) -> Option<Fault> {
    let fits = number(value).is_some_and(|it| it.fract() == 0.0 && it >= least && it <= most);
    (!fits).then(|| {
        let detail = format!("must be a whole number from {least} to {most}");
        Fault::new(Reason::FieldType, detail)
    })
}

fn find(message: &MessageDescriptor, key: &str) -> Option<FieldDescriptor> {
    message.get_field_by_json_name(key).or_else(|| message.get_field_by_name(key))
}

fn unknown(message: &MessageDescriptor, key: &str) -> Fault {
    let names: Vec<String> = message.fields().map(|it| it.json_name().to_owned()).collect();
    let near = names
        .iter()
        .map(|it| (strsim::jaro_winkler(&it.to_lowercase(), &key.to_lowercase()), it))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let detail = match near {
        Some((_, name)) => format!("is not a field of {}; did you mean {name}?", message.name()),
        None => format!("is not a field of {}", message.name()),
    };
    Fault::new(Reason::FieldUnknown, detail).accepting(names)
}

fn wrong_type(expected: &str) -> Fault {
    Fault::new(Reason::FieldType, format!("must be {expected}"))
}

fn note(problems: &mut Vec<Problem>, pointer: &str, fault: Fault) {
    problems.push(Problem { pointer: pointer.to_owned(), fault });
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(body: Value, expected: &[(&str, Reason)]) {
        let message =
            contract::pool().get_message_by_name("headway.registry.v1.OpenJourneyRequest").unwrap();
        let found = diagnose(&message, &body);
        let found: Vec<_> = found.iter().map(|it| (it.pointer.as_str(), it.fault.reason)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn every_wrong_place_is_named_at_once() {
        check(json!({"urn": "100000", "phase": "PHASE_REPAIR"}), &[]);
        check(json!([]), &[("", Reason::FieldType)]);
        check(
            json!({"urn": 100_000, "fase": "x", "phase": "REPAIR", "evidence": [{}, {"kind": 9}, 3]}),
            &[
                ("/evidence/1/kind", Reason::FieldInvalid),
                ("/evidence/2", Reason::FieldType),
                ("/fase", Reason::FieldUnknown),
                ("/phase", Reason::FieldInvalid),
                ("/urn", Reason::FieldType),
            ],
        );
    }

    #[test]
    fn an_unknown_field_is_answered_with_the_nearest_known() {
        let message = contract::pool().get_message_by_name("headway.registry.v1.Trust").unwrap();
        let problems = diagnose(&message, &json!({"groupUId": "1"}));
        assert!(problems[0].fault.detail.ends_with("did you mean groupUid?"), "{problems:?}");
    }
}
