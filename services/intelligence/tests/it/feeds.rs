use serde_json::json;
use testkit::{Caller, Database, json, problem};

use crate::world::{OTHER_URN, URN, World, details, enrolment};

testkit::both!(
    a_feed_is_made_read_and_listed,
    a_feed_names_schools_by_any_number_and_answers_with_the_urn_of_today,
    wrong_feeds_are_refused_with_every_fault,
    nobody_sees_another_trusts_feeds,
    a_feed_that_another_process_changed_is_looked_at_again,
);

async fn a_feed_is_made_read_and_listed(database: Database) {
    let world = World::new(&database).await;
    let admin = world.admin();
    let over_rest = admin.get(&world.rest, &format!("/v1/feeds/{}", world.feed_id)).await;
    assert_eq!(over_rest.status, 200);
    assert_eq!(over_rest.headers["etag"], "\"1\"");
    assert_eq!(over_rest.body["clientId"], "mis");

    let request = contract::intelligence::GetFeedRequest {
        feed_id: world.feed_id.clone(),
        ..Default::default()
    };
    let over_grpc = world.client(&admin).get_feed(request).await.unwrap().into_inner();
    assert_eq!(json(&over_grpc), over_rest.body);

    let second = world.feed(&json!([URN])).await;
    let first = world.get("feeds?pageSize=1").await.body;
    assert_eq!(first["feeds"][0]["feedId"], world.feed_id);
    let token = first["nextPageToken"].as_str().unwrap();
    let last = world.get(&format!("feeds?pageSize=1&pageToken={token}")).await.body;
    assert_eq!(last["feeds"][0]["feedId"], second);
    assert!(last.get("nextPageToken").is_none());
}

async fn a_feed_names_schools_by_any_number_and_answers_with_the_urn_of_today(database: Database) {
    let world = World::new(&database).await;
    let feed_id = world.feed(&json!([format!("9{URN}")])).await;
    let converted = contract::registry::SchoolConverted {
        school_id: world.school_id.to_string(),
        previous_urn: URN.to_owned(),
        details: Some(details("150001")),
    };
    world.tell(world.trust_id, None, converted).await;
    let feed = world.admin().get(&world.rest, &format!("/v1/feeds/{feed_id}")).await.body;
    assert_eq!(feed["urns"], json!(["150001"]));
}

async fn wrong_feeds_are_refused_with_every_fault(database: Database) {
    let world = World::new(&database).await;
    let path = format!("/v1/trusts/{}/feeds", world.trust_id);
    let body = json!({"name": " ", "clientId": "mis", "urns": ["12"]});
    let answer = world.admin().post(&world.rest, &path, body).await;
    assert_eq!(problem(&answer), "REQUEST_INVALID");
    let pointers: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|it| it["pointer"].clone()).collect();
    assert_eq!(pointers, ["/kinds", "/urns/0", "/name"]);

    let kinds = json!(["RECORD_KIND_PUPIL"]);
    let body = json!({"name": "x", "clientId": "mis", "kinds": kinds, "urns": [URN, OTHER_URN]});
    let answer = world.admin().post(&world.rest, &path, body).await;
    assert_eq!(answer.body["errors"][0]["pointer"], "/urns/1");
    assert_eq!(answer.body["errors"][0]["code"], "SCHOOL_UNKNOWN");
}

/// threat: T-OTHER-TRUST
async fn nobody_sees_another_trusts_feeds(database: Database) {
    let world = World::new(&database).await;
    let stranger = Caller::of(world.other_trust_id).named("mis");
    let path = format!("/v1/feeds/{}", world.feed_id);
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
    let path = format!("/v1/trusts/{}/feeds", world.trust_id);
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
    let answer = stranger.post(&world.rest, &world.batches(), json!({"records": []})).await;
    assert_eq!(problem(&answer), "NOT_FOUND");
    for list in ["measures", "observations?periodKind=PERIOD_KIND_WEEK", "standings", "signals"] {
        let path = format!("/v1/trusts/{}/{list}", world.trust_id);
        assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND", "{list}");
    }
}

async fn a_feed_that_another_process_changed_is_looked_at_again(database: Database) {
    let world = World::new(&database).await;
    let kept = world.feed(&json!([])).await;
    let push = async |feed: &str, pupil: &str| {
        let path = format!("/v1/feeds/{feed}/batches");
        let body = json!({"records": [enrolment(URN, pupil, 3)]});
        world.vendor().post(&world.rest, &path, body).await
    };
    for feed in [&world.feed_id, &kept] {
        assert_eq!(push(feed, "p1").await.status, 202);
    }
    // The older one is given to another client.
    let change = "UPDATE feed SET client_id = 'another', version = 2
                  WHERE feed_id = (SELECT min(CAST(feed_id AS text)) FROM feed)";
    let change = match &database {
        Database::Sqlite(_) => change.replace("CAST(feed_id AS text)", "feed_id"),
        Database::Postgres { .. } => change.replace("feed_id = (", "CAST(feed_id AS text) = ("),
    };
    database.as_owner(intelligence::NAME, &[&change]).await.unwrap();
    let (changed, unchanged) = tokio::join!(push(&world.feed_id, "p2"), push(&kept, "p3"));
    assert_eq!(changed.status, 503, "{changed:?}");
    assert_eq!(unchanged.status, 202, "{unchanged:?}");
    assert_eq!(push(&world.feed_id, "p2").await.status, 403);
    assert_eq!(push(&kept, "p2").await.body["accepted"], 1, "nothing was entered before");
}
