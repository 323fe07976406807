//! The columns of each kind of record, told by the contract: the scalar fields of its message under their own names.
//! Where the message holds a list of others, as a register holds marks, a row holds one of them; where one field says all
//! of such an item, as of a characteristic, a value lists them: `eal;sen_support`. A new kind, or a new
//! field of one, is a column without a line being written here.

use std::sync::LazyLock;

use contract::intelligence as pb;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind as Type, MessageDescriptor, Value};
use rpc::{Error, Fault, Problem, Reason, Result, Twin};

use super::text::plain;
use crate::domain::Kind;

/// Columns that may be left out although the contract gives them a default instead of making them optional.
const DEFAULTED: [&str; 1] = ["revision"];

static KINDS: LazyLock<Vec<Columns>> = LazyLock::new(|| {
    let record = contract::pool().get_message_by_name("headway.intelligence.v1.Record");
    let choice = record.and_then(|it| it.oneofs().find(|it| it.name() == "kind"));
    choice.iter().flat_map(|it| it.fields().filter_map(Columns::of)).collect()
});

/// The columns of one kind of record.
#[derive(Debug)]
pub(in crate::api) struct Columns {
    pub(in crate::api) kind: Kind,
    /// The field of a record that holds it.
    body: FieldDescriptor,
    pub(in crate::api) all: Vec<Column>,
}

#[derive(Debug)]
pub(in crate::api) struct Column {
    pub(in crate::api) name: String,
    /// Whether a file must have it.
    pub(in crate::api) needed: bool,
    /// The place of its value in the record, as JSON Pointer.
    pub(in crate::api) pointer: String,
    field: FieldDescriptor,
    place: Place,
}

/// Which message a column is a field of.
#[derive(Debug)]
enum Place {
    Record,
    Body,
    /// A message that the body holds, alone or in a list.
    Inner(FieldDescriptor),
}

impl Columns {
    pub(in crate::api) fn of_kind(kind: Kind) -> Result<&'static Self> {
        let found = KINDS.iter().find(|it| it.kind == kind);
        found.ok_or_else(|| Error::internal(format!("the contract has no columns for {kind:?}")))
    }

    /// What its records are called in the contract.
    pub(super) fn name(&self) -> &str {
        self.body.name()
    }

    fn of(body: FieldDescriptor) -> Option<Self> {
        let name = format!("RECORD_KIND_{}", body.name().to_uppercase());
        let kind = Kind::of(pb::RecordKind::from_str_name(&name)?)?;
        let Type::Message(message) = body.kind() else { return None };
        let mut all = Vec::new();
        let external_id = body.parent_message().get_field_by_name("external_id")?;
        all.push(Column::new(external_id, Place::Record, "", false));
        let at = format!("/{}", body.json_name());
        for field in message.fields() {
            match field.kind() {
                Type::Message(inner) if field.is_list() && sole(&inner).is_some() => {
                    all.push(Column::new(field, Place::Body, &at, false));
                }
                Type::Message(inner) => {
                    let index = if field.is_list() { "/0" } else { "" };
                    let at = format!("{at}/{}{index}", field.json_name());
                    let needed = field.is_list();
                    all.extend(
                        inner
                            .fields()
                            .filter(scalar)
                            .map(|it| Column::new(it, Place::Inner(field.clone()), &at, needed)),
                    );
                }
                _ => all.push(Column::new(field, Place::Body, &at, true)),
            }
        }
        Some(Self { kind, body, all })
    }

    /// The column of a name, however it is spelt.
    pub(in crate::api) fn find(&self, name: &str) -> Option<&Column> {
        let name = plain(name);
        self.all.iter().find(|it| plain(&it.name) == name)
    }

    /// The names of columns, for people.
    pub(in crate::api) fn names(&self) -> impl Iterator<Item = &str> {
        self.all.iter().map(|it| it.name.as_str())
    }

    /// A record of the texts under some of the columns. Empty ones say nothing.
    pub(super) fn record<'a>(
        &self,
        cells: impl Iterator<Item = (&'a Column, &'a str)>,
    ) -> Result<pb::Record, Vec<Problem>> {
        let mut record = DynamicMessage::new(self.body.parent_message().clone());
        let mut body = self.message();
        let mut inner: Vec<(&FieldDescriptor, DynamicMessage)> = Vec::new();
        let (mut problems, mut empty, mut deleted) = (Vec::new(), Vec::new(), false);
        for (column, text) in cells {
            if text.is_empty() {
                empty.extend(column.must_say().then(|| column.refuse(required())));
                continue;
            }
            let value = match column.value(text) {
                Ok(value) => value,
                Err(fault) => {
                    problems.push(column.refuse(fault));
                    continue;
                }
            };
            deleted |= column.field.name() == "deleted" && value == Value::Bool(true);
            match &column.place {
                Place::Record => record.set_field(&column.field, value),
                Place::Body => body.set_field(&column.field, value),
                Place::Inner(of) => {
                    let place = inner.iter().position(|(it, _)| it.name() == of.name());
                    let place = place.unwrap_or_else(|| {
                        inner
                            .push((of, DynamicMessage::new(column.field.parent_message().clone())));
                        inner.len() - 1
                    });
                    if let Some((_, message)) = inner.get_mut(place) {
                        message.set_field(&column.field, value);
                    }
                }
            }
        }
        // A deletion need only name what is deleted.
        problems.extend(empty.into_iter().filter(|_| !deleted));
        if !problems.is_empty() {
            return Err(problems);
        }
        for (of, message) in inner {
            let message = Value::Message(message);
            body.set_field(of, if of.is_list() { Value::List(vec![message]) } else { message });
        }
        record.set_field(&self.body, Value::Message(body));
        record.transcode_to().map_err(|error| {
            let detail = format!("is not a record: {error}");
            vec![Problem { pointer: String::new(), fault: Fault::invalid(detail) }]
        })
    }

    fn message(&self) -> DynamicMessage {
        match self.body.kind() {
            Type::Message(message) => DynamicMessage::new(message),
            // Only fields that are messages have columns.
            _ => DynamicMessage::new(self.body.parent_message().clone()),
        }
    }
}

