//! Requests that are too much of something: each is refused by name at every door, and nobody else notices.

use std::time::{Duration, Instant};

use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};

use crate::{
    limits::{gzip, head, scene, status, vendor, with},
    running::{Client, root, token},
};

const JSON: (&str, &str) = ("content-type", "application/json");

fn operator(deployed: &crate::story::Deployed) -> Client {
    let scopes = ["platform:write", "registry:read"];
    deployed.client(0, &token(deployed.data(), "operator", None, &scopes))
}

/// threat: T-HUGE-HEAD
#[tokio::test]
async fn a_head_of_too_much_is_refused_by_what_it_has_too_much_of() {
    let deployed = with("").await;
    let someone = vendor(&deployed, "someone");
    let names: Vec<String> = (0..150).map(|it| format!("x-{it}")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|it| (it.as_str(), "y")).collect();
    let refused = someone.send("GET", "/v1/attendance-codes", &many, "").await;
    assert_eq!(refused.refused(431), "HEADERS_TOO_MANY");
    assert_eq!(someone.send("GET", "/v1/attendance-codes", &many[..80], "").await.status, 200);
    let long = format!("/v1/attendance-codes?on={}", "1".repeat(9_000));
    assert_eq!(someone.get(&long).await.refused(414), "QUERY_TOO_LONG");
    let fits = format!("/v1/attendance-codes?on={}", "1".repeat(8_000));
    assert_eq!(someone.get(&fits).await.refused(400), "REQUEST_INVALID", "it was read");
    deployed.end().await;
}

/// threat: T-DEEP-NESTING
#[tokio::test]
async fn what_is_nested_too_deep_is_not_followed_down() {
    let (deployed, cast, path) = scene("").await;
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let operator = operator(&deployed);
    let body = format!("{{\"name\": {}}}", deep(100_000));
    assert_eq!(
        operator.send("POST", "/v1/trusts", &[JSON], body).await.refused(400),
        "BODY_MALFORMED"
    );
    let body = format!("{{\"name\": {}}}", deep(100));
    assert_eq!(
        operator.send("POST", "/v1/trusts", &[JSON], body).await.refused(400),
        "REQUEST_INVALID"
    );
    let pushes = deployed.client(1, &cast.vendor);
    let body =
        format!("{{\"records\": [{{\"externalId\": \"x\", \"enrolment\": {}}}]}}", deep(100_000));
    let answer = pushes.send("POST", &path, &[JSON], body).await;
    assert!(answer.status == 400 || answer.json()["rejected"] == 1, "{answer:?}");
    // Groups within groups, a field that nobody knows: as deep as bytes allow.
    let message: Vec<u8> = [vec![0x7b; 100_000], vec![0x7c; 100_000]].concat();
    let framed = [&[0, 0, 3, 13, 64][..], &message].concat();
    let rpc = "/headway.registry.v1.RegistryService/ListTrusts";
    let answer = operator.send("POST", rpc, &[("content-type", "application/grpc")], framed).await;
    assert_ne!(answer.headers["grpc-status"], "0", "{answer:?}");
    assert_eq!(operator.get("/livez").await.status, 200, "it lives");
    deployed.end().await;
}

/// threat: T-ZIP-BOMB
#[tokio::test]
async fn a_small_body_that_becomes_a_large_one_is_refused_at_every_door() {
    let (deployed, cast, path) = scene("").await;
    let (operator, pushes) = (operator(&deployed), deployed.client(1, &cast.vendor));
    let zipped = ("content-encoding", "gzip");
    let bomb = |start: &str, size: usize| gzip(&[start.as_bytes(), &vec![b' '; size]].concat());
    let body = bomb("{\"name\": ", 64 << 20);
    assert!(body.len() < 1 << 20);
    let answer = operator.send("POST", "/v1/trusts", &[JSON, zipped], body).await;
    assert_eq!(answer.refused(413), "BODY_TOO_LARGE");
    let csv = [("content-type", "text/csv"), zipped];
    let body = bomb("URN,EstablishmentName\n", 200 << 20);
    let answer = operator.send("POST", "/v1/establishment-imports", &csv, body).await;
    assert_eq!(answer.refused(413), "BODY_TOO_LARGE");
    // A push is read in parts, so its size is time and no memory; one record of that size is refused.
    let body = bomb("{\"records\": [{\"externalId\": \"", 64 << 20);
    let answer = pushes.send("POST", &path, &[JSON, zipped], body).await;
    assert!(answer.status.is_client_error(), "{answer:?}");
    // A message over gRPC says its size first.
    let framed = gzip(&[&[0, 4, 0, 0, 0][..], &vec![0; 64 << 20]].concat());
    let rpc = "/headway.registry.v1.RegistryService/ListTrusts";
    let headers = [("content-type", "application/grpc"), zipped];
    let answer = operator.send("POST", rpc, &headers, framed).await;
    assert_ne!(answer.headers["grpc-status"], "0", "{answer:?}");
    deployed.end().await;
}

