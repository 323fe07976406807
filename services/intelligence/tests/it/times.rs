use chrono::SecondsFormat;
use contract::intelligence as pb;
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::{
    signals::{falling, signals},
    world::{URN, World, days_ago, told, whole},
};

testkit::both!(what_was_answered_then_is_answered_of_then);

fn now() -> String {
    rpc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

async fn what_was_answered_then_is_answered_of_then(database: Database) {
    let before = now();
    let world = World::new(&database).await;
    falling(&world).await;
    let batch = world.push(json!([whole(URN, days_ago(3), "AM", 20, 1)])).await;
    let signal = signals(&world).await.remove(0);
    let id = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
    let signal_path = format!("/v1/signals/{}", id(&signal, "signalId"));
    let paths = [
        (world.admin(), signal_path.clone()),
        (world.vendor(), format!("/v1/feeds/{}", world.feed_id)),
        (world.vendor(), format!("/v1/batches/{}", id(&batch, "batchId"))),
    ];
    let mut then = vec![(now(), answers(&world, &paths, "").await)];
    for (version, step) in [
        (1, json!({"to": "SIGNAL_STATE_ACKNOWLEDGED"})),
        (2, json!({"to": "SIGNAL_STATE_DISMISSED", "rationale": "A snow day"})),
    ] {
        let mut step = step;
        step["expectedVersion"] = json!(version);
        let path = format!("{signal_path}/transitions");
        assert_eq!(world.admin().post(&world.rest, &path, step).await.status, 201);
        then.push((now(), answers(&world, &paths, "").await));
    }
    for (at, was) in &then {
        assert_eq!(answers(&world, &paths, &format!("knownAt={at}")).await, *was, "{at}");
    }
    for (caller, path) in &paths {
        let answer = caller.get(&world.rest, &format!("{path}?knownAt={before}")).await;
        assert_eq!(problem(&answer), "NOT_FOUND");
        // Another trust learns nothing of then either.
        let stranger = Caller::of(world.other_trust_id).named("mis");
        let path = format!("{path}?knownAt={}", then[0].0);
        assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
    }
    let at: chrono::DateTime<chrono::Utc> = then[1].0.parse().unwrap();
    let request = pb::GetSignalRequest {
        signal_id: id(&signal, "signalId"),
        known_at: Some(at.into()),
        ..Default::default()
    };
    let over_grpc = world.client(&world.admin()).get_signal(request).await.unwrap().into_inner();
    assert_eq!(over_grpc.state(), pb::SignalState::Acknowledged);
    assert_eq!(told(&over_grpc), then[1].1[0]);
}

async fn answers(world: &World, paths: &[(Caller, String)], query: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for (caller, path) in paths {
        let answer = caller.get(&world.rest, &format!("{path}?{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answers.push(answer.body);
    }
    answers
}
