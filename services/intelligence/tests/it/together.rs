//! Pushes that come at the same time are entered together, and each is answered as if it had come alone.

use futures::future::join_all;
use serde_json::{Value, json};
use testkit::Database;

use crate::world::{FRIDAY, SECOND_URN, URN, World, enrolment, register};

testkit::both!(pushes_at_once_are_answered_one_by_one, a_dry_run_among_others_leaves_nothing);

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
