//! Pushes that are all there is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use serde_json::{Value, json};
use testkit::{Answer, Database, problem};

use crate::{
    changes::{all, registers_of},
    world::{FRIDAY, SECOND_URN, URN, World, enrolments, register},
};

testkit::both!(
    what_a_snapshot_does_not_name_is_deleted,
    a_snapshot_that_deletes_much_asks,
    a_snapshot_with_a_rejected_record_deletes_nothing,
    a_snapshot_says_its_scope_right,
);

async fn push(world: &World, snapshot: &Value, confirm: Option<u32>, records: &Value) -> Answer {
    let mut body = json!({"snapshot": snapshot, "records": records});
    if let Some(number) = confirm {
        body["confirmRemoval"] = json!(number);
    }
    world.vendor().post(&world.rest, &world.batches(), body).await
}

fn of_enrolments(urn: &str) -> Value {
    json!({"kind": "RECORD_KIND_ENROLMENT", "urns": [urn]})
}

async fn what_a_snapshot_does_not_name_is_deleted(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=10, 3))).await;
    world.push(json!(enrolments(SECOND_URN, 1..=3, 3))).await;
    let marks: Vec<_> = (1..=10).map(|it| (format!("p{it}"), "/")).collect();
    let marks: Vec<_> = marks.iter().map(|it| (it.0.as_str(), it.1)).collect();
    world.push(json!([register(URN, FRIDAY, "AM", &marks)])).await;
    assert_eq!(world.attendance(FRIDAY).await.1, 10);

    let mut rest = enrolments(URN, 1..=8, 3);
    rest.extend(enrolments(URN, 11..=11, 3));
    let answer = push(&world, &of_enrolments(URN), None, &json!(rest)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let batch = answer.body;
    assert_eq!((&batch["unchanged"], &batch["accepted"]), (&json!(8), &json!(1)));
    assert_eq!((&batch["records"], &batch["removed"]), (&json!(9), &json!(2)));
    let results = world.results(&batch).await;
    assert_eq!(results.len(), 11);
    assert_eq!(results[9]["outcome"], "RECORD_OUTCOME_REMOVED");
    assert!(results[10]["naturalKey"].as_str().unwrap().ends_with("/2023-09-01"));
    assert_eq!(world.attendance(FRIDAY).await.1, 8, "their marks count no more");
    assert_eq!(all(&world, "enrolments", &format!("urn={SECOND_URN}")).await.len(), 3);

    // Marks are compared one by one.
    let of_day = json!({"kind": "RECORD_KIND_ATTENDANCE_REGISTER", "urns": [URN], "startsOn": FRIDAY, "endsOn": FRIDAY});
    let answer =
        push(&world, &of_day, Some(2), &json!([register(URN, FRIDAY, "AM", &marks[..8])])).await;
    assert_eq!(answer.body["removed"], 2, "{answer:?}");
    assert_eq!(registers_of(&world).await[0]["marks"].as_array().unwrap().len(), 8);
}

async fn a_snapshot_that_deletes_much_asks(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=10, 3))).await;
    let few = json!(enrolments(URN, 1..=7, 4));
    let answer = push(&world, &of_enrolments(URN), None, &few).await;
    assert_eq!((answer.status.as_u16(), problem(&answer)), (409, "REMOVAL_UNCONFIRMED"));
    assert!(
        answer.body["detail"].as_str().unwrap().contains("3 of the 10 enrolments"),
        "{answer:?}"
    );
    let answer = push(&world, &of_enrolments(URN), Some(2), &few).await;
    assert_eq!(problem(&answer), "REMOVAL_UNCONFIRMED");
    assert_eq!(all(&world, "enrolments", "").await.len(), 10, "nothing was stored");
    let answer = push(&world, &of_enrolments(URN), Some(3), &few).await;
    assert_eq!((&answer.body["removed"], &answer.body["corrected"]), (&json!(3), &json!(7)));
}

