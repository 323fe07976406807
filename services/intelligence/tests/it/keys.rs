//! Pupils whose vendor names them otherwise.

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::Database;

use crate::{
    changes::all,
    world::{FRIDAY, SECOND_URN, URN, World, enrolment, enrolments, register},
};

testkit::both!(
    history_stays_with_the_pupil,
    two_ids_of_a_school_become_one,
    what_conflicts_is_named,
    a_change_may_come_before_the_pupil,
);

fn change(pupil: &str, new_pupil: &str) -> Value {
    json!({"externalId": "k", "pupilKeyChange": {"pupil": pupil, "newPupil": new_pupil}})
}

fn five(codes: [&str; 5]) -> Value {
    let names = ["p1", "p2", "p3", "p4", "p5"];
    let marks: Vec<_> = names.into_iter().zip(codes).collect();
    register(URN, FRIDAY, "AM", &marks)
}

async fn history_stays_with_the_pupil(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    world.push(json!([enrolment(SECOND_URN, "p1", 3)])).await;
    world.push(json!([five(["I", "/", "/", "/", "/"])])).await;
    assert_eq!(world.one(change("p1", "n1")).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(world.one(change("p1", "n1")).await["outcome"], "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(world.attendance(FRIDAY).await, (4, 5));
    // The mark is the new id's: saying it again changes nothing, under either name.
    for name in ["n1", "p1"] {
        let again = world.one(register(URN, FRIDAY, "AM", &[(name, "I")])).await;
        assert_eq!(again["outcome"], "RECORD_OUTCOME_UNCHANGED", "{name}");
    }
    assert_eq!(all(&world, "enrolments", "").await.len(), 6);
    assert_eq!(
        world.one(register(URN, FRIDAY, "AM", &[("n1", "/")])).await["outcome"],
        "RECORD_OUTCOME_CORRECTED"
    );
    assert_eq!(world.attendance(FRIDAY).await, (5, 5));
    assert_eq!(world.one(change("n1", "m1")).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(
        world.one(register(URN, FRIDAY, "AM", &[("p1", "/")])).await["outcome"],
        "RECORD_OUTCOME_UNCHANGED",
        "a change of a change"
    );
    let told = world.get("changes/enrolments").await.body;
    let ops: Vec<_> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|it| it["op"] == "CHANGE_OP_KEY_CHANGE")
        .collect();
    assert_eq!(ops.len(), 2);
    assert_eq!(
        ops[0]["record"]["pupilKeyChange"]["newPupil"],
        ops[1]["record"]["pupilKeyChange"]["pupil"]
    );
    let back = world.one(change("m1", "p1")).await;
    assert_eq!(back["problems"][0]["reason"], "ERROR_REASON_PUPILS_CONFLICT");
}

async fn two_ids_of_a_school_become_one(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    world.push(json!([five(["I", "/", "/", "/", "/"])])).await;
    // The new system began with a roll of its own.
    world.push(json!([enrolment(URN, "n1", 3)])).await;
    let afternoon = [("n1", "\\"), ("p2", "\\"), ("p3", "\\"), ("p4", "\\"), ("p5", "\\")];
    world.push(json!([register(URN, FRIDAY, "PM", &afternoon)])).await;
    assert_eq!(world.attendance(FRIDAY).await, (9, 10));
    assert_eq!(world.one(change("p1", "n1")).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(world.attendance(FRIDAY).await, (9, 10));
    assert_eq!(all(&world, "enrolments", "").await.len(), 5);
    let query = format!(
        "measure=persistent_absence&urn={URN}&periodKind=PERIOD_KIND_WEEK&from=2025-11-17&to=2025-11-17"
    );
    let week = world.observations(&query).await;
    assert_eq!(week[0]["denominator"], 5, "five pupils, not six: {week:?}");
}

async fn what_conflicts_is_named(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    world.push(json!([enrolment(URN, "n1", 4)])).await;
    world
        .push(json!([
            five(["I", "/", "/", "/", "/"]),
            register(URN, FRIDAY, "PM", &[("n1", "\\")])
        ]))
        .await;
    world.push(json!([register(URN, FRIDAY, "AM", &[("n1", "/")])])).await;
    let before = world.attendance(FRIDAY).await;
    let refused = world.one(change("p1", "n1")).await;
    assert_eq!(refused["outcome"], "RECORD_OUTCOME_REJECTED");
    let problems = refused["problems"].as_array().unwrap();
    assert_eq!(problems.len(), 2, "{refused}");
    assert!(problems.iter().all(|it| it["reason"] == "ERROR_REASON_PUPILS_CONFLICT"));
    assert!(problems[1]["detail"].as_str().unwrap().contains(&format!("{FRIDAY} AM")), "{refused}");
    assert_eq!(world.attendance(FRIDAY).await, before);
    // Once they agree, they become one.
    world.push(json!([enrolment(URN, "n1", 3), register(URN, FRIDAY, "AM", &[("n1", "I")])])).await;
    assert_eq!(world.one(change("p1", "n1")).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
}

async fn a_change_may_come_before_the_pupil(database: Database) {
    let world = World::new(&database).await;
    assert_eq!(world.one(change("p1", "n1")).await["outcome"], "RECORD_OUTCOME_PARKED");
    assert_eq!(world.one(change("x1", "x2")).await["outcome"], "RECORD_OUTCOME_PARKED");
    let listed = world.get("parked-records?state=PARKED_STATE_WAITING").await.body;
    assert_eq!(listed["parkedRecords"].as_array().map(Vec::len), Some(2));
    assert_eq!(listed["parkedRecords"][0]["waitingFor"][0]["pointer"], "/pupilKeyChange/pupil");
    world.push(json!(enrolments(URN, 1..=1, 3))).await;
    let again = world.one(enrolment(URN, "n1", 3)).await;
    assert_eq!(again["outcome"], "RECORD_OUTCOME_UNCHANGED", "it came under the old id");

    world.app.keep_at(rpc::now() + TimeDelta::days(15)).await.unwrap();
    let of = async |state: &str| {
        let answer = world.get(&format!("parked-records?state=PARKED_STATE_{state}")).await;
        answer.body["parkedRecords"].as_array().map_or(0, Vec::len)
    };
    assert_eq!((of("RESOLVED").await, of("EXPIRED").await, of("WAITING").await), (1, 1, 0));
    // What expired holds no more.
    world.push(json!([enrolment(URN, "x1", 3)])).await;
    assert_eq!(world.one(enrolment(URN, "x2", 3)).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
}
