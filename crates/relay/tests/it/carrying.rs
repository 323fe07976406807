//! A follower that reads from the stream.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU32, Ordering::SeqCst},
};

use db::Tx;
use futures::future::BoxFuture;
use journal::{Carrier, Events, Follower, Handler, Journal, Journals, Recorded, Source};
use relay::{Carriage, Nats, stream_name};
use rpc::{Ctx, Peer, Result};
use testkit::{Caller, Database};

use crate::notes::{connect, last, name, open, say, until};

testkit::both!(
    a_follower_reads_the_stream_and_survives_its_loss,
    a_stream_left_from_another_database_is_not_believed,
);

#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<i64>>>);

impl Handler for Seen {
    fn handle<'t>(
        &'t self,
        _: &'t mut Tx,
        _: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        self.0.lock().unwrap().push(event.position);
        Box::pin(async { Ok(()) })
    }
}

/// Counts how often the stream was read, and how often it could not be.
#[derive(Clone)]
struct Counted {
    carriage: Carriage,
    read: Arc<AtomicU32>,
    refused: Arc<AtomicU32>,
}

impl Carrier for Counted {
    fn events<'a>(&'a self, source: &'a Source, after: i64) -> BoxFuture<'a, Result<Events>> {
        Box::pin(async move {
            let events = self.carriage.events(source, after).await;
            let count = if events.is_ok() { &self.read } else { &self.refused };
            count.fetch_add(1, SeqCst);
            events
        })
    }
}

fn counted(nats: &Nats) -> Counted {
    Counted { carriage: nats.carrier(), read: Arc::default(), refused: Arc::default() }
}

fn peer_of(journal: &Journal) -> Peer {
    let journals: Journals = [journal.clone()].into_iter().collect();
    Caller::platform().peer(tonic::service::Routes::new(journals.grpc()))
}

fn follow(own: &Journal, of: &Journal, by: &Counted, seen: &Seen) -> tokio::task::JoinHandle<()> {
    let source = Source::new(of.service(), peer_of(of)).carried_by(Arc::new(by.clone()));
    tokio::spawn(Follower::new(own.clone(), source, seen.clone()).run())
}

async fn a_follower_reads_the_stream_and_survives_its_loss(database: Database) {
    let mut server = testkit::Nats::start();
    let journal = open(&database, name()).await;
    let own = open(&database, name()).await;
    let nats = Nats::connect(&server.url()).await.unwrap();
    let relay = tokio::spawn(nats.relay(journal.clone()));
    let (seen, carrier) = (Seen::default(), counted(&nats));
    let jetstream = connect(&server.url()).await;
    say(&journal, 300).await;
    until("relayed", async || last(&jetstream, journal.service()).await == 300).await;
    let follower = follow(&own, &journal, &carrier, &seen);
    say(&journal, 300).await;
    until("followed", async || seen.0.lock().unwrap().len() == 600).await;
    assert_eq!((carrier.read.load(SeqCst), carrier.refused.load(SeqCst)), (1, 0));

    // Killed and started again: the stream goes on where it was.
    server.kill();
    say(&journal, 50).await;
    server.restart();
    until("after a restart", async || seen.0.lock().unwrap().len() == 650).await;
    // Forgotten altogether: made again, with the same sequence numbers.
    server.lose();
    server.restart();
    until("made again", async || last(&jetstream, journal.service()).await == 650).await;
    say(&journal, 50).await;
    until("after its loss", async || seen.0.lock().unwrap().len() == 700).await;
    assert_eq!(*seen.0.lock().unwrap(), (1..=700).collect::<Vec<_>>(), "each once, in order");
    journal.close();
    own.close();
    relay.await.unwrap();
    follower.await.unwrap();
}

async fn a_stream_left_from_another_database_is_not_believed(database: Database) {
    let server = testkit::Nats::start();
    let service = name();
    let elsewhere = Database::sqlite();
    let before = open(&elsewhere, service).await;
    let nats = Nats::connect(&server.url()).await.unwrap();
    let jetstream = connect(&server.url()).await;
    say(&before, 10).await;
    let relay = tokio::spawn(nats.relay(before.clone()));
    until("relayed", async || last(&jetstream, service).await == 10).await;
    before.close();
    relay.await.unwrap();

    let journal = open(&database, service).await;
    let own = open(&database, name()).await;
    say(&journal, 30).await;
    let (seen, carrier) = (Seen::default(), counted(&nats));
    let follower = follow(&own, &journal, &carrier, &seen);
    until("read from the service", async || seen.0.lock().unwrap().len() == 30).await;
    assert_eq!((carrier.read.load(SeqCst), carrier.refused.load(SeqCst)), (0, 1));
    own.close();
    follower.await.unwrap();
    jetstream.delete_stream(stream_name(service)).await.unwrap();
}
