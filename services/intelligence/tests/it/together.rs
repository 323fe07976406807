//! Pushes that come at the same time are entered together, and each is answered as if it had come alone.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::{Caller, Database};

use crate::world::{FRIDAY, OTHER_URN, SECOND_URN, URN, World, enrolment, register};

testkit::both!(
    pushes_at_once_are_answered_one_by_one,
    pushes_of_trusts_in_turns_are_answered_each_for_itself,
    a_dry_run_among_others_leaves_nothing,
);

async fn pushes_at_once_are_answered_one_by_one(database: Database) {
    let world = World::new(&database).await;
    let pupil = |it: usize| format!("p{it}");
    let pushes = (0..40).map(|it| {
        let urn = if it % 2 == 0 { URN } else { SECOND_URN };
        // Marks before the enrolments, in the same moment; every seventh push is wrong.
        let code = if it % 7 == 0 { "??" } else { "/" };
        let mark = register(urn, FRIDAY, "AM", &[(&pupil(it / 4), code)]);
        let enrolment = enrolment(urn, &pupil(it / 4), 3);
        world.push(if it % 4 < 2 { json!([mark]) } else { json!([enrolment, mark]) })
    });
    for (it, batch) in join_all(pushes).await.iter().enumerate() {
        let told = |name: &str| batch[name].as_u64().unwrap();
        let (wrong, all) = (u64::from(it % 7 == 0), if it % 4 < 2 { 1 } else { 2 });
        assert_eq!((told("records"), told("rejected")), (all, wrong), "{it}: {batch}");
        let others = ["accepted", "unchanged", "corrected", "parked"].map(told);
        assert_eq!(others.iter().sum::<u64>(), all - wrong, "{it}: {batch}");
    }
    assert_eq!(world.attendance(FRIDAY).await, (10, 10));
}

/// Trusts whose pushes queue in turns are entered by trust; every push gets its own batch, and every record its own trust.
async fn pushes_of_trusts_in_turns_are_answered_each_for_itself(database: Database) {
    let world = World::new(&database).await;
    let other = Caller::of(world.other_trust_id).named("mis");
    let feeds = format!("/v1/trusts/{}/feeds", world.other_trust_id);
    let feed = json!({"name": "Theirs", "clientId": "mis", "urns": [], "kinds": ["RECORD_KIND_ENROLMENT"]});
    let made = Caller::of(world.other_trust_id).post(&world.rest, &feeds, feed).await;
    let theirs = made.body["feedId"].as_str().unwrap().to_owned();
    // Nothing is written until all have queued.
    let mut held = world.app.journal().db().begin().await.unwrap();
    if let db::Tx::Postgres(tx) = &mut held {
        sqlx::query("SELECT pg_advisory_xact_lock(7310)").execute(&mut **tx).await.unwrap();
    }
    let pushes = (0..12_usize).map(|number| {
        let (caller, feed_id, urn) = match number % 2 {
            0 => (world.vendor(), world.feed_id.clone(), URN),
            _ => (other.clone(), theirs.clone(), OTHER_URN),
        };
        let records: Vec<_> =
            (0..=number).map(|it| enrolment(urn, &format!("p{number}-{it}"), 3)).collect();
        let (rest, path) = (world.rest.clone(), format!("/v1/feeds/{feed_id}/batches"));
        tokio::spawn(async move {
            let body = json!({"records": records});
            (number, feed_id, caller.post(&rest, &path, body).await)
        })
    });
    let pushes: Vec<_> = pushes.collect();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    held.rollback().await.unwrap();
    for push in pushes {
        let (number, feed_id, answer) = push.await.unwrap();
        assert_eq!(answer.status, 202, "{answer:?}");
        let told = (&answer.body["feedId"], &answer.body["accepted"]);
        assert_eq!(told, (&json!(feed_id), &json!(number + 1)), "{number}: {answer:?}");
    }
}

async fn a_dry_run_among_others_leaves_nothing(database: Database) {
    let world = World::new(&database).await;
    let pushes = (0..20).map(|it| {
        let world = &world;
        async move {
            let path = format!("{}?dryRun={}", world.batches(), it % 3 == 0);
            let body = json!({"records": [enrolment(URN, &format!("p{it}"), 3)]});
            world.vendor().post(&world.rest, &path, body).await.body
        }
    });
    let batches = join_all(pushes).await;
    let dry = |it: &&Value| it["state"] == "BATCH_STATE_VALIDATED";
    assert_eq!(batches.iter().filter(dry).count(), 7);
    for it in 0..20 {
        let batch = world.push(json!([enrolment(URN, &format!("p{it}"), 3)])).await;
        let expected = if it % 3 == 0 { "accepted" } else { "unchanged" };
        assert_eq!(batch[expected], 1, "{it}: {batch}");
    }
}
