use axum::http::StatusCode;
use contract::registry as v1;
use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{World, days_ago, establishments, evidence, links, text};

testkit::both!(
    added_and_found_by_any_number,
    refused_with_what_would_do,
    a_conversion_keeps_the_school_and_its_journey,
    units_and_their_spread,
    replicas_create_a_unit_once,
    nothing_begins_in_a_school_that_left,
);

async fn added_and_found_by_any_number(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let schools = format!("/v1/trusts/{trust_id}/schools");
    let school = world.get(&format!("{schools}/{urn}")).await;
    assert_eq!(school["laestab"], "9360000");
    assert_eq!(school["phase"], "EDUCATION_PHASE_PRIMARY");
    assert_eq!(school["joinedOn"], days_ago(0));
    assert_eq!(world.get(&format!("{schools}/9360000")).await, school);
    let request = v1::GetSchoolRequest {
        trust_id: trust_id.clone(),
        urn: "936/0000".to_owned(),
        ..Default::default()
    };
    let mut grpc = world.grpc(&world.platform);
    let read = grpc.get_school(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), school);
    let list = world.get(&schools).await;
    assert_eq!(list, json!({"schools": [school]}));
    let request = v1::ListSchoolsRequest { trust_id, ..Default::default() };
    let read = grpc.list_schools(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), list);
}

async fn refused_with_what_would_do(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    world
        .import(establishments(&[
            "100001,Old,Closed,Primary,,,",
            "100002,New,Open,Primary,,,",
            "100003,Later,Proposed to open,Primary,,,",
            "100004,Theirs,Open,Primary,11,,",
        ]))
        .await;
    world.import(links(&["100001,100002,New,Successor,31-08-2020"])).await;
    let schools = format!("/v1/trusts/{trust_id}/schools");
    let refused = async |body: Value, status: StatusCode, reason: &str| {
        let answer = world.platform.post(&world.rest, &schools, body).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(problem(&answer), reason);
        answer.body["detail"].as_str().unwrap().to_owned()
    };
    refused(json!({"urn": "999999"}), StatusCode::BAD_REQUEST, "REQUEST_INVALID").await;
    refused(json!({"urn": "1"}), StatusCode::BAD_REQUEST, "REQUEST_INVALID").await;
    let closed = refused(json!({"urn": "100001"}), StatusCode::CONFLICT, "SCHOOL_CLOSED").await;
    assert!(closed.ends_with("its successor is 100002"), "{closed}");
    refused(json!({"urn": "100003"}), StatusCode::CONFLICT, "TRANSITION_NOT_ALLOWED").await;
    refused(json!({"urn": urn}), StatusCode::CONFLICT, "ALREADY_EXISTS").await;
    let future = json!({"urn": "100002", "joinedOn": "2999-01-01"});
    refused(future, StatusCode::BAD_REQUEST, "REQUEST_INVALID").await;
    let other = world.post("/v1/trusts", json!({"name": "B", "groupUid": "10"})).await;
    let path = format!("/v1/trusts/{}/schools", text(&other, "trustId"));
    for urn in [urn, "100004"] {
        let answer = world.platform.post(&world.rest, &path, json!({"urn": urn})).await;
        assert_eq!(problem(&answer), "ALREADY_EXISTS");
    }
    let answer = world.platform.get(&world.rest, &format!("{schools}/100002")).await;
    assert_eq!(problem(&answer), "SCHOOL_UNKNOWN");
    let mut grpc = world.grpc(&world.platform);
    let request =
        v1::AddSchoolRequest { trust_id, urn: "100002".to_owned(), joined_on: Some(days_ago(3)) };
    let added = grpc.add_school(request).await.unwrap().into_inner();
    assert_eq!(added.joined_on, days_ago(3));
}

async fn a_conversion_keeps_the_school_and_its_journey(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let path = format!("/v1/trusts/{trust_id}/schools/{urn}");
    let before = world.get(&path).await;
    let journey =
        json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "r", "evidence": evidence()});
    let journey = world.post(&format!("/v1/trusts/{trust_id}/journeys"), journey).await;
    world.import(links(&["100000,100009,A Academy,Successor,31-08-2020"])).await;
    let after = establishments(&[
        "100000,A Primary,Closed,Primary,,,|;31-08-2020",
        "100009,A Academy,Open,Primary,,,|01-09-2020;",
    ]);
    let report = world.import(after.clone()).await;
    assert_eq!(
        report["schoolChanges"],
        json!([{"trustId": trust_id, "urn": "100009", "change": "converted", "previousUrn": "100000"}])
    );
    let now = world.get(&path).await;
    assert_eq!(now["schoolId"], before["schoolId"]);
    assert_eq!((&now["urn"], &now["previousUrns"]), (&json!("100009"), &json!(["100000"])));
    assert_eq!(now["joinedOn"], before["joinedOn"]);
    let read = world.get(&format!("/v1/journeys/{}", text(&journey, "journeyId"))).await;
    assert_eq!((&read["urn"], &read["settled"]), (&json!("100009"), &json!("PHASE_REPAIR")));
    let again = world.import(after).await;
    assert_eq!((&again["unchanged"], &again["schoolChanges"]), (&json!(2), &json!([])));
    let establishment = world.get("/v1/establishments/100009").await;
    assert_eq!(establishment["predecessors"][0]["urn"], "100000");
    let establishment = world.get("/v1/establishments/100000").await;
    assert_eq!(establishment["successors"][0]["urn"], "100009");
}

