//! A service with a journal and a stream of its own, on a server that other tests use too.

use std::time::Duration;

use async_nats::jetstream;
use contract::{journal::Event, registry::TrustCreated};
use db::Tx;
use futures::future::BoxFuture;
use journal::{Draft, Journal, Projection, Recorded};
use prost::Message;
use rpc::{Ctx, Result};
use testkit::Database;
use uuid::Uuid;

struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// A name no other test has: streams are named after services.
pub(crate) fn name() -> &'static str {
    format!("notes{}", rpc::new_id().simple()).leak()
}

pub(crate) async fn open(database: &Database, service: &'static str) -> Journal {
    Journal::open(service, database.open(service, journal::migrations()).await, Nothing)
}

/// Writes so many events, each in a stream of its own.
pub(crate) async fn say(journal: &Journal, events: u32) {
    let writes = (0..events).map(|_| async {
        let id = rpc::new_id();
        let note = TrustCreated { name: "x".to_owned(), ..TrustCreated::default() };
        let draft = Draft::new(id, Uuid::from_u128(1), format!("note/{id}"), 1, &note);
        journal.append(&Ctx::system("test"), draft).await.unwrap();
    });
    futures::future::join_all(writes).await;
}

pub(crate) async fn connect(url: &str) -> jetstream::Context {
    jetstream::new(async_nats::connect(url).await.unwrap())
}

/// What the stream holds, each event at its sequence.
pub(crate) async fn carried(jetstream: &jetstream::Context, service: &str) -> Vec<Event> {
    let Ok(stream) = jetstream.get_stream(relay::stream_name(service)).await else {
        return Vec::new();
    };
    let last = stream.cached_info().state.last_sequence;
    let mut events = Vec::new();
    for sequence in 1..=last {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let event = Event::decode(message.payload).unwrap();
        assert_eq!(event.position, sequence, "sequence is position");
        events.push(event);
    }
    events
}

/// The stream's events are the journal's, every one once.
pub(crate) async fn same(jetstream: &jetstream::Context, journal: &Journal) {
    let mut tx = journal.db().read().await.unwrap();
    let filter = journal::Filter::default();
    let recorded = journal::events(&mut tx, 0, &filter, 100_000).await.unwrap();
    let recorded: Vec<_> = recorded.iter().map(|it| it.event_id.to_string()).collect();
    let carried = carried(jetstream, journal.service()).await;
    let carried: Vec<_> = carried.into_iter().map(|it| it.event_id).collect();
    assert_eq!(carried, recorded);
}

pub(crate) async fn last(jetstream: &jetstream::Context, service: &str) -> u64 {
    match jetstream.get_stream(relay::stream_name(service)).await {
        Ok(stream) => stream.cached_info().state.last_sequence,
        Err(_) => 0,
    }
}

pub(crate) async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(40), waiting).await.is_ok(), "{what}");
}
