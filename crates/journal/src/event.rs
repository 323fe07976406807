use chrono::{DateTime, NaiveDate, Utc};
use prost::{Message, Name};
use rpc::{Ctx, Error, Result};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::text::{Text, Texts};

/// An event about to be recorded.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) event_id: Uuid,
    pub(crate) trust_id: Uuid,
    pub(crate) stream: String,
    pub(crate) version: u32,
    pub(crate) kind: String,
    pub(crate) data: Vec<u8>,
    pub(crate) effective_on: Option<NaiveDate>,
    pub(crate) corrects: Option<Uuid>,
    pub(crate) texts: Vec<Text>,
}

impl Draft {
    /// `stream` is `kind/id`; `version` the stream's version after this event, 1 for its first. The nil trust is the
    /// platform itself.
    pub fn new<M: Message + Name>(
        event_id: Uuid,
        trust_id: Uuid,
        stream: impl Into<String>,
        version: u32,
        message: &M,
    ) -> Self {
        Self {
            event_id,
            trust_id,
            stream: stream.into(),
            version,
            kind: M::full_name(),
            data: message.encode_to_vec(),
            effective_on: None,
            corrects: None,
            texts: Vec::new(),
        }
    }

    /// When it holds from in the world.
    #[must_use]
    pub fn effective_on(self, date: NaiveDate) -> Self {
        Self { effective_on: Some(date), ..self }
    }

    /// The event it corrects.
    #[must_use]
    pub fn correcting(self, event_id: Uuid) -> Self {
        Self { corrects: Some(event_id), ..self }
    }

    /// The texts its message commits to, kept beside the log.
    #[must_use]
    pub fn with_texts(self, texts: impl IntoIterator<Item = Text>) -> Self {
        Self { texts: texts.into_iter().collect(), ..self }
    }
}

/// An event as the log holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    pub position: i64,
    pub trust_position: i64,
    pub trust_id: Uuid,
    pub event_id: Uuid,
    pub stream: String,
    pub version: u32,
    /// Full name of the protobuf message in `data`.
    pub kind: String,
    pub data: Vec<u8>,
    pub effective_on: Option<NaiveDate>,
    pub recorded_at: DateTime<Utc>,
    pub corrects: Option<Uuid>,
    pub actor: String,
    pub correlation_id: Uuid,
    pub causation_id: Option<Uuid>,
    /// Empty until [`crate::text::load`] where the event was read from the log.
    pub texts: Texts,
}

impl Recorded {
    /// A draft as its writer says it, its place in the log not given yet.
    pub(crate) fn unplaced(ctx: &Ctx, draft: Draft) -> Self {
        Self {
            position: 0,
            trust_position: 0,
            trust_id: draft.trust_id,
            event_id: draft.event_id,
            stream: draft.stream,
            version: draft.version,
            kind: draft.kind,
            data: draft.data,
            effective_on: draft.effective_on,
            recorded_at: ctx.now,
            corrects: draft.corrects,
            actor: ctx.caller.client_id.clone(),
            correlation_id: ctx.request_id,
            causation_id: ctx.cause,
            texts: draft.texts.into_iter().collect(),
        }
    }

    /// The message, if it is of that type.
    pub fn decode<M: Message + Name + Default>(&self) -> Result<Option<M>> {
        if self.kind != M::full_name() {
            return Ok(None);
        }
        M::decode(self.data.as_slice()).map(Some).map_err(Error::internal)
    }

    /// SHA-256 over what the event says, each part preceded by its length as eight bytes, absent parts empty: the same
    /// event offered again has the same hash. Not over what the log adds: positions, time, request.
    pub fn content_hash(&self) -> [u8; 32] {
        hash(
            &[],
            [
                self.trust_id.as_bytes().as_slice(),
                self.event_id.as_bytes(),
                self.stream.as_bytes(),
                &self.version.to_be_bytes(),
                self.kind.as_bytes(),
                &self.data,
                date(self.effective_on).as_bytes(),
                id(self.corrects.as_ref()),
                self.actor.as_bytes(),
            ],
        )
    }

    /// The event's leaf in the log's Merkle tree (RFC 9162, 2.1.1): SHA-256 over a zero byte and the entry, which is
    /// every column of the event in the same form, the message by its content hash.
    ///
    /// Nobody can guess an event from its leaf: its id alone holds 74 random bits.
    pub fn leaf(&self) -> [u8; 32] {
        self.leaf_over(&self.content_hash())
    }

    /// The leaf of an event whose content hash is known; `data` is not looked at.
    pub(crate) fn leaf_over(&self, content_hash: &[u8]) -> [u8; 32] {
        hash(
            &[0],
            [
                self.position.to_be_bytes().as_slice(),
                self.trust_id.as_bytes(),
                &self.trust_position.to_be_bytes(),
                self.event_id.as_bytes(),
                self.stream.as_bytes(),
                &self.version.to_be_bytes(),
                self.kind.as_bytes(),
                date(self.effective_on).as_bytes(),
                &self.recorded_at.timestamp_micros().to_be_bytes(),
                id(self.corrects.as_ref()),
                self.actor.as_bytes(),
                self.correlation_id.as_bytes(),
                id(self.causation_id.as_ref()),
                content_hash,
            ],
        )
    }
}

fn hash<const N: usize>(prefix: &[u8], parts: [&[u8]; N]) -> [u8; 32] {
    let mut hash = Sha256::new_with_prefix(prefix);
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn date(date: Option<NaiveDate>) -> String {
    date.map(|it| it.to_string()).unwrap_or_default()
}

fn id(id: Option<&Uuid>) -> &[u8] {
    id.map(|it| it.as_bytes().as_slice()).unwrap_or_default()
}
