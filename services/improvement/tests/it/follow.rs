//! What the service makes of the events of others.

use contract::{intelligence, registry};
use serde_json::{Value, json};
use testkit::{Answer, Database, problem};

use crate::world::{SECOND_URN, URN, World, details};

testkit::both!(
    a_project_keeps_its_school_through_a_conversion,
    a_school_that_closed_or_left_is_refused,
    a_signal_gives_the_project_its_school_and_measure,
    other_events_are_passed_over,
);

async fn propose(world: &World, fields: Value) -> Answer {
    let mut body = json!({"title": "Back in school", "rationale": "Too many stay away"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let path = format!("/v1/trusts/{}/projects", world.trust_id);
    world.caller().post(&world.app.rest(), &path, body).await
}

async fn a_project_keeps_its_school_through_a_conversion(database: Database) {
    let world = World::new(&database).await;
    let before = world.project(&world.rest()).await;
    assert_eq!(before["urn"], URN);
    let converted = registry::SchoolConverted {
        school_id: world.school_id.to_string(),
        previous_urn: URN.to_owned(),
        details: Some(details("150001").message()),
    };
    world.registry(world.trust_id, converted).await;
    let id = json!({"projectId": before["projectId"]});
    let after = world.rest().call("GetProject", id).await.unwrap();
    assert_eq!(after["urn"], "150001");
    assert_eq!(after["schoolId"], before["schoolId"]);
    for urn in [URN, "150001"] {
        let made = propose(&world, json!({"urn": urn})).await;
        assert_eq!(made.status, 201, "{made:?}");
        assert_eq!(made.body["urn"], "150001");
        let list = json!({"trustId": world.trust_id, "urn": urn});
        let list = world.grpc().call("ListProjects", list).await.unwrap();
        assert!(list["projects"].as_array().unwrap().contains(&after));
    }
    let updated = registry::SchoolUpdated {
        school_id: world.school_id.to_string(),
        details: Some(
            crate::world::SchoolDetails { urn: "150001", laestab: Some("9364001") }.message(),
        ),
    };
    world.registry(world.trust_id, updated).await;
    assert_eq!(propose(&world, json!({"urn": "936/4001"})).await.body["urn"], "150001");
    assert_eq!(problem(&propose(&world, json!({"urn": "9362014"})).await), "SCHOOL_UNKNOWN");
}

async fn a_school_that_closed_or_left_is_refused(database: Database) {
    let world = World::new(&database).await;
    let before = world.project(&world.rest()).await;
    let merged = registry::SchoolMerged {
        school_id: world.school_id.to_string(),
        urn: URN.to_owned(),
        into_school_id: rpc::new_id().to_string(),
        into_urn: SECOND_URN.to_owned(),
    };
    world.registry(world.trust_id, merged).await;
    let refused = propose(&world, json!({"urn": URN})).await;
    assert_eq!(refused.status, 409);
    assert_eq!(problem(&refused), "SCHOOL_CLOSED");
    assert!(refused.body["detail"].as_str().unwrap().contains(SECOND_URN), "{refused:?}");
    let refused = propose(&world, json!({"signalId": world.signal_id})).await;
    assert_eq!(problem(&refused), "SCHOOL_CLOSED");
    let id = json!({"projectId": before["projectId"]});
    assert_eq!(world.rest().call("GetProject", id).await.unwrap(), before);

    for (urn, closed) in [("100010", true), ("100011", false)] {
        let school_id = rpc::new_id();
        world.joined(world.trust_id, school_id, details(urn)).await;
        assert_eq!(propose(&world, json!({"urn": urn})).await.status, 201);
        let school_id = school_id.to_string();
        let left = registry::SchoolLeft { school_id, urn: urn.to_owned(), closed };
        world.registry(world.trust_id, left).await;
        let refused = propose(&world, json!({"urn": urn})).await;
        assert_eq!(problem(&refused), "SCHOOL_CLOSED");
        let said = refused.body["detail"].as_str().unwrap();
        assert!(said.contains(if closed { "has closed" } else { "has left" }), "{said}");
        world.joined(world.trust_id, rpc::new_id(), details(urn)).await;
        assert_eq!(propose(&world, json!({"urn": urn})).await.status, 201);
    }
}

async fn a_signal_gives_the_project_its_school_and_measure(database: Database) {
    let world = World::new(&database).await;
    let made = propose(&world, json!({"signalId": world.signal_id})).await;
    assert_eq!(made.status, 201, "{made:?}");
    assert_eq!(made.body["schoolId"], world.school_id.to_string());
    assert_eq!(made.body["signalId"], world.signal_id.to_string());
    assert_eq!(made.body["measure"], "persistent_absence");
    let same = json!({"signalId": world.signal_id, "urn": URN});
    assert_eq!(propose(&world, same).await.status, 201);
    let other = json!({"signalId": world.signal_id, "urn": SECOND_URN});
    let refused = propose(&world, other).await;
    assert_eq!(problem(&refused), "REQUEST_INVALID");
    assert_eq!(refused.body["errors"][0]["pointer"], "/urn");

    let unknown = propose(&world, json!({"signalId": rpc::new_id()})).await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.body["detail"].as_str().unwrap().contains("try again"), "{unknown:?}");
    let moved = |to: intelligence::SignalState| intelligence::SignalMoved {
        signal_id: world.signal_id.to_string(),
        to: to.into(),
        ..Default::default()
    };
    world.intelligence(world.trust_id, moved(intelligence::SignalState::Acknowledged)).await;
    assert_eq!(propose(&world, json!({"signalId": world.signal_id})).await.status, 201);
    world.intelligence(world.trust_id, moved(intelligence::SignalState::Dismissed)).await;
    let refused = propose(&world, json!({"signalId": world.signal_id})).await;
    assert_eq!(problem(&refused), "TRANSITION_NOT_ALLOWED");
}

async fn other_events_are_passed_over(database: Database) {
    let world = World::new(&database).await;
    world.registry(world.trust_id, registry::JourneyMoved::default()).await;
    world.registry(world.trust_id, contract::improvement::GoalSet::default()).await;
    world.intelligence(world.trust_id, intelligence::BatchApplied::default()).await;
    assert_eq!(propose(&world, json!({"urn": URN})).await.status, 201);
}
