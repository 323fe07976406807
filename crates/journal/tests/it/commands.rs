//! Commands decide without the database and are written together; none may notice the others but by what they decided.

use std::collections::HashMap;

use contract::registry::TrustCreated;
use db::{Tx, on};
use futures::future::{BoxFuture, join_all};
use journal::{Aggregate, Decision, Draft, Journal};
use rpc::{Ctx, Error, Idempotency, Reason, Result};
use testkit::Database;
use uuid::Uuid;

use crate::notes::{count, draft, open};

testkit::both!(
    the_same_event_again_is_answered_with_where_it_was,
    an_id_used_for_another_event_is_refused,
    a_stale_version_touches_no_neighbour,
    a_stream_begins_once,
    commands_of_a_group_see_what_was_decided_before_them,
    a_command_that_panics_harms_nobody_else,
    a_retried_command_is_not_decided_again,
    commands_and_operations_mix,
    another_process_is_noticed,
    who_floods_the_queue_leaves_room_for_others,
);

async fn the_same_event_again_is_answered_with_where_it_was(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let again = draft(1, "note/1", 1, "x");
    let first = journal.append(&ctx, again.clone()).await.unwrap();
    journal.append(&ctx, draft(1, "note/1", 2, "y")).await.unwrap();
    let retries = join_all((0..5).map(|_| journal.append(&ctx, again.clone()))).await;
    for retry in retries {
        assert_eq!(retry.unwrap(), first);
    }
    assert_eq!(count(journal.db()).await, 2);
}

async fn an_id_used_for_another_event_is_refused(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let note = |stream: &str, name: &str| {
        let message = TrustCreated { name: name.to_owned(), ..TrustCreated::default() };
        Draft::new(Uuid::from_u128(7), Uuid::from_u128(1), stream, 1, &message)
    };
    journal.append(&ctx, note("note/1", "x")).await.unwrap();
    let good = draft(1, "note/2", 1, "good");
    let (reused, moved, fine) = tokio::join!(
        journal.append(&ctx, note("note/1", "another")),
        journal.append(&ctx, note("note/3", "x")),
        journal.append(&ctx, good),
    );
    assert_eq!(reused.unwrap_err().reason, Reason::AlreadyExists);
    assert_eq!(moved.unwrap_err().reason, Reason::AlreadyExists);
    assert_eq!(fine.unwrap().position, 2);
    let elsewhere = draft(2, "note/4", 1, "another trust has ids of its own");
    assert_eq!(journal.append(&ctx, elsewhere).await.unwrap().trust_position, 1);
}

/// threat: T-MIXED-GROUP
async fn a_stale_version_touches_no_neighbour(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let appends = (0..60).map(|it| {
        let version = if it % 4 == 0 { 7 } else { 1 };
        journal.append(&ctx, draft(1, &format!("note/{it}"), version, "x"))
    });
    let mut positions = Vec::new();
    for (index, appended) in join_all(appends).await.into_iter().enumerate() {
        match appended {
            Ok(receipt) => positions.push(receipt.position),
            Err(error) => {
                assert_eq!((error.reason, index % 4), (Reason::VersionStale, 0), "{error:?}");
            }
        }
    }
    assert_eq!(positions, (1..=45).collect::<Vec<_>>());
    assert_eq!(count(journal.db()).await, 45);
}

async fn a_stream_begins_once(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let begin = |it: u32| journal.append(&ctx, draft(1, &format!("note/{}", it % 3), 1, "x"));
    let outcomes = join_all((0..12).map(begin)).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 3, "{outcomes:?}");
    // A new process remembers nothing of the streams.
    let reopened = open(&database, "notes").await;
    let (refused, fine) = tokio::join!(
        reopened.append(&ctx, draft(1, "note/1", 1, "x")),
        reopened.append(&ctx, draft(1, "note/9", 1, "x")),
    );
    assert_eq!(refused.unwrap_err().reason, Reason::VersionStale);
    assert_eq!(fine.unwrap().position, 4);
}

/// How many notes there are on a subject, which is a trust here.
struct Notes(u32);

impl Aggregate for Notes {
    type Id = u128;

    fn load<'t>(
        tx: &'t mut Tx,
        ids: &'t [Self::Id],
    ) -> BoxFuture<'t, Result<HashMap<Self::Id, Self>>> {
        Box::pin(async move {
            let mut found = HashMap::new();
            for id in ids {
                let count: i64 = on!(&mut *tx, |c| sqlx::query_scalar(
                    "SELECT count(*) FROM event WHERE trust_id = $1"
                )
                .bind(Uuid::from_u128(*id))
                .fetch_one(c)
                .await)?;
                found.insert(*id, Self(u32::try_from(count).unwrap()));
            }
            Ok(found)
        })
    }
}

