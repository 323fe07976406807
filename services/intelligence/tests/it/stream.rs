//! Pushing over gRPC.

use contract::intelligence as pb;
use prost::Message;
use serde_json::Value;
use testkit::{Database, json};
use tonic::Code;
use tower::ServiceExt;

use crate::world::{FRIDAY, URN, World, enrolments, register};

testkit::both!(
    a_stream_is_one_push,
    a_stream_that_breaks_off_leaves_nothing,
    a_stream_is_refused_as_a_body_is,
);

fn record(value: Value) -> pb::Record {
    serde_json::from_value(value).unwrap()
}

fn messages(world: &World) -> Vec<pb::PushRecordsRequest> {
    let marks = [("p1", "/"), ("p2", "I"), ("p3", "/"), ("p4", "/"), ("p5", "/")];
    let enrolled = enrolments(URN, 1..=5, 3).into_iter().map(record).collect();
    vec![
        pb::PushRecordsRequest { feed_id: world.feed_id.clone(), ..Default::default() },
        pb::PushRecordsRequest { records: enrolled, ..Default::default() },
        pb::PushRecordsRequest {
            records: vec![record(register(URN, FRIDAY, "AM", &marks))],
            ..Default::default()
        },
    ]
}

async fn push(
    world: &World,
    messages: Vec<pb::PushRecordsRequest>,
    key: Option<&str>,
) -> Result<pb::Batch, tonic::Status> {
    let mut request = tonic::Request::new(tokio_stream::iter(messages));
    if let Some(key) = key {
        request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
    }
    Ok(world.client(&world.vendor()).push_records(request).await?.into_inner())
}

async fn a_stream_is_one_push(database: Database) {
    let world = World::new(&database).await;
    let batch = push(&world, messages(&world), Some("k1")).await.unwrap();
    assert_eq!((batch.records, batch.accepted), (6, 6));
    assert_eq!(batch.state(), pb::BatchState::Applied);
    assert_eq!(world.attendance(FRIDAY).await, (4, 5));
    assert_eq!(push(&world, messages(&world), Some("k1")).await.unwrap(), batch);
    let mut less = messages(&world);
    less.pop();
    assert!(push(&world, less, Some("k1")).await.is_err());
    assert_eq!(push(&world, messages(&world), None).await.unwrap().unchanged, 6);

    let request = pb::GetBatchRequest { batch_id: batch.batch_id.clone(), ..Default::default() };
    let client = world.client(&world.vendor());
    assert_eq!(client.clone().get_batch(request).await.unwrap().into_inner(), batch);
    let request =
        pb::ListBatchResultsRequest { batch_id: batch.batch_id.clone(), ..Default::default() };
    let results = client.clone().list_batch_results(request).await.unwrap().into_inner();
    assert_eq!(json(&results)["results"], Value::Array(world.results(&json(&batch)).await));
    assert_eq!(results.results.iter().map(|it| it.line).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
}

async fn a_stream_that_breaks_off_leaves_nothing(database: Database) {
    let world = World::new(&database).await;
    let mut bytes = Vec::new();
    for message in messages(&world) {
        let encoded = message.encode_to_vec();
        bytes.push(0);
        bytes.extend(u32::try_from(encoded.len()).unwrap().to_be_bytes());
        bytes.extend(encoded);
    }
    bytes.truncate(bytes.len() - 3);
    let mut request =
        http::Request::post("/headway.intelligence.v1.IntelligenceService/PushRecords")
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .body(tonic::body::Body::new(axum::body::Body::from(bytes)))
            .unwrap();
    request.extensions_mut().insert(world.vendor().0);
    let response = world.app.grpc().oneshot(request).await.unwrap();
    let status = response.headers().get("grpc-status").unwrap();
    assert_ne!(status, "0");
    assert_eq!(world.attendance(FRIDAY).await, (0, 0));
    let fresh = push(&world, messages(&world), None).await.unwrap();
    assert_eq!(fresh.accepted, 6, "nothing of the broken stream was stored");
}

async fn a_stream_is_refused_as_a_body_is(database: Database) {
    let world = World::new(&database).await;
    let code = async |messages| push(&world, messages, None).await.unwrap_err().code();
    assert_eq!(code(Vec::new()).await, Code::InvalidArgument);
    let header =
        pb::PushRecordsRequest { feed_id: rpc::new_id().to_string(), ..Default::default() };
    assert_eq!(code(vec![header]).await, Code::NotFound);
    assert_eq!(code(messages(&world).into_iter().take(1).collect()).await, Code::InvalidArgument);
    let mut large = messages(&world);
    large[1].records[0].external_id = "x".repeat(1 << 20);
    assert_eq!(code(large).await, Code::ResourceExhausted);
    let wrong =
        world.client(&world.admin()).push_records(tokio_stream::iter(messages(&world))).await;
    assert_eq!(wrong.unwrap_err().code(), Code::PermissionDenied);
}
