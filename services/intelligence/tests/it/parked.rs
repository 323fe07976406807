//! Records that wait for their pupils, until they come or the deadline passes.

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::world::{FRIDAY, SECOND_URN, URN, World, enrolment, enrolments, register};

testkit::both!(
    what_waits_is_listed_and_resolved,
    what_waits_too_long_is_rejected_and_dropped,
    a_later_push_has_a_deadline_of_its_own,
    vendors_see_their_own,
);

async fn parked(world: &World, query: &str) -> Vec<Value> {
    let answer = world.get(&format!("parked-records?{query}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["parkedRecords"].as_array().cloned().unwrap_or_default()
}

async fn what_waits_is_listed_and_resolved(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=3, 3))).await;
    let marks = [("p1", "/"), ("p7", "I"), ("p2", "/"), ("p8", "/"), ("p3", "/")];
    let batch = world.push(json!([register(URN, FRIDAY, "AM", &marks)])).await;
    assert_eq!((&batch["parked"], &batch["state"]), (&json!(1), &json!("BATCH_STATE_APPLIED")));
    let listed = parked(&world, &format!("urn={URN}&state=PARKED_STATE_WAITING")).await;
    let it = &listed[0];
    assert_eq!((listed.len(), &it["batchId"]), (1, &batch["batchId"]));
    assert_eq!((&it["line"], &it["urn"], &it["date"]), (&json!(1), &json!(URN), &json!(FRIDAY)));
    assert_eq!(it["externalId"], format!("r-{FRIDAY}-AM"));
    let at = |name: &str| -> chrono::DateTime<chrono::Utc> {
        it[name].as_str().unwrap().parse().unwrap()
    };
    assert_eq!(at("deadline") - at("parkedAt"), TimeDelta::days(14));
    let places: Vec<_> =
        it["waitingFor"].as_array().unwrap().iter().map(|it| &it["pointer"]).collect();
    assert_eq!(places, ["/attendanceRegister/marks/1/pupil", "/attendanceRegister/marks/3/pupil"]);
    assert!(parked(&world, &format!("urn={SECOND_URN}")).await.is_empty());

    world.push(json!([enrolment(URN, "p7", 3)])).await;
    assert_eq!(
        parked(&world, "state=PARKED_STATE_WAITING").await.len(),
        1,
        "one pupil has not come"
    );
    world.push(json!([enrolment(URN, "p8", 3)])).await;
    assert!(parked(&world, "state=PARKED_STATE_WAITING").await.is_empty());
    let resolved = parked(&world, "state=PARKED_STATE_RESOLVED").await;
    assert_eq!((resolved.len(), &resolved[0]["batchId"]), (1, &batch["batchId"]));
    assert!(resolved[0]["settledAt"].is_string());

    // Long after the deadline nothing is taken back of what counts.
    world.app.keep_at(rpc::now() + TimeDelta::days(20)).await.unwrap();
    assert_eq!(world.results(&batch).await[0]["outcome"], "RECORD_OUTCOME_PARKED");
    assert_eq!(world.attendance(FRIDAY).await.1, 5);
}

async fn what_waits_too_long_is_rejected_and_dropped(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    let mut marks: Vec<_> = [1, 2, 3, 4, 5].map(|it| (format!("p{it}"), "/")).to_vec();
    marks.push(("never".to_owned(), "I"));
    let marks: Vec<_> = marks.iter().map(|it| (it.0.as_str(), it.1)).collect();
    let batch = world
        .push(json!([
            register(URN, FRIDAY, "PM", &[("p1", "\\")]),
            register(URN, FRIDAY, "AM", &marks)
        ]))
        .await;
    assert_eq!(batch["state"], "BATCH_STATE_APPLIED");
    let path = format!("/v1/batches/{}", batch["batchId"].as_str().unwrap());
    let read = async || world.vendor().get(&world.rest, &path).await.body;

    let now = rpc::now();
    world.app.keep_at(now + TimeDelta::days(13)).await.unwrap();
    assert_eq!(read().await, batch);
    world.app.keep_at(now + TimeDelta::days(15)).await.unwrap();
    let after = read().await;
    assert_eq!(after["state"], "BATCH_STATE_PARTLY_APPLIED");
    assert_eq!(
        (&after["accepted"], &after["rejected"], &after["parked"]),
        (&json!(1), &json!(1), &json!(0))
    );
    let result = &world.results(&batch).await[1];
    assert_eq!(
        (&result["outcome"], &result["line"]),
        (&json!("RECORD_OUTCOME_REJECTED"), &json!(2))
    );
    assert_eq!(result["problems"][0]["reason"], "ERROR_REASON_PUPIL_UNKNOWN");
    assert_eq!(result["problems"][0]["pointer"], "/attendanceRegister/marks/5/pupil");
    assert!(result["problems"][0]["detail"].as_str().unwrap().contains(FRIDAY), "{result}");
    assert_eq!(parked(&world, "state=PARKED_STATE_EXPIRED").await.len(), 1);
    assert_eq!(world.attendance(FRIDAY).await.1, 6, "what counted stays");
    // Dropped is dropped: the pupil comes too late.
    world.push(json!([enrolment(URN, "never", 3)])).await;
    assert_eq!(world.attendance(FRIDAY).await.1, 6);
    // Again changes nothing.
    world.app.keep_at(now + TimeDelta::days(16)).await.unwrap();
    assert_eq!(read().await, after);
}

async fn a_later_push_has_a_deadline_of_its_own(database: Database) {
    let world = World::new(&database).await;
    let first = world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    let mut tx = world.app.journal().db().begin().await.unwrap();
    // The first push was ten days ago.
    let ten = TimeDelta::days(10);
    let moved = rpc::now() - ten + TimeDelta::days(14);
    db::on!(&mut tx, |c| sqlx::query("UPDATE parked_record SET deadline = $1")
        .bind(moved)
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let second = world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    assert_eq!(second["parked"], 1);
    world.app.keep_at(rpc::now() + TimeDelta::days(5)).await.unwrap();
    assert_eq!(world.results(&first).await[0]["outcome"], "RECORD_OUTCOME_REJECTED");
    assert_eq!(world.results(&second).await[0]["outcome"], "RECORD_OUTCOME_PARKED");
    world.push(json!(enrolments(URN, 1..=1, 3))).await;
    let day = format!(
        "{:?}",
        world
            .observations(&format!(
                "measure=attendance&urn={URN}&periodKind=PERIOD_KIND_DAY&from={FRIDAY}&to={FRIDAY}"
            ))
            .await
    );
    assert!(day.contains("SUPPRESSED"), "the mark is there: {day}");
}

/// threat: T-OTHER-VENDOR
async fn vendors_see_their_own(database: Database) {
    let world = World::new(&database).await;
    world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    let path = format!("/v1/trusts/{}/parked-records", world.trust_id);
    let scopes = [rpc::Scope::RecordsWrite];
    let of = |name: &str| Caller::new(name, rpc::Reach::Trust(world.trust_id), scopes);
    let own = of("mis").get(&world.rest, &path).await.body;
    assert_eq!(own["parkedRecords"].as_array().map(Vec::len), Some(1));
    let others = of("another").get(&world.rest, &path).await.body;
    assert_eq!(others["parkedRecords"].as_array().map_or(0, Vec::len), 0);
    let stranger = Caller::of(world.other_trust_id).get(&world.rest, &path).await;
    assert_eq!(problem(&stranger), "NOT_FOUND");
}
