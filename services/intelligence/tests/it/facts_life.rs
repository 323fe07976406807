//! What becomes of facts beside being pushed: changes told of them, snapshots, names that change, waits that end.

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::Database;

use crate::{
    changes::rest,
    facts::{kinds, record, result, suspension, value},
    world::{FRIDAY, URN, World, enrolment, enrolments},
};

testkit::both!(
    every_kind_tells_of_its_changes,
    a_snapshot_takes_back_what_it_does_not_name,
    a_snapshot_of_some_days_leaves_the_others,
    a_withdrawal_by_snapshot_keeps_the_revision,
    facts_stay_with_a_pupil_named_otherwise,
    a_name_is_not_changed_where_facts_differ,
    a_change_of_a_name_that_came_ahead_finds_facts,
    a_fact_that_waits_too_long_is_dropped,
);

const PATHS: [(&str, &str); 8] = [
    ("suspension", "suspensions"),
    ("assessmentResult", "assessment-results"),
    ("behaviourIncident", "behaviour-incidents"),
    ("staffMember", "staff-members"),
    ("staffAbsence", "staff-absences"),
    ("cover", "cover"),
    ("budgetLine", "budget-lines"),
    ("observation", "observations"),
];

fn reading(pupil: &str, grade: &str) -> Value {
    result(pupil, "gcse_9_1", "maths", "gcse", grade)
}

async fn every_kind_tells_of_its_changes(database: Database) {
    let world = World::new(&database).await;
    world.push(json!([enrolment(URN, "p1", 10)])).await;
    for (kind, base, _) in kinds() {
        let path = PATHS.iter().find(|it| it.0 == kind).unwrap().1;
        world.one(record(kind, &base, &json!({}))).await;
        let (told, after) = rest(&world, path, "", None).await;
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0]["op"], "CHANGE_OP_UPSERT", "{kind}");
        let body = &told[0]["record"][kind];
        for (name, value) in base.as_object().unwrap() {
            let is_named = matches!(name.as_str(), "pupil" | "person");
            assert_eq!(body[name] == *value, !is_named, "{kind}: {name} of {body}");
            assert!(!is_named || body[name].as_str().map(str::len) == Some(32), "{kind}: {body}");
        }
        world.one(record(kind, &base, &json!({"deleted": true}))).await;
        let (told, _) = rest(&world, path, "", Some(after)).await;
        assert_eq!(told.len(), 1, "{kind}");
        assert_eq!(told[0]["op"], "CHANGE_OP_DELETE", "{kind}");
        assert_eq!(told[0]["record"][kind]["deleted"], true, "{kind}: {told:?}");
    }
}

async fn snapshot(world: &World, kind: &str, records: &[Value]) -> Value {
    snapshot_of(world, json!({"kind": kind, "urns": [URN]}), records).await
}

async fn snapshot_of(world: &World, scope: Value, records: &[Value]) -> Value {
    let body = json!({"snapshot": scope, "records": records});
    let answer = world.vendor().post(&world.rest, &world.batches(), body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    answer.body
}

async fn a_snapshot_takes_back_what_it_does_not_name(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=10, 10))).await;
    let of = |number: u32| record("suspension", &suspension(&format!("p{number}")), &json!({}));
    world.push(json!((1..=10).map(of).collect::<Vec<_>>())).await;
    assert_eq!(value(&world, "suspension_rate", "2025-09-01").await, Some(100.0));
    let eight: Vec<_> = (1..=8).map(of).collect();
    let batch = snapshot(&world, "RECORD_KIND_SUSPENSION", &eight).await;
    assert_eq!((&batch["unchanged"], &batch["removed"]), (&json!(8), &json!(2)), "{batch}");
    assert_eq!(value(&world, "suspension_rate", "2025-09-01").await, Some(80.0));
}

async fn a_snapshot_of_some_days_leaves_the_others(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=6, 11))).await;
    let of = |number: u32| reading(&format!("p{number}"), "6");
    let mut records: Vec<_> = (1..=6).map(of).collect();
    let mut later = reading("p1", "9");
    later["assessmentResult"]["subject"] = json!("english_language");
    later["assessmentResult"]["takenOn"] = json!(FRIDAY);
    records.push(later);
    world.push(json!(records)).await;
    let scope =
        json!({"kind": "RECORD_KIND_ASSESSMENT_RESULT", "urns": [URN], "endsOn": "2025-08-31"});
    let batch = snapshot_of(&world, scope, &records[..5]).await;
    assert_eq!((&batch["removed"], &batch["unchanged"]), (&json!(1), &json!(5)), "{batch}");
    let (told, _) = rest(&world, "assessment-results", "", None).await;
    let held = told.iter().filter(|it| it["op"] == "CHANGE_OP_UPSERT").count();
    assert_eq!(held, 6, "five, and the one outside the scope: {told:?}");
}

