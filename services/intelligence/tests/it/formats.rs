//! JSON, line-delimited JSON and CSV, and what is wrong with a whole body.

use std::fmt::Write;

use serde_json::json;
use testkit::{Answer, Caller, Database, problem};

use crate::world::{FRIDAY, URN, World, enrolment, enrolments, register};

testkit::both!(
    lines_of_json_are_records,
    csv_is_told_by_its_header,
    a_malformed_body_is_refused_whole,
    limits_are_said,
    a_dry_run_changes_nothing,
    only_the_feeds_client_pushes,
);

async fn send(world: &World, media: &str, body: impl Into<axum::body::Bytes>) -> Answer {
    let headers = [("content-type", media)];
    world.vendor().raw(&world.rest, "POST", &world.batches(), &headers, body).await
}

async fn lines_of_json_are_records(database: Database) {
    let world = World::new(&database).await;
    let mut body = String::new();
    for record in enrolments(URN, 1..=5, 3) {
        write!(body, "{record}\n\n").unwrap();
    }
    body += &register(
        URN,
        FRIDAY,
        "AM",
        &[("p1", "/"), ("p2", "I"), ("p3", "/"), ("p4", "/"), ("p5", "/")],
    )
    .to_string();
    let batch = send(&world, "application/x-ndjson; charset=utf-8", body).await;
    assert_eq!((batch.status.as_u16(), &batch.body["accepted"]), (202, &json!(6)), "{batch:?}");
    let results = world.results(&batch.body).await;
    assert_eq!(results[5]["line"], 11);
    assert_eq!(world.attendance(FRIDAY).await, (4, 5));
}

async fn csv_is_told_by_its_header(database: Database) {
    let world = World::new(&database).await;
    let mut body =
        "\u{feff}External ID,URN,Pupil,Year-Group,starts_on,ends_on,deleted\r\n".to_owned();
    for pupil in 1..=5 {
        write!(body, "e{pupil},{URN},p{pupil},3,2023-09-01,,\r\n").unwrap();
    }
    write!(body, "e6,{URN},p6,three,2023-09-01,,\r\ne7,{URN},p7\r\n").unwrap();
    let batch = send(&world, "text/csv", body).await.body;
    assert_eq!((&batch["accepted"], &batch["rejected"]), (&json!(5), &json!(2)), "{batch}");
    let results = world.results(&batch).await;
    assert_eq!(results[5]["line"], 7);
    assert_eq!(results[5]["problems"][0]["pointer"], "/enrolment/yearGroup");
    assert_eq!(results[6]["problems"][0]["reason"], "ERROR_REASON_FILE_MALFORMED");

    let mut body = "external_id,urn,date,session,pupil,code\n".to_owned();
    for (pupil, code) in [(1, "/"), (2, "I"), (3, "/"), (4, "??"), (5, "L")] {
        writeln!(body, "m{pupil},{URN},{FRIDAY},AM,p{pupil},{code}").unwrap();
    }
    let batch = send(&world, "text/csv", body).await.body;
    assert_eq!((&batch["accepted"], &batch["rejected"]), (&json!(4), &json!(1)), "{batch}");
    assert_eq!(
        world.results(&batch).await[3]["problems"][0]["pointer"],
        "/attendanceRegister/marks/0/code"
    );
    assert_eq!(world.attendance(FRIDAY).await, (0, 0), "four pupils are too few to show");
    send(&world, "text/csv", "external_id,pupil,deleted\nx,p5,true\n").await;

    let lacking = send(&world, "text/csv", "external_id,urn,date,pupil,code\n").await;
    assert_eq!(problem(&lacking), "COLUMN_MISSING");
    assert!(lacking.body["detail"].as_str().unwrap().contains("lacks session"));
    let unknown = send(&world, "text/csv", "external_id,pupil,colour\n").await;
    assert_eq!(unknown.body["errors"][0]["code"], "FIELD_UNKNOWN");
}

