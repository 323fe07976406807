use std::time::Duration;

use async_nats::jetstream::message::PublishMessage;
use journal::proof::Keys;
use relay::{Nats, stream_name};
use sqlx::{Connection, PgConnection};
use testkit::{Database, nats_url};

use crate::notes::{connect, last, name, open, same, say, until};

testkit::both!(
    every_event_is_published_at_its_position,
    a_relay_killed_at_any_step_leaves_neither_a_duplicate_nor_a_hole,
    two_relays_at_once_do_no_harm,
    a_relay_keeps_nobody_from_opening_or_signing,
    a_server_that_dies_or_forgets_is_told_again,
    a_stream_of_another_history_is_left_alone,
);

async fn every_event_is_published_at_its_position(database: Database) {
    let journal = open(&database, name()).await;
    say(&journal, 50).await;
    let nats = Nats::connect(&nats_url()).await.unwrap();
    let task = tokio::spawn(nats.relay(journal.clone()));
    say(&journal, 50).await;
    let jetstream = connect(&nats_url()).await;
    until("published", async || last(&jetstream, journal.service()).await == 100).await;
    same(&jetstream, &journal).await;
    let stream = jetstream.get_stream(stream_name(journal.service())).await.unwrap();
    let message = stream.get_raw_message(7).await.unwrap();
    let header = |name: &str| message.headers.get(name).map(ToString::to_string);
    assert_eq!(header("ce-specversion").as_deref(), Some("1.0"));
    assert_eq!(header("ce-sequence").as_deref(), Some("7"));
    assert_eq!(header("ce-type").as_deref(), Some("headway.registry.v1.TrustCreated"));
    let trust = uuid::Uuid::from_u128(1);
    let subject = format!("headway.{}.{trust}.headway.registry.v1.TrustCreated", journal.service());
    assert_eq!(message.subject.as_str(), subject);
    journal.close();
    task.await.unwrap();
}

/// Killed after a time that differs from round to round: before it connects, while it publishes, while it waits for
/// what it published to be acknowledged.
async fn a_relay_killed_at_any_step_leaves_neither_a_duplicate_nor_a_hole(database: Database) {
    let journal = open(&database, name()).await;
    let jetstream = connect(&nats_url()).await;
    for round in 0..25_u64 {
        // A process of its own, as far as NATS can tell.
        let nats = Nats::connect(&nats_url()).await.unwrap();
        let task = tokio::spawn(nats.relay(journal.clone()));
        say(&journal, 40).await;
        tokio::time::sleep(Duration::from_millis(round * 3 % 25)).await;
        task.abort();
    }
    let nats = Nats::connect(&nats_url()).await.unwrap();
    let task = tokio::spawn(nats.relay(journal.clone()));
    until("published", async || last(&jetstream, journal.service()).await == 1000).await;
    same(&jetstream, &journal).await;
    journal.close();
    task.await.unwrap();
}

/// On SQLite nothing stops a second relay; on PostgreSQL the session that holds the right may be lost unawares.
async fn two_relays_at_once_do_no_harm(database: Database) {
    let journal = open(&database, name()).await;
    let jetstream = connect(&nats_url()).await;
    let mut tasks = Vec::new();
    for _ in 0..3 {
        let nats = Nats::connect(&nats_url()).await.unwrap();
        tasks.push(tokio::spawn(nats.relay(journal.clone())));
    }
    for _ in 0..20 {
        say(&journal, 20).await;
        if let Database::Postgres { url } = &database {
            // The one that relays goes on without knowing that another may begin.
            let lost = "SELECT count(pg_terminate_backend(pid)) FROM pg_locks
                        WHERE locktype = 'advisory' AND classid = 7313 AND granted
                          AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
            let mut admin = PgConnection::connect(url).await.unwrap();
            sqlx::query(lost).execute(&mut admin).await.unwrap();
        }
    }
    until("published", async || last(&jetstream, journal.service()).await == 400).await;
    // A stale relay that wakes late offers again what is there already.
    for position in [1, 200, 400] {
        let message = PublishMessage::build()
            .payload("late".into())
            .message_id(rpc::new_id().to_string())
            .expected_last_sequence(position - 1);
        let subject = format!("headway.{}.late", journal.service());
        let refused = jetstream.send_publish(subject, message).await.unwrap().await;
        assert!(refused.is_err(), "{position}");
    }
    same(&jetstream, &journal).await;
    journal.close();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Each of these holds a lock while it is at it, and the relay holds its own for good.
async fn a_relay_keeps_nobody_from_opening_or_signing(database: Database) {
    let service = name();
    let journal = open(&database, service).await;
    let nats = Nats::connect(&nats_url()).await.unwrap();
    let task = tokio::spawn(nats.relay(journal.clone()));
    say(&journal, 3).await;
    let jetstream = connect(&nats_url()).await;
    until("published", async || last(&jetstream, service).await == 3).await;
    let opened = tokio::time::timeout(Duration::from_secs(20), open(&database, service)).await;
    let replica = opened.unwrap();
    let folder = tempfile::tempdir().unwrap();
    replica.guard(Keys::open(folder.path(), Some("test")).unwrap()).await.unwrap();
    replica.sign().await.unwrap();
    let audited = journal::audit(&replica).await.unwrap();
    assert_eq!((audited.events, audited.checkpoints, audited.flaws), (3, 1, vec![]));
    replica.close();
    journal.close();
    task.await.unwrap();
}

async fn a_server_that_dies_or_forgets_is_told_again(database: Database) {
    let mut server = testkit::Nats::start();
    let journal = open(&database, name()).await;
    let nats = Nats::connect(&server.url()).await.unwrap();
    let task = tokio::spawn(nats.relay(journal.clone()));
    let jetstream = connect(&server.url()).await;
    say(&journal, 100).await;
    until("published", async || last(&jetstream, journal.service()).await == 100).await;
    for round in 1..=3_u64 {
        server.kill();
        say(&journal, 100).await;
        server.restart();
        say(&journal, 100).await;
        let all = 100 + round * 200;
        until("published again", async || last(&jetstream, journal.service()).await == all).await;
    }
    same(&jetstream, &journal).await;
    // Everything it had acknowledged is gone, and nothing new happens.
    server.lose();
    server.restart();
    until("made anew", async || last(&jetstream, journal.service()).await == 700).await;
    same(&jetstream, &journal).await;
    journal.close();
    task.await.unwrap();
}

async fn a_stream_of_another_history_is_left_alone(database: Database) {
    let service = name();
    let journal = open(&database, service).await;
    say(&journal, 10).await;
    let nats = Nats::connect(&nats_url()).await.unwrap();
    let task = tokio::spawn(nats.relay(journal.clone()));
    let jetstream = connect(&nats_url()).await;
    until("published", async || last(&jetstream, service).await == 10).await;
    journal.close();
    task.await.unwrap();
    // The same service with another database: a copy put back, a machine set up anew.
    let other = match database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres { .. } => Database::postgres().await,
    };
    let anew = open(&other, service).await;
    say(&anew, 20).await;
    let task = tokio::spawn(nats.relay(anew.clone()));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(last(&jetstream, service).await, 10);
    // Once an operator has deleted it, it is made again.
    jetstream.delete_stream(stream_name(service)).await.unwrap();
    until("made again", async || last(&jetstream, service).await == 20).await;
    same(&jetstream, &anew).await;
    anew.close();
    task.await.unwrap();
}
