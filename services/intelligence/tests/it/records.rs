//! What becomes of single records.

use serde_json::{Value, json};
use testkit::Database;

use crate::world::{
    FRIDAY, OTHER_URN, SECOND_URN, URN, World, days_ago, details, enrolment, enrolments, register,
};

testkit::both!(
    marks_wait_for_their_pupils_and_then_count,
    the_latest_mark_wins_and_the_measure_follows,
    enrolments_and_pupils_can_be_taken_back,
    codes_are_those_of_the_day,
    each_record_stands_or_falls_by_itself,
    a_converted_school_keeps_its_series,
    a_merged_school_takes_nothing_after_it_closed,
    a_feed_speaks_only_for_its_schools_and_kinds,
);

fn ten(codes: &[&str]) -> Value {
    let names: Vec<_> = (1..=codes.len()).map(|it| format!("p{it}")).collect();
    let marks: Vec<_> = names.iter().map(String::as_str).zip(codes.iter().copied()).collect();
    register(URN, FRIDAY, "AM", &marks)
}

async fn marks_wait_for_their_pupils_and_then_count(database: Database) {
    let world = World::new(&database).await;
    let result = world.one(ten(&["/", "/", "I", "/", "/", "/"])).await;
    assert_eq!(result["outcome"], "RECORD_OUTCOME_PARKED");
    assert_eq!(result["problems"][2]["pointer"], "/attendanceRegister/marks/2/pupil");
    assert_eq!(result["problems"][2]["reason"], "ERROR_REASON_PUPIL_UNKNOWN");
    assert_eq!(world.attendance(FRIDAY).await, (0, 0));

    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    assert_eq!(world.attendance(FRIDAY).await, (4, 5));
    assert_eq!(
        world.one(ten(&["/", "/", "I", "/", "/", "/"])).await["outcome"],
        "RECORD_OUTCOME_PARKED"
    );
    // Pupil and mark in one batch, the mark first: nothing waits at the end of it.
    let batch =
        world.push(json!([ten(&["/", "/", "I", "/", "/", "I"]), enrolment(URN, "p6", 3)])).await;
    assert_eq!(
        (&batch["corrected"], &batch["accepted"], &batch["state"]),
        (&json!(1), &json!(1), &json!("BATCH_STATE_APPLIED"))
    );
    assert_eq!(world.attendance(FRIDAY).await, (4, 6));
}

