//! What one client may ask of the running server, and what a stranger may hold open.

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use contract::intelligence::{
    ListAttendanceCodesRequest, intelligence_service_client::IntelligenceServiceClient,
};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tonic::{Request, transport::Endpoint};
use tonic_types::StatusExt;

use crate::{
    running::{Answer, Client, token},
    story::{Cast, Deployed, feed, found},
};

const CODES: &str = "/v1/attendance-codes";

/// A server with some limits of its own.
pub(crate) async fn with(limits: &str) -> Deployed {
    let mut deployed = Deployed::prepared(vec![]);
    let file = deployed.data().join("limits.toml");
    std::fs::write(&file, format!("[limits]\n{limits}\n")).unwrap();
    deployed.arguments = vec!["--config".to_owned(), file.display().to_string()];
    deployed.start().await.unwrap();
    deployed
}

pub(crate) fn vendor(deployed: &Deployed, name: &str) -> Client {
    deployed.client(1, &token(deployed.data(), name, None, &["records:write"]))
}

#[track_caller]
fn left(answer: &Answer) -> u32 {
    let text = answer.headers["ratelimit"].to_str().unwrap();
    let (_, after) = text.split_once("\"requests\";r=").unwrap();
    after.split(';').next().unwrap().parse().unwrap()
}

/// threat: T-FLOOD
#[tokio::test]
async fn every_answer_says_what_is_left() {
    let deployed = with("").await;
    let someone = vendor(&deployed, "someone");
    let nobody = Client { token: None, ..someone.clone() };
    for (client, path) in [
        (&someone, CODES),
        (&someone, "/v1/nowhere"),
        (&someone, "/v1/trusts"),
        (&nobody, CODES),
        (&nobody, "/livez"),
        (&nobody, "/openapi.json"),
    ] {
        let answer = client.get(path).await;
        assert!((3_000..4_000).contains(&left(&answer)), "{path}: {answer:?}");
        let policy = answer.headers["ratelimit-policy"].to_str().unwrap();
        assert!(policy.starts_with("\"requests\";q=4000;w=2, "), "{policy}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
    }
    deployed.end().await;
}

/// threat: T-FLOOD
#[tokio::test]
async fn who_asks_too_often_is_told_when_to_ask_again_and_others_are_served() {
    let deployed = with("requests_per_second = 1\nburst = 3").await;
    let busy = vendor(&deployed, "busy");
    for expected in [2, 1, 0] {
        let answer = busy.get(CODES).await;
        assert_eq!((answer.status.as_u16(), left(&answer)), (200, expected), "{answer:?}");
    }
    let refused = busy.get(CODES).await;
    assert_eq!(refused.refused(429), "RATE_LIMITED");
    assert_eq!(refused.headers["retry-after"], "1");
    assert_eq!(refused.headers["ratelimit"], "\"requests\";r=0;t=3");
    assert_eq!(refused.json()["type"], "/errors/rate-limited");

    let status = over_grpc(&deployed, &busy).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted, "{status:?}");
    let details = status.get_error_details();
    assert_eq!(details.error_info().unwrap().reason, "RATE_LIMITED");
    assert!(details.retry_info().unwrap().retry_delay.unwrap() <= Duration::from_secs(1));
    assert_eq!(status.metadata().get("ratelimit").unwrap(), "\"requests\";r=0;t=3");

    let other = vendor(&deployed, "other");
    assert_eq!(over_grpc(&deployed, &other).await.unwrap(), 2, "its own share");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(busy.get(CODES).await.status, 200, "as Retry-After promised");

    let operator = token(deployed.data(), "operator", None, &["metrics:read"]);
    let told = deployed.client(0, &operator).get("/metrics").await.text;
    assert!(told.contains("headway_refused_total{limit=\"requests\"} 2"), "{told}");
    deployed.end().await;
}

/// What is left of the client's requests, as gRPC metadata tell it.
async fn over_grpc(deployed: &Deployed, client: &Client) -> Result<u32, tonic::Status> {
    let channel = Endpoint::from_shared(deployed.url(1)).unwrap().connect().await.unwrap();
    let mut request = Request::new(ListAttendanceCodesRequest::default());
    let bearer = format!("Bearer {}", client.token.as_ref().unwrap());
    request.metadata_mut().insert("authorization", bearer.parse().unwrap());
    let answer = IntelligenceServiceClient::new(channel).list_attendance_codes(request).await?;
    let text = answer.metadata().get("ratelimit").unwrap().to_str().unwrap();
    let after = text.strip_prefix("\"requests\";r=").unwrap();
    Ok(after.split(';').next().unwrap().parse().unwrap())
}