impl Column {
    fn new(field: FieldDescriptor, place: Place, at: &str, needed: bool) -> Self {
        let optional = field.supports_presence()
            || field.is_list()
            || field.kind() == Type::Bool
            || DEFAULTED.contains(&field.name());
        Self {
            name: field.name().to_owned(),
            needed: needed && !optional,
            pointer: format!("{at}/{}", field.json_name()),
            field,
            place,
        }
    }

    /// Whether it holds a date, told by the contract's way of naming them.
    pub(super) fn is_date(&self) -> bool {
        let name = self.field.name();
        name == "date" || name == "on" || name.ends_with("_on")
    }

    /// Whether it names somebody. What is mapped is kept in the journal, where no such id may be.
    pub(in crate::api) fn is_personal(&self) -> bool {
        ["pupil", "new_pupil", "person", "external_id", "incident"].contains(&self.field.name())
    }

    /// Whether no text would be taken for a number that means something.
    fn must_say(&self) -> bool {
        self.needed && !matches!(self.field.kind(), Type::String)
    }

    pub(super) fn refuse(&self, fault: Fault) -> Problem {
        Problem { pointer: self.pointer.clone(), fault }
    }

    /// An item of a list.
    fn item(&self, text: &str) -> Result<Value, Fault> {
        let Type::Message(message) = self.field.kind() else { return one(&self.field, text) };
        let mut item = DynamicMessage::new(message.clone());
        if let Some(field) = sole(&message) {
            item.set_field(&field, one(&field, text)?);
        }
        Ok(Value::Message(item))
    }

    fn value(&self, text: &str) -> Result<Value, Fault> {
        if self.field.is_list() {
            let parts = text.split(';').map(str::trim).filter(|it| !it.is_empty());
            return parts.map(|it| self.item(it)).collect::<Result<_, _>>().map(Value::List);
        }
        one(&self.field, text)
    }
}

