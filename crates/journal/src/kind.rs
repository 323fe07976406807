//! What the contract says of each type of event: the kind of its stream, and which of its fields name what it is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use prost::Message;
use prost_reflect::{
    DynamicMessage, ExtensionDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor,
    Value,
    prost_types::{FileDescriptorProto, FileDescriptorSet},
};
use rpc::{Error, Result};
use sha2::{Digest, Sha256};

/// A type of event of the contract.
#[derive(Clone, Debug)]
pub struct EventType {
    pub message: MessageDescriptor,
    /// `journey`, where its streams are `journey/{id}`.
    pub stream_kind: String,
    subjects: Vec<(FieldDescriptor, String)>,
    /// Its message and all that it is made of, as a `FileDescriptorSet`.
    pub descriptors: Vec<u8>,
    /// Of `descriptors`: changes when the type gains a field, not when its neighbours do.
    pub sha256: [u8; 32],
}

static TYPES: LazyLock<BTreeMap<String, EventType>> = LazyLock::new(|| {
    let messages = contract::pool().all_messages();
    messages.filter_map(|it| Some((it.full_name().to_owned(), read(it)?))).collect()
});

/// Every type of event there is, by full name.
pub fn event_types() -> &'static BTreeMap<String, EventType> {
    &TYPES
}

/// The type of that name, unless it is no event of this contract: then whoever reads it must stop, not skip it.
pub(crate) fn event_type(name: &str) -> Result<&'static EventType> {
    TYPES.get(name).ok_or_else(|| {
        Error::internal(format!("this version knows no event {name}: update this service"))
    })
}

fn read(message: MessageDescriptor) -> Option<EventType> {
    let stream_kind = text(&message.options(), &extension("event")?)?;
    let mark = extension("subject")?;
    let subjects = message.fields().filter_map(|it| {
        let kind = text(&it.options(), &mark)?;
        Some((it, kind))
    });
    let subjects = subjects.collect();
    let descriptors = descriptors(&message).encode_to_vec();
    let sha256 = Sha256::digest(&descriptors).into();
    Some(EventType { message, stream_kind, subjects, descriptors, sha256 })
}

fn extension(name: &str) -> Option<ExtensionDescriptor> {
    contract::pool().get_extension_by_name(&format!("headway.common.v1.{name}"))
}

fn text(options: &DynamicMessage, extension: &ExtensionDescriptor) -> Option<String> {
    if !options.has_extension(extension) {
        return None;
    }
    options.get_extension(extension).as_str().map(str::to_owned)
}

impl EventType {
    /// What its marked fields name, as `kind/id`.
    pub(crate) fn subjects(&self, data: &[u8]) -> Result<BTreeSet<String>> {
        let mut found = BTreeSet::new();
        if self.subjects.is_empty() {
            return Ok(found);
        }
        let message =
            DynamicMessage::decode(self.message.clone(), data).map_err(Error::internal)?;
        for (field, kind) in &self.subjects {
            let value = message.get_field(field);
            let ids = match &*value {
                Value::List(list) => list.as_slice(),
                one => std::slice::from_ref(one),
            };
            let ids = ids.iter().filter_map(Value::as_str).filter(|it| !it.is_empty());
            found.extend(ids.map(|id| format!("{kind}/{id}")));
        }
        Ok(found)
    }
}

/// A message and the messages and lists it is made of, in their files, without all else those files hold.
fn descriptors(message: &MessageDescriptor) -> FileDescriptorSet {
    let mut needed = BTreeSet::new();
    need(message, &mut needed);
    let files = contract::pool().files().filter_map(|file| pruned(&file, &needed));
    FileDescriptorSet { file: files.collect() }
}

fn need(message: &MessageDescriptor, needed: &mut BTreeSet<String>) {
    if !needed.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        match field.kind() {
            Kind::Message(inner) => need(&inner, needed),
            Kind::Enum(list) => {
                needed.insert(list.full_name().to_owned());
            }
            _ => {}
        }
    }
}

fn pruned(file: &FileDescriptor, needed: &BTreeSet<String>) -> Option<FileDescriptorProto> {
    let full = file.file_descriptor_proto();
    let holds = |name: &str| {
        let inside = format!("{}.{name}", file.package_name());
        needed.iter().any(|it| *it == inside || it.starts_with(&format!("{inside}.")))
    };
    let mut kept = FileDescriptorProto {
        name: full.name.clone(),
        package: full.package.clone(),
        syntax: full.syntax.clone(),
        ..FileDescriptorProto::default()
    };
    kept.message_type = full.message_type.iter().filter(|it| holds(it.name())).cloned().collect();
    kept.enum_type = full.enum_type.iter().filter(|it| holds(it.name())).cloned().collect();
    if kept.message_type.is_empty() && kept.enum_type.is_empty() {
        return None;
    }
    let imported = file.dependencies().filter(|it| pruned(it, needed).is_some());
    kept.dependency = imported.map(|it| it.name().to_owned()).collect();
    Some(kept)
}