async fn a_snapshot_with_a_rejected_record_deletes_nothing(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=10, 3))).await;
    let mut records = enrolments(URN, 1..=9, 3);
    records[4]["enrolment"]["yearGroup"] = json!(40);
    let answer = push(&world, &of_enrolments(URN), None, &json!(records)).await;
    assert_eq!(answer.body["state"], "BATCH_STATE_PARTLY_APPLIED");
    assert_eq!(answer.body["problems"][0]["reason"], "ERROR_REASON_SNAPSHOT_INCOMPLETE");
    let live = all(&world, "enrolments", "").await;
    assert_eq!(live.len(), 10);

    let outside = json!([enrolments(URN, 1..=10, 3), enrolments(SECOND_URN, 1..=1, 3)].concat());
    let answer = push(&world, &of_enrolments(URN), None, &outside).await;
    assert_eq!((&answer.body["unchanged"], &answer.body["rejected"]), (&json!(10), &json!(1)));
}

async fn a_snapshot_says_its_scope_right(database: Database) {
    let world = World::new(&database).await;
    let records = json!(enrolments(URN, 1..=1, 3));
    for (snapshot, pointer) in [
        (json!({"urns": [URN]}), "/snapshot/kind"),
        (json!({"kind": "RECORD_KIND_PUPIL"}), "/snapshot/kind"),
        (json!({"kind": "RECORD_KIND_ENROLMENT", "urns": ["100009"]}), "/snapshot/urns/0"),
        (json!({"kind": "RECORD_KIND_ENROLMENT", "startsOn": "2025-13-01"}), "/snapshot/startsOn"),
        (
            json!({"kind": "RECORD_KIND_ENROLMENT", "startsOn": "2025-09-02", "endsOn": "2025-09-01"}),
            "/snapshot/endsOn",
        ),
    ] {
        let answer = push(&world, &snapshot, None, &records).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID", "{answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
    let path = format!(
        "{}?snapshot.kind=RECORD_KIND_ENROLMENT&snapshot.urns={URN}&confirm_removal=0",
        world.batches()
    );
    let csv = format!("external_id,urn,pupil,year_group,starts_on\ne1,{URN},p1,3,2023-09-01\n");
    let headers = [("content-type", "text/csv")];
    let answer = world.vendor().raw(&world.rest, "POST", &path, &headers, csv).await;
    assert_eq!((answer.status.as_u16(), &answer.body["accepted"]), (202, &json!(1)), "{answer:?}");
}

/// Pupils of the two schools.
type Rolls = BTreeMap<&'static str, BTreeSet<u32>>;

fn records(rolls: &Rolls) -> Vec<Value> {
    let of = |(urn, pupils): (&&'static str, &BTreeSet<u32>)| -> Vec<Value> {
        pupils.iter().flat_map(|it| enrolments(urn, *it..=*it, 3)).collect()
    };
    rolls.iter().flat_map(of).collect()
}

/// A snapshot leaves what deleting everything in its scope and pushing its records would; the rest is as it was.
#[tokio::test]
async fn a_snapshot_is_deleting_all_and_pushing() {
    let pupils = || proptest::collection::btree_set(1_u32..12, 0..9);
    let mut runner = TestRunner::deterministic();
    let strategy = (pupils(), pupils(), pupils().prop_filter("some", |it| !it.is_empty()));
    let database = Database::sqlite();
    for _ in 0..12 {
        let (first, second, pushed) = strategy.new_tree(&mut runner).unwrap().current();
        let world = World::new(&database).await;
        let before = Rolls::from([(URN, first.clone()), (SECOND_URN, second.clone())]);
        let before = records(&before);
        if !before.is_empty() {
            world.push(json!(before)).await;
        }
        let gone = u32::try_from(first.difference(&pushed).count()).unwrap();
        let body = json!(records(&Rolls::from([(URN, pushed.clone())])));
        let answer = push(&world, &of_enrolments(URN), Some(gone), &body).await;
        assert_eq!(answer.body["removed"], gone, "{answer:?}");
        assert_eq!(all(&world, "enrolments", &format!("urn={URN}")).await.len(), pushed.len());
        assert_eq!(
            all(&world, "enrolments", &format!("urn={SECOND_URN}")).await.len(),
            second.len()
        );
    }
}
