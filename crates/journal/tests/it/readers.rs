//! Readers that are fast, slow, stopped and started again, woken and not.

use std::{sync::Arc, time::Duration};

use contract::journal::{SubscribeRequest, journal_service_client::JournalServiceClient};
use futures::StreamExt;
use journal::Journal;
use sqlx::{Connection, PgConnection};
use testkit::{Caller, Database};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::{consumer::say, notes::open};

testkit::both!(
    every_reader_sees_every_event_once_in_order,
    a_trust_that_falls_behind_misses_nothing,
    memory_does_not_grow_behind_a_slow_reader,
    who_leaves_while_beginning_leaves_nothing_open,
);

/// How a reader behaves at an event; different for each reader and event, and the same in every run.
fn dice(reader: u64, position: u64) -> u64 {
    let mut it = (reader + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ position;
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    (it ^ (it >> 27)) % 100
}

/// Reads up to a position; leaves and comes back at random, over gRPC or in process.
async fn read(journal: Journal, reader: u64, last: i64) {
    let mut seen = 0;
    while seen < last {
        let mut events = journal.subscribe(seen).boxed();
        while seen < last {
            let event = events.next().await.unwrap().unwrap();
            assert_eq!(event.position, seen + 1, "reader {reader}");
            seen = event.position;
            match dice(reader, u64::try_from(seen).unwrap()) {
                // Killed, and started again where it had come to.
                0..2 => break,
                2..5 if reader % 2 == 1 => tokio::time::sleep(Duration::from_millis(40)).await,
                _ => {}
            }
        }
    }
}

/// Takes away what wakes readers of other processes' commits.
async fn deafen(database: &Database) {
    if let Database::Postgres { url } = database {
        let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                   WHERE datname = current_database() AND query LIKE 'LISTEN%'";
        let mut admin = PgConnection::connect(url).await.unwrap();
        sqlx::query(sql).execute(&mut admin).await.unwrap();
    }
}

/// Half of the events are written by another process, whose commits wake nobody here once the hints are cut.
async fn every_reader_sees_every_event_once_in_order(database: Database) {
    let journals = [open(&database, "notes").await, open(&database, "notes").await];
    let mut readers = JoinSet::new();
    for reader in 0..6 {
        readers.spawn(read(journals[0].clone(), reader, 600));
    }
    for version in 1..=100_u32 {
        for stream in 0..6 {
            say(&journals[usize::try_from(stream % 2).unwrap()], stream, version).await;
        }
        if version % 20 == 0 {
            deafen(&database).await;
        }
    }
    // Later than the last commit by one nap at the most, whoever was or was not woken.
    let done = async { while readers.join_next().await.transpose().unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_mins(1), done).await.unwrap();
}

async fn a_trust_that_falls_behind_misses_nothing(database: Database) {
    let journal = open(&database, "notes").await;
    // More than a page of each trust is there already.
    for version in 1..=150 {
        futures::future::join_all((0..6).map(|stream| say(&journal, stream, version))).await;
    }
    let mut readers = JoinSet::new();
    for trust in 0..3_u64 {
        let journals: journal::Journals = [journal.clone()].into_iter().collect();
        let caller = Caller::of(Uuid::from_u128(trust.into()));
        let peer = caller.peer(tonic::service::Routes::new(journals.grpc()));
        readers.spawn(async move {
            let mut seen = 0;
            while seen < 500 {
                let request = SubscribeRequest { service: "notes".to_owned(), after: seen };
                let events = JournalServiceClient::new(peer.clone()).subscribe(request).await;
                let mut events = events.unwrap().into_inner();
                while seen < 500 {
                    let event = events.next().await.unwrap().unwrap();
                    assert_eq!(event.position, seen + 1, "trust {trust}");
                    assert_eq!(event.trust_id, Uuid::from_u128(trust.into()).to_string());
                    seen = event.position;
                    match dice(trust, seen) {
                        // Not before it has had a whole page in one go.
                        0..3 if seen > 300 => break,
                        3..6 if trust == 1 => tokio::time::sleep(Duration::from_millis(50)).await,
                        _ => {}
                    }
                }
            }
        });
    }
    for version in 151..=250 {
        for stream in 0..6 {
            say(&journal, stream, version).await;
        }
    }
    let done = async { while readers.join_next().await.transpose().unwrap().is_some() {} };
    tokio::time::timeout(Duration::from_mins(1), done).await.unwrap();
}

/// The newest events are kept once for all; what a slow reader has not taken is not kept for it.
async fn memory_does_not_grow_behind_a_slow_reader(database: Database) {
    let journal = open(&database, "notes").await;
    say(&journal, 0, 1).await;
    let mut slow = journal.subscribe(0).boxed();
    let first = slow.next().await.unwrap().unwrap();
    let held = Arc::downgrade(&first);
    drop(first);
    let mut fast = journal.subscribe(1).boxed();
    for chunk in 0..10_u32 {
        let writes = (0..500).map(|it| say(&journal, 1 + chunk * 500 + it, 1));
        futures::future::join_all(writes).await;
        for _ in 0..500 {
            fast.next().await.unwrap().unwrap();
        }
    }
    assert!(held.upgrade().is_none(), "4096 events later the first is no longer in memory");
    for position in 2..=5001 {
        assert_eq!(slow.next().await.unwrap().unwrap().position, position);
    }
}

/// A connection left in the middle of BEGIN was in a read-only transaction for whoever came next.
async fn who_leaves_while_beginning_leaves_nothing_open(database: Database) {
    let journal = open(&database, "notes").await;
    for version in 1..=150 {
        for patience in [20, 40, 80, 120, 160, 250] {
            let begun = std::time::Instant::now();
            let beginning = journal.db().read();
            tokio::pin!(beginning);
            // Finer than the runtime's timers, which count milliseconds.
            while futures::poll!(&mut beginning).is_pending()
                && begun.elapsed() < Duration::from_micros(patience)
            {
                tokio::task::yield_now().await;
            }
        }
        say(&journal, 1, version).await;
    }
}