/// threat: T-SLOW-REQUEST
#[tokio::test]
async fn who_takes_all_the_time_there_is_gets_no_more() {
    let limits = "request_timeout_s = 1\nbody_idle_s = 2\nbody_bytes_per_second = 1000";
    let (deployed, cast, path) = scene(limits).await;
    let operator = operator(&deployed);
    // Announced and never sent: the handler waits, and is not waited for.
    let framing = "content-type: application/json\r\ncontent-length: 100\r\n";
    let mut stream = TcpStream::connect(&operator.address).await.unwrap();
    stream.write_all(head(&operator, "POST", "/v1/trusts", framing).as_bytes()).await.unwrap();
    assert!(status(&mut stream).await.starts_with("HTTP/1.1 503"));
    // A push has as long as its body needs, if that comes at some pace.
    let pushes = deployed.client(1, &cast.vendor);
    let framing = "content-type: application/json\r\ncontent-length: 100000\r\n";
    let mut stream = TcpStream::connect(&pushes.address).await.unwrap();
    stream.write_all(head(&pushes, "POST", &path, framing).as_bytes()).await.unwrap();
    let started = Instant::now();
    let (mut reading, mut writing) = stream.into_split();
    let drip = tokio::spawn(async move {
        while writing.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
    });
    let mut answer = [0; 64];
    let read = tokio::io::AsyncReadExt::read(&mut reading, &mut answer);
    let read = timeout(Duration::from_secs(20), read).await.unwrap().unwrap();
    let answer = String::from_utf8_lossy(&answer[..read]);
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(started.elapsed() >= Duration::from_secs(2), "there is some grace");
    drip.abort();
    deployed.end().await;
}

/// "Rapid reset": streams of HTTP/2 that are begun and given up at once would be work without end.
/// threat: T-RAPID-RESET
#[tokio::test]
async fn streams_that_are_given_up_do_not_pile_up() {
    let deployed = with("").await;
    let someone = vendor(&deployed, "someone");
    let frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    };
    let mut sent = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    sent.extend(frame(4, 0, 0, &[]));
    for number in 0..5_000 {
        // GET http://…/, whole; and CANCEL.
        sent.extend(frame(1, 5, 2 * number + 1, &[0x82, 0x86, 0x84]));
        sent.extend(frame(3, 0, 2 * number + 1, &8_u32.to_be_bytes()));
    }
    let mut stream = TcpStream::connect(&someone.address).await.unwrap();
    // It may be cut before all is written.
    drop(stream.write_all(&sent).await);
    let mut answer = Vec::new();
    let reading = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer);
    drop(timeout(Duration::from_secs(20), reading).await.unwrap());
    let calm = [0, 0, 0, 0x0b];
    assert!(answer.windows(4).any(|it| it == calm) || answer.len() < 100_000, "ENHANCE_YOUR_CALM");
    assert_eq!(someone.get("/v1/attendance-codes").await.status, 200);
    deployed.end().await;
}

/// All places taken by callers who say half a word: they lose them, and others are served.
/// threat: T-SLOWLORIS
#[tokio::test]
async fn half_requests_do_not_keep_others_out() {
    let deployed = with("connections = 40\nheader_timeout_s = 1").await;
    let someone = vendor(&deployed, "someone");
    let mut held = Vec::new();
    for number in 0..120 {
        let mut stream = TcpStream::connect(&someone.address).await.unwrap();
        let said = if number % 2 == 0 { "GET /livez HTTP/1.1\r\nhost: x\r\nx-slow: " } else { "" };
        stream.write_all(said.as_bytes()).await.unwrap();
        held.push(stream);
    }
    let started = Instant::now();
    let answer = timeout(Duration::from_secs(20), someone.get("/v1/attendance-codes")).await;
    assert_eq!(answer.unwrap().status, 200);
    println!("served after {:?} behind 120 half requests, 40 at a time", started.elapsed());
    drop(held);
    deployed.end().await;
}

/// What a document says of limits is what the settings are.
/// threat: T-UNTOLD-LIMIT
#[test]
fn each_limit_is_documented() {
    let document = std::fs::read_to_string(root().join("docs/limits.md")).unwrap();
    let settings = std::fs::read_to_string(root().join("services/headway/headway.toml")).unwrap();
    let (_, limits) = settings.split_once("\n[limits]\n").unwrap();
    let limits = limits.split("\n[").next().unwrap();
    let names =
        limits.lines().filter(|it| !it.starts_with('#')).filter_map(|it| it.split_once(" = "));
    let silent: Vec<_> =
        names.map(|it| it.0).filter(|it| !document.contains(&format!("`{it}`"))).collect();
    assert_eq!(silent, Vec::<&str>::new(), "docs/limits.md does not name them");
}