async fn a_malformed_body_is_refused_whole(database: Database) {
    let world = World::new(&database).await;
    let broken = send(&world, "application/json", "{\"records\": [\n {\"externalId\": }]}").await;
    assert_eq!(problem(&broken), "BODY_MALFORMED");
    assert!(broken.body["detail"].as_str().unwrap().contains("line 2 column 17"), "{broken:?}");
    let cut = format!("{}\n{{\"externalId\": \"x", enrolment(URN, "p1", 3));
    let cut = send(&world, "application/x-ndjson", cut).await;
    assert_eq!(problem(&cut), "BODY_MALFORMED");
    assert!(
        cut.body["detail"].as_str().unwrap().contains("line 2 column 17 of the body"),
        "{cut:?}"
    );
    for (body, pointer) in [
        ("[]", ""),
        ("{}", "/records"),
        ("{\"records\": {}}", "/records"),
        ("{\"record\": []}", "/record"),
    ] {
        let answer = send(&world, "application/json", body).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID", "{body}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
    assert_eq!(problem(&send(&world, "text/plain", "x").await), "MEDIA_TYPE_UNSUPPORTED");
    let path = format!("{}?dryRum=true", world.batches());
    let answer = world.vendor().post(&world.rest, &path, json!({"records": []})).await;
    assert!(answer.body["errors"][0]["detail"].as_str().unwrap().ends_with("did you mean dryRun?"));
}

async fn limits_are_said(database: Database) {
    let world = World::new(&database).await;
    let sizes = intelligence::domain::Sizes { bytes: 5000, records: 100, ..Default::default() };
    let rest = world.app.clone().taking(sizes, None).rest();
    let headers = [("content-type", "application/x-ndjson")];
    let send = async |body: String| {
        world.vendor().raw(&rest, "POST", &world.batches(), &headers, body).await
    };
    let answer = send("{}\n".repeat(101)).await;
    assert_eq!(problem(&answer), "BODY_TOO_LARGE");
    assert!(answer.body["detail"].as_str().unwrap().contains("100 records"));
    let answer = send(" ".repeat(5001)).await;
    assert_eq!(problem(&answer), "BODY_TOO_LARGE");
    assert!(answer.body["detail"].as_str().unwrap().contains("5000 bytes"));
}

async fn a_dry_run_changes_nothing(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    let marks = [("p1", "/"), ("p2", "I"), ("p3", "/"), ("p4", "/"), ("p5", "/"), ("p6", "/")];
    for name in ["dryRun", "dry_run"] {
        let path = format!("{}?{name}=true", world.batches());
        let body = json!({"records": [register(URN, FRIDAY, "AM", &marks), enrolment(URN, "p7", 20), enrolment(URN, "p8", 3)]});
        let answer = world.vendor().post(&world.rest, &path, body).await;
        assert_eq!(answer.status, 202);
        assert_eq!(answer.body["state"], "BATCH_STATE_VALIDATED");
        assert_eq!(answer.body["dryRun"], true);
        let told = ["accepted", "parked", "rejected"].map(|it| answer.body[it].as_u64().unwrap());
        assert_eq!(told, [1, 1, 1]);
        assert_eq!(world.results(&answer.body).await.len(), 3);
    }
    let body =
        json!({"dryRun": true, "feedId": world.feed_id, "records": [enrolment(URN, "p8", 3)]});
    let answer = world.vendor().post(&world.rest, &world.batches(), body).await;
    assert_eq!(answer.body["state"], "BATCH_STATE_VALIDATED");
    assert_eq!(world.attendance(FRIDAY).await, (0, 0));
    assert_eq!(world.one(enrolment(URN, "p8", 3)).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
}

async fn only_the_feeds_client_pushes(database: Database) {
    let world = World::new(&database).await;
    let body = json!({"records": [enrolment(URN, "p1", 3)]});
    let answer = world.admin().post(&world.rest, &world.batches(), body.clone()).await;
    assert_eq!(problem(&answer), "SCOPE_MISSING");
    let answer = Caller::platform().post(&world.rest, &world.batches(), body.clone()).await;
    assert_eq!(answer.status, 202);
    let path = format!("/v1/batches/{}", answer.body["batchId"].as_str().unwrap());
    assert_eq!(world.vendor().get(&world.rest, &path).await.body, answer.body);
    let reach = rpc::Reach::Trust(world.trust_id);
    let rival = Caller::new("rival", reach, [rpc::Scope::RecordsWrite]);
    assert_eq!(problem(&rival.get(&world.rest, &path).await), "SCOPE_MISSING");
    let stranger = Caller::of(world.other_trust_id).named("mis");
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
    let reader = Caller::new("mis", reach, [rpc::Scope::IntelligenceRead]);
    assert_eq!(problem(&reader.post(&world.rest, &world.batches(), body).await), "SCOPE_MISSING");
    let missing = format!("/v1/feeds/{}/batches", rpc::new_id());
    let answer = world.vendor().post(&world.rest, &missing, json!({"records": []})).await;
    assert_eq!(problem(&answer), "NOT_FOUND");
}
