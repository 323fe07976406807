//! Bad input: a clear error that names the place, and nothing half-written.

use std::time::Duration;

use contract::intelligence::{
    PushRecordsRequest, intelligence_service_client::IntelligenceServiceClient,
};
use futures::StreamExt;
use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tonic::{Request, transport::Endpoint};

use crate::{
    running::{Client, token},
    story::{Cast, Deployed, URN, feed, found},
};

const NONE: &str = "00000000-0000-0000-0000-000000000000";

struct Scene {
    deployed: Deployed,
    cast: Cast,
    feed: String,
}

async fn scene() -> Scene {
    let deployed = Deployed::together(vec![]).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    Scene { deployed, cast, feed }
}

impl Scene {
    fn vendor(&self) -> Client {
        self.deployed.client(1, &self.cast.vendor)
    }

    fn path(&self) -> String {
        format!("/v1/feeds/{}/batches", self.feed)
    }

    async fn events(&self) -> Value {
        let path = "/v1/journals/intelligence/events";
        self.deployed.client(1, &self.cast.admin).get(path).await.done()["head"].clone()
    }
}

fn register(change: impl FnOnce(&mut Value)) -> Value {
    let mut register = json!({"urn": URN, "date": "2026-10-05", "session": "AM",
        "marks": [{"pupil": "A1", "code": "/"}]});
    change(&mut register);
    json!({"records": [{"externalId": "r", "attendanceRegister": register}]})
}

#[tokio::test]
async fn a_wrong_record_is_rejected_at_its_place() {
    let scene = scene().await;
    for (record, pointer, reason) in [
        (
            register(|it| it["marks"][0]["code"] = json!("?")),
            "/attendanceRegister/marks/0/code",
            "CODE_UNKNOWN",
        ),
        (
            register(|it| it["marks"][0]["code"] = json!("H")),
            "/attendanceRegister/marks/0/code",
            "CODE_UNKNOWN",
        ),
        (
            register(|it| it["date"] = json!("2099-01-05")),
            "/attendanceRegister/date",
            "DATE_IN_FUTURE",
        ),
        (
            register(|it| it["session"] = json!("NOON")),
            "/attendanceRegister/session",
            "FIELD_INVALID",
        ),
        (register(|it| it["urn"] = json!("100000")), "/attendanceRegister/urn", "SCHOOL_UNKNOWN"),
        (register(|it| it["sesion"] = json!("AM")), "/attendanceRegister/sesion", "FIELD_UNKNOWN"),
    ] {
        let batch = scene.vendor().post(&scene.path(), &record).await.done();
        assert_eq!(
            (&batch["rejected"], &batch["accepted"]),
            (&json!(1), &json!(0)),
            "{record}: {batch}"
        );
        let path = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
        let results = scene.vendor().get(&path).await.done();
        let problem = &results["results"][0]["problems"][0];
        assert_eq!(problem["pointer"], pointer, "{problem}");
        assert_eq!(problem["reason"], format!("ERROR_REASON_{reason}"), "{problem}");
    }
    scene.deployed.end().await;
}

/// threat: T-MALFORMED-BODY
#[tokio::test]
async fn what_is_no_batch_is_refused_whole() {
    let scene = scene().await;
    let before = scene.events().await;
    let vendor = scene.vendor();
    for (media, body, status, reason) in [
        ("application/json", "{\"records\": [", 400, "BODY_MALFORMED"),
        ("application/json", "[]", 400, "REQUEST_INVALID"),
        ("application/json", "{\"record\": []}", 400, "REQUEST_INVALID"),
        ("image/png", "x", 415, "MEDIA_TYPE_UNSUPPORTED"),
    ] {
        let answer = vendor.send("POST", &scene.path(), &[("content-type", media)], body).await;
        assert_eq!(answer.refused(status), reason, "{body}");
    }
    let nowhere = format!("/v1/feeds/{}/batches", uuid::Uuid::nil());
    assert_eq!(vendor.post(&nowhere, &register(|_| {})).await.refused(404), "NOT_FOUND");
    assert_eq!(scene.events().await, before, "nothing was written");
    scene.deployed.end().await;
}

/// threat: T-OTHER-TRUST
#[tokio::test]
async fn another_trust_is_as_if_it_were_not_there() {
    let scene = scene().await;
    let nobody = uuid::Uuid::from_u128(9).to_string();
    let scopes: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let stranger = token(scene.deployed.data(), "vendor", Some(&nobody), &scopes);
    let stranger = scene.deployed.client(1, &stranger);
    let trust = &scene.cast.trust;
    for path in ["", "/schools", "/journeys", "/feeds", "/signals", "/projects", "/standings"] {
        let answer = stranger.get(&format!("/v1/trusts/{trust}{path}")).await;
        assert_eq!(answer.refused(404), "NOT_FOUND", "{path}");
    }
    assert_eq!(stranger.get(&format!("/v1/feeds/{}", scene.feed)).await.refused(404), "NOT_FOUND");
    let push = stranger.post(&scene.path(), &register(|_| {})).await;
    assert_eq!(push.refused(404), "NOT_FOUND");
    scene.deployed.end().await;
}

