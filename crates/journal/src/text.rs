//! Free text that events commit to but do not hold, so that it can be erased while the log stays as it was.

use std::collections::HashMap;

use contract::common::TextCommitment;
use db::{Tx, on};
use prost::{Message, Name};
use prost_reflect::{DynamicMessage, MessageDescriptor, ReflectMessage, Value};
use rpc::{Error, Result};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::Recorded;

/// A text of an event, and the salt that keeps its commitment from being guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    pub(crate) id: Uuid,
    pub(crate) salt: [u8; 16],
    pub(crate) body: String,
}

impl Text {
    pub fn new(body: impl Into<String>) -> Result<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).map_err(Error::internal)?;
        Ok(Self { id: rpc::new_id(), salt, body: body.into() })
    }

    /// What the event carries in the text's place: SHA-256 over the salt and the text.
    pub fn commitment(&self) -> TextCommitment {
        TextCommitment { text_id: self.id.to_string(), sha256: self.hash().to_vec() }
    }

    /// By what it is found beside the log.
    pub fn id(&self) -> Uuid {
        self.id
    }

    fn hash(&self) -> [u8; 32] {
        Sha256::new_with_prefix(self.salt).chain_update(&self.body).finalize().into()
    }
}

/// The texts of an event that have not been erased.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Texts(HashMap<Uuid, Text>);

impl FromIterator<Text> for Texts {
    fn from_iter<I: IntoIterator<Item = Text>>(texts: I) -> Self {
        Self(texts.into_iter().map(|it| (it.id, it)).collect())
    }
}

impl Recorded {
    /// The text the event committed to, or nothing when it has been erased. A text that is not the one is an error.
    pub fn text(&self, commitment: &TextCommitment) -> Result<Option<&str>> {
        let id = Uuid::try_parse(&commitment.text_id).map_err(Error::internal)?;
        let Some(text) = self.texts.0.get(&id) else { return Ok(None) };
        if text.hash().as_slice() != commitment.sha256 {
            return Err(Error::internal(format!("text {id} is not the one its event commits to")));
        }
        Ok(Some(&text.body))
    }
}

/// The texts of events in the making, and whose they are.
pub(crate) fn of<'e>(events: &'e [&mut Recorded]) -> Vec<(Uuid, &'e Text)> {
    events
        .iter()
        .flat_map(|event| event.texts.0.values().map(|text| (event.trust_id, text)))
        .collect()
}

/// Gives events read from the log their texts.
pub async fn load(tx: &mut Tx, events: &mut [Recorded]) -> Result<()> {
    for event in events {
        for text_id in committed(event)? {
            let row: Option<(Vec<u8>, String)> = on!(&mut *tx, |c| sqlx::query_as(
                "SELECT salt, body FROM text WHERE text_id = $1"
            )
            .bind(text_id)
            .fetch_optional(c)
            .await)?;
            if let Some((salt, body)) = row {
                let salt = salt.as_slice().try_into().map_err(Error::internal)?;
                event.texts.0.insert(text_id, Text { id: text_id, salt, body });
            }
        }
    }
    Ok(())
}

/// What a text says; nothing once it is erased.
pub async fn body(tx: &mut Tx, text_id: Uuid) -> Result<Option<String>> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT body FROM text WHERE text_id = $1")
        .bind(text_id)
        .fetch_optional(c)
        .await)?)
}

/// The texts an event commits to, wherever in its message.
pub(crate) fn committed(event: &Recorded) -> Result<Vec<Uuid>> {
    let message = contract::pool()
        .get_message_by_name(&event.kind)
        .ok_or_else(|| Error::internal(format!("no message {} in the contract", event.kind)))?;
    if !may_commit(&message, 0) {
        return Ok(Vec::new());
    }
    let message =
        DynamicMessage::decode(message, event.data.as_slice()).map_err(Error::internal)?;
    let mut found = Vec::new();
    collect(&message, &mut found)?;
    Ok(found)
}

/// Messages within messages that are looked into; events nest less.
const DEPTH: usize = 8;

pub(crate) fn may_commit(message: &MessageDescriptor, depth: usize) -> bool {
    message.full_name() == TextCommitment::full_name()
        || depth < DEPTH
            && message.fields().any(|field| {
                field.kind().as_message().is_some_and(|inner| may_commit(inner, depth + 1))
            })
}

fn collect(message: &DynamicMessage, found: &mut Vec<Uuid>) -> Result<()> {
    if message.descriptor().full_name() == TextCommitment::full_name() {
        let it = TextCommitment::decode(message.encode_to_vec().as_slice());
        let text_id = it.map_err(Error::internal)?.text_id;
        found.push(Uuid::try_parse(&text_id).map_err(Error::internal)?);
        return Ok(());
    }
    for (_, value) in message.fields() {
        match value {
            Value::Message(inner) => collect(inner, found)?,
            Value::List(list) => {
                for inner in list.iter().filter_map(Value::as_message) {
                    collect(inner, found)?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}
