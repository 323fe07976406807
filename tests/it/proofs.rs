//! The evidence as a stranger gets it: exports and proofs checked by a program that shares no line with ours, and a
//! server over a log that somebody has been at.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::{Value, json};

use crate::{
    demonstration::python,
    running::{Client, command, eventually, root, token},
    story::{Cast, Deployed, found, postgres},
};

/// Runs the verifier that is not ours.
fn outside(arguments: &[&str], token: &str) -> Output {
    Command::new(python())
        .arg(root().join("tests/outside/verify_journal.py"))
        .args(arguments)
        .env("HEADWAY_TOKEN", token)
        .output()
        .unwrap()
}

#[track_caller]
fn holds(output: &Output, expected: &str) {
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(expected), "{said}");
}

#[track_caller]
fn is_refused(output: &Output, expected: &str) {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "accepted: {}", String::from_utf8_lossy(&output.stdout));
    assert!(said.starts_with("refused: ") && said.contains(expected), "{said}");
}

/// Runs a command of the binary over a deployment's data; it must succeed.
#[track_caller]
fn run(deployed: &Deployed, arguments: &[&str]) -> String {
    let mut all = arguments.to_vec();
    all.extend(deployed.arguments.iter().map(String::as_str));
    let output = command(deployed.data(), &all);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A deployment whose registry's checkpoint covers everything, the key to pin, and a platform token.
async fn signed(arguments: Vec<String>) -> (Deployed, Cast, String, String) {
    let deployed = Deployed::together(arguments).await;
    let cast = found(&deployed).await;
    let operator = token(deployed.data(), "operator", None, &["journal:read"]);
    let client = deployed.client(0, &operator);
    covered(&client, "registry").await;
    let keys = client.get("/v1/journals/registry/checkpoint-keys").await.done();
    let key = keys["keys"][0]["verifierKey"].as_str().unwrap().to_owned();
    (deployed, cast, key, operator)
}

/// The newest checkpoint of a service's journal, once it covers every event.
async fn covered(client: &Client, service: &str) -> Value {
    let journal = format!("/v1/journals/{service}");
    eventually(async || {
        let head = client.get(&format!("{journal}/events?pageSize=1")).await.done();
        let checkpoint = client.get(&format!("{journal}/checkpoint")).await;
        let covers = checkpoint.status.is_success() && checkpoint.json()["size"] == head["head"];
        covers.then(|| checkpoint.json())
    })
    .await
}

fn write(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, content).unwrap();
    path.display().to_string()
}

async fn tell(arguments: Vec<String>) {
    let (mut deployed, cast, key, operator) = signed(arguments).await;
    let client = deployed.client(0, &operator);
    let kept = covered(&client, "registry").await;
    let note = write(deployed.data(), "kept.note", kept["note"].as_str().unwrap());
    let server = ["server", &deployed.url(0), "registry", "--key", &key, "--since", &note];
    holds(&outside(&server, &operator), "what was kept is their beginning");

    // More happens, under a new key; who pinned the old one follows.
    assert_eq!(run(&deployed, &["journal", "rotate-key"]).matches("signs").count(), 6);
    let body = json!({"name": "Another trust", "groupUid": "5453"});
    let platform = token(deployed.data(), "operator", None, &["platform:write"]);
    let more = deployed.client(0, &platform).post("/v1/trusts", &body).await;
    assert!(more.status.is_success() || more.status == 409, "{more:?}");
    let journey = json!({"urn": crate::story::URN, "phase": "PHASE_REPAIR", "rationale": "As reviewed",
        "evidence": [{"kind": "EVIDENCE_KIND_OUTSIDE_JUDGEMENT", "reference": "review"}]});
    let path = format!("/v1/trusts/{}/journeys", cast.trust);
    deployed.client(0, &cast.admin).post(&path, &journey).await.done();
    let newest = covered(&client, "registry").await;
    assert!(newest["size"] != kept["size"], "{newest}");
    assert_eq!(newest["note"].as_str().unwrap().matches('\u{2014}').count(), 2);
    holds(&outside(&server, &operator), "what was kept is their beginning");

    let exported = run(&deployed, &["journal", "export", "--service", "registry"]);
    refuse_exports(&deployed, &exported, &key);
    let proof = run(&deployed, &["journal", "prove", "--service", "registry", "--position", "2"]);
    let other = run(&deployed, &["journal", "export", "--service", "intelligence"]);
    refuse_proofs(&deployed, &proof, &other, &key);

    // A trust proves its own by its own positions.
    let own = deployed.client(0, &cast.admin);
    let proved = own.get("/v1/journals/registry/inclusion-proof?position=1").await.done();
    let file = write(deployed.data(), "own.json", &proved.to_string());
    holds(&outside(&["proof", &file, "--key", &key], ""), "the event is in the log");
    deployed.kill().await;
}

