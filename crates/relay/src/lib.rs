//! Carrying the journals' events over NATS `JetStream`.
//!
//! Each service's journal is published to a stream `headway-<service>`, in which an event's sequence is its position
//! in the journal: the server refuses any other, so there can be neither a duplicate nor a hole. The database stays the
//! authority: what the stream loses is published again, and who finds it shorter than its own position asks the
//! service.

mod carry;
mod publish;
mod sole;
mod work;

use std::time::Duration;

use async_nats::{ConnectOptions, jetstream};
use journal::Recorded;
use rpc::{Error, Reason, Result};

pub use carry::Carriage;
pub use work::{Place, Work, work_stream};

/// How long a request to the server may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to NATS; it reconnects by itself.
#[derive(Clone, Debug)]
pub struct Nats {
    client: async_nats::Client,
    jetstream: jetstream::Context,
}

impl Nats {
    /// Connects to a `nats://` URL; a server that does not answer yet is tried again for as long as this lives.
    pub async fn connect(url: &str) -> Result<Self> {
        let client = ConnectOptions::new()
            .name("headway")
            .retry_on_initial_connect()
            .request_timeout(Some(PATIENCE))
            .connect(url)
            .await
            .map_err(unreachable)?;
        tracing::warn!(
            "NATS acknowledges before it flushes unless its jetstream block says `sync_interval: always` \
             (2.10 or newer), or its streams have three replicas: without that a crash of the server can lose what it \
             acknowledged. Events are published again from the database, though other readers may have seen them \
             come and go; parts of batches that wait to be applied are lost"
        );
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(PATIENCE)
            .ack_timeout(PATIENCE)
            .max_ack_inflight(publish::WINDOW * 2)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Ok(Self { client, jetstream })
    }

    /// Removes the stream of a journal that is no more.
    pub async fn remove(&self, service: &str) -> Result<()> {
        self.jetstream.delete_stream(stream_name(service)).await.map(drop).map_err(unreachable)
    }

    /// What brings the events of followed journals.
    pub fn carrier(&self) -> Carriage {
        Carriage::new(self.jetstream.clone())
    }
}

/// The stream of a service's journal.
pub fn stream_name(service: &str) -> String {
    format!("headway-{service}")
}

/// Where an event is published: readers can choose by trust and by type.
pub fn subject(service: &str, event: &Recorded) -> String {
    format!("headway.{service}.{}.{}", event.trust_id, event.kind)
}

fn unreachable(cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(Reason::Unavailable, "NATS does not answer").caused_by(cause)
}
