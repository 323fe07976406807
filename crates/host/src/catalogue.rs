//! The closed list of reasons for refusals, as the contract explains it.

use prost_reflect::{EnumValueDescriptor, ReflectMessage};
use rpc::{Reason, name, status, type_uri};
use serde_json::{Value, json};

/// What there is to say of a reason.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) reason: Reason,
    pub(crate) meaning: String,
    pub(crate) remedy: String,
    /// A `detail` as it might be told.
    pub(crate) example: String,
}

impl Entry {
    pub(crate) fn of(reason: Reason) -> Self {
        let value = contract::pool()
            .get_enum_by_name("headway.common.v1.ErrorReason")
            .and_then(|it| it.get_value(reason.into()));
        let meaning = value.as_ref().map(meaning).unwrap_or_default();
        let help = |field| value.as_ref().and_then(|it| help(it, field)).unwrap_or_default();
        Self { reason, meaning, remedy: help("remedy"), example: help("example") }
    }

    /// Every reason but "unspecified".
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let list = contract::pool().get_enum_by_name("headway.common.v1.ErrorReason");
        let numbers: Vec<i32> = list
            .iter()
            .flat_map(|it| it.values().map(|it| it.number()).collect::<Vec<_>>())
            .collect();
        let known = |it| Reason::try_from(it).ok().filter(|it| *it != Reason::Unspecified);
        numbers.into_iter().filter_map(known).map(Self::of)
    }

    /// The reason whose `type` ends so.
    pub(crate) fn by_slug(slug: &str) -> Option<Self> {
        Self::all().find(|it| it.uri() == format!("/errors/{slug}"))
    }

    pub(crate) fn name(&self) -> &'static str {
        name(self.reason)
    }

    pub(crate) fn uri(&self) -> String {
        type_uri(self.reason)
    }

    /// Whether it is only said of single fields or records, inside another problem.
    pub(crate) fn is_of_fields(&self) -> bool {
        !self.meaning.starts_with(|it: char| it.is_ascii_digit())
    }

    /// A problem document as it might be answered.
    pub(crate) fn problem(&self) -> Value {
        let reason = if self.is_of_fields() { Reason::RequestInvalid } else { self.reason };
        let errors = if self.is_of_fields() || self.reason == Reason::RequestInvalid {
            let code = if self.is_of_fields() { self.reason } else { Reason::FieldRequired };
            let detail = if self.is_of_fields() { self.example.as_str() } else { "must be given" };
            json!([{"pointer": "/field", "code": name(code), "detail": detail, "accepted": []}])
        } else {
            json!([])
        };
        let detail = if self.is_of_fields() {
            format!("/field: {}", self.example)
        } else {
            self.example.clone()
        };
        let status = status(reason);
        json!({
            "type": type_uri(reason),
            "title": status.canonical_reason(),
            "status": status.as_u16(),
            "detail": detail,
            "reason": name(reason),
            "errors": errors,
            "requestId": "0198c1a2-7f00-7000-8000-0000000000e1",
        })
    }
}

fn meaning(value: &EnumValueDescriptor) -> String {
    crate::openapi::comment(value.path(), &value.parent_enum().parent_file())
}

fn help(value: &EnumValueDescriptor, field: &str) -> Option<String> {
    let option = contract::pool().get_extension_by_name("headway.common.v1.help")?;
    let options = value.options();
    let help = options.get_extension(&option);
    let help = help.as_message()?;
    let field = help.descriptor().get_field_by_name(field)?;
    help.get_field(&field).as_str().map(str::to_owned)
}
