//! Reading a journal from its stream.

use async_nats::jetstream::{
    self,
    consumer::{DeliverPolicy, pull::OrderedConfig},
};
use contract::journal::Event;
use futures::{
    StreamExt,
    future::{BoxFuture, ready},
};
use journal::{Carrier, Events, Recorded, Source};
use prost::Message;
use rpc::{Error, Result};

use crate::{publish::newest, stream_name, unreachable};

/// Brings the events of journals that are relayed to `JetStream`.
#[derive(Clone, Debug)]
pub struct Carriage {
    jetstream: jetstream::Context,
}

impl Carrier for Carriage {
    fn events<'a>(&'a self, source: &'a Source, after: i64) -> BoxFuture<'a, Result<Events>> {
        Box::pin(self.read(source, after))
    }
}

impl Carriage {
    pub(crate) fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    async fn read(&self, source: &Source, after: i64) -> Result<Events> {
        let stream = self.jetstream.get_stream(stream_name(source.name())).await;
        let stream = stream.map_err(unreachable)?;
        let state = &stream.cached_info().state;
        let first = i64::try_from(state.first_sequence).map_err(Error::internal)?;
        let last = i64::try_from(state.last_sequence).map_err(Error::internal)?;
        if after > last || after + 1 < first {
            return Err(Error::internal(format!(
                "the stream holds {first} to {last}, and {after} was the last position handled"
            )));
        }
        // One look at the authority: a stream left over from another database would be read in good faith.
        if let Some(newest) = newest(&stream, last).await? {
            let authentic = source.event(last).await?.map(|it| it.event_id.to_string());
            if authentic.as_ref() != Some(&newest.event_id) {
                return Err(Error::internal(format!(
                    "the stream's event {last} is not the one in the journal"
                )));
            }
        }
        let start_sequence = u64::try_from(after + 1).map_err(Error::internal)?;
        let config = OrderedConfig {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence },
            ..OrderedConfig::default()
        };
        let consumer = stream.create_consumer(config).await.map_err(unreachable)?;
        let messages = consumer.messages().await.map_err(unreachable)?;
        Ok(messages
            .map(|message| {
                let message = message.map_err(unreachable)?;
                let sequence = message.info().map_err(Error::internal)?.stream_sequence;
                let event = Event::decode(message.payload.clone()).map_err(Error::internal)?;
                if event.position != sequence {
                    let position = event.position;
                    let text =
                        format!("sequence {sequence} of the stream holds position {position}");
                    return Err(Error::internal(text));
                }
                Recorded::try_from(event)
            })
            // What is wrong once is not read past.
            .scan(false, |failed, event| {
                let before = std::mem::replace(failed, event.is_err());
                ready((!before).then_some(event))
            })
            .boxed())
    }
}
