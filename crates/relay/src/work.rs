//! Work that waits in `JetStream`: pieces of batches, kept from before they are acknowledged until their effect is
//! committed. What is to be done next, and by whom, the database says; here is only what it needs for it, so a message
//! that is read twice, or left over, does no harm.

use std::collections::BTreeSet;

use async_nats::{
    HeaderMap,
    jetstream::{
        self,
        message::PublishMessage,
        stream::{
            Config, DiscardPolicy, RawMessageErrorKind, RetentionPolicy, StorageType, Stream,
        },
    },
};
use bytes::Bytes;
use futures::TryStreamExt;
use rpc::{Error, Reason, Result};
use sqlx::types::Uuid;

use crate::{Nats, unreachable};

/// Streams that share the partitions: a server flushes each by itself.
const STREAMS: i32 = 4;
/// What a message has beside its payload, at the most, in bytes.
const HEAD: usize = 1024;

/// The stream of a partition.
pub fn work_stream(partition: i32) -> String {
    format!("HEADWAY_INGEST_{}", partition.rem_euclid(STREAMS))
}

/// Where a piece of work waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub partition: i32,
    pub batch_id: Uuid,
    pub part: u32,
}

impl Place {
    fn subject(&self) -> String {
        format!("headway.ingest.{}.{}.{}", self.partition, self.batch_id, self.part)
    }

    /// Told to the server, which keeps one message of those with the same for two minutes.
    fn message_id(&self) -> String {
        format!("{}-{}", self.batch_id, self.part)
    }
}

/// The work queue of a deployment.
#[derive(Clone, Debug)]
pub struct Work {
    client: async_nats::Client,
    jetstream: jetstream::Context,
}

impl Nats {
    /// The queue, whose streams are made when they are first needed.
    pub fn work(&self) -> Work {
        Work { client: self.client.clone(), jetstream: self.jetstream.clone() }
    }
}

impl Work {
    /// Keeps a piece of work; once this answers, the server has it.
    pub async fn put(
        &self,
        place: &Place,
        headers: &[(&str, String)],
        bytes: Vec<u8>,
    ) -> Result<()> {
        let room = self.client.server_info().max_payload;
        if room > 0 && bytes.len() + HEAD > room {
            let detail = format!(
                "the work queue takes messages of {room} bytes; send smaller records, or have max_payload raised"
            );
            return Err(Error::new(Reason::BodyTooLarge, detail));
        }
        let mut message =
            PublishMessage::build().message_id(place.message_id()).payload(bytes.into());
        for (name, value) in headers {
            message = message.header(*name, value.as_str());
        }
        for attempt in 0.. {
            // A stream that is not there leaves a message without an answer.
            if attempt > 0 {
                self.stream(place.partition).await?;
            }
            let sent = self.jetstream.send_publish(place.subject(), message.clone()).await;
            let acknowledged = sent.map_err(unreachable)?.await;
            match acknowledged {
                Ok(_) => return Ok(()),
                Err(error) if attempt > 0 => return Err(unreachable(error)),
                Err(_) => {}
            }
        }
        Ok(())
    }

    /// A piece of work, and what was said of it; nothing if it is not there.
    pub async fn get(&self, place: &Place) -> Result<Option<(HeaderMap, Bytes)>> {
        let stream = self.stream(place.partition).await?;
        match stream.get_last_raw_message_by_subject(&place.subject()).await {
            Ok(message) => Ok(Some((message.headers, message.payload))),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(unreachable(error)),
        }
    }

    /// Forgets a piece of work that is done.
    pub async fn remove(&self, place: &Place) -> Result<()> {
        self.purge(place.partition, place.subject()).await
    }

    /// Forgets all of a batch.
    pub async fn discard(&self, partition: i32, batch_id: Uuid) -> Result<()> {
        self.purge(partition, format!("headway.ingest.{partition}.{batch_id}.*")).await
    }

    /// The batches of a partition of which something waits.
    pub async fn batches(&self, partition: i32) -> Result<BTreeSet<Uuid>> {
        let stream = self.stream(partition).await?;
        let filter = format!("headway.ingest.{partition}.>");
        let subjects = stream.info_with_subjects(filter).await.map_err(unreachable)?;
        let subjects: Vec<(String, usize)> = subjects.try_collect().await.map_err(unreachable)?;
        let batch = |it: &str| Uuid::try_parse(it.split('.').nth(3)?).ok();
        Ok(subjects.iter().filter_map(|(subject, _)| batch(subject)).collect())
    }

    async fn purge(&self, partition: i32, subject: String) -> Result<()> {
        let stream = self.stream(partition).await?;
        stream.purge().filter(subject).await.map(drop).map_err(unreachable)
    }

    /// The stream, made when there is none. One that is there keeps its limits and replicas: those are the operator's.
    async fn stream(&self, partition: i32) -> Result<Stream> {
        let number = partition.rem_euclid(STREAMS);
        let all = (0..i32::from(u8::MAX)).filter(|it| it.rem_euclid(STREAMS) == number);
        let config = Config {
            name: work_stream(partition),
            description: Some(
                "Headway: pieces of batches that are received and not applied".into(),
            ),
            subjects: all.map(|it| format!("headway.ingest.{it}.>")).collect(),
            retention: RetentionPolicy::WorkQueue,
            // A full stream refuses what comes, rather than lose what it has acknowledged.
            discard: DiscardPolicy::New,
            storage: StorageType::File,
            ..Config::default()
        };
        self.jetstream.get_or_create_stream(config).await.map_err(unreachable)
    }
}