/// threat: T-MANY-AT-ONCE
#[tokio::test]
async fn requests_under_way_are_counted_until_their_last_byte() {
    let deployed = with("concurrent_requests = 1").await;
    let follower = token(deployed.data(), "follower", None, &["journal:read"]);
    let follower = deployed.client(0, &follower);
    let head = head(&follower, "GET", "/v1/journals/registry/events/stream", "");
    let mut stream = TcpStream::connect(&follower.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(status(&mut stream).await.starts_with("HTTP/1.1 200"));
    let path = "/v1/journals/registry/events";
    let refused = follower.get(path).await;
    assert_eq!(refused.refused(429), "OVERLOADED", "the stream goes on");
    assert_eq!(refused.headers["retry-after"], "1");
    drop(stream);
    let freed = async {
        while follower.get(path).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(40), freed).await.unwrap();
    deployed.end().await;
}

/// Bodies that are announced and never come take their client's share of memory, and nobody else's.
/// threat: T-MEMORY
#[tokio::test]
async fn memory_for_bodies_is_shared_fairly() {
    let limits =
        "body_bytes = 4194304\nbody_bytes_per_client = 2097152\nbody_wait_s = 1\nbody_idle_s = 3";
    let (deployed, cast, path) = scene(limits).await;
    let greedy = deployed.client(1, &cast.vendor);
    let mut stalled = Vec::new();
    for _ in 0..2 {
        let framing = "content-type: application/json\r\ncontent-length: 1048576\r\n";
        let mut stream = TcpStream::connect(&greedy.address).await.unwrap();
        stream.write_all(head(&greedy, "POST", &path, framing).as_bytes()).await.unwrap();
        stalled.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let large = format!("{{\"records\": [{}]}}", " ".repeat(1 << 20));
    let headers = [("content-type", "application/json")];
    let refused = greedy.send("POST", &path, &headers, large.clone()).await;
    assert_eq!(refused.refused(429), "OVERLOADED");
    assert!(refused.json()["detail"].as_str().unwrap().contains("2097152 bytes"), "{refused:?}");
    // What is small needs no share.
    assert_eq!(greedy.get(CODES).await.status, 200);

    let everything: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
    let everything: Vec<&str> = everything.iter().map(String::as_str).collect();
    let other = token(deployed.data(), "other", Some(&cast.trust), &everything);
    let other = deployed.client(1, &other);
    let created = format!("/v1/trusts/{}/feeds", cast.trust);
    let answer = other.send("POST", &created, &headers, format!("{{{}", " ".repeat(500_000))).await;
    assert_eq!(answer.refused(400), "BODY_MALFORMED", "it was read, to its end");

    // Who sent nothing for longer than is waited is told so, and the share is free again.
    for stream in &mut stalled {
        assert!(status(stream).await.starts_with("HTTP/1.1 408"));
    }
    let answer = greedy.send("POST", &path, &headers, large).await;
    assert_ne!(answer.status, 429, "{answer:?}");
    deployed.end().await;
}

/// threat: T-ZIP-BOMB
#[tokio::test]
async fn a_compressed_body_is_read_under_the_same_limits() {
    let (deployed, cast, path) = scene("").await;
    let vendor = deployed.client(1, &cast.vendor);
    let record = json!({"records": [{"externalId": "p", "enrolment": {"urn": crate::story::URN,
        "pupil": "Z-1", "yearGroup": 4, "startsOn": "2025-09-01"}}]});
    let headers = [("content-type", "application/json"), ("content-encoding", "gzip")];
    let batch = vendor.send("POST", &path, &headers, gzip(record.to_string().as_bytes())).await;
    assert_eq!(batch.done()["accepted"], 1);

    let cut = gzip(record.to_string().as_bytes());
    let broken = vendor.send("POST", &path, &headers, cut[..cut.len() / 2].to_vec()).await;
    assert_eq!(broken.refused(400), "BODY_MALFORMED");
    let plain = vendor.send("POST", &path, &headers, record.to_string()).await;
    assert_eq!(plain.refused(400), "BODY_MALFORMED", "it is not gzip");

    let headers = [("content-type", "application/json"), ("content-encoding", "br")];
    let unknown = vendor.send("POST", &path, &headers, "x").await;
    assert_eq!(unknown.refused(415), "ENCODING_UNSUPPORTED");
    assert_eq!(unknown.headers["accept-encoding"], "gzip");
    deployed.end().await;
}

/// threat: T-HUGE-HEAD
#[tokio::test]
async fn who_sends_no_whole_request_is_not_waited_for() {
    let deployed = with("header_timeout_s = 1\nheader_bytes = 16384").await;
    let address = vendor(&deployed, "v").address;
    for (sent, seconds) in [("", 2), ("P", 2), ("GET /livez HTTP/1.1\r\nhost:", 1)] {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let started = Instant::now();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let limit = Duration::from_secs(20);
        let ended = timeout(limit, stream.read_to_end(&mut rest)).await.unwrap();
        assert!(ended.is_err() || !rest.starts_with(b"HTTP/1.1 200"), "{sent:?}");
        assert!(started.elapsed() >= Duration::from_secs(seconds), "{sent:?}");
    }
    let mut stream = TcpStream::connect(&address).await.unwrap();
    let head = format!("GET /livez HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(20_000));
    stream.write_all(head.as_bytes()).await.unwrap();
    assert!(status(&mut stream).await.starts_with("HTTP/1.1 431"));
    deployed.end().await;
}

pub(crate) async fn scene(limits: &str) -> (Deployed, Cast, String) {
    let deployed = with(limits).await;
    let cast = found(&deployed).await;
    let path = format!("/v1/feeds/{}/batches", feed(&deployed, &cast).await);
    (deployed, cast, path)
}

pub(crate) fn head(client: &Client, method: &str, path: &str, headers: &str) -> String {
    let token = client.token.as_ref().unwrap();
    format!("{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n{headers}\r\n")
}

/// The first line of what comes back.
pub(crate) async fn status(stream: &mut TcpStream) -> String {
    let mut answer = [0; 64];
    let read = timeout(Duration::from_secs(20), stream.read(&mut answer)).await.unwrap().unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

pub(crate) fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}