async fn add(journal: &Journal, ctx: &Ctx, trust: u128, most: u32) -> Result<u32> {
    journal
        .decide(ctx, trust, move |notes: Option<&Notes>| {
            let count = notes.map_or(0, |it| it.0);
            assert_ne!(most, 0, "as asked");
            if count >= most {
                return Err(Error::new(Reason::TransitionNotAllowed, "enough"));
            }
            let draft = draft(trust, &format!("notes/{trust}"), count + 1, "x");
            Ok(Decision { drafts: vec![draft], state: Notes(count + 1), answer: count + 1 })
        })
        .await
}

async fn commands_of_a_group_see_what_was_decided_before_them(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let added = join_all((0..40).map(|it| add(&journal, &ctx, it % 2, 15))).await;
    let mut answers: Vec<u32> = added.into_iter().filter_map(Result::ok).collect();
    answers.sort_unstable();
    assert_eq!(answers, (1..=15).flat_map(|it| [it, it]).collect::<Vec<_>>());
    assert_eq!(count(journal.db()).await, 30);
}

/// threat: T-MIXED-GROUP
async fn a_command_that_panics_harms_nobody_else(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let (one, panicked, two) = tokio::join!(
        add(&journal, &ctx, 1, 9),
        add(&journal, &ctx, 1, 0),
        add(&journal, &ctx, 1, 9),
    );
    assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
    assert_eq!(panicked.unwrap_err().reason, Reason::Internal);
}

async fn a_retried_command_is_not_decided_again(database: Database) {
    let journal = open(&database, "notes").await;
    let keyed = |request: u8| Ctx {
        idempotency: Some(Idempotency { key: "one".to_owned(), request: [request; 32] }),
        ..Ctx::system("test")
    };
    assert_eq!(add(&journal, &keyed(1), 1, 9).await.unwrap(), 1);
    assert_eq!(add(&journal, &keyed(1), 1, 9).await.unwrap(), 1);
    let other = add(&journal, &keyed(2), 1, 9).await.unwrap_err();
    assert_eq!(other.reason, Reason::IdempotencyKeyReused);
    assert_eq!(count(journal.db()).await, 1);
}

async fn commands_and_operations_mix(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let mixed = (0..60).map(|it: u128| {
        let (journal, ctx) = (journal.clone(), ctx.clone());
        async move {
            if it.is_multiple_of(3) {
                let version = if it.is_multiple_of(2) { 1 } else { 5 };
                let draft = draft(it, &format!("note/{it}"), version, "x");
                crate::notes::write(&journal, &ctx, draft).await.map(drop)
            } else {
                add(&journal, &ctx, it, 1).await.map(drop)
            }
        }
    });
    let refused = join_all(mixed).await.into_iter().filter(Result::is_err).count();
    assert_eq!(refused, 10);
    assert_eq!(count(journal.db()).await, 50);
    let (events, flaws) = journal::verify(&journal).await.unwrap();
    assert_eq!((events, flaws), (50, vec![]));
}

async fn another_process_is_noticed(database: Database) {
    let (one, two) = (open(&database, "notes").await, open(&database, "notes").await);
    let ctx = Ctx::system("test");
    for turn in 0..6 {
        let (now, other) = if turn % 2 == 0 { (&one, &two) } else { (&two, &one) };
        let version = turn + 1;
        let receipt = now.append(&ctx, draft(1, "note/1", version, "x")).await.unwrap();
        assert_eq!(receipt.position, i64::from(version));
        let late = other.append(&ctx, draft(1, "note/1", version, "late")).await.unwrap_err();
        assert_eq!(late.reason, Reason::VersionStale);
    }
}

/// threat: T-QUEUE
async fn who_floods_the_queue_leaves_room_for_others(database: Database) {
    let journal = open(&database, "notes").await;
    let (flood, modest) = (Ctx::system("flood"), Ctx::system("modest"));
    let append = |ctx, it: u32| journal.append(ctx, draft(1, &format!("note/{it}"), 1, "x"));
    // All are polled once before any is answered: whoever comes last finds the queue as the others left it.
    let flooding = join_all((0..2000).map(|it| append(&flood, it)));
    let (flooded, modest) = tokio::join!(flooding, append(&modest, 9999));
    modest.unwrap();
    let (kept, refused): (Vec<_>, Vec<_>) = flooded.into_iter().partition(Result::is_ok);
    assert!(kept.len() >= 768 && !refused.is_empty(), "{} kept", kept.len());
    for refused in refused {
        let error = refused.unwrap_err();
        assert_eq!(error.reason, Reason::Overloaded);
        assert!(error.retry_after().is_some());
    }
    assert_eq!(count(journal.db()).await, i64::try_from(kept.len()).unwrap() + 1);
    append(&flood, 9998).await.unwrap();
}
