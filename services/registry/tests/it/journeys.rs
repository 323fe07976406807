use contract::registry as v1;
use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{World, days_ago, evidence, ratings, text};

testkit::both!(
    moves_and_is_asked_about_any_time,
    corrections_stay_in_the_log,
    rated_and_suggested,
    listed_and_the_rubric_read,
    two_writers_of_one_version,
);

fn opening(phase: &str, days: u64) -> Value {
    json!({
        "urn": "100000",
        "phase": phase,
        "rationale": "Seen on three visits",
        "evidence": evidence(),
        "effectiveOn": days_ago(days)
    })
}

async fn open(world: &World, phase: &str, days: u64) -> (String, Value) {
    let (trust_id, _) = world.trust_with_school().await;
    let path = format!("/v1/trusts/{trust_id}/journeys");
    let journey = world.post(&path, opening(phase, days)).await;
    (format!("/v1/journeys/{}", text(&journey, "journeyId")), journey)
}

async fn moves_and_is_asked_about_any_time(database: Database) {
    let world = World::open(&database).await;
    let (path, journey) = open(&world, "PHASE_STABILISE", 300).await;
    assert_eq!((&journey["settled"], &journey["version"]), (&json!("PHASE_STABILISE"), &json!(1)));
    let transitions = format!("{path}/transitions");
    let emerging = json!({
        "kind": "TRANSITION_KIND_EMERGING",
        "to": "PHASE_REPAIR",
        "rationale": "Calmer",
        "effectiveOn": days_ago(200),
        "expectedVersion": 1
    });
    let journey = world.post(&transitions, emerging).await;
    assert_eq!(journey["emerging"], "PHASE_REPAIR");
    let known_before =
        text(&world.get(&transitions).await["transitions"][1], "recordedAt").replace('+', "%2B");
    let entered = json!({
        "kind": "TRANSITION_KIND_ENTERED",
        "to": "PHASE_REPAIR",
        "rationale": "Every domain has moved",
        "ratings": ratings("PHASE_REPAIR"),
        "effectiveOn": days_ago(100)
    });
    let headers = [("if-match", "\"2\"")];
    let answer =
        world.platform.send_with(&world.rest, "POST", &transitions, &headers, entered).await;
    let journey = crate::world::ok(answer);
    assert_eq!(journey["settled"], "PHASE_REPAIR");
    assert_eq!(journey["since"], days_ago(100));
    assert_eq!(journey["suggestion"]["phase"], "PHASE_REPAIR");
    let dwells = journey["dwells"].as_array().unwrap();
    assert_eq!((&dwells[0]["days"], &dwells[1]["days"]), (&json!(200), &json!(100)));

    let settled =
        async |query: &str| world.get(&format!("{path}?{query}")).await["settled"].clone();
    assert_eq!(settled(&format!("effectiveOn={}", days_ago(150))).await, "PHASE_STABILISE");
    assert_eq!(settled(&format!("effectiveOn={}", days_ago(400))).await, Value::Null);
    assert_eq!(settled(&format!("knownAt={known_before}")).await, "PHASE_STABILISE");
    let both = format!("effectiveOn={}&knownAt={known_before}", days_ago(50));
    let then = world.get(&format!("{path}?{both}")).await;
    assert_eq!(
        (&then["settled"], &then["emerging"]),
        (&json!("PHASE_STABILISE"), &json!("PHASE_REPAIR"))
    );
    let mut grpc = world.grpc(&world.platform);
    let request =
        v1::GetJourneyRequest { journey_id: text(&journey, "journeyId"), ..Default::default() };
    let read = grpc.get_journey(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), journey);
}

async fn corrections_stay_in_the_log(database: Database) {
    let world = World::open(&database).await;
    let (path, _) = open(&world, "PHASE_IMPROVE", 300).await;
    let transitions = format!("{path}/transitions");
    let fell = json!({
        "kind": "TRANSITION_KIND_FELL_BACK",
        "to": "PHASE_STABILISE",
        "rationale": "Wrong school",
        "evidence": evidence(),
        "effectiveOn": days_ago(10),
        "expectedVersion": 1
    });
    world.post(&transitions, fell).await;
    let list = world.get(&transitions).await;
    let [first, wrong] = list["transitions"].as_array().unwrap().as_slice() else { panic!() };
    let correct = |id: &Value, version: u32| {
        json!({
            "kind": "TRANSITION_KIND_CORRECTED",
            "corrects": id,
            "rationale": "It was another school",
            "expectedVersion": version
        })
    };
    let refused = correct(&first["transitionId"], 2);
    let answer = world.platform.post(&world.rest, &transitions, refused).await;
    assert_eq!(problem(&answer), "TRANSITION_NOT_ALLOWED");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(
        detail.ends_with(&format!("may be corrected: {}", wrong["transitionId"].as_str().unwrap()))
    );
    let journey = world.post(&transitions, correct(&wrong["transitionId"], 2)).await;
    assert_eq!((&journey["settled"], &journey["version"]), (&json!("PHASE_IMPROVE"), &json!(3)));
    let list = world.get(&transitions).await;
    let [_, wrong, correction] = list["transitions"].as_array().unwrap().as_slice() else {
        panic!()
    };
    assert_eq!(wrong["correctedBy"], correction["transitionId"]);
    assert_eq!(correction["corrects"], wrong["transitionId"]);
    assert_eq!(wrong["rationale"], "Wrong school");
    let page = world.get(&format!("{transitions}?pageSize=2")).await;
    let token = text(&page, "nextPageToken");
    let rest = world.get(&format!("{transitions}?pageSize=2&pageToken={token}")).await;
    assert_eq!(rest["transitions"], json!([correction]));
    let request = v1::ListTransitionsRequest {
        journey_id: text(&journey, "journeyId"),
        ..Default::default()
    };
    let read = world.grpc(&world.platform).list_transitions(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), list);
}

