//! Signals, from a falling series to what the trust does about it.

use contract::intelligence as pb;
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::world::{URN, World, days_ago, enrolments, told, whole};

testkit::both!(
    a_fall_raises_one_signal,
    a_signal_is_acknowledged_then_actioned,
    a_signal_is_dismissed_with_a_reason,
    moves_are_checked,
    the_tables_are_what_the_journal_says,
);

/// Ten weeks of a school whose latest complete week fell; the two halves of a trust's year may lie between.
pub(crate) async fn falling(world: &World) {
    world.push(json!(enrolments(URN, 1..=20, 3))).await;
    for week in (1..=10_u64).rev() {
        let ill = if week == 1 { 9 } else { 1 + u32::from(week % 2 == 0) };
        world.push(json!([whole(URN, days_ago(7 * week), "AM", 20, ill)])).await;
    }
}

pub(crate) async fn signals(world: &World) -> Vec<Value> {
    let answer = world.get("signals").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body["signals"].as_array().cloned().unwrap_or_default()
}

async fn transition(world: &World, signal: &Value, body: Value) -> testkit::Answer {
    let path = format!("/v1/signals/{}/transitions", signal["signalId"].as_str().unwrap());
    world.admin().post(&world.rest, &path, body).await
}

async fn a_fall_raises_one_signal(database: Database) {
    let world = World::new(&database).await;
    falling(&world).await;
    let raised = signals(&world).await;
    assert_eq!(raised.len(), 1, "{raised:?}");
    let signal = &raised[0];
    assert_eq!(signal["rule"], "SIGNAL_RULE_OUTSIDE_LIMITS");
    assert_eq!(signal["direction"], "DIRECTION_WORSE");
    assert_eq!((&signal["urn"], &signal["measure"]), (&json!(URN), &json!("attendance")));
    assert_eq!(signal["value"], 55.0);
    assert_eq!(signal["ownerRole"], "school_leader");
    assert_eq!(signal["state"], "SIGNAL_STATE_RAISED");
    assert!(signal.get("overdue").is_none_or(|it| it == false));

    // More of the same week says nothing new, and a day of this week is not looked at.
    world
        .push(json!([whole(URN, days_ago(7), "PM", 20, 11), whole(URN, days_ago(0), "AM", 20, 15)]))
        .await;
    assert_eq!(signals(&world).await.len(), 1);
    let request =
        pb::ListSignalsRequest { trust_id: world.trust_id.to_string(), ..Default::default() };
    let over_grpc = world.client(&world.admin()).list_signals(request).await.unwrap().into_inner();
    assert_eq!(told(&over_grpc)["signals"], json!(signals(&world).await));
    let path = format!("/v1/signals/{}", signal["signalId"].as_str().unwrap());
    assert_eq!(world.admin().get(&world.rest, &path).await.body, *signal);
    let stranger = Caller::of(world.other_trust_id);
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
    for (query, count) in [
        ("state=SIGNAL_STATE_RAISED", 1),
        ("state=SIGNAL_STATE_DISMISSED", 0),
        ("urn=100001", 1),
        ("urn=100002", 0),
    ] {
        let answer = world.get(&format!("signals?{query}")).await.body;
        assert_eq!(answer["signals"].as_array().map_or(0, Vec::len), count, "{query}");
    }
}

async fn a_signal_is_acknowledged_then_actioned(database: Database) {
    let world = World::new(&database).await;
    falling(&world).await;
    let signal = signals(&world).await.remove(0);
    let answer = transition(
        &world,
        &signal,
        json!({"to": "SIGNAL_STATE_ACKNOWLEDGED", "expectedVersion": 1}),
    )
    .await;
    assert_eq!((answer.status.as_u16(), &answer.body["version"]), (201, &json!(2)), "{answer:?}");
    assert_eq!(answer.headers["etag"], "\"2\"");
    let project_id = rpc::new_id().to_string();
    let request = pb::CreateSignalTransitionRequest {
        signal_id: signal["signalId"].as_str().unwrap().to_owned(),
        to: pb::SignalState::Actioned.into(),
        project_id: Some(project_id.clone()),
        rationale: None,
        expected_version: Some(2),
    };
    let actioned =
        world.client(&world.admin()).create_signal_transition(request).await.unwrap().into_inner();
    assert_eq!(
        (actioned.state(), actioned.project_id),
        (pb::SignalState::Actioned, Some(project_id))
    );
    let again = transition(
        &world,
        &signal,
        json!({"to": "SIGNAL_STATE_ACKNOWLEDGED", "expectedVersion": 3}),
    )
    .await;
    assert_eq!(problem(&again), "TRANSITION_NOT_ALLOWED");
}

async fn a_signal_is_dismissed_with_a_reason(database: Database) {
    let world = World::new(&database).await;
    falling(&world).await;
    let signal = signals(&world).await.remove(0);
    let bare =
        transition(&world, &signal, json!({"to": "SIGNAL_STATE_DISMISSED", "expectedVersion": 1}))
            .await;
    assert_eq!(bare.body["errors"][0]["pointer"], "/rationale");
    let body =
        json!({"to": "SIGNAL_STATE_DISMISSED", "expectedVersion": 1, "rationale": "A snow day"});
    let dismissed = transition(&world, &signal, body).await.body;
    assert_eq!(
        (&dismissed["state"], &dismissed["rationale"]),
        (&json!("SIGNAL_STATE_DISMISSED"), &json!("A snow day"))
    );
    // The week is not signalled again, though nothing is open.
    world.push(json!([whole(URN, days_ago(7), "PM", 20, 11)])).await;
    assert_eq!(signals(&world).await.len(), 1);
}

async fn moves_are_checked(database: Database) {
    let world = World::new(&database).await;
    falling(&world).await;
    let signal = signals(&world).await.remove(0);
    let refused = async |body: Value| transition(&world, &signal, body).await;
    let answer = refused(json!({"to": "SIGNAL_STATE_ACKNOWLEDGED"})).await;
    assert_eq!(problem(&answer), "VERSION_MISSING");
    let answer = refused(json!({"to": "SIGNAL_STATE_ACKNOWLEDGED", "expectedVersion": 4})).await;
    assert_eq!(problem(&answer), "VERSION_STALE");
    for (body, pointer) in [
        (json!({"to": "SIGNAL_STATE_RAISED"}), "/to"),
        (json!({}), "/to"),
        (json!({"to": "SIGNAL_STATE_ACTIONED"}), "/projectId"),
        (json!({"to": "SIGNAL_STATE_ACTIONED", "projectId": "x"}), "/projectId"),
        (json!({"to": "SIGNAL_STATE_ACKNOWLEDGED", "projectId": rpc::new_id()}), "/projectId"),
    ] {
        let mut body = body;
        body["expectedVersion"] = json!(1);
        let answer = refused(body.clone()).await;
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}");
    }
}

async fn the_tables_are_what_the_journal_says(database: Database) {
    let world = World::new(&database).await;
    falling(&world).await;
    let signal = signals(&world).await.remove(0);
    let body =
        json!({"to": "SIGNAL_STATE_DISMISSED", "expectedVersion": 1, "rationale": "A snow day"});
    transition(&world, &signal, body).await;
    let fresh = match database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres { .. } => Database::postgres().await,
    };
    let empty = fresh.open(intelligence::NAME, intelligence::migrations()).await;
    let compared = journal::rebuild(world.app.journal(), &empty).await.unwrap().tables;
    assert_eq!(compared.len(), 10);
    assert!(compared.iter().all(|it| it.equal), "{compared:?}");
}
