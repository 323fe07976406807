//! OpenAPI 3.1, generated from the contract's descriptors: it cannot say other than what is served.

use std::collections::BTreeSet;

use prost_reflect::{EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor};
use rpc::{Method, Reason, methods, name, scope_name};
use serde_json::{Map, Value, json};

mod limits;

/// The document of every RPC that has a REST form.
pub fn openapi() -> Value {
    let mut paths = Map::new();
    let mut schemas = Schemas::default();
    for method in methods() {
        let item = paths.entry(method.path.clone()).or_insert_with(|| json!({}));
        if let Some(item) = item.as_object_mut() {
            item.insert(method.verb.as_str().to_ascii_lowercase(), operation(method, &mut schemas));
        }
    }
    schemas.done.insert("Problem".to_owned(), problem());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Headway",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The improvement platform for multi-academy trusts",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": schemas.done,
            "headers": limits::definitions(),
            "responses": limits::responses(),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
        },
        "security": [{"token": []}],
    })
}

fn operation(method: &Method, schemas: &mut Schemas) -> Value {
    let descriptor = &method.descriptor;
    let input = descriptor.input();
    let text = comment(descriptor.path(), &descriptor.parent_service().parent_file());
    let mut responses = limits::refusals(method.writes());
    let done = json!({
        "description": "Done",
        "headers": limits::headers(),
        "content": answer(method, schemas),
    });
    responses.insert(method.success().as_str().to_owned(), done);
    let mut operation = json!({
        "operationId": descriptor.name(),
        "tags": [descriptor.parent_service().name()],
        "summary": text,
        "description": format!("Needs the scope `{}`.", scope_name(method.scope)),
        "parameters": parameters(method, &input, schemas),
        "responses": responses,
    });
    if let Some(members) = operation.as_object_mut().filter(|_| method.writes()) {
        members.insert("requestBody".to_owned(), body(method, &input, schemas));
    }
    operation
}

fn parameters(method: &Method, input: &MessageDescriptor, schemas: &mut Schemas) -> Vec<Value> {
    let in_path = |field: &FieldDescriptor| method.path.contains(&format!("{{{}}}", field.name()));
    let query_of_stream =
        |field: &FieldDescriptor| descriptor_is(method, "PushRecords") && field.name() == "dry_run";
    let mut parameters = Vec::new();
    for field in input.fields() {
        let (place, name) = if in_path(&field) {
            ("path", field.name())
        } else if !method.writes() || query_of_stream(&field) {
            ("query", field.json_name())
        } else {
            continue;
        };
        parameters.push(json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": comment(field.path(), &field.parent_message().parent_file()),
            "schema": schemas.field(&field),
        }));
    }
    if method.writes() {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "The same key and request give the stored answer, for 24 hours.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
        }));
    }
    if input.get_field_by_name("expected_version").is_some() {
        parameters.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "The ETag that was read; stands for `expectedVersion`.",
            "schema": {"type": "string", "pattern": "^\"[0-9]+\"$"},
        }));
    }
    parameters
}

fn descriptor_is(method: &Method, rpc: &str) -> bool {
    method.descriptor.name() == rpc
}

/// The body a write takes. Streams are named one by one: their REST forms are files and lines, not one message.
fn body(method: &Method, input: &MessageDescriptor, schemas: &mut Schemas) -> Value {
    let content = if descriptor_is(method, "ImportEstablishments") {
        json!({"text/csv": {"schema": {"type": "string"}}})
    } else if descriptor_is(method, "PushRecords") {
        json!({
            "application/json": {"schema": schemas.inline(input, Some(method))},
            "application/x-ndjson": {"schema": {"type": "string"}},
            "text/csv": {"schema": {"type": "string"}},
        })
    } else {
        json!({"application/json": {"schema": schemas.inline(input, Some(method))}})
    };
    json!({"required": true, "content": content})
}

fn answer(method: &Method, schemas: &mut Schemas) -> Value {
    if descriptor_is(method, "Subscribe") {
        json!({"text/event-stream": {"schema": {"type": "string"}}})
    } else {
        json!({"application/json": {"schema": schemas.message(&method.descriptor.output())}})
    }
}

/// Schemas of the messages met so far.
#[derive(Default)]
struct Schemas {
    done: Map<String, Value>,
    begun: BTreeSet<String>,
}

impl Schemas {
    fn message(&mut self, message: &MessageDescriptor) -> Value {
        match message.full_name() {
            "google.protobuf.Timestamp" => return json!({"type": "string", "format": "date-time"}),
            "google.protobuf.Struct" => return json!({"type": "object"}),
            _ => {}
        }
        let key = component(message.full_name());
        if self.begun.insert(key.clone()) {
            let schema = self.inline(message, None);
            self.done.insert(key.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{key}")})
    }

    /// A message's schema in place, without the fields that are in the method's path.
    fn inline(&mut self, message: &MessageDescriptor, method: Option<&Method>) -> Value {
        let in_path = |field: &FieldDescriptor| {
            method.is_some_and(|it| it.path.contains(&format!("{{{}}}", field.name())))
        };
        let mut properties = Map::new();
        for field in message.fields().filter(|it| !in_path(it)) {
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

    fn field(&mut self, field: &FieldDescriptor) -> Value {
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
            let text = comment(kind.path(), &kind.parent_file());
            self.done
                .insert(key.clone(), json!({"type": "string", "enum": names, "description": text}));
        }
        json!({"$ref": format!("#/components/schemas/{key}")})
    }
}

/// `headway.registry.v1.Trust` is the component `registry.Trust`.
fn component(full_name: &str) -> String {
    full_name.strip_prefix("headway.").unwrap_or(full_name).replace(".v1.", ".")
}

fn problem() -> Value {
    let reasons: Vec<_> = (1..200).filter_map(|it| Reason::try_from(it).ok()).map(name).collect();
    json!({
        "type": "object",
        "required": ["type", "title", "status", "detail", "reason", "errors", "requestId"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "reason": {"type": "string", "enum": reasons},
            "requestId": {"type": "string", "format": "uuid"},
            "errors": {"type": "array", "items": {
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
