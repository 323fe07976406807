//! Partitions shared by leases.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture};
use journal::{Carrier, Events, Follower, Journal, Leases, Recorded, Source};
use rpc::{Peer, Result};
use testkit::Database;

use crate::{
    consumer::{LEASE, Seen, peer_of, positions, run, say, shares, start, until, whole},
    notes::{count, migrations, open},
};

testkit::both!(
    replicas_share_the_work_and_do_it_once,
    a_dead_replica_is_replaced_although_the_clock_was_put_back,
    an_owner_frozen_past_its_lease_changes_nothing,
    leases_that_expire_at_random_lose_and_repeat_nothing,
    the_number_of_partitions_changes_only_at_one_position,
    positions_from_before_partitions_are_kept,
);

async fn replicas_share_the_work_and_do_it_once(database: Database) {
    let source = open(&database, "notes").await;
    let replicas = [open(&database, "follower").await, open(&database, "follower").await];
    let seen = [Seen::default(), Seen::default()];
    let tasks: Vec<_> =
        replicas.iter().zip(&seen).map(|(own, seen)| start(own, &source, seen, 5)).collect();
    until("fair shares", async || shares(&replicas[0]).await == [3, 2]).await;
    for version in 1..=10 {
        for stream in 0..8 {
            say(&source, stream, version).await;
        }
    }
    until("all applied", async || count(replicas[0].db()).await == 80).await;
    whole(&replicas[0], 8, 10).await;
    assert_eq!(replicas[0].parked().await.unwrap(), [], "nothing came out of order");
    assert!(seen.iter().all(|it| !it.tried.lock().unwrap().is_empty()), "both have worked");
    // One stops: the other takes over at once, because leases are given back.
    replicas[1].close();
    until("all with one", async || shares(&replicas[0]).await == [5]).await;
    say(&source, 0, 11).await;
    until("applied", async || count(replicas[0].db()).await == 81).await;
    replicas[0].close();
    for task in tasks {
        task.await.unwrap();
    }
    until("all are free", async || shares(&replicas[0]).await.is_empty()).await;
}

async fn a_dead_replica_is_replaced_although_the_clock_was_put_back(database: Database) {
    let source = open(&database, "notes").await;
    let (dead, alive) = (open(&database, "follower").await, open(&database, "follower").await);
    let (first, second) = (Seen::default(), Seen::default());
    let task = start(&dead, &source, &first, 2);
    until("leased", async || shares(&alive).await == [2]).await;
    task.abort();
    // Seen from now on, its leases end in an hour.
    run(&alive, "UPDATE consumer SET lease_until_ms = lease_until_ms + 3600000").await;
    run(&alive, "UPDATE consumer_worker SET lease_until_ms = lease_until_ms + 3600000").await;
    let task = start(&alive, &source, &second, 2);
    say(&source, 1, 1).await;
    until("applied", async || count(alive.db()).await == 1).await;
    until("it has all", async || shares(&alive).await == [2]).await;
    alive.close();
    task.await.unwrap();
}

/// Gives events when told to, after stopping the whole thread for a while: a process that was frozen.
struct Frozen {
    peer: Peer,
    for_how_long: Duration,
    frozen: Arc<AtomicBool>,
}

impl Carrier for Frozen {
    fn events<'a>(&'a self, _: &'a Source, after: i64) -> BoxFuture<'a, Result<Events>> {
        let (frozen, time) = (Arc::clone(&self.frozen), self.for_how_long);
        let peer = self.peer.clone();
        Box::pin(async move {
            let mut client =
                contract::journal::journal_service_client::JournalServiceClient::new(peer);
            let after = u64::try_from(after).unwrap();
            let request =
                contract::journal::SubscribeRequest { service: "notes".to_owned(), after };
            let events = client.subscribe(request).await.unwrap().into_inner();
            Ok(events
                .map(move |event| {
                    if !frozen.swap(true, SeqCst) {
                        std::thread::sleep(time);
                    }
                    Recorded::try_from(event.unwrap())
                })
                .boxed())
        })
    }
}

async fn an_owner_frozen_past_its_lease_changes_nothing(database: Database) {
    let source = open(&database, "notes").await;
    let healthy = open(&database, "follower").await;
    let (late, prompt) = (Seen::default(), Seen::default());
    let frozen = Arc::new(AtomicBool::new(false));
    let (peer, handler, flag) = (peer_of(&source), late.clone(), Arc::clone(&frozen));
    let again = database.open("follower", migrations()).await;
    let thread = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let own = Journal::open("follower", again, crate::notes::Notes);
            let carrier = Frozen { peer: peer.clone(), for_how_long: LEASE * 5, frozen: flag };
            let source = Source::new("notes", peer).carried_by(Arc::new(carrier));
            let follower = Follower::new(own, source, handler).partitions(3).lease(LEASE);
            drop(tokio::time::timeout(LEASE * 9, follower.run()).await);
        });
    });
    until("leased", async || shares(&healthy).await == [3]).await;
    say(&source, 1, 1).await;
    until("frozen", async || frozen.load(SeqCst)).await;
    let task = start(&healthy, &source, &prompt, 3);
    until("taken over", async || count(healthy.db()).await == 1).await;
    for version in 2..=5 {
        say(&source, 1, version).await;
    }
    until("gone on", async || count(healthy.db()).await == 5).await;
    assert_eq!(late.tried.lock().unwrap().as_slice(), [], "it came too late to try anything");
    thread.join().unwrap();
    // It woke with event 1 in its hands, and was refused before its handler saw it.
    assert!(late.tried.lock().unwrap().iter().all(|it| it.2 > 5), "{late:?}", late = late.tried);
    whole(&healthy, 0, 0).await;
    healthy.close();
    task.await.unwrap();
}

