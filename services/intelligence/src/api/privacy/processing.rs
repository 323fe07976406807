//! The record of processing activities: which fields of the contract hold personal data, what they mean, what for, on
//! which ground and for how long. The contract itself says all of it.

use std::sync::LazyLock;

use contract::{
    common::{Activity, Personal, Processing},
    intelligence as pb,
};
use prost::Message;
use prost_reflect::{DynamicMessage, ExtensionDescriptor, FieldDescriptor};

static FIELDS: LazyLock<Vec<pb::ProcessedField>> = LazyLock::new(|| {
    let messages = contract::pool().all_messages();
    let fields = messages.flat_map(|it| it.fields().collect::<Vec<_>>());
    let mut fields: Vec<_> = fields.filter_map(|it| read(&it)).collect();
    fields.sort_by(|a, b| (&a.message, &a.field).cmp(&(&b.message, &b.field)));
    fields
});

/// Every field that holds personal data, by message and name.
pub(super) fn fields() -> &'static [pb::ProcessedField] {
    &FIELDS
}

fn read(field: &FieldDescriptor) -> Option<pb::ProcessedField> {
    let personal: Personal = option(&field.options(), "personal")?;
    let Processing { purpose, retention, .. } = processing(personal.activity())?;
    let basis = processing(personal.activity())?.basis;
    Some(pb::ProcessedField {
        message: field.parent_message().full_name().to_owned(),
        field: field.json_name().to_owned(),
        meaning: meaning(field),
        category: personal.category,
        activity: personal.activity,
        purpose,
        basis,
        retention,
    })
}

/// What the contract says of an activity.
fn processing(activity: Activity) -> Option<Processing> {
    let activities = contract::pool().get_enum_by_name("headway.common.v1.Activity")?;
    let value = activities.get_value(activity.into())?;
    option(&value.options(), "activity")
}

fn option<M: Message + Default>(options: &DynamicMessage, name: &str) -> Option<M> {
    let extension: ExtensionDescriptor =
        contract::pool().get_extension_by_name(&format!("headway.common.v1.{name}"))?;
    if !options.has_extension(&extension) {
        return None;
    }
    options.get_extension(&extension).as_message()?.transcode_to().ok()
}

/// What is written above a field, or above its message where the field has nothing of its own.
fn meaning(field: &FieldDescriptor) -> String {
    let message = field.parent_message();
    let file = message.parent_file();
    let file = file.file_descriptor_proto();
    let comment = |path: &[i32]| {
        let locations = file.source_code_info.as_ref()?.location.iter();
        let found = locations.into_iter().find(|it| it.path == path)?;
        let text = found.leading_comments.as_deref()?;
        Some(text.split_whitespace().collect::<Vec<_>>().join(" "))
    };
    let path: Vec<i32> = field.path().to_vec();
    comment(&path).or_else(|| comment(message.path())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use prost_reflect::MessageDescriptor;

    use super::*;

    /// Of records that speak of nobody.
    const OF_NOBODY: [&str; 4] = ["Cover", "BudgetLine", "ReportedObservation", "Share"];

    fn collect(message: &MessageDescriptor, found: &mut BTreeSet<String>) {
        if !found.insert(message.full_name().to_owned()) {
            return;
        }
        for field in message.fields() {
            if let Some(inner) = field.kind().as_message() {
                collect(inner, found);
            }
        }
    }

    /// Every field of a record that is about somebody is annotated, but for the mark that takes it back.
    #[test]
    fn every_personal_field_of_a_record_is_annotated() {
        let record =
            contract::pool().get_message_by_name("headway.intelligence.v1.Record").unwrap();
        let mut messages = BTreeSet::new();
        collect(&record, &mut messages);
        let annotated: HashSet<(&str, &str)> =
            fields().iter().map(|it| (it.message.as_str(), it.field.as_str())).collect();
        let mut missing = Vec::new();
        for name in &messages {
            let message = contract::pool().get_message_by_name(name).unwrap();
            if OF_NOBODY.contains(&message.name()) {
                continue;
            }
            for field in message.fields() {
                let is_kind = name.ends_with(".Record") && field.containing_oneof().is_some();
                let is_known = annotated.contains(&(name.as_str(), field.json_name()));
                if field.name() != "deleted" && !is_kind && !is_known {
                    missing.push(field.full_name().to_owned());
                }
            }
        }
        assert!(messages.len() > 12, "{messages:?}");
        assert!(missing.is_empty(), "no `personal` option on {missing:?}");
    }

    /// Wherever the contract names a person by the words it has for that, it says so.
    #[test]
    fn every_field_with_a_personal_name_is_annotated() {
        let names =
            ["pupil", "new_pupil", "person", "external_id", "rationale", "actor", "vendor_id"];
        let mut missing = Vec::new();
        for message in contract::pool().all_messages() {
            let is_event = journal::event_types().contains_key(message.full_name());
            let is_option = message.full_name().starts_with("headway.common.v1.");
            for field in message.fields().filter(|it| names.contains(&it.name())) {
                let is_text = field.kind().as_message().is_none();
                if is_text && !is_event && !is_option && read(&field).is_none() {
                    missing.push(field.full_name().to_owned());
                }
            }
        }
        assert!(missing.is_empty(), "no `personal` option on {missing:?}");
    }

    #[test]
    fn every_field_says_why_on_which_ground_and_for_how_long() {
        assert!(fields().len() > 80, "{}", fields().len());
        for it in fields() {
            let what = format!("{}.{}", it.message, it.field);
            assert!(!it.purpose.is_empty() && !it.retention.is_empty(), "{what}");
            assert!(it.basis != 0 && it.category != 0 && !it.meaning.is_empty(), "{what}");
            let rule = crate::domain::Retained::named(&it.retention);
            assert!(rule.is_some() || it.retention.contains(' '), "{what}: {}", it.retention);
        }
    }
}
