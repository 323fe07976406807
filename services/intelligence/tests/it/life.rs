//! What a batch goes through, and what is told of its records.

use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{FRIDAY, URN, World, enrolment, enrolments, register};

testkit::both!(
    a_batch_is_received_and_applied_by_events,
    a_dry_run_is_validated_and_stores_nothing,
    results_come_as_a_file_too,
    what_is_kept_for_ninety_days_goes_then,
);

/// The events of a batch, oldest first.
async fn events(world: &World, batch: &Value) -> Vec<(String, u32, Vec<u8>)> {
    let mut tx = world.app.journal().db().read().await.unwrap();
    let stream = format!("batch/{}", batch["batchId"].as_str().unwrap());
    let filter = journal::Filter { stream: Some(stream), ..Default::default() };
    let found = journal::events(&mut tx, 0, &filter, 100).await.unwrap();
    let short = |it: &str| it.rsplit('.').next().unwrap().to_owned();
    found.into_iter().map(|it| (short(&it.kind), it.version, it.data)).collect()
}

async fn a_batch_is_received_and_applied_by_events(database: Database) {
    use contract::intelligence::{BatchApplied, BatchReceived};
    use prost::Message;
    let world = World::new(&database).await;
    let bad = json!({"externalId": "x", "pupl": {}});
    let batch = world.push(json!([enrolment(URN, "p1", 3), bad])).await;
    let told = events(&world, &batch).await;
    let names: Vec<_> = told.iter().map(|it| (it.0.as_str(), it.1)).collect();
    assert_eq!(names, [("BatchReceived", 1), ("BatchApplied", 2)]);
    let received = BatchReceived::decode(told[0].2.as_slice()).unwrap();
    assert_eq!((received.client_id.as_str(), received.format.as_str()), ("mis", "json"));
    assert_eq!((received.records, received.sha256.len()), (Some(2), 32));
    assert!(received.bytes > 100 && received.media_type == "application/json");
    let applied = BatchApplied::decode(told[1].2.as_slice()).unwrap();
    assert_eq!((applied.records, applied.accepted, applied.rejected), (2, 1, 1));

    let path = format!("/v1/batches/{}", batch["batchId"].as_str().unwrap());
    let read = world.vendor().get(&world.rest, &path).await.body;
    assert_eq!(read, batch);
    assert_eq!(read["state"], "BATCH_STATE_PARTLY_APPLIED");
    assert!(read["receivedAt"].is_string() && read["appliedAt"].is_string());
    let empty = testkit::Database::sqlite();
    let empty = match database {
        Database::Sqlite(_) => empty,
        Database::Postgres { .. } => Database::postgres().await,
    };
    let empty = empty.open(intelligence::NAME, intelligence::migrations()).await;
    let compared = journal::rebuild(world.app.journal(), &empty).await.unwrap().tables;
    assert!(compared.iter().all(|it| it.equal), "{compared:?}");
}

async fn a_dry_run_is_validated_and_stores_nothing(database: Database) {
    let world = World::new(&database).await;
    let path = format!("{}?dry_run=true", world.batches());
    let body = json!({"records": [enrolment(URN, "p1", 3)]});
    let batch = world.vendor().post(&world.rest, &path, body).await.body;
    assert_eq!(
        (&batch["state"], &batch["dryRun"]),
        (&json!("BATCH_STATE_VALIDATED"), &json!(true))
    );
    assert_eq!(batch["accepted"], 1);
    assert_eq!(world.push(json!([enrolment(URN, "p1", 3)])).await["accepted"], 1);
}

async fn results_come_as_a_file_too(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=1200, 3);
    records.insert(600, json!({"externalId": "odd, \"one\"", "enrolment": {"urn": URN, "pupil": "p", "yearGroup": 40, "startsOn": "x"}}));
    let batch = world.push(json!(records)).await;
    let path = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
    let fetch = async |accept: &str, query: &str| {
        let headers = [("accept", accept)];
        let path = format!("{path}{query}");
        let answer = world.vendor().raw(&world.rest, "GET", &path, &headers, "").await;
        let text = answer.body.as_str().map_or_else(|| answer.body.to_string(), str::to_owned);
        (answer.headers, text)
    };
    let (headers, text) = fetch("application/x-ndjson", "").await;
    assert_eq!(headers["content-type"], "application/x-ndjson");
    let lines: Vec<Value> = text.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    assert_eq!(lines.len(), 1201);
    let numbers: Vec<_> = lines.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert!(numbers.iter().zip(1..).all(|(it, expected)| *it == expected));
    assert_eq!(lines[600]["problems"][0]["pointer"], "/enrolment/startsOn");

    let (headers, text) = fetch("text/csv", "").await;
    assert!(headers["content-type"].to_str().unwrap().starts_with("text/csv"));
    let rows: Vec<&str> = text.lines().collect();
    assert_eq!(
        rows[0],
        "line,external_id,outcome,pointer,reason,detail,superseded_by_urn,natural_key"
    );
    assert_eq!(rows[1], "1,e-p1,ACCEPTED,,,,,");
    assert!(
        rows[601]
            .starts_with("601,\"odd, \"\"one\"\"\",REJECTED,/enrolment/startsOn,FIELD_INVALID,")
    );
    assert_eq!(rows.len(), 1 + 1200 + 2, "a row for each of two problems");

    let (_, text) = fetch("text/csv", "?outcome=RECORD_OUTCOME_REJECTED").await;
    assert_eq!(text.lines().count(), 3);
    let (_, text) = fetch("text/csv", "?outcome=RECORD_OUTCOME_PARKED").await;
    assert_eq!(text.lines().count(), 1, "the header alone");
    let (_, text) = fetch("application/json", "").await;
    assert!(text.contains("\"results\":["));
    let stranger = testkit::Caller::of(world.other_trust_id).named("mis");
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
}

async fn what_is_kept_for_ninety_days_goes_then(database: Database) {
    let world = World::new(&database).await;
    let batch = world.push(json!([enrolment(URN, "p1", 3)])).await;
    world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    let path = format!("/v1/batches/{}", batch["batchId"].as_str().unwrap());
    let now = rpc::now();
    world.app.keep_at(now + chrono::TimeDelta::days(89)).await.unwrap();
    assert_eq!(world.results(&batch).await.len(), 1);
    world.app.keep_at(now + chrono::TimeDelta::days(91)).await.unwrap();
    assert!(world.results(&batch).await.is_empty());
    assert_eq!(world.vendor().get(&world.rest, &path).await.body, batch, "the batch itself stays");
}
