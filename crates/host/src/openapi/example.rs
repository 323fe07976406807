//! Requests and answers that were really exchanged, recorded by a test that exchanges them again and again.

use std::collections::BTreeMap;

use rpc::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

const RECORDED: &str = include_str!("../../data/examples.json");

/// One exchange. `{{name}}` in a request is what `keep` of an earlier exchange names of its answer.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Exchange {
    /// The RPC's name.
    rpc: String,
    /// What it shows, in a few words.
    title: String,
    #[serde(default)]
    path: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default = "json")]
    media: String,
    #[serde(default)]
    body: Value,
    /// Names for values of the answer, by JSON Pointer.
    #[serde(default)]
    keep: BTreeMap<String, String>,
    #[serde(default)]
    answer: Value,
}

fn json() -> String {
    "application/json".to_owned()
}

/// The exchanges, their variables replaced by what was recorded.
#[derive(Debug, Default)]
pub(crate) struct Examples(Vec<Exchange>);

impl Examples {
    pub(crate) fn read() -> Self {
        let recorded: Vec<Exchange> = serde_json::from_str(RECORDED).unwrap_or_else(|error| {
            tracing::error!(%error, "the recorded examples cannot be read");
            Vec::new()
        });
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
        let mut exchanges = Vec::with_capacity(recorded.len());
        for mut it in recorded {
            for text in it.path.values_mut().chain(it.query.values_mut()) {
                *text = filled(text, &kept);
            }
            fill(&mut it.body, &kept);
            for (name, pointer) in &it.keep {
                if let Some(value) = it.answer.pointer(pointer).and_then(Value::as_str) {
                    kept.insert(name.clone(), value.to_owned());
                }
            }
            exchanges.push(it);
        }
        Self(exchanges)
    }

    fn of<'a>(&'a self, method: &'a Method) -> impl Iterator<Item = &'a Exchange> {
        self.0.iter().filter(|it| it.rpc == method.descriptor.name())
    }

    /// A value that a parameter had.
    pub(crate) fn parameter(&self, method: &Method, place: &str, name: &str) -> Option<Value> {
        let text = self.of(method).find_map(|it| match place {
            "path" => it.path.get(name),
            _ => it.query.get(name),
        })?;
        let typed = match text.as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => Value::String(text.clone()),
        };
        let number = || -> Option<Value> {
            let field = method.descriptor.input().fields().find(|it| it.json_name() == name)?;
            let whole = matches!(field.kind(), prost_reflect::Kind::Uint32);
            text.parse::<u32>().ok().filter(|_| whole).map(Into::into)
        };
        let list =
            method.descriptor.input().fields().any(|it| it.json_name() == name && it.is_list());
        let value = number().unwrap_or(typed);
        Some(if list { Value::Array(vec![value]) } else { value })
    }

    /// Bodies that were sent as that media type.
    pub(crate) fn bodies(&self, method: &Method, media: &str) -> Map<String, Value> {
        let sent = self.of(method).filter(|it| it.media == media && !it.body.is_null());
        named(sent.map(|it| (it, &it.body)))
    }

    /// What was answered.
    pub(crate) fn answers(&self, method: &Method) -> Map<String, Value> {
        named(self.of(method).filter(|it| !it.answer.is_null()).map(|it| (it, &it.answer)))
    }
}

fn named<'a>(values: impl Iterator<Item = (&'a Exchange, &'a Value)>) -> Map<String, Value> {
    let example = |(number, (it, value)): (usize, (&Exchange, &Value))| {
        let example = serde_json::json!({"summary": it.title, "value": value});
        (format!("example{}", number + 1), example)
    };
    values.enumerate().map(example).collect()
}

fn fill(value: &mut Value, kept: &BTreeMap<String, String>) {
    match value {
        Value::String(text) => *text = filled(text, kept),
        Value::Array(items) => items.iter_mut().for_each(|it| fill(it, kept)),
        Value::Object(members) => members.values_mut().for_each(|it| fill(it, kept)),
        _ => {}
    }
}

fn filled(text: &str, kept: &BTreeMap<String, String>) -> String {
    kept.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), value)
    })
}