async fn the_latest_mark_wins_and_the_measure_follows(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=6, 3))).await;
    let outcome = async |record| world.one(record).await["outcome"].clone();
    assert_eq!(outcome(ten(&["/"; 6])).await, "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(world.attendance(FRIDAY).await, (6, 6));
    assert_eq!(outcome(ten(&["/"; 6])).await, "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(
        outcome(register(URN, FRIDAY, "AM", &[("p2", "N")])).await,
        "RECORD_OUTCOME_CORRECTED"
    );
    assert_eq!(world.attendance(FRIDAY).await, (5, 6));
    let mut gone = register(URN, FRIDAY, "AM", &[("p2", "")]);
    gone["attendanceRegister"]["marks"][0]["deleted"] = json!(true);
    assert_eq!(outcome(gone.clone()).await, "RECORD_OUTCOME_CORRECTED");
    assert_eq!(outcome(gone).await, "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(world.attendance(FRIDAY).await, (5, 5));
    assert_eq!(
        outcome(register(URN, FRIDAY, "AM", &[("p3", "X")])).await,
        "RECORD_OUTCOME_CORRECTED"
    );
    assert_eq!(
        outcome(register(URN, FRIDAY, "PM", &[("p3", "\\")])).await,
        "RECORD_OUTCOME_ACCEPTED"
    );
    assert_eq!(world.attendance(FRIDAY).await, (5, 5));
}

async fn enrolments_and_pupils_can_be_taken_back(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=8, 3))).await;
    world.push(json!([ten(&["/", "I", "/", "/", "/", "/", "/", "/"])])).await;
    assert_eq!(world.attendance(FRIDAY).await, (7, 8));

    let mut left = enrolment(URN, "p1", 3);
    left["enrolment"]["endsOn"] = json!("2025-11-20");
    assert_eq!(world.one(left.clone()).await["outcome"], "RECORD_OUTCOME_CORRECTED");
    assert_eq!(world.attendance(FRIDAY).await, (6, 7));
    left["enrolment"].as_object_mut().unwrap().remove("endsOn");
    world.push(json!([left])).await;
    assert_eq!(world.attendance(FRIDAY).await, (7, 8));

    let mut deleted = enrolment(URN, "p2", 3);
    deleted["enrolment"]["deleted"] = json!(true);
    assert_eq!(world.one(deleted.clone()).await["outcome"], "RECORD_OUTCOME_CORRECTED");
    assert_eq!(world.one(deleted).await["outcome"], "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(world.attendance(FRIDAY).await, (7, 7));

    let forget = json!({"externalId": "f", "pupil": {"pupil": "p3", "deleted": true}});
    assert_eq!(world.one(forget.clone()).await["outcome"], "RECORD_OUTCOME_CORRECTED");
    assert_eq!(world.one(forget).await["outcome"], "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(world.attendance(FRIDAY).await, (6, 6));
    // Forgotten means forgotten: the enrolment alone does not bring the marks back.
    assert_eq!(world.one(enrolment(URN, "p3", 3)).await["outcome"], "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(world.attendance(FRIDAY).await, (6, 6));

    // A moved year group takes the marks along.
    world.push(json!([enrolment(URN, "p4", 4)])).await;
    let query = format!(
        "measure=attendance&urn={URN}&periodKind=PERIOD_KIND_WEEK&byYearGroup=true&from=2025-11-17&to=2025-11-17"
    );
    let groups = world.observations(&query).await;
    let groups: Vec<_> = groups.iter().map(|it| it["yearGroup"].as_i64().unwrap()).collect();
    assert_eq!(groups, [3, 4]);
}

async fn codes_are_those_of_the_day(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=2, 3))).await;
    for code in ["H", "J", "Y"] {
        let before = world.one(register(URN, "2024-07-18", "AM", &[("p1", code)])).await;
        assert_ne!(before["outcome"], "RECORD_OUTCOME_REJECTED", "{before}");
        let after = world.one(register(URN, "2024-09-05", "AM", &[("p1", code)])).await;
        assert_eq!(after["outcome"], "RECORD_OUTCOME_REJECTED");
        assert_eq!(after["problems"][0]["reason"], "ERROR_REASON_CODE_UNKNOWN");
        assert!(after["problems"][0]["detail"].as_str().unwrap().contains("2024-08-18"), "{after}");
    }
    let bad = world.one(register(URN, FRIDAY, "AM", &[("p1", "/"), ("p2", "?")])).await;
    assert_eq!(bad["outcome"], "RECORD_OUTCOME_REJECTED");
    assert_eq!(bad["problems"][0]["pointer"], "/attendanceRegister/marks/1/code");
    assert!(bad["problems"][0]["detail"].as_str().unwrap().contains("C C1 C2 E I J1"), "{bad}");
    assert_eq!(
        world.attendance(FRIDAY).await,
        (0, 0),
        "a register with one bad mark is rejected whole"
    );

    let codes = world.vendor().get(&world.rest, "/v1/attendance-codes?on=2026-11-20").await.body;
    assert_eq!(codes["codes"].as_array().unwrap().len(), 34);
    let codes = world.vendor().get(&world.rest, "/v1/attendance-codes").await.body;
    assert_eq!(codes["codes"].as_array().unwrap().len(), 37);
}

async fn each_record_stands_or_falls_by_itself(database: Database) {
    let world = World::new(&database).await;
    let future = (days_ago(0) + chrono::Days::new(1)).to_string();
    let batch = world
        .push(json!([
            enrolment(URN, "p1", 3),
            register(URN, &future, "AM", &[("p1", "/")]),
            register(URN, FRIDAY, "EVE", &[("p1", "/")]),
            register(URN, FRIDAY, "AM", &[("p2", "?"), ("p1", "/"), ("p1", "I")]),
            enrolment(URN, "p2", 15),
            register(OTHER_URN, FRIDAY, "AM", &[("p1", "/")]),
            {"externalId": "x", "pupl": {"pupil": "p1"}},
            {"externalId": "y"},
            register(URN, FRIDAY, "AM", &[("p1", "/")]),
        ]))
        .await;
    assert_eq!(batch["state"], "BATCH_STATE_PARTLY_APPLIED");
    assert_eq!(
        (&batch["records"], &batch["accepted"], &batch["rejected"]),
        (&json!(9), &json!(2), &json!(7))
    );
    let results = world.results(&batch).await;
    let problem = |index: usize| {
        let it = &results[index]["problems"][0];
        (it["pointer"].as_str().unwrap_or("").to_owned(), it["reason"].as_str().unwrap().to_owned())
    };
    let of = |pointer: &str, reason: &str| (pointer.to_owned(), format!("ERROR_REASON_{reason}"));
    assert_eq!(problem(1), of("/attendanceRegister/date", "DATE_IN_FUTURE"));
    assert_eq!(problem(2), of("/attendanceRegister/session", "FIELD_INVALID"));
    assert_eq!(problem(3), of("/attendanceRegister/marks/0/code", "CODE_UNKNOWN"));
    assert_eq!(results[3]["problems"][1]["pointer"], "/attendanceRegister/marks/2/pupil");
    assert_eq!(problem(4), of("/enrolment/yearGroup", "FIELD_INVALID"));
    assert_eq!(problem(5), of("/attendanceRegister/urn", "SCHOOL_UNKNOWN"));
    assert_eq!(problem(6), of("/pupl", "FIELD_UNKNOWN"));
    assert!(results[6]["problems"][0]["detail"].as_str().unwrap().ends_with("did you mean pupil?"));
    assert_eq!(problem(7), of("", "FIELD_REQUIRED"));
    let lines: Vec<_> = results.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, [1, 2, 3, 4, 5, 6, 7, 8, 9]);

    let batch_id = batch["batchId"].as_str().unwrap();
    let path = format!("/v1/batches/{batch_id}/results?outcome=RECORD_OUTCOME_REJECTED&pageSize=4");
    let first = world.vendor().get(&world.rest, &path).await.body;
    let token = first["nextPageToken"].as_str().unwrap();
    let rest = world.vendor().get(&world.rest, &format!("{path}&pageToken={token}")).await.body;
    assert_eq!(rest["results"].as_array().unwrap().len(), 3);
    assert!(rest.get("nextPageToken").is_none());
}