/// The only field that an item of a list must have: a text of it stands for the item.
fn sole(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let mut needed = message.fields().filter(|it| {
        scalar(it) && !it.supports_presence() && !it.is_list() && it.kind() != Type::Bool
    });
    needed.next().filter(|_| needed.next().is_none())
}

fn scalar(field: &FieldDescriptor) -> bool {
    !matches!(field.kind(), Type::Message(_))
}

fn one(field: &FieldDescriptor, text: &str) -> Result<Value, Fault> {
    let expected = |what: &str| {
        let shown: String = text.chars().take(40).collect();
        Fault::new(Reason::FieldType, format!("must be {what}, not {shown:?}"))
    };
    // Spreadsheets write whole numbers as 3.0.
    let whole =
        text.split_once('.').filter(|it| it.1.chars().all(|c| c == '0')).map_or(text, |it| it.0);
    let number = "a whole number";
    Ok(match field.kind() {
        Type::String => Value::String(text.to_owned()),
        Type::Bool => match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "y" => Value::Bool(true),
            "false" | "0" | "no" | "n" => Value::Bool(false),
            _ => return Err(expected("true or false")),
        },
        Type::Int32 | Type::Sint32 | Type::Sfixed32 => {
            Value::I32(whole.parse().map_err(|_| expected(number))?)
        }
        Type::Int64 | Type::Sint64 | Type::Sfixed64 => {
            Value::I64(whole.parse().map_err(|_| expected(number))?)
        }
        Type::Uint32 | Type::Fixed32 => Value::U32(whole.parse().map_err(|_| expected(number))?),
        Type::Uint64 | Type::Fixed64 => Value::U64(whole.parse().map_err(|_| expected(number))?),
        Type::Double | Type::Float => {
            let found = text.parse().ok().filter(|it: &f64| it.is_finite());
            Value::F64(found.ok_or_else(|| expected("a number with a decimal point"))?)
        }
        Type::Enum(list) => {
            let prefix = list.values().next().map_or_else(String::new, |it| {
                it.name().trim_end_matches("UNSPECIFIED").to_owned()
            });
            let short = |name: &str| plain(name.strip_prefix(&prefix).unwrap_or(name));
            let found = list.values().skip(1).find(|it| short(it.name()) == short(text));
            let names = || list.values().skip(1).map(|it| it.name().to_owned()).collect::<Vec<_>>();
            Value::EnumNumber(
                found.ok_or_else(|| expected("a name of the list").accepting(names()))?.number(),
            )
        }
        Type::Bytes | Type::Message(_) => {
            return Err(expected("left out: it cannot be given in a file"));
        }
    })
}

fn required() -> Fault {
    Fault::new(Reason::FieldRequired, "must be given")
}

/// The kind of record that a file's columns are of: the one that has all of them and whose needed ones they hold.
pub(super) fn told_by(given: &[String]) -> Result<&'static Columns> {
    let holds = |columns: &Columns| {
        let unknown =
            given.iter().filter(|it| !it.is_empty() && columns.find(it).is_none()).count();
        let missing = missing(columns, given).count();
        (unknown, missing)
    };
    let fitting: Vec<_> = KINDS.iter().filter(|it| holds(it) == (0, 0)).collect();
    match fitting.as_slice() {
        [only] => Ok(only),
        [] => {
            let nearest = KINDS.iter().min_by_key(|it| holds(it));
            nearest.ok_or_else(|| Error::internal("the contract has no records"))
        }
        several => {
            let names: Vec<_> = several.iter().map(|it| it.body.name()).collect();
            let detail =
                format!("these columns may be of {}: say which with ?kind=", names.join(" or "));
            Err(Error::new(Reason::ColumnMissing, detail))
        }
    }
}

/// The columns a file must have and lacks.
pub(super) fn missing<'a>(columns: &'a Columns, given: &[String]) -> impl Iterator<Item = &'a str> {
    let given: Vec<_> = given.iter().map(|it| plain(it)).collect();
    let lacks = move |it: &&Column| it.needed && !given.contains(&plain(&it.name));
    columns.all.iter().filter(lacks).map(|it| it.name.as_str())
}
