use serde_json::{Value, json};
use testkit::{Caller, Database, problem};
use uuid::Uuid;

use crate::world::{World, evidence, ratings, text};

testkit::both!(
    everything_wrong_is_told_at_once,
    another_trust_sees_nothing,
    retries_are_answered_once
);

fn pointers(body: &Value) -> Vec<&str> {
    body["errors"].as_array().unwrap().iter().map(|it| it["pointer"].as_str().unwrap()).collect()
}

async fn everything_wrong_is_told_at_once(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let journeys = format!("/v1/trusts/{trust_id}/journeys");
    let refused = async |path: &str, body: Value, expected: &[&str]| {
        let answer = world.platform.post(&world.rest, path, body).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID", "{answer:?}");
        assert_eq!(pointers(&answer.body), expected);
        answer.body
    };
    let body = refused(
        &journeys,
        json!({
            "urn": "1",
            "phase": "PHASE_UNSPECIFIED",
            "rationale": " ",
            "effectiveOn": "2999-01-01",
            "ratings": [{"domain": "RUBRIC_DOMAIN_FINANCE"}]
        }),
        &["/urn", "/phase", "/rationale", "/ratings/0/phase", "/effectiveOn"],
    )
    .await;
    assert_eq!(body["errors"][4]["code"], "DATE_IN_FUTURE");
    assert_eq!(body["errors"][1]["accepted"].as_array().unwrap().len(), 4);
    refused(&journeys, json!({"urn": urn, "fase": 1}), &["/fase"]).await;
    let bare = json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "r"});
    refused(&journeys, bare, &["/evidence"]).await;
    let opened =
        json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "r", "evidence": evidence()});
    let journey = world.post(&journeys, opened).await;
    let transitions = format!("/v1/journeys/{}/transitions", text(&journey, "journeyId"));
    let mut few = ratings("PHASE_IMPROVE");
    few.as_array_mut().unwrap().truncate(10);
    few[0]["evidence"] = json!([]);
    let entered = json!({
        "kind": "TRANSITION_KIND_ENTERED", "to": "PHASE_IMPROVE", "rationale": "r", "ratings": few,
        "expectedVersion": 1
    });
    refused(&transitions, entered, &["/ratings", "/ratings/0/evidence"]).await;
    let wrong = json!({
        "kind": "TRANSITION_KIND_CORRECTED", "to": "PHASE_IMPROVE", "rationale": "r", "expectedVersion": 1
    });
    refused(&transitions, wrong, &["/to", "/corrects"]).await;
    let opened = json!({"kind": "TRANSITION_KIND_OPENED", "rationale": "r", "expectedVersion": 1});
    refused(&transitions, opened, &["/kind"]).await;
    let skipping = json!({
        "kind": "TRANSITION_KIND_EMERGING", "to": "PHASE_SUSTAIN", "rationale": "r", "expectedVersion": 1
    });
    let answer = world.platform.post(&world.rest, &transitions, skipping).await;
    assert_eq!((answer.status.as_u16(), problem(&answer)), (409, "TRANSITION_NOT_ALLOWED"));
    assert!(answer.body["detail"].as_str().unwrap().contains("allowed: Improve emerging"));
}

/// threat: T-OTHER-TRUST
async fn another_trust_sees_nothing(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let opened =
        json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "r", "evidence": evidence()});
    let journey = world.post(&format!("/v1/trusts/{trust_id}/journeys"), opened.clone()).await;
    let other = Caller::of(Uuid::from_u128(1));
    let journey = format!("/v1/journeys/{}", text(&journey, "journeyId"));
    for path in [journey.clone(), format!("{journey}/transitions"), "/v1/journeys/none".to_owned()]
    {
        let answer = other.get(&world.rest, &path).await;
        assert_eq!((answer.status.as_u16(), problem(&answer)), (404, "NOT_FOUND"), "{path}");
    }
    let transition = json!({"kind": "TRANSITION_KIND_EMERGENCE_ABANDONED", "rationale": "r", "expectedVersion": 1});
    let rating =
        json!({"ratings": ratings("PHASE_REPAIR"), "rationale": "r", "expectedVersion": 1});
    for (path, body) in [
        (format!("{journey}/transitions"), transition),
        (format!("{journey}/ratings"), rating),
        (format!("/v1/trusts/{trust_id}/journeys"), opened),
        (format!("/v1/trusts/{trust_id}/schools"), json!({"urn": urn})),
        (
            format!("/v1/trusts/{trust_id}/schools/{urn}/units"),
            json!({"kind": "UNIT_KIND_TEAM", "name": "x"}),
        ),
    ] {
        let answer = other.post(&world.rest, &path, body).await;
        assert_eq!((answer.status.as_u16(), problem(&answer)), (404, "NOT_FOUND"), "{path}");
    }
    let nobody = Caller::new("nobody", rpc::Reach::Platform, []);
    let answer = nobody.get(&world.rest, "/v1/trusts").await;
    assert_eq!((answer.status.as_u16(), problem(&answer)), (403, "SCOPE_MISSING"));
}

/// threat: T-REPLAY
async fn retries_are_answered_once(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let journeys = format!("/v1/trusts/{trust_id}/journeys");
    let opened =
        json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "r", "evidence": evidence()});
    let headers = [("idempotency-key", "one")];
    let send = async |body: Value| {
        world.platform.send_with(&world.rest, "POST", &journeys, &headers, body).await
    };
    let first = send(opened.clone()).await;
    let events = world.events().await;
    let again = send(opened.clone()).await;
    assert_eq!((first.status, &first.body), (again.status, &again.body));
    assert_eq!(world.events().await, events);
    let mut other = opened;
    other["rationale"] = json!("another");
    let reused = send(other).await;
    assert_eq!((reused.status.as_u16(), problem(&reused)), (422, "IDEMPOTENCY_KEY_REUSED"));
}
