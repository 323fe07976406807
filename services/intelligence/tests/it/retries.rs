//! Retry anything, in any order: the end is the same.

use chrono::NaiveDate;
use serde_json::{Value, json};
use testkit::Database;

use crate::world::{URN, World, enrolments, register, whole};

testkit::both!(
    a_push_retried_under_its_key_is_the_same_push,
    a_push_sent_again_without_a_key_changes_nothing,
    order_does_not_matter,
    two_processes_lose_nothing_of_each_other,
);

fn friday() -> NaiveDate {
    crate::world::FRIDAY.parse().unwrap()
}

/// Everything the measures say of the school.
async fn picture(world: &World) -> Vec<Value> {
    let mut picture = Vec::new();
    for kind in ["DAY", "WEEK", "TERM", "ACADEMIC_YEAR"] {
        for groups in ["true", "false"] {
            let query = format!(
                "urn={URN}&periodKind=PERIOD_KIND_{kind}&byYearGroup={groups}&from=2025-09-01&to=2025-11-30"
            );
            picture.extend(world.observations(&query).await);
        }
    }
    picture
}

fn everything() -> Vec<Value> {
    let mut records = enrolments(URN, 1..=12, 3);
    records.extend(enrolments(URN, 13..=20, 4));
    for (date, ill) in friday().iter_days().zip([1, 3, 0, 2, 5]) {
        records.push(whole(URN, date, "AM", 20, ill));
        records.push(whole(URN, date, "PM", 20, ill + 1));
    }
    records
}

/// threat: T-REPLAY
async fn a_push_retried_under_its_key_is_the_same_push(database: Database) {
    let world = World::new(&database).await;
    let body = json!({"records": everything()});
    let headers = [("idempotency-key", "night-of-the-21st")];
    let push = async |body: Value| {
        world.vendor().send_with(&world.rest, "POST", &world.batches(), &headers, body).await
    };
    let first = push(body.clone()).await;
    assert_eq!(first.status, 202, "{first:?}");
    for _ in 0..4 {
        assert_eq!(push(body.clone()).await.body, first.body);
    }
    let other = push(json!({"records": enrolments(URN, 1..=1, 3)})).await;
    assert_eq!(testkit::problem(&other), "IDEMPOTENCY_KEY_REUSED");
}

async fn a_push_sent_again_without_a_key_changes_nothing(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(everything())).await;
    let first = picture(&world).await;
    for _ in 0..4 {
        let batch = world.push(json!(everything())).await;
        assert_eq!(batch["unchanged"], batch["records"]);
    }
    assert_eq!(picture(&world).await, first);
}

async fn order_does_not_matter(database: Database) {
    let world = World::new(&database).await;
    let mut records = everything();
    records.reverse();
    for part in records.chunks(3) {
        world.push(json!(part)).await;
    }
    let backwards = picture(&world).await;
    let another = Database::sqlite();
    let straight = World::new(&another).await;
    straight.push(json!(everything())).await;
    assert_eq!(backwards, picture(&straight).await);
    let year = backwards.iter().find(|it| it["denominator"] == 200);
    assert_eq!(year.map(|it| it["numerator"].clone()), Some(json!(173)));
}

/// Two processes share a database and push into the same registers, which are read, changed and written back.
async fn two_processes_lose_nothing_of_each_other(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=20, 3))).await;
    let db = database.open(intelligence::NAME, intelligence::migrations()).await;
    let other = intelligence::App::open(db, [7; 32]).rest();
    let push = async |router: &axum::Router, pupil: u32| {
        let name = format!("p{pupil}");
        let record = register(URN, crate::world::FRIDAY, "AM", &[(name.as_str(), "/")]);
        let body = json!({"records": [record]});
        let answer = world.vendor().post(router, &world.batches(), body).await;
        assert_eq!(answer.body["accepted"], 1, "{answer:?}");
    };
    let here = async {
        for pupil in 1..=10 {
            push(&world.rest, pupil).await;
        }
    };
    let there = async {
        for pupil in 11..=20 {
            push(&other, pupil).await;
        }
    };
    tokio::join!(here, there);
    assert_eq!(world.attendance(crate::world::FRIDAY).await, (20, 20));
}
