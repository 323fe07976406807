//! The contract's messages as JSON schemas.

use std::collections::BTreeSet;

use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor};
use rpc::Method;
use serde_json::{Map, Value, json};

use super::comment;

/// Schemas of the messages met so far.
#[derive(Default)]
pub(crate) struct Schemas {
    pub(crate) done: Map<String, Value>,
    begun: BTreeSet<String>,
}

impl Schemas {
    pub(crate) fn message(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => return json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Struct" => return json!({"type": "object"}),
            _ => {}
        }
        let key = component(message.full_name());
        if self.begun.insert(key.clone()) {
            let schema = self.inline(message, |_| true);
            self.done.insert(key.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{key}")})
    }

    /// What a method's message holds beside what its path does.
    pub(super) fn body(&mut self, method: &Method, beside: &[&str]) -> Value {
        self.inline(&method.descriptor.input(), |field| {
            !in_path(method, field) && !beside.contains(&field.name())
        })
    }

    /// A message's schema in place, of the fields that are wanted.
    fn inline(
        &mut self,
        message: &MessageDescriptor,
        wanted: impl Fn(&FieldDescriptor) -> bool,
    ) -> Value {
        let mut properties = Map::new();
        for field in message.fields().filter(|it| wanted(it)) {
            let mut schema = self.field(&field);
            let text = comment(field.path(), &field.parent_message().parent_file());
            if let Some(members) = schema.as_object_mut().filter(|_| !text.is_empty()) {
                members.insert("description".to_owned(), text.into());
            }
            properties.insert(field.json_name().to_owned(), schema);
        }
        json!({
            "type": "object",
            "description": comment(message.path(), &message.parent_file()),
            "properties": properties,
            "additionalProperties": false,
        })
    }

    pub(super) fn field(&mut self, field: &FieldDescriptor) -> Value {
        if let Kind::Message(entry) = field.kind()
            && field.is_map()
        {
            let value = self.field(&entry.map_entry_value_field());
            return json!({"type": "object", "additionalProperties": value});
        }
        let item = match field.kind() {
            Kind::Message(message) => self.message(&message),
            Kind::Enum(kind) => self.choice(&kind),
            Kind::String => json!({"type": "string"}),
            Kind::Bytes => json!({"type": "string", "contentEncoding": "base64"}),
            Kind::Bool => json!({"type": "boolean"}),
            Kind::Double | Kind::Float => json!({"type": "number"}),
            Kind::Uint64 | Kind::Fixed64 => json!({"type": "string", "pattern": "^[0-9]{1,19}$"}),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => {
                json!({"type": "string", "pattern": "^-?[0-9]{1,18}$"})
            }
            Kind::Uint32 | Kind::Fixed32 => {
                json!({"type": "integer", "minimum": 0, "maximum": u32::MAX})
            }
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => {
                json!({"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX})
            }
        };
        if field.is_list() { json!({"type": "array", "items": item}) } else { item }
    }

    fn choice(&mut self, kind: &EnumDescriptor) -> Value {
        let key = component(kind.full_name());
        if self.begun.insert(key.clone()) {
            let names: Vec<_> = kind.values().map(|it| it.name().to_owned()).collect();
            let mut text = comment(kind.path(), &kind.parent_file());
            for value in kind.values() {
                let said = comment(value.path(), &kind.parent_file());
                if !said.is_empty() {
                    text = format!("{text}\n- `{}`: {said}", value.name());
                }
            }
            let schema = json!({"type": "string", "enum": names, "description": text.trim()});
            self.done.insert(key.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{key}")})
    }
}

/// Whether a field is a variable of the method's path.
pub(super) fn in_path(method: &Method, field: &FieldDescriptor) -> bool {
    method.path.contains(&format!("{{{}}}", field.name()))
}

/// `headway.registry.v1.Trust` is the component `registry.Trust`.
fn component(full_name: &str) -> String {
    full_name.strip_prefix("headway.").unwrap_or(full_name).replace(".v1.", ".")
}
