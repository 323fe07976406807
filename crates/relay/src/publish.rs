//! Publishing a journal. Where to go on is the stream's own last sequence: there is nothing else to keep, and so
//! nothing that could disagree.

use std::{
    future::IntoFuture,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use async_nats::jetstream::{
    self,
    message::PublishMessage,
    stream::{Config, RawMessageErrorKind, StorageType, Stream},
};
use contract::journal::Event;
use futures::{StreamExt, future::BoxFuture, stream::FuturesOrdered};
use journal::{Filter, Journal, Recorded};
use prost::Message;
use rpc::{Error, Result};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::{Nats, sole::Sole, stream_name, subject, unreachable};

/// Events published and not yet acknowledged, at the most.
pub(crate) const WINDOW: usize = 512;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often the right to relay, the lag and, when idle, the stream's end are looked at.
const CHECK: Duration = Duration::from_secs(1);

/// Not known yet.
const UNKNOWN: i64 = -1;

impl Nats {
    /// Publishes every event of a journal until that is closed; trouble is logged and tried again from where the stream
    /// then ends.
    pub fn relay(&self, journal: Journal) -> impl Future<Output = ()> + Send + use<> {
        let jetstream = self.jetstream.clone();
        async move {
            let acked = Arc::new(AtomicI64::new(UNKNOWN));
            tokio::select! {
                () = journal.closed() => {}
                () = keep_publishing(&jetstream, &journal, &acked) => {}
                () = watch(&journal, &acked) => {}
            }
        }
    }
}

async fn keep_publishing(jetstream: &jetstream::Context, journal: &Journal, acked: &AtomicI64) {
    let mut wait = FIRST_WAIT;
    loop {
        let before = acked.load(Relaxed);
        let Err(error) = publish(jetstream, journal, acked).await else { return };
        publishing(journal).set(0);
        let cause = std::error::Error::source(&error).map(ToString::to_string);
        tracing::warn!(service = journal.service(), %error, cause, "will relay again");
        wait = if acked.load(Relaxed) > before { FIRST_WAIT } else { (wait * 2).min(LONGEST_WAIT) };
        sleep(wait).await;
    }
}

/// Publishes from where the stream ends, until something fails or the journal closes.
async fn publish(
    jetstream: &jetstream::Context,
    journal: &Journal,
    acked: &AtomicI64,
) -> Result<()> {
    let mut sole = Sole::acquire(journal.db(), || {
        // Another replica knows; what this one knew is of the past.
        acked.store(UNKNOWN, Relaxed);
        lag(journal, 0, 0.0);
    })
    .await?;
    let service = journal.service();
    let stream = open(jetstream, service).await?;
    let last = last_sequence(&stream).await?;
    same_history(journal, &stream, last).await?;
    acked.store(last, Relaxed);
    publishing(journal).set(1);
    let mut events = journal.subscribe(last).boxed();
    let mut pending: FuturesOrdered<BoxFuture<'_, Result<i64>>> = FuturesOrdered::new();
    let mut check = interval(CHECK);
    check.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            event = events.next(), if pending.len() < WINDOW => {
                let Some(event) = event.transpose()? else { return Ok(()) };
                pending.push_back(send(jetstream, service, &event).await?);
            }
            Some(position) = pending.next() => acked.store(position?, Relaxed),
            _ = check.tick() => {
                sole.check().await?;
                // A server that lost its tail in a crash is told again, also when nothing new happens.
                if pending.is_empty() && last_sequence(&stream).await? != acked.load(Relaxed) {
                    return Err(Error::internal("the stream does not end where it was left"));
                }
            }
        }
    }
}

