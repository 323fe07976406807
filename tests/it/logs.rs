//! Logs never hold bodies, headers, tokens or ids of people. Every server of these tests logs at `debug` into a file that is
//! searched when the server ends; one server logs all there is, and is sent secrets through every door, rightly and wrongly.

use std::{
    collections::BTreeSet,
    fs::File,
    path::PathBuf,
    process::Stdio,
    sync::{LazyLock, Mutex, PoisonError},
};

use serde_json::json;
use tempfile::{NamedTempFile, TempPath};

use crate::{
    running::{Client, eventually},
    story::{Deployed, URN, found},
};

/// What no log may hold: whatever tests made that is secret.
static SECRETS: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// What pupils, staff and records of these tests are called, or begin with.
const PEOPLE: [&str; 4] = ["Canary-Pupil", "Canary-Staff", "Canary-Record", "Canary-Text"];

/// Says of something that no server may log it.
pub(crate) fn never_logged(secret: &str) {
    SECRETS.lock().unwrap_or_else(PoisonError::into_inner).insert(secret.to_owned());
}

/// Where a server logs.
pub(crate) struct Log {
    path: TempPath,
}

impl Log {
    pub(crate) fn new() -> Self {
        Self { path: NamedTempFile::new().unwrap().into_temp_path() }
    }

    pub(crate) fn file(&self) -> Stdio {
        File::options().append(true).open(&self.path).unwrap().into()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.path).unwrap()).into_owned()
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.text());
        } else {
            let text = self.text();
            let secrets = SECRETS.lock().unwrap_or_else(PoisonError::into_inner);
            let secrets = secrets.iter().map(String::as_str).chain(PEOPLE);
            // A token's signature alone is as good as the token.
            let parts = secrets.map(|it| it.rsplit('.').next().unwrap_or(it));
            let told: Vec<_> = parts.filter(|it| text.contains(it)).collect();
            assert!(told.is_empty(), "a log holds {told:?}");
        }
    }
}

/// Text, token, id: rightly sent, wrongly sent, and refused.
async fn sends(client: &Client, trust: &str, feed: &str) {
    let records = json!({"records": [
        {"externalId": "Canary-Record-1", "enrolment": {"urn": URN, "pupil": "Canary-Pupil-1", "yearGroup": 3,
            "startsOn": "2025-09-01"}},
        {"externalId": "Canary-Record-2", "attendanceRegister": {"urn": URN, "date": "2025-11-21", "session": "AM",
            "marks": [{"pupil": "Canary-Pupil-1", "code": "/"}, {"pupil": "Canary-Pupil-2", "code": "?"}]}},
        {"externalId": "Canary-Record-3", "staffMember": {"urn": URN, "person": "Canary-Staff-1",
            "role": "classroom_teacher", "fte": 1.0, "startsOn": "2025-09-01"}},
        {"externalId": "Canary-Record-4", "suspension": {"urn": URN, "pupil": "Canary-Pupil-1", "category": "Canary-Text"}},
    ]});
    let path = format!("/v1/feeds/{feed}/batches");
    let batch = client.post(&path, &records).await.done();
    let results = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
    assert!(client.get(&results).await.text.contains("Canary-Record-4"));
    // Bodies that break off, are of another kind, or of another shape.
    for (media, body) in [
        (
            "application/json",
            r#"{"records": [{"externalId": "Canary-Record-5", "pupil": "Canary-Pupil-3"#,
        ),
        ("application/json", r#"{"records": [{"Canary-Text": "Canary-Pupil-3"}]}"#),
        ("application/x-ndjson", "Canary-Pupil-3\n{\"pupil\": {\"pupil\": 17}}\n"),
        ("text/csv", "external_id,pupil,Canary-Text\nCanary-Record-6,Canary-Pupil-3\n\"Canary"),
        ("application/zip", "Canary-Pupil-3"),
        ("application/x-canary", "Canary-Pupil-3"),
    ] {
        client.send("POST", &path, &[("content-type", media)], body).await;
    }
    let secret = json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "Canary-Pupil-1",
        "purpose": "Canary-Text", "authority": "Canary-Text"});
    for what in ["subject-exports", "erasures", "erasures", "legal-holds"] {
        let answer = client.post(&format!("/v1/trusts/{trust}/{what}"), &secret).await;
        assert!(!answer.status.is_server_error(), "{answer:?}");
    }
    client
        .get(&format!("/v1/trusts/{trust}/signals?urn=Canary-Pupil-1&pageToken=Canary-Text"))
        .await;
    client.get("/v1/Canary-Pupil-1?Canary-Text").await;
    client
        .send(
            "GET",
            "/v1/feeds/x",
            &[("x-canary", "Canary-Text"), ("idempotency-key", "Canary-Text")],
            "",
        )
        .await;
}

/// threat: T-LOG-LEAK
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn logs_hold_no_bodies_headers_tokens_or_ids() {
    let mut deployed = Deployed::together(vec!["--log".to_owned(), "trace".to_owned()]).await;
    let cast = found(&deployed).await;
    let client = deployed.client(1, &cast.admin);
    let kinds = json!([
        "RECORD_KIND_ENROLMENT",
        "RECORD_KIND_ATTENDANCE_REGISTER",
        "RECORD_KIND_STAFF_MEMBER",
        "RECORD_KIND_SUSPENSION",
        "RECORD_KIND_PUPIL"
    ]);
    let feed = json!({"name": "All", "clientId": "admin", "urns": [URN], "kinds": kinds});
    // The school is known here once the registry's journal has been followed.
    let feed = eventually(async || {
        let answer = client.post(&format!("/v1/trusts/{}/feeds", cast.trust), &feed).await;
        answer.status.is_success().then(|| answer.json())
    })
    .await;
    let feed = feed["feedId"].as_str().unwrap();
    sends(&client, &cast.trust, feed).await;
    // Somebody with a token that is none, with one that was tampered with, and with one in the address.
    let own = &cast.admin;
    for wrong in ["Canary-Text-token", &format!("{own}Canary-Text")] {
        let stranger = deployed.client(1, wrong);
        assert_eq!(stranger.get("/v1/code-lists").await.refused(401), "UNAUTHENTICATED");
    }
    client.get(&format!("/v1/code-lists?access_token={own}")).await;
    // The master key, in the forms it might be told in.
    let key = std::fs::read(deployed.data().join("keys/pupil-key")).unwrap();
    let digits: Vec<_> = key.iter().map(|it| format!("{it:02x}")).collect();
    never_logged(&digits.concat());
    never_logged(&format!("{key:?}"));
    deployed.kill().await;
}

/// Where a file of keys would be, were it told of.
#[test]
fn what_is_secret_is_found() {
    let log = Log::new();
    let path: PathBuf = log.path.to_path_buf();
    std::fs::write(&path, "a line with Canary-Pupil-1").unwrap();
    let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(log)));
    assert!(found.is_err());
}