async fn a_withdrawal_by_snapshot_keeps_the_revision(database: Database) {
    let world = World::new(&database).await;
    let told = |number: u32, revision: u32| {
        let base = json!({"urn": URN, "measure": format!("m{number}"), "startsOn": "2024-09-01",
            "endsOn": "2025-08-31", "source": "dfe", "value": 1, "revision": revision});
        record("observation", &base, &json!({}))
    };
    world.push(json!((1..=5).map(|it| told(it, 2)).collect::<Vec<_>>())).await;
    let four: Vec<_> = (1..=4).map(|it| told(it, 2)).collect();
    let batch = snapshot(&world, "RECORD_KIND_OBSERVATION", &four).await;
    assert_eq!(batch["removed"], 1, "{batch}");
    assert_eq!(world.one(told(5, 1)).await["outcome"], "RECORD_OUTCOME_UNCHANGED");
    let batch = snapshot(&world, "RECORD_KIND_OBSERVATION", &four).await;
    assert_eq!(batch["removed"], 0, "what is withdrawn is not there to be removed: {batch}");
}

async fn facts_stay_with_a_pupil_named_otherwise(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=10, 10))).await;
    let mut records = vec![record("suspension", &suspension("p1"), &json!({}))];
    for kind in ["assessmentResult", "behaviourIncident"] {
        let base = kinds().into_iter().find(|it| it.0 == kind).unwrap().1;
        records.push(record(kind, &base, &json!({})));
    }
    world.push(json!(records)).await;
    let change = json!({"externalId": "k", "pupilKeyChange": {"pupil": "p1", "newPupil": "n1"}});
    assert_eq!(world.one(change).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    for measure in ["suspension_rate", "behaviour_incident_rate"] {
        assert_eq!(value(&world, measure, "2025-09-01").await, Some(10.0), "{measure}");
    }
    for name in ["n1", "p1"] {
        for record in &records {
            let mut again = record.clone();
            let kind = record["externalId"].as_str().unwrap();
            again[kind]["pupil"] = json!(name);
            assert_eq!(
                world.one(again).await["outcome"],
                "RECORD_OUTCOME_UNCHANGED",
                "{kind} of {name}"
            );
        }
    }
}

async fn a_name_is_not_changed_where_facts_differ(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=1, 11))).await;
    world.push(json!([reading("p1", "7"), reading("n1", "4")])).await;
    let change = json!({"externalId": "k", "pupilKeyChange": {"pupil": "p1", "newPupil": "n1"}});
    let refused = world.one(change).await;
    assert_eq!(refused["problems"][0]["reason"], "ERROR_REASON_PUPILS_CONFLICT", "{refused}");
}

async fn a_change_of_a_name_that_came_ahead_finds_facts(database: Database) {
    let world = World::new(&database).await;
    let change = json!({"externalId": "k", "pupilKeyChange": {"pupil": "p1", "newPupil": "n1"}});
    assert_eq!(world.one(change).await["outcome"], "RECORD_OUTCOME_PARKED");
    // No enrolment has come of this pupil, only what happened.
    world.one(record("suspension", &suspension("p1"), &json!({}))).await;
    world.app.keep_at(rpc::now() + TimeDelta::days(15)).await.unwrap();
    let listed = world.get("parked-records?state=PARKED_STATE_RESOLVED").await.body;
    assert_eq!(listed["parkedRecords"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(listed["parkedRecords"][0]["kind"], "RECORD_KIND_PUPIL_KEY_CHANGE", "{listed}");
}

async fn a_fact_that_waits_too_long_is_dropped(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=8, 10))).await;
    let of = |pupil: &str| record("suspension", &suspension(pupil), &json!({}));
    let batch = world.push(json!([of("p10"), of("p11")])).await;
    assert_eq!(batch["parked"], 2);
    world.push(json!([enrolment(URN, "p11", 10)])).await;
    world.app.keep_at(rpc::now() + TimeDelta::days(13)).await.unwrap();
    assert_eq!(world.results(&batch).await[0]["outcome"], "RECORD_OUTCOME_PARKED");
    world.app.keep_at(rpc::now() + TimeDelta::days(15)).await.unwrap();
    let result = world.results(&batch).await.remove(0);
    assert_eq!(result["outcome"], "RECORD_OUTCOME_REJECTED", "{result}");
    assert!(result["problems"][0]["detail"].as_str().unwrap().contains(FRIDAY), "{result}");
    for (state, line) in [("EXPIRED", 1), ("RESOLVED", 2)] {
        let listed = world.get(&format!("parked-records?state=PARKED_STATE_{state}")).await.body;
        assert_eq!(listed["parkedRecords"].as_array().map(Vec::len), Some(1), "{state}: {listed}");
        assert_eq!(listed["parkedRecords"][0]["line"], line, "{state}: {listed}");
    }
    let (changes, _) = rest(&world, "suspensions", "", None).await;
    let ops: Vec<_> = changes.iter().map(|it| it["op"].as_str().unwrap()).collect();
    assert_eq!(ops, ["CHANGE_OP_UPSERT", "CHANGE_OP_DELETE"]);
    world.push(json!([enrolment(URN, "p10", 10)])).await;
    assert_eq!(value(&world, "suspension_rate", "2025-09-01").await, Some(10.0));
}