async fn a_converted_school_keeps_its_series(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    world
        .push(json!([register(
            URN,
            "2025-11-20",
            "AM",
            &[("p1", "/"), ("p2", "/"), ("p3", "/"), ("p4", "/"), ("p5", "/")]
        )]))
        .await;
    let converted = contract::registry::SchoolConverted {
        school_id: world.school_id.to_string(),
        previous_urn: URN.to_owned(),
        details: Some(details("150001")),
    };
    world.tell(world.trust_id, None, converted).await;
    let result = world.one(ten(&["/", "/", "/", "/", "I"])).await;
    assert_eq!(result["outcome"], "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(result["supersededByUrn"], "150001");
    let result = world.one(register("150001", FRIDAY, "PM", &[("p1", "\\")])).await;
    assert!(result.get("supersededByUrn").is_none());
    let query =
        "measure=attendance&urn=150001&periodKind=PERIOD_KIND_WEEK&from=2025-11-17&to=2025-11-17";
    let week = world.observations(query).await;
    assert_eq!((&week[0]["numerator"], &week[0]["denominator"]), (&json!(10), &json!(11)));
    assert_eq!(week[0]["urn"], "150001");
}

async fn a_merged_school_takes_nothing_after_it_closed(database: Database) {
    let world = World::new(&database).await;
    let merged = contract::registry::SchoolMerged {
        school_id: world.school_id.to_string(),
        urn: URN.to_owned(),
        into_school_id: world.second_school_id.to_string(),
        into_urn: SECOND_URN.to_owned(),
    };
    world.tell(world.trust_id, Some("2025-08-31".parse().unwrap()), merged).await;
    let after = world.one(ten(&["/"])).await;
    assert_eq!(after["problems"][0]["reason"], "ERROR_REASON_SCHOOL_CLOSED");
    assert!(after["problems"][0]["detail"].as_str().unwrap().contains(SECOND_URN));
    let before = world.one(register(URN, "2025-07-10", "AM", &[("p1", "/")])).await;
    assert_eq!(before["outcome"], "RECORD_OUTCOME_PARKED");
    let standings = world.get("standings").await.body;
    assert!(standings["standings"].as_array().unwrap().iter().all(|it| it["urn"] == SECOND_URN));
}

async fn a_feed_speaks_only_for_its_schools_and_kinds(database: Database) {
    let world = World::new(&database).await;
    let body = json!({"name": "x", "clientId": "mis", "urns": [SECOND_URN], "kinds": ["RECORD_KIND_ENROLMENT"]});
    let path = format!("/v1/trusts/{}/feeds", world.trust_id);
    let feed = world.admin().post(&world.rest, &path, body).await.body;
    let path = format!("/v1/feeds/{}/batches", feed["feedId"].as_str().unwrap());
    let records =
        json!({"records": [enrolment(URN, "p1", 3), ten(&["/"]), enrolment(SECOND_URN, "p1", 3)]});
    let batch = world.vendor().post(&world.rest, &path, records).await.body;
    let results = world.results(&batch).await;
    assert_eq!(results[0]["problems"][0]["reason"], "ERROR_REASON_SCHOOL_UNKNOWN");
    assert_eq!(results[1]["problems"][0]["pointer"], "/attendanceRegister");
    assert_eq!(results[2]["outcome"], "RECORD_OUTCOME_ACCEPTED");
}