/// Two services over one database are two replicas.
async fn replicas_create_a_unit_once(database: Database) {
    let worlds = [World::open(&database).await, World::open(&database).await];
    let (trust_id, urn) = worlds[0].trust_with_school().await;
    let units = format!("/v1/trusts/{trust_id}/schools/{urn}/units");
    for number in 0..20 {
        let unit = json!({"kind": "UNIT_KIND_TEAM", "name": format!("Team {number}")});
        let create = |it: usize| worlds[it].platform.post(&worlds[it].rest, &units, unit.clone());
        let (one, two) = tokio::join!(create(0), create(1));
        let created = [one, two].iter().filter(|it| it.status.is_success()).count();
        assert_eq!(created, 1, "Team {number}");
    }
}

async fn units_and_their_spread(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let units = format!("/v1/trusts/{trust_id}/schools/{urn}/units");
    let year = |name: &str, year: u32| json!({"kind": "UNIT_KIND_YEAR_GROUP", "name": name, "yearGroup": year});
    let reception = world.post(&units, year("Reception", 0)).await;
    let mut grpc = world.grpc(&world.platform);
    let request = v1::CreateUnitRequest {
        trust_id: trust_id.clone(),
        urn: urn.to_owned(),
        kind: v1::UnitKind::YearGroup.into(),
        name: "Year 6".to_owned(),
        year_group: Some(6),
    };
    let six = testkit::json(&grpc.create_unit(request).await.unwrap().into_inner());
    world.post(&units, json!({"kind": "UNIT_KIND_SUBJECT", "name": "Maths"})).await;
    for wrong in [
        year("Early", 20),
        json!({"kind": "UNIT_KIND_YEAR_GROUP", "name": "x"}),
        json!({"kind": "UNIT_KIND_TEAM", "name": "x", "yearGroup": 1}),
        json!({"kind": "UNIT_KIND_TEAM", "name": " "}),
        json!({"name": "x"}),
    ] {
        let answer = world.platform.post(&world.rest, &units, wrong).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID");
    }
    for same in [year("Foundation", 0), json!({"kind": "UNIT_KIND_SUBJECT", "name": "maths"})] {
        let answer = world.platform.post(&world.rest, &units, same).await;
        assert_eq!(problem(&answer), "ALREADY_EXISTS");
    }
    let list = world.get(&units).await;
    let names: Vec<_> = list["units"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["Maths", "Reception", "Year 6"]);
    let request = v1::ListUnitsRequest {
        trust_id: trust_id.clone(),
        urn: urn.to_owned(),
        ..Default::default()
    };
    let read = grpc.list_units(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), list);

    for (unit, phase) in [(&reception, "PHASE_STABILISE"), (&six, "PHASE_REPAIR")] {
        let body = json!({"urn": urn, "unitId": unit["unitId"], "phase": phase, "rationale": "r", "evidence": evidence()});
        world.post(&format!("/v1/trusts/{trust_id}/journeys"), body).await;
    }
    let spread = world.get(&format!("/v1/trusts/{trust_id}/schools/{urn}/spread")).await;
    assert_eq!(spread["unitsWithoutJourney"], 1);
    assert_eq!(spread["phases"][0], json!({"phase": "PHASE_STABILISE", "units": 1}));
    assert_eq!(spread["criticalPairs"][0]["firstUnitId"], reception["unitId"]);
    assert_eq!(spread["criticalPairs"][0]["secondUnitId"], six["unitId"]);
    let request = v1::GetSpreadRequest { trust_id, urn: urn.to_owned(), ..Default::default() };
    let read = grpc.get_spread(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), spread);
}

async fn nothing_begins_in_a_school_that_left(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let closed = establishments(&["100000,A Primary,Closed,Primary,,,|;31-08-2020"]);
    let report = world.import(closed).await;
    assert_eq!(report["schoolChanges"][0]["change"], "closed");
    assert_eq!(report["closed"], 1);
    let path = format!("/v1/trusts/{trust_id}/schools/{urn}");
    let school = world.get(&path).await;
    assert_eq!(school["leftOn"], "2020-08-31");
    assert_eq!(school["status"], "ESTABLISHMENT_STATUS_CLOSED");
    let unit = json!({"kind": "UNIT_KIND_TEAM", "name": "Pastoral"});
    let journey = json!({
        "urn": urn, "phase": "PHASE_REPAIR", "rationale": "r", "evidence": evidence()
    });
    let journeys = format!("/v1/trusts/{trust_id}/journeys");
    for (path, body) in [(format!("{path}/units"), unit), (journeys, journey)] {
        let answer = world.platform.post(&world.rest, &path, body).await;
        assert_eq!((answer.status, problem(&answer)), (StatusCode::CONFLICT, "SCHOOL_CLOSED"));
    }
}
