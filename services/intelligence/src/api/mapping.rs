//! Mappings as callers save and read them.

use contract::intelligence::{self as pb, mapping, save_mapping_request};
use rpc::{Error, Fault, Fields, Reason, Result};

use super::format::Columns;
use crate::{
    app::SaveMapping,
    domain::{CsvMapping, FeedId, Mapping, OneRosterMapping, Reading, Source},
};

/// The longest name, in characters.
const NAME: usize = 64;

impl TryFrom<pb::SaveMappingRequest> for SaveMapping {
    type Error = Error;

    fn try_from(it: pb::SaveMappingRequest) -> Result<Self> {
        let mut fields = Fields::new();
        let feed_id = fields.take("/feedId", FeedId::parse(&it.feed_id));
        let name = fields.take("/name", name(it.name));
        let reading = match it.reading {
            Some(save_mapping_request::Reading::Csv(it)) => {
                let csv = CsvMapping::read(&mut fields, "/csv", it);
                if let Some(csv) = &csv {
                    check(&mut fields, csv)?;
                }
                csv.map(Reading::Csv)
            }
            Some(save_mapping_request::Reading::OneRoster(it)) => {
                OneRosterMapping::read(&mut fields, "/oneRoster", it).map(Reading::OneRoster)
            }
            None => {
                let fault = Fault::new(Reason::FieldRequired, "must hold csv or oneRoster");
                fields.refuse("", fault);
                None
            }
        };
        let expected_version = it.expected_version;
        fields.done(|| {
            Some(Self { feed_id: feed_id?, name: name?, reading: reading?, expected_version })
        })
    }
}

pub(super) fn name(text: String) -> Result<String, Fault> {
    let allowed = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    if (1..=NAME).contains(&text.len()) && text.chars().all(allowed) {
        return Ok(text);
    }
    Err(Fault::invalid(format!("must be 1 to {NAME} lower case letters, digits and hyphens")))
}

/// Whether the fields are those of the kind of record, each once, with all that it needs.
fn check(fields: &mut Fields, mapping: &CsvMapping) -> Result<()> {
    let columns = Columns::of_kind(mapping.kind)?;
    let mut seen = Vec::new();
    for (index, it) in mapping.columns.iter().enumerate() {
        let at = format!("/csv/columns/{index}");
        let Some(column) = columns.find(&it.field) else {
            let fault = Fault::new(Reason::FieldUnknown, "is not a column of this kind of record");
            fields.refuse(&format!("{at}/field"), fault.accepting(columns.names()));
            continue;
        };
        if seen.contains(&column.pointer.as_str()) {
            fields.refuse(&format!("{at}/field"), Fault::invalid("is mapped already"));
        }
        seen.push(&column.pointer);
        let personal = "is an id of a person, and mappings are kept for ever";
        if column.is_personal() && matches!(it.source, Source::Constant(_)) {
            fields.refuse(&format!("{at}/constant"), Fault::invalid(personal));
        }
        if column.is_personal() && !it.values.is_empty() {
            fields.refuse(&format!("{at}/values"), Fault::invalid(personal));
        }
    }
    let lacking = columns.all.iter().filter(|it| it.needed && !seen.contains(&it.pointer.as_str()));
    let lacking: Vec<_> = lacking.map(|it| it.name.as_str()).collect();
    if !lacking.is_empty() {
        let detail = format!("must also map {}", lacking.join(", "));
        fields.refuse("/csv/columns", Fault::new(Reason::FieldRequired, detail));
    }
    Ok(())
}

impl From<Mapping> for pb::Mapping {
    fn from(it: Mapping) -> Self {
        Self {
            mapping_id: it.mapping_id.to_string(),
            feed_id: it.feed_id.to_string(),
            trust_id: it.trust_id.to_string(),
            name: it.name,
            reading: Some(match &it.reading {
                Reading::Csv(it) => mapping::Reading::Csv(it.into()),
                Reading::OneRoster(it) => mapping::Reading::OneRoster(it.into()),
            }),
            version: it.version,
            saved_at: Some(it.saved_at.into()),
        }
    }
}