/// An export is accepted as it is, and refused once anything in it is changed.
fn refuse_exports(deployed: &Deployed, exported: &str, key: &str) {
    let check = |text: &str| {
        let file = write(deployed.data(), "export.ndjson", text);
        outside(&["export", &file, "--key", key], "")
    };
    holds(&check(exported), "checkpoints hold");
    let lines: Vec<Value> = exported.lines().map(|it| serde_json::from_str(it).unwrap()).collect();
    let changed = |at: usize, pointer: &str, value: Value| {
        let mut lines = lines.clone();
        *lines[at].pointer_mut(pointer).unwrap() = value;
        lines.iter().map(Value::to_string).collect::<Vec<_>>().join("\n")
    };
    let unsigned = "are not those that were signed";
    for (pointer, value, expected) in [
        ("/event/actor", json!("somebody else"), unsigned),
        ("/event/data", json!("AAAA"), unsigned),
        ("/event/stream", json!("trust/x"), unsigned),
        ("/event/version", json!(7), unsigned),
        ("/event/recordedAt", json!("2026-01-01T00:00:00+00:00"), unsigned),
        ("/event/correlationId", json!(uuid::Uuid::nil()), unsigned),
        ("/trustPosition", json!("9"), "not dense"),
        ("/logPosition", json!("9"), "position 2 is missing"),
        ("/event/eventId", json!("no id"), "cannot be read"),
    ] {
        is_refused(&check(&changed(2, pointer, value)), expected);
    }
    let at = lines.iter().position(|it| it.get("checkpoint").is_some()).unwrap();
    let root = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    is_refused(&check(&changed(at, "/checkpoint/root", root)), "another root than its note");
    is_refused(&check(&changed(at, "/checkpoint/size", json!("1"))), "another size than its note");
    let all: Vec<&str> = exported.lines().collect();
    is_refused(&check(&all[..all.len() - 1].join("\n")), "cut short");
    is_refused(&check(&[&all[..2], &all[3..]].concat().join("\n")), "position 2 is missing");
    is_refused(&check(&exported[..exported.len() / 2]), "line");
    let stranger = "headway/registry/x+c5ea8a38+ARcdSzbDCpoqHsr2YrtNVMCDbS4hsTYfiiFfHFUOqMQr";
    let file = write(deployed.data(), "export.ndjson", exported);
    is_refused(&outside(&["export", &file, "--key", stranger], ""), "");
}

/// A proof is accepted as it is, and refused once it is bent.
fn refuse_proofs(deployed: &Deployed, proof: &str, other: &str, key: &str) {
    let check = |proof: &Value| {
        let file = write(deployed.data(), "proof.json", &proof.to_string());
        outside(&["proof", &file, "--key", key], "")
    };
    let proof: Value = serde_json::from_str(proof).unwrap();
    holds(&check(&proof), "the event is in the log");
    let bent = |bend: &dyn Fn(&mut Value)| {
        let mut proof = proof.clone();
        bend(&mut proof);
        check(&proof)
    };
    let leads = "does not lead to the signed root";
    is_refused(&bent(&|it| drop(it["hashes"].as_array_mut().unwrap().pop())), "too short");
    is_refused(&bent(&|it| it["hashes"].as_array_mut().unwrap().swap(0, 1)), leads);
    is_refused(&bent(&|it| it["hashes"][0] = it["checkpoint"]["root"].clone()), leads);
    is_refused(
        &bent(&|it| {
            let first = it["hashes"][0].clone();
            it["hashes"].as_array_mut().unwrap().push(first);
        }),
        "too long",
    );
    is_refused(&bent(&|it| it["event"]["actor"] = json!("x")), leads);
    is_refused(&bent(&|it| it["leafIndex"] = json!("2")), "not that of the event's position");
    is_refused(
        &bent(&|it| {
            it["leafIndex"] = json!("9998");
            it["logPosition"] = json!("9999");
        }),
        "lies beyond the tree",
    );
    let forged = |it: &mut Value, from: &str, to: &str| {
        let note = it["checkpoint"]["note"].as_str().unwrap().replace(from, to);
        it["checkpoint"]["note"] = json!(note);
    };
    let size = format!("\n{}\n", proof["checkpoint"]["size"].as_str().unwrap());
    is_refused(&bent(&|it| forged(it, &size, "\n9\n")), "signature of the checkpoint is not valid");
    is_refused(&bent(&|it| forged(it, "\u{2014} headway", "\u{2014} other")), "by a pinned key");
    let another = other.lines().find(|it| it.contains("\"checkpoint\":")).unwrap_or("{}");
    let another: Value = serde_json::from_str(another).unwrap();
    is_refused(&bent(&|it| it["checkpoint"] = another["checkpoint"].clone()), "");
}

/// threat: T-DENIED
#[tokio::test]
async fn a_stranger_verifies_what_sqlite_holds() {
    tell(vec![]).await;
}

/// threat: T-DENIED
#[tokio::test]
async fn a_stranger_verifies_what_postgres_holds() {
    tell(postgres().await).await;
}

/// Changes the file of a service's database as its owner may.
fn change(deployed: &Deployed, service: &str, statements: &str) -> PathBuf {
    let path = deployed.data().join(service).with_extension("db");
    let script = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.executescript(sys.argv[2]); \
                  db.commit(); db.execute('PRAGMA wal_checkpoint(TRUNCATE)').fetchall(); db.close()";
    let status = Command::new(python()).args(["-c", script]).arg(&path).arg(statements).status();
    assert!(status.unwrap().success());
    path
}