async fn leases_that_expire_at_random_lose_and_repeat_nothing(database: Database) {
    let source = open(&database, "notes").await;
    let replicas = [open(&database, "follower").await, open(&database, "follower").await];
    let seen = [Seen::default(), Seen::default()];
    let mut tasks: Vec<_> =
        replicas.iter().zip(&seen).map(|(own, seen)| start(own, &source, seen, 4)).collect();
    for version in 1..=30_u32 {
        for stream in 0..6 {
            say(&source, stream, version).await;
        }
        match version % 5 {
            // The clock jumps, or leases run out while their holders work.
            1 => run(&replicas[0], "UPDATE consumer SET lease_until_ms = 0").await,
            // One replica dies in the middle of whatever it does, and is started again.
            3 => {
                let one = usize::try_from(version % 2).unwrap();
                tasks[one].abort();
                tasks[one] = start(&replicas[one], &source, &seen[one], 4);
            }
            _ => tokio::time::sleep(Duration::from_millis(30)).await,
        }
    }
    until("all applied", async || count(replicas[0].db()).await == 180).await;
    until("all positions", async || positions(&replicas[0]).await == [180; 4]).await;
    whole(&replicas[0], 6, 30).await;
    assert_eq!(replicas[0].parked().await.unwrap(), [], "nothing came out of order");
    replicas.iter().for_each(Journal::close);
}

async fn the_number_of_partitions_changes_only_at_one_position(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    let seen = Seen::default();
    let once = async |partitions: u16, events: i64| {
        let own = open(&database, "follower").await;
        let task = start(&own, &source, &seen, partitions);
        until("applied", async || count(own.db()).await == events).await;
        until("laid out", async || positions(&own).await == vec![events; partitions.into()]).await;
        own.close();
        task.await.unwrap();
    };
    for stream in 0..6 {
        say(&source, stream, 1).await;
    }
    once(1, 6).await;
    once(4, 6).await;
    run(&own, "UPDATE consumer SET position = 5 WHERE partition = 3").await;
    for stream in 0..6 {
        say(&source, stream, 2).await;
    }
    // Event 6 was handled, or it was not, depending on its partition: two partitions cannot say.
    let task = start(&open(&database, "follower").await, &source, &seen, 2);
    until("four went on", async || {
        let positions = positions(&own).await;
        positions.len() == 4 && positions.iter().all(|it| *it == 12)
    })
    .await;
    task.abort();
}

/// The table as it was is put back, and brought up to date as an update of the release does.
async fn positions_from_before_partitions_are_kept(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    for stream in 0..6 {
        say(&source, stream, 1).await;
    }
    let update = match &database {
        Database::Sqlite(_) => include_str!("../../migrations/sqlite/0003_consumers.sql"),
        Database::Postgres { .. } => include_str!("../../migrations/postgres/0003_consumers.sql"),
    };
    let rights = match &database {
        Database::Sqlite(_) => "SELECT 1",
        Database::Postgres { .. } => {
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA follower TO headway_follower"
        }
    };
    let back = [
        "DROP TABLE parked",
        "DROP TABLE consumer_worker",
        "DROP TABLE consumer",
        "CREATE TABLE consumer (name TEXT PRIMARY KEY, position BIGINT NOT NULL)",
        "INSERT INTO consumer VALUES ('notes', 4)",
        update,
        rights,
    ];
    database.as_owner("follower", &back).await.unwrap();
    let seen = Seen::default();
    let task = start(&own, &source, &seen, 3);
    until("the rest is applied", async || positions(&own).await == [6; 3]).await;
    let tried: Vec<_> = seen.tried.lock().unwrap().iter().map(|it| it.0).collect();
    assert_eq!(tried, [5, 6]);
    own.close();
    task.await.unwrap();
}

/// An effect under several leases takes them in any order; waiting for each other, it and a renewal would be a deadlock.
#[tokio::test]
async fn a_renewal_waits_for_no_effect_and_no_lease_is_taken_under_one() {
    let database = Database::postgres().await;
    let own = open(&database, "follower").await;
    let mut leases = Leases::new(&own, "work", 2, LEASE);
    let held = leases.beat().await.unwrap();
    assert_eq!(held.len(), 2);

    let mut effect = own.db().begin().await.unwrap();
    assert!(Leases::holds(&mut effect, "work", &held[1]).await.unwrap());
    let renewed = tokio::time::timeout(LEASE / 2, leases.beat()).await;
    assert_eq!(renewed.expect("waits for nobody").unwrap(), held);
    assert!(Leases::holds(&mut effect, "work", &held[0]).await.unwrap());

    tokio::time::sleep(LEASE * 2).await;
    let mut other = Leases::new(&own, "work", 2, LEASE);
    assert_eq!(other.beat().await.unwrap(), [], "expired, but in the middle of a commit");
    effect.commit().await.unwrap();
    let taken = other.beat().await.unwrap();
    assert!(!taken.is_empty());
    let mut late = own.db().begin().await.unwrap();
    for it in &taken {
        let before = held.iter().find(|held| held.partition == it.partition).unwrap();
        assert!(!Leases::holds(&mut late, "work", before).await.unwrap(), "gone to another");
    }
}