/// Sends one event; what is given resolves once the stream holds it at its position.
async fn send(
    jetstream: &jetstream::Context,
    service: &'static str,
    event: &Recorded,
) -> Result<BoxFuture<'static, Result<i64>>> {
    let position = event.position;
    let before = u64::try_from(position - 1).map_err(Error::internal)?;
    let message = PublishMessage::build()
        .payload(Event::try_from(event)?.encode_to_vec().into())
        .expected_last_sequence(before)
        // CloudEvents 1.0, binary mode.
        .header("ce-specversion", "1.0")
        .header("ce-id", event.event_id.to_string())
        .header("ce-source", format!("/v1/journals/{service}"))
        .header("ce-type", event.kind.as_str())
        .header("ce-subject", event.stream.as_str())
        .header("ce-time", event.recorded_at.to_rfc3339())
        .header("ce-sequence", position.to_string())
        .header("ce-trustid", event.trust_id.to_string())
        .header("content-type", "application/protobuf; messageType=headway.journal.v1.Event");
    let sent = jetstream.send_publish(subject(service, event), message).await;
    let acknowledgement = sent.map_err(unreachable)?.into_future();
    Ok(Box::pin(async move {
        let sequence = acknowledgement.await.map_err(unreachable)?.sequence;
        if i64::try_from(sequence).ok() != Some(position) {
            return Err(Error::internal(format!(
                "position {position} became sequence {sequence}: somebody else writes to the stream; delete it, and \
                 it is made again"
            )));
        }
        Ok(position)
    }))
}

/// The stream, made when there is none. One that is there keeps its limits and replicas: those are the operator's.
async fn open(jetstream: &jetstream::Context, service: &str) -> Result<Stream> {
    let config = Config {
        name: stream_name(service),
        description: Some(format!(
            "The journal of Headway's {service} service; sequence = position"
        )),
        subjects: vec![format!("headway.{service}.>")],
        storage: StorageType::File,
        deny_delete: true,
        ..Config::default()
    };
    jetstream.get_or_create_stream(config).await.map_err(unreachable)
}

pub(crate) async fn last_sequence(stream: &Stream) -> Result<i64> {
    let info = stream.get_info().await.map_err(unreachable)?;
    i64::try_from(info.state.last_sequence).map_err(Error::internal)
}

/// Refuses to go on a stream that tells of another journal, or of a later state of this one.
async fn same_history(journal: &Journal, stream: &Stream, last: i64) -> Result<()> {
    let theirs = newest(stream, last).await?;
    let mut tx = journal.db().read().await?;
    let ours = journal::events(&mut tx, last - 1, &Filter::default(), 1).await?;
    let ours = ours.first().filter(|it| it.position == last).map(|it| it.event_id.to_string());
    if last > 0 && (ours.is_none() || theirs.is_some_and(|it| Some(it.event_id) != ours)) {
        return Err(Error::internal(format!(
            "the stream's event {last} is not this journal's: was a database put back or exchanged? Delete the \
             stream once its readers can start anew, and it is made again"
        )));
    }
    Ok(())
}

/// The stream's event at its end; nothing when the operator's limits have removed it.
pub(crate) async fn newest(stream: &Stream, last: i64) -> Result<Option<Event>> {
    if last == 0 {
        return Ok(None);
    }
    let sequence = u64::try_from(last).map_err(Error::internal)?;
    match stream.get_raw_message(sequence).await {
        Ok(message) => Event::decode(message.payload).map(Some).map_err(Error::internal),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unreachable(error)),
    }
}

/// Keeps the relay's lag as metrics.
async fn watch(journal: &Journal, acked: &AtomicI64) {
    let mut tick = interval(CHECK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let position = acked.load(Relaxed);
        // A replica that waits for its turn has nothing to say.
        if position == UNKNOWN {
            continue;
        }
        match behind(journal, position).await {
            Ok((positions, seconds)) => lag(journal, positions, seconds),
            Err(error) => {
                tracing::debug!(service = journal.service(), %error, "lag is not known");
            }
        }
    }
}

fn lag(journal: &Journal, positions: u32, seconds: f64) {
    let service = journal.service();
    metrics::gauge!("headway_relay_lag_positions", "service" => service).set(positions);
    metrics::gauge!("headway_relay_lag_seconds", "service" => service).set(seconds);
}

/// 1 in the replica that publishes, while it can.
fn publishing(journal: &Journal) -> metrics::Gauge {
    metrics::gauge!("headway_relay_publishing", "service" => journal.service())
}

async fn behind(journal: &Journal, position: i64) -> Result<(u32, f64)> {
    let head = journal.head().await?;
    let mut tx = journal.db().read().await?;
    let next = journal::events(&mut tx, position, &Filter::default(), 1).await?;
    let waited = next.first().map_or(0.0, |it| (rpc::now() - it.recorded_at).as_seconds_f64());
    Ok((u32::try_from(head - position).unwrap_or(0), waited.max(0.0)))
}