/// threat: T-LOG-REWRITTEN
#[tokio::test]
async fn a_damaged_journal_is_read_and_not_written() {
    let (mut deployed, cast, _, operator) = signed(vec![]).await;
    deployed.kill().await;
    let tamper = "DROP TRIGGER event_no_update; UPDATE event SET actor = 'x' WHERE position = 2;";
    change(&deployed, "registry", tamper);
    deployed.start().await.unwrap();
    let client = deployed.client(0, &operator);
    let ready = client.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.text.contains("its journal is damaged"), "{ready:?}");
    let head = client.get("/v1/journals/registry/events?pageSize=1").await.done()["head"].clone();
    let admin = deployed.client(0, &cast.admin);
    assert!(admin.get(&format!("/v1/trusts/{}/schools", cast.trust)).await.status.is_success());
    let journey = json!({"urn": crate::story::URN, "phase": "PHASE_REPAIR", "rationale": "As reviewed",
        "evidence": [{"kind": "EVIDENCE_KIND_OUTSIDE_JUDGEMENT", "reference": "review"}]});
    let refused = admin.post(&format!("/v1/trusts/{}/journeys", cast.trust), &journey).await;
    assert_eq!(refused.refused(503), "JOURNAL_DAMAGED");
    assert!(refused.text.contains("headway journal verify"), "it says what to do: {refused:?}");
    let now = client.get("/v1/journals/registry/events?pageSize=1").await.done();
    assert_eq!(now["head"], head, "nothing was appended");
    deployed.kill().await;
    let verified = command(deployed.data(), &["journal", "verify", "--service", "registry"]);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(!verified.status.success());
    assert!(said.contains("position 2 is not what was recorded"), "{said}");
}

/// threat: T-LOG-REWRITTEN
#[tokio::test]
async fn a_database_that_was_cut_short_is_said_to_be() {
    let (mut deployed, ..) = signed(vec![]).await;
    deployed.kill().await;
    let path = change(&deployed, "registry", "");
    let length = fs::metadata(&path).unwrap().len();
    for keep in [length - 4096, length / 2, 5000, 60] {
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(keep).unwrap();
        let output = command(deployed.data(), &["journal", "verify", "--service", "registry"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{keep} of {length} bytes");
        assert!(said.contains("registry") && said.contains("damaged"), "{keep} bytes: {said}");
        let mut served =
            crate::running::spawn(deployed.data(), &["serve", "--listen", "127.0.0.1:0"], &[]);
        assert!(!served.0.wait().await.unwrap().success(), "it does not start");
    }
}

/// Somebody is erased: the certificate holds for a stranger, and so does everything that was ever proven.
async fn erase(arguments: Vec<String>) {
    let (mut deployed, cast, ..) = signed(arguments).await;
    let operator = token(deployed.data(), "operator", None, &["journal:read"]);
    let own = deployed.client(1, &cast.admin);
    let feed = crate::story::feed(&deployed, &cast).await;
    let enrolment = json!({"records": [{"externalId": "Canary-Record", "enrolment": {"urn": crate::story::URN,
        "pupil": "Canary-Pupil-1", "yearGroup": 3, "startsOn": "2025-09-01"}}]});
    let vendor = deployed.client(1, &cast.vendor);
    let batch = vendor.post(&format!("/v1/feeds/{feed}/batches"), &enrolment).await.done();
    assert_eq!(batch["accepted"], 1, "{batch}");
    let request = json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "Canary-Pupil-1", "authority": "Request 1"});
    let erasure = own.post(&format!("/v1/trusts/{}/erasures", cast.trust), &request).await.done();
    let path = format!("/v1/erasures/{}/certificate", erasure["erasureId"].as_str().unwrap());
    let note = own.get(&path).await.done()["note"].as_str().unwrap().to_owned();
    let platform = deployed.client(1, &operator);
    let keys = platform.get("/v1/journals/intelligence/checkpoint-keys").await.done();
    let key = keys["keys"][0]["verifierKey"].as_str().unwrap();
    let file = write(deployed.data(), "certificate", &note);
    holds(&outside(&["certificate", &file, "--key", key], ""), "is certified");
    let forged = write(deployed.data(), "forged", &note.replace("enrolments 1", "enrolments 2"));
    is_refused(&outside(&["certificate", &forged, "--key", key], ""), "signature");
    covered(&platform, "intelligence").await;
    let exported = run(&deployed, &["journal", "export", "--service", "intelligence"]);
    assert!(!exported.contains("Canary"), "no event tells of whom");
    let file = write(deployed.data(), "exported", &exported);
    holds(&outside(&["export", &file, "--key", key], ""), "hold");
    let verified = run(&deployed, &["journal", "verify", "--service", "intelligence"]);
    assert!(verified.contains("equals its replay") && verified.contains("0 flaws"), "{verified}");
    deployed.kill().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_certified_on_sqlite() {
    erase(vec![]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_is_certified_on_postgres() {
    erase(postgres().await).await;
}
