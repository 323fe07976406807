//! Requests and answers that were really exchanged, recorded by a test that exchanges them again and again.

use std::collections::BTreeMap;

use rpc::Method;
use serde::Deserialize;
use serde_json::{Map, Value};

const RECORDED: &str = include_str!("../../data/examples.json");

/// One exchange.
#[derive(Clone, Debug, Deserialize)]
struct Exchange {
    /// The RPC's name.
    rpc: String,
    /// What it shows, in a few words.
    title: String,
    #[serde(default = "json")]
    media: String,
    #[serde(default)]
    sent: Sent,
    #[serde(default)]
    answer: Value,
}

/// A request as it was sent.
#[derive(Clone, Debug, Default, Deserialize)]
struct Sent {
    #[serde(default)]
    path: BTreeMap<String, String>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

fn json() -> String {
    "application/json".to_owned()
}

#[derive(Debug, Default)]
pub(crate) struct Examples(Vec<Exchange>);

impl Examples {
    pub(crate) fn read() -> Self {
        Self(serde_json::from_str(RECORDED).unwrap_or_else(|error| {
            tracing::error!(%error, "the recorded examples cannot be read");
            Vec::new()
        }))
    }

    fn of<'a>(&'a self, method: &'a Method) -> impl Iterator<Item = &'a Exchange> {
        self.0.iter().filter(|it| it.rpc == method.descriptor.name())
    }

    /// A value that a parameter had.
    pub(crate) fn parameter(&self, method: &Method, place: &str, name: &str) -> Option<Value> {
        let text = self.of(method).find_map(|it| match place {
            "path" => it.sent.path.get(name),
            _ => it.sent.query.get(name),
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
        let sent = self.of(method).filter(|it| it.media == media && !it.sent.body.is_null());
        named(sent.map(|it| (it, &it.sent.body)))
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
