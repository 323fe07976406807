//! Random requests that look like requests: of every RPC of the contract, with values that fit their fields.

use std::{fmt, sync::Arc};

use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, prost::Message};
use rand::{RngExt, rngs::StdRng, seq::IndexedRandom};
use rpc::Method;
use serde_json::{Map, Value, json};

use super::hunt::Prey;

/// Messages within messages at the most.
const DEEPEST: usize = 4;

/// What is asked, before it is known by which door.
pub(crate) struct Question {
    pub(crate) method: &'static Method,
    pub(crate) members: Map<String, Value>,
    pub(crate) over_grpc: bool,
}

impl Question {
    /// Path and query over REST.
    pub(crate) fn path(&self) -> String {
        let mut path = self.method.path.clone();
        let mut query = Vec::new();
        for field in self.method.descriptor.input().fields() {
            let Some(value) = self.members.get(field.json_name()) else { continue };
            let hole = format!("{{{}}}", field.name());
            if path.contains(&hole) {
                path = path.replace(&hole, &encoded(&text(value)));
            } else if !self.method.writes() {
                let values = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                let given = values.iter().filter(|it| !it.is_object());
                query.extend(
                    given.map(|it| format!("{}={}", field.json_name(), encoded(&text(it)))),
                );
            }
        }
        let path = path.split('/').map(|it| if it.starts_with('{') { "x" } else { it });
        let path = path.collect::<Vec<_>>().join("/");
        if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) }
    }

    /// The body over REST.
    pub(crate) fn body(&self) -> String {
        let input = self.method.descriptor.input();
        let mut members = self.members.clone();
        for field in input.fields() {
            if self.method.path.contains(&format!("{{{}}}", field.name())) {
                members.remove(field.json_name());
            }
        }
        Value::Object(members).to_string()
    }

    /// The message over gRPC; empty where the members make none.
    pub(crate) fn message(&self) -> Vec<u8> {
        let value = Value::Object(self.members.clone());
        DynamicMessage::deserialize(self.method.descriptor.input(), value)
            .map_or_else(|_| Vec::new(), |it| it.encode_to_vec())
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        format!("{} {}", self.path(), Value::Object(self.members.clone())).into_bytes()
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let door = if self.over_grpc { "gRPC" } else { "REST" };
        write!(
            f,
            "{door} {} {} {}",
            self.method.verb,
            self.path(),
            Value::Object(self.members.clone())
        )
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn encoded(text: &str) -> String {
    let plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    text.bytes()
        .map(|it| if plain(it) { char::from(it).to_string() } else { format!("%{it:02X}") })
        .collect()
}

/// Makes questions up.
pub(crate) struct Inventor {
    chance: StdRng,
    prey: Arc<Prey>,
    methods: Vec<&'static Method>,
    /// Page tokens that answers held.
    tokens: Vec<String>,
}

impl Inventor {
    pub(crate) fn new(chance: StdRng, prey: Arc<Prey>) -> Self {
        Self { chance, prey, methods: rpc::methods().collect(), tokens: Vec::new() }
    }

    pub(crate) fn question(&mut self) -> Question {
        let method = *self.methods.choose(&mut self.chance).unwrap();
        let input = method.descriptor.input();
        let mut members = self.message(&input, 0, !method.writes());
        for field in input.fields().filter(|it| method.path.contains(&format!("{{{}}}", it.name())))
        {
            let value = self.value(&field, 0, true);
            members.insert(field.json_name().to_owned(), value);
        }
        let over_grpc = self.chance.random_bool(0.4);
        Question { method, members, over_grpc }
    }

    /// Page tokens are worth trying elsewhere.
    pub(crate) fn learn(&mut self, answer: &[u8]) {
        let text = String::from_utf8_lossy(answer);
        if let Some((_, after)) = text.split_once("\"nextPageToken\":\"")
            && self.tokens.len() < 200
        {
            self.tokens.extend(after.split('"').next().map(str::to_owned));
        }
    }

    fn message(&mut self, of: &MessageDescriptor, depth: usize, reads: bool) -> Map<String, Value> {
        let mut members = Map::new();
        let mut chosen: Vec<String> = Vec::new();
        let often = if reads { 0.2 } else { 0.85 };
        for field in of.fields() {
            if let Some(oneof) = field.containing_oneof().filter(|it| it.fields().count() > 1) {
                // One of several: the first is as good as any, if it is not always the first.
                if chosen.contains(&oneof.name().to_owned()) || self.chance.random_bool(0.6) {
                    continue;
                }
                chosen.push(oneof.name().to_owned());
            }
            if self.chance.random_bool(often) {
                let value = if field.is_list() {
                    let length = self.chance.random_range(0..3);
                    Value::Array((0..length).map(|_| self.value(&field, depth, reads)).collect())
                } else if field.is_map() {
                    json!({})
                } else {
                    self.value(&field, depth, reads)
                };
                members.insert(field.json_name().to_owned(), value);
            }
        }
        members
    }

    fn value(&mut self, field: &FieldDescriptor, depth: usize, reads: bool) -> Value {
        match field.kind() {
            Kind::Bool => json!(self.chance.random_bool(0.5)),
            Kind::Enum(list) => {
                let names: Vec<String> = list.values().map(|it| it.name().to_owned()).collect();
                json!(names.choose(&mut self.chance))
            }
            Kind::Message(of) if of.full_name() == "google.protobuf.Timestamp" => {
                json!(format!(
                    "2026-{:02}-1{}T08:00:00Z",
                    self.chance.random_range(1..=10),
                    self.chance.random_range(0..9)
                ))
            }
            Kind::Message(of) if of.full_name().starts_with("google.protobuf.") => json!({}),
            Kind::Message(of) if depth < DEEPEST => {
                Value::Object(self.message(&of, depth + 1, reads))
            }
            Kind::Message(_) => json!({}),
            Kind::String => json!(self.string(field.name(), reads)),
            Kind::Bytes => json!("AAECAwQ="),
            Kind::Double | Kind::Float => {
                json!(f64::from(self.chance.random_range(0..1000)) / 10.0)
            }
            _ => json!(self.chance.random_range(1..60)),
        }
    }

    fn string(&mut self, name: &str, reads: bool) -> String {
        match name {
            "service" => self.one_of(&["registry", "intelligence", "improvement"]),
            "kind" => self.one_of(&[
                "enrolments",
                "attendance-registers",
                "staff-members",
                "observations",
            ]),
            "list" => self.one_of(&["suspension_reasons", "staff_roles", "x"]),
            "measure" => self.one_of(&["attendance", "persistent_absence", "severe_absence", "x"]),
            "page_token" => {
                let known = self.tokens.choose(&mut self.chance).cloned();
                known.unwrap_or_else(|| "AAAA".to_owned())
            }
            _ if name.ends_with("_on") || ["from", "to", "date", "on"].contains(&name) => {
                let (month, day) =
                    (self.chance.random_range(1..=12), self.chance.random_range(1..=28));
                format!("{}-{month:02}-{day:02}", self.chance.random_range(2023..=2025))
            }
            _ => self.taken(name, reads),
        }
    }

    /// A value of that name from the databases: another trust's, or the asker's own.
    fn taken(&mut self, name: &str, reads: bool) -> String {
        let prey = Arc::clone(&self.prey);
        let is_id =
            name.ends_with("_id") || ["urn", "urns", "near", "subject", "stream"].contains(&name);
        // Texts of others are searched for, but never written: they would come back as the asker's own.
        if !is_id && !reads {
            return self.one_of(&["a word", "because", "x", "2026/27", "mathematics", ""]);
        }
        let name = name.strip_suffix('s').filter(|it| *it == "urn").unwrap_or(name);
        let column = match name {
            "near" => "urn",
            other => other,
        };
        let other = self.chance.random_bool(0.65);
        let values = if other { &prey.others } else { &prey.own };
        let fitting = values.get(column);
        let any = || values.get("event_id").or_else(|| values.get("trust_id"));
        let fitting = fitting.filter(|_| self.chance.random_bool(0.9)).or_else(any);
        let marked = |it: &str| prey.markers.iter().any(|marker| it.contains(marker.as_str()));
        let usable = |it: &&String| it.len() < 200 && (reads || !marked(it));
        match fitting.map(|it| it.iter().filter(usable).collect::<Vec<_>>()) {
            Some(values) if self.chance.random_bool(0.93) && !values.is_empty() => {
                (*values.choose(&mut self.chance).unwrap()).clone()
            }
            _ => self.one_of(&[
                "",
                "0",
                "x",
                "00000000-0000-0000-0000-000000000000",
                "999999",
                "' OR 1=1 --",
                "../..",
            ]),
        }
    }

    fn one_of(&mut self, words: &[&str]) -> String {
        (*words.choose(&mut self.chance).unwrap()).to_owned()
    }
}
