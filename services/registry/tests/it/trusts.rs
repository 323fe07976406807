use axum::http::StatusCode;
use contract::registry as v1;
use rpc::{Reach, Scope};
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::world::{World, establishments, ok, text, uuid};

testkit::both!(
    created_read_and_listed,
    a_group_uid_is_taken_once,
    only_ones_own,
    joins_its_schools
);

async fn created_read_and_listed(database: Database) {
    let world = World::open(&database).await;
    let body = json!({
        "name": " Beta Trust ",
        "groupUid": "3039",
        "ukprn": "10060695",
        "companiesHouseNumber": "09279884"
    });
    let answer = world.platform.post(&world.rest, "/v1/trusts", body).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.headers["etag"], "\"1\"");
    let beta = ok(answer);
    assert_eq!(beta["name"], "Beta Trust");
    assert_eq!(beta["companiesHouseNumber"], "09279884");
    let trust_id = text(&beta, "trustId");
    assert_eq!(world.get(&format!("/v1/trusts/{trust_id}")).await, beta);

    let mut grpc = world.grpc(&world.platform);
    let name = |name: &str| v1::CreateTrustRequest { name: name.to_owned(), ..Default::default() };
    let alpha = grpc.create_trust(name("Alpha Trust")).await.unwrap().into_inner();
    let request = v1::GetTrustRequest { trust_id: trust_id.clone(), ..Default::default() };
    let read = grpc.get_trust(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), beta, "both doors say the same");

    let first = world.get("/v1/trusts?pageSize=1").await;
    assert_eq!(first["trusts"], json!([testkit::json(&alpha)]));
    let token = text(&first, "nextPageToken");
    let second = world.get(&format!("/v1/trusts?pageSize=1&pageToken={token}")).await;
    assert_eq!(second, json!({"trusts": [beta]}));
    let all = grpc.list_trusts(v1::ListTrustsRequest::default()).await.unwrap().into_inner();
    assert_eq!(testkit::json(&all), world.get("/v1/trusts").await);
}

async fn a_group_uid_is_taken_once(database: Database) {
    let world = World::open(&database).await;
    let body = json!({"name": "A", "groupUid": "3039"});
    world.post("/v1/trusts", body.clone()).await;
    let again = world.platform.post(&world.rest, "/v1/trusts", body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    assert_eq!(problem(&again), "ALREADY_EXISTS");
    world.post("/v1/trusts", json!({"name": "B"})).await;
    world.post("/v1/trusts", json!({"name": "C"})).await;
}

/// threat: T-OTHER-TRUST
async fn only_ones_own(database: Database) {
    let world = World::open(&database).await;
    let own = world.post("/v1/trusts", json!({"name": "Own"})).await;
    let other = world.post("/v1/trusts", json!({"name": "Other"})).await;
    let caller = Caller::of(uuid(&text(&own, "trustId")));
    assert_eq!(ok(caller.get(&world.rest, "/v1/trusts").await), json!({"trusts": [own]}));
    let other = text(&other, "trustId");
    for path in ["", "/schools", "/schools/100000", "/schools/100000/units", "/journeys"] {
        let answer = caller.get(&world.rest, &format!("/v1/trusts/{other}{path}")).await;
        assert_eq!(problem(&answer), "NOT_FOUND", "{path}");
    }
    let reach = Reach::Trust(uuid(&text(&own, "trustId")));
    let confined = Caller::new("confined", reach, [Scope::PlatformWrite]);
    let answer = confined.post(&world.rest, "/v1/trusts", json!({"name": "Mine"})).await;
    assert_eq!(problem(&answer), "SCOPE_MISSING");
    let answer = caller.post(&world.rest, "/v1/trusts", json!({"name": "Mine"})).await;
    assert_eq!(problem(&answer), "SCOPE_MISSING");
}

async fn joins_its_schools(database: Database) {
    let world = World::open(&database).await;
    world
        .import(establishments(&[
            "100001,Beech,Open,Primary,10,,",
            "100002,Ash,Open,Secondary,10,,",
            "100003,Closed,Closed,Primary,10,,",
            "100004,Elsewhere,Open,Primary,11,,",
        ]))
        .await;
    let trust = world.post("/v1/trusts", json!({"name": "A", "groupUid": "10"})).await;
    let schools = world.get(&format!("/v1/trusts/{}/schools", text(&trust, "trustId"))).await;
    let names: Vec<&Value> =
        schools["schools"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert_eq!(names, ["Ash", "Beech"]);
    let report = world.import(establishments(&["100005,Cedar,Open,Primary,10,,"])).await;
    assert_eq!(report["schoolChanges"][0]["change"], "joined");
    assert_eq!(report["schoolChanges"][0]["urn"], "100005");
}
