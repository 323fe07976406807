//! Events that cannot be applied.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use journal::Journals;
use rpc::{Ctx, Reason};
use testkit::{Caller, Database};

use crate::{
    consumer::{Seen, positions, say, start, until, whole},
    notes::{count, open},
};

testkit::both!(
    poison_stops_one_stream_until_it_is_replayed,
    one_event_is_passed_over_and_only_that,
    trouble_of_the_moment_parks_nothing,
    a_type_nobody_knows_stops_the_consumer,
);

async fn poison_stops_one_stream_until_it_is_replayed(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    let seen = Seen::default();
    seen.fails_at("note/1", 2);
    let task = start(&own, &source, &seen, 3);
    for version in 1..=4 {
        for stream in 0..3 {
            say(&source, stream, version).await;
        }
    }
    // One of the three streams is applied up to its poison, the others to the end.
    until("the rest goes on", async || count(own.db()).await == 9).await;
    let parked = own.parked().await.unwrap();
    assert_eq!(parked.len(), 1);
    let it = &parked[0];
    assert_eq!((it.source.as_str(), it.stream.as_str()), ("notes", "note/1"));
    assert_eq!((it.position, it.attempts), (5, 5));
    assert!(it.reason.contains("cannot be digested"), "{}", it.reason);

    let operator = Ctx::system("operator");
    // All or none: it still fails, and stays as it is.
    let failed = own.replay_parked(&operator, "notes", "note/1", "try").await.unwrap_err();
    assert_eq!(failed.reason, Reason::Internal);
    assert_eq!((own.parked().await.unwrap(), count(own.db()).await), (parked, 9));

    seen.recovers();
    let replayed = own.replay_parked(&operator, "notes", "note/1", "mended").await.unwrap();
    assert_eq!((replayed, count(own.db()).await), (3, 12));
    assert_eq!(own.parked().await.unwrap(), []);
    whole(&own, 3, 4).await;
    say(&source, 1, 5).await;
    until("the stream goes on", async || count(own.db()).await == 13).await;
    let gone = own.replay_parked(&operator, "notes", "note/1", "again").await.unwrap_err();
    assert_eq!(gone.reason, Reason::NotFound);

    // Who did it is in the service's own journal, and makes nothing of its state.
    let mut tx = own.db().read().await.unwrap();
    let audit = journal::events(&mut tx, 0, &journal::Filter::default(), 10).await.unwrap();
    assert_eq!(audit.len(), 1);
    let act = audit[0].decode::<contract::journal::ParkedReplayed>().unwrap().unwrap();
    assert_eq!((act.stream.as_str(), act.from_position, act.events), ("note/1", 5, 3));
    assert_eq!(audit[0].actor, "operator");
    drop(tx);
    own.close();
    task.await.unwrap();
}

async fn one_event_is_passed_over_and_only_that(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    let seen = Seen::default();
    seen.fails_at("note/1", 1);
    let task = start(&own, &source, &seen, 1);
    for version in 1..=3 {
        say(&source, 1, version).await;
    }
    until("parked", async || own.parked().await.unwrap().len() == 1).await;
    until("all read", async || positions(&own).await == [3]).await;
    let journals: Journals = [own.clone()].into_iter().collect();
    let (rest, operator) = (journals.rest(), Caller::platform());
    let path = "/v1/journals/follower/parked";
    let listed = operator.get(&rest, path).await;
    assert_eq!(listed.body["parked"][0]["position"], "1", "{listed:?}");
    let skip = |position: u32| serde_json::json!({"source": "notes", "stream": "note/1", "position": position, "reason": "because"});
    let skips = format!("{path}/skips");
    assert_eq!(operator.post(&rest, &skips, skip(2)).await.status, 412);
    let skipped = operator.post(&rest, &skips, skip(1)).await;
    assert_eq!(skipped.body["parkedAtPosition"], "2", "{skipped:?}");
    assert_eq!(count(own.db()).await, 0, "what waited still waits");
    let replay = serde_json::json!({"source": "notes", "stream": "note/1", "reason": "because"});
    let replayed = operator.post(&rest, &format!("{path}/replays"), replay.clone()).await;
    assert_eq!(replayed.body["events"], 2, "{replayed:?}");
    assert_eq!(count(own.db()).await, 2);
    // A trust's credential operates nothing, whatever its scopes.
    let trust = Caller::of(uuid::Uuid::from_u128(1));
    assert_eq!(trust.get(&rest, path).await.status, 403);
    assert_eq!(trust.post(&rest, &format!("{path}/replays"), replay).await.status, 403);
    own.close();
    task.await.unwrap();
}

async fn trouble_of_the_moment_parks_nothing(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    let seen = Seen::default();
    seen.unavailable.store(true, SeqCst);
    let task = start(&own, &source, &seen, 1);
    say(&source, 1, 1).await;
    until("tried often", async || seen.tried.lock().unwrap().len() > 5).await;
    assert_eq!((own.parked().await.unwrap().len(), count(own.db()).await), (0, 0));
    seen.recovers();
    until("applied", async || count(own.db()).await == 1).await;
    own.close();
    task.await.unwrap();
}

async fn a_type_nobody_knows_stops_the_consumer(database: Database) {
    let source = open(&database, "notes").await;
    let own = open(&database, "follower").await;
    say(&source, 1, 1).await;
    let off = match &database {
        Database::Sqlite(_) => "DROP TRIGGER event_no_update",
        Database::Postgres { .. } => "ALTER TABLE event DISABLE TRIGGER USER",
    };
    say(&source, 2, 1).await;
    let change = "UPDATE event SET type = 'headway.registry.v9.Unheard' WHERE position = 2";
    database.as_owner("notes", &[off, change]).await.unwrap();
    say(&source, 3, 1).await;
    let seen = Seen::default();
    let task = start(&own, &source, &seen, 1);
    until("up to there", async || positions(&own).await == [1]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((positions(&own).await, own.parked().await.unwrap().len()), (vec![1], 0));
    own.close();
    task.await.unwrap();
}