/// Every GET there is, over things that exist: no journal moves.
#[tokio::test]
async fn reading_writes_nothing() {
    let scene = scene().await;
    let scopes: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let everything = token(scene.deployed.data(), "everything", None, &scopes);
    let client = scene.deployed.client(0, &everything);
    let heads = async || {
        let mut heads = Vec::new();
        for service in ["registry", "intelligence", "improvement"] {
            let listed = client.get(&format!("/v1/journals/{service}/events")).await.done();
            heads.push(listed["head"].clone());
        }
        heads
    };
    let before = heads().await;
    let reads = rpc::methods().filter(|it| !it.writes() && it.descriptor.name() != "Subscribe");
    for method in reads {
        let path = method
            .path
            .replace("{trust_id}", &scene.cast.trust)
            .replace("{feed_id}", &scene.feed)
            .replace("{urn}", URN)
            .replace("{service}", "registry");
        // What the scene has none of is asked for all the same.
        let path = path.split('/').map(|it| if it.starts_with('{') { NONE } else { it });
        let path: Vec<_> = path.collect();
        let answer = client.get(&path.join("/")).await;
        assert!(answer.status.as_u16() < 500, "{path:?}: {answer:?}");
    }
    assert_eq!(heads().await, before);
    scene.deployed.end().await;
}

#[tokio::test]
async fn a_file_that_is_no_register_is_refused_with_the_place() {
    let scene = scene().await;
    let operator = token(scene.deployed.data(), "operator", None, &["platform:write"]);
    let operator = scene.deployed.client(0, &operator);
    for (file, reason) in [
        (Bytes::from_static(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"), "FILE_MALFORMED"),
        (Bytes::from_static(b"URN,EstablishmentName\r\n100000,A school\r\n"), "COLUMN_MISSING"),
        (Bytes::new(), "FILE_MALFORMED"),
    ] {
        let headers = [("content-type", "text/csv")];
        let answer = operator.send("POST", "/v1/establishment-imports", &headers, file).await;
        assert_eq!(answer.refused(400), reason, "{answer:?}");
    }
    scene.deployed.end().await;
}

/// Neither a length that is declared nor one that is not gets gigabytes in.
/// threat: T-MEMORY
#[tokio::test]
async fn gigabytes_are_refused_before_they_are_read() {
    let scene = scene().await;
    let vendor = scene.vendor();
    for framing in ["content-length: 2147483649", "transfer-encoding: chunked"] {
        let mut stream = TcpStream::connect(&vendor.address).await.unwrap();
        let head = format!(
            "POST {} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{framing}\r\n\r\n",
            scene.path(),
            vendor.token.as_ref().unwrap(),
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let sending = tokio::spawn(async move {
            // One record, which never ends.
            let start = "{\"records\": [\"";
            let start = format!("{:x}\r\n{start}\r\n", start.len());
            let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
            drop(to.write_all(start.as_bytes()).await);
            for _ in 0..1024 {
                if to.write_all(chunk.as_bytes()).await.is_err() {
                    break;
                }
            }
        });
        let mut answer = [0; 64];
        let read = tokio::time::timeout(Duration::from_secs(20), from.read(&mut answer)).await;
        let read = read.unwrap().unwrap();
        let line = String::from_utf8_lossy(&answer[..read]).into_owned();
        assert!(line.starts_with("HTTP/1.1 413"), "{framing}: {line}");
        sending.abort();
    }
    scene.deployed.end().await;
}

/// threat: T-BROKEN-STREAM
#[tokio::test]
async fn a_stream_that_breaks_off_leaves_nothing_behind() {
    let scene = scene().await;
    let before = scene.events().await;
    let channel = Endpoint::from_shared(scene.deployed.url(1)).unwrap().connect().await.unwrap();
    let header =
        PushRecordsRequest { feed_id: scene.feed.clone(), ..PushRecordsRequest::default() };
    let never_ends = futures::stream::iter([header]).chain(futures::stream::pending());
    let mut request = Request::new(never_ends);
    let bearer = format!("Bearer {}", scene.cast.vendor).parse().unwrap();
    request.metadata_mut().insert("authorization", bearer);
    let mut client = IntelligenceServiceClient::new(channel);
    let push = client.push_records(request);
    assert!(
        tokio::time::timeout(Duration::from_millis(500), push).await.is_err(),
        "it waits for more"
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(scene.events().await, before);
    scene.deployed.end().await;
}