async fn rated_and_suggested(database: Database) {
    let world = World::open(&database).await;
    let (path, _) = open(&world, "PHASE_STABILISE", 100).await;
    let rate = format!("{path}/ratings");
    let body =
        json!({"ratings": ratings("PHASE_IMPROVE"), "rationale": "Review", "expectedVersion": 1});
    let journey = world.post(&rate, body).await;
    assert_eq!(
        journey["suggestion"],
        json!({"phase": "PHASE_IMPROVE", "ratedDomains": 11, "supportingDomains": 11, "differsFromSettled": true})
    );
    assert_eq!((&journey["settled"], &journey["version"]), (&json!("PHASE_STABILISE"), &json!(2)));
    let early = json!({
        "ratings": ratings("PHASE_SUSTAIN"),
        "rationale": "Before it opened",
        "effectiveOn": days_ago(101),
        "expectedVersion": 2
    });
    let answer = world.platform.post(&world.rest, &rate, early).await;
    assert_eq!(problem(&answer), "TRANSITION_NOT_ALLOWED");
    let mut grpc = world.grpc(&world.platform);
    let request = v1::CreateRatingsRequest {
        journey_id: text(&journey, "journeyId"),
        ratings: vec![v1::Rating {
            domain: v1::RubricDomain::Behaviour.into(),
            phase: v1::Phase::Repair.into(),
            evidence: Vec::new(),
        }],
        rationale: "Corridors".to_owned(),
        effective_on: None,
        expected_version: Some(2),
    };
    let journey = grpc.create_ratings(request).await.unwrap().into_inner();
    assert_eq!(journey.suggestion.unwrap().phase(), v1::Phase::Repair);
}

async fn listed_and_the_rubric_read(database: Database) {
    let world = World::open(&database).await;
    let (path, journey) = open(&world, "PHASE_STABILISE", 100).await;
    let trust_id = text(&journey, "trustId");
    let units = format!("/v1/trusts/{trust_id}/schools/100000/units");
    let unit = world.post(&units, json!({"kind": "UNIT_KIND_TEAM", "name": "Pastoral"})).await;
    let mut grpc = world.grpc(&world.platform);
    let of_unit = v1::OpenJourneyRequest {
        trust_id: trust_id.clone(),
        urn: "100000".to_owned(),
        unit_id: Some(text(&unit, "unitId")),
        phase: v1::Phase::Sustain.into(),
        rationale: "r".to_owned(),
        evidence: vec![contract::common::Evidence {
            kind: contract::common::EvidenceKind::Voice.into(),
            reference: "survey/1".to_owned(),
        }],
        ..Default::default()
    };
    let second = grpc.open_journey(of_unit).await.unwrap().into_inner();
    let journeys = format!("/v1/trusts/{trust_id}/journeys");
    let journey = world.get(&path).await;
    let list = world.get(&format!("{journeys}?urn=100000")).await;
    assert_eq!(list, json!({"journeys": [journey, testkit::json(&second)]}));
    let list = world.get(&format!("{journeys}?unitId={}", text(&unit, "unitId"))).await;
    assert_eq!(list, json!({"journeys": [testkit::json(&second)]}));
    let request = v1::ListJourneysRequest { trust_id: trust_id.clone(), ..Default::default() };
    let read = grpc.list_journeys(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), world.get(&journeys).await);
    let again = world.platform.post(&world.rest, &journeys, opening("PHASE_REPAIR", 0)).await;
    assert_eq!(problem(&again), "ALREADY_EXISTS");

    let rubric = world.get("/v1/rubric").await;
    assert_eq!(rubric["descriptors"].as_array().unwrap().len(), 44);
    let read = grpc.get_rubric(v1::GetRubricRequest {}).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), rubric);
}

async fn two_writers_of_one_version(database: Database) {
    let world = World::open(&database).await;
    let (path, journey) = open(&world, "PHASE_STABILISE", 100).await;
    let transitions = format!("{path}/transitions");
    let body = json!({
        "kind": "TRANSITION_KIND_EMERGING",
        "to": "PHASE_REPAIR",
        "rationale": "r",
        "expectedVersion": 1
    });
    world.post(&transitions, body.clone()).await;
    let late = world.platform.post(&world.rest, &transitions, body.clone()).await;
    assert_eq!((late.status.as_u16(), problem(&late)), (412, "VERSION_STALE"));
    let mut missing = body;
    missing.as_object_mut().unwrap().remove("expectedVersion");
    let answer = world.platform.post(&world.rest, &transitions, missing).await;
    assert_eq!((answer.status.as_u16(), problem(&answer)), (428, "VERSION_MISSING"));
    let request = v1::CreateTransitionRequest {
        journey_id: text(&journey, "journeyId"),
        kind: v1::TransitionKind::EmergenceAbandoned.into(),
        rationale: "r".to_owned(),
        expected_version: Some(1),
        ..Default::default()
    };
    let mut grpc = world.grpc(&world.platform);
    let status = grpc.create_transition(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::Aborted);
    let request = v1::CreateTransitionRequest { expected_version: Some(2), ..request };
    let journey = grpc.create_transition(request).await.unwrap().into_inner();
    assert_eq!((journey.emerging, journey.version), (None, 3));
}
