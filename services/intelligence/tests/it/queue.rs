//! Bodies of many parts, and who applies them: in order, once, whatever breaks.

use std::time::Duration;

use axum::{Router, body::Body};
use intelligence::{App, domain::Sizes};
use serde_json::{Value, json};
use testkit::{Answer, Database};
use tokio::task::JoinHandle;
use tower::ServiceExt;

use crate::world::{FRIDAY, OTHER_URN, URN, World, enrolment, enrolments, whole};

testkit::both!(
    a_large_body_is_received_and_applied_part_by_part,
    every_record_of_a_line_is_told_of_once,
    a_retry_is_given_the_batch_there_is,
    a_body_that_breaks_off_leaves_nothing,
    later_pushes_wait_behind_a_trusts_batch,
    no_trust_starves_another,
    workers_that_die_are_followed_up,
    two_processes_share_the_work,
    a_queue_holds_every_batch_until_it_is_applied,
    nothing_readable_waits_in_the_spool,
);

const SMALL: Sizes = Sizes { part_bytes: 4096, part_records: 10, bytes: 1 << 20, records: 100_000 };

/// A process that takes small parts, with its doors and so many workers.
struct Process {
    rest: Router,
    workers: JoinHandle<()>,
}

impl Process {
    fn of(app: &App, queue: Option<relay::Work>, workers: usize) -> Self {
        let app = app.clone().taking(SMALL, queue);
        let rest = app.rest();
        let work = async move {
            if workers > 0 {
                app.work(workers).await;
            }
        };
        Self { rest, workers: tokio::spawn(work) }
    }

    /// Another over the same database.
    async fn another(database: &Database, queue: Option<relay::Work>, workers: usize) -> Self {
        let db = database.open(intelligence::NAME, intelligence::migrations()).await;
        Self::of(&App::open(db, [7; 32]), queue, workers)
    }

    async fn kill(self) {
        self.workers.abort();
        drop(self.workers.await);
    }
}

fn lines(records: &[Value]) -> String {
    records.iter().map(|it| format!("{it}\n")).collect::<Vec<_>>().concat()
}

async fn send(world: &World, to: &Process, wait: u32, key: &str, records: &[Value]) -> Answer {
    let prefer = format!("wait={wait}");
    let headers =
        [("content-type", "application/x-ndjson"), ("prefer", &*prefer), ("idempotency-key", key)];
    world.vendor().raw(&to.rest, "POST", &world.batches(), &headers, lines(records)).await
}

async fn state(world: &World, batch: &Value) -> Value {
    let path = format!("/v1/batches/{}", batch["batchId"].as_str().unwrap());
    world.vendor().get(&world.rest, &path).await.body
}

/// The batch once it is settled.
async fn settled(world: &World, batch: &Value) -> Value {
    for _ in 0..600 {
        let now = state(world, batch).await;
        let of = now["state"].as_str().unwrap();
        if !["BATCH_STATE_RECEIVED", "BATCH_STATE_VALIDATING"].contains(&of) {
            return now;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("never settled: {}", state(world, batch).await);
}

/// Rows of a table.
async fn count(world: &World, sql: &'static str) -> i64 {
    let mut tx = world.app.journal().db().read().await.unwrap();
    db::on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

async fn a_large_body_is_received_and_applied_part_by_part(database: Database) {
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    let records = enrolments(URN, 1..=95, 3);
    let received = send(&world, &idle, 0, "k", &records).await;
    assert_eq!(received.status, 202, "{received:?}");
    assert_eq!(received.body["state"], "BATCH_STATE_RECEIVED");
    let id = received.body["batchId"].as_str().unwrap();
    assert_eq!(received.headers["location"], format!("/v1/batches/{id}"));
    assert_eq!(count(&world, "SELECT count(*) FROM batch_part").await, 10);
    assert_eq!(state(&world, &received.body).await["records"], 0);

    let busy = Process::of(&world.app, None, 2);
    let batch = settled(&world, &received.body).await;
    assert_eq!(batch["state"], "BATCH_STATE_APPLIED");
    assert_eq!((&batch["records"], &batch["accepted"]), (&json!(95), &json!(95)), "{batch}");
    let results = world.results(&batch).await;
    let lines: Vec<_> = results.iter().map(|it| it["line"].as_u64().unwrap()).collect();
    assert_eq!(lines, (1..=95).collect::<Vec<_>>()[..lines.len()]);
    assert_eq!(count(&world, "SELECT count(*) FROM batch_part").await, 0);
    assert_eq!(count(&world, "SELECT count(*) FROM batch_work").await, 0);

    let again = send(&world, &busy, 30, "k2", &records).await;
    assert_eq!(
        (&again.body["state"], &again.body["unchanged"]),
        (&json!("BATCH_STATE_APPLIED"), &json!(95))
    );
    assert_eq!(again.headers["preference-applied"], "wait=30");
    let mut wrong = records.clone();
    wrong[57] =
        json!({"externalId": "x", "enrolment": {"urn": URN, "pupil": "p", "yearGroup": 77}});
    let partly = send(&world, &busy, 30, "k3", &wrong).await.body;
    assert_eq!(partly["state"], "BATCH_STATE_PARTLY_APPLIED");
    let path = format!(
        "/v1/batches/{}/results?outcome=RECORD_OUTCOME_REJECTED",
        partly["batchId"].as_str().unwrap()
    );
    let rejected = world.vendor().get(&world.rest, &path).await.body;
    assert_eq!(rejected["results"][0]["line"], 58, "{rejected}");
    busy.kill().await;
}

async fn every_record_of_a_line_is_told_of_once(database: Database) {
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    // A row of a published table holds more than a hundred records.
    let table = include_str!("../data/published/ks2_2018-19.csv").replace("124937", URN);
    let (header, rows) = table.split_once('\n').unwrap();
    let row = rows.lines().find(|it| it.contains(URN)).unwrap();
    let body = format!("{header}\n{}", format!("{row}\n").repeat(12));
    let path = format!("{}?period=2018/19", world.batches());
    let headers = [("content-type", "text/csv")];
    let answer = world.vendor().raw(&idle.rest, "POST", &path, &headers, body).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    assert!(count(&world, "SELECT count(*) FROM batch_part").await > 1);
    let busy = Process::of(&world.app, None, 1);
    let batch = settled(&world, &answer.body).await;
    let records = batch["records"].as_u64().unwrap();
    assert!(records > 1000 && records % 12 == 0, "{batch}");
    busy.kill().await;

    let path = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
    for (query, expected) in [("", records), ("&outcome=RECORD_OUTCOME_ACCEPTED", records / 12)] {
        let (mut told, mut token) = (Vec::new(), String::new());
        loop {
            let path = format!("{path}?pageSize=97{query}{token}");
            let page = world.vendor().get(&world.rest, &path).await.body;
            told.extend(page["results"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["nextPageToken"].as_str() else { break };
            token = format!("&pageToken={next}");
        }
        let place = |it: &Value| (it["line"].as_u64(), it["externalId"].to_string());
        assert!(told.is_sorted_by_key(|it| it["line"].as_u64()));
        let places: std::collections::BTreeSet<_> = told.iter().map(place).collect();
        assert_eq!((told.len() as u64, places.len() as u64), (expected, expected), "{query}");
    }
    let headers = [("accept", "application/x-ndjson")];
    let file = world.vendor().raw(&world.rest, "GET", &path, &headers, "").await;
    assert_eq!(file.body.as_str().unwrap().lines().count() as u64, records);
}

async fn a_retry_is_given_the_batch_there_is(database: Database) {
    let world = World::new(&database).await;
    let process = Process::of(&world.app, None, 1);
    let first = send(&world, &process, 0, "k", &enrolments(URN, 1..=40, 3)).await.body;
    let again = send(&world, &process, 20, "k", &enrolments(URN, 1..=40, 3)).await.body;
    assert_eq!((&again["batchId"], &again["accepted"]), (&first["batchId"], &json!(40)));
    let other = send(&world, &process, 0, "k", &enrolments(URN, 1..=41, 3)).await;
    assert_eq!(testkit::problem(&other), "IDEMPOTENCY_KEY_REUSED");
    // What was kept of the refused body is forgotten behind the answer.
    for _ in 0..100 {
        if count(&world, "SELECT count(*) FROM batch_part").await == 0 {
            return process.kill().await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("parts of a refused body stay");
}

/// threat: T-BROKEN-STREAM
async fn a_body_that_breaks_off_leaves_nothing(database: Database) {
    let world = World::new(&database).await;
    let process = Process::of(&world.app, None, 1);
    let whole = lines(&enrolments(URN, 1..=40, 3));
    let broken = async |body: Body| {
        let mut request = http::Request::post(world.batches())
            .header("content-type", "application/x-ndjson")
            .body(body)
            .unwrap();
        request.extensions_mut().insert(world.vendor().0);
        process.rest.clone().oneshot(request).await.unwrap().status()
    };
    let ends: [Result<String, std::io::Error>; 2] =
        [Ok(whole.clone()), Err(std::io::ErrorKind::ConnectionReset.into())];
    assert_eq!(broken(Body::from_stream(tokio_stream::iter(ends))).await, 400);
    assert_eq!(broken(Body::from(whole + "{\"externalId\": ")).await, 400);
    tokio::time::sleep(Duration::from_millis(300)).await;
    for sql in ["SELECT count(*) FROM batch_part", "SELECT count(*) FROM batch"] {
        assert_eq!(count(&world, sql).await, 0, "{sql}");
    }
    process.kill().await;
}

/// An interactive push of the same trust keeps its place behind the queued one: the later of the two is what stands.
async fn later_pushes_wait_behind_a_trusts_batch(database: Database) {
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    let mut records = enrolments(URN, 1..=30, 3);
    records.push(whole(URN, FRIDAY.parse().unwrap(), "AM", 20, 4));
    let first = send(&world, &idle, 0, "k1", &records).await.body;
    let correction = whole(URN, FRIDAY.parse().unwrap(), "AM", 20, 1);
    let second = send(&world, &idle, 0, "k2", &[correction]).await.body;
    assert_eq!(second["state"], "BATCH_STATE_RECEIVED");
    let busy = Process::of(&world.app, None, 4);
    assert_eq!(settled(&world, &second).await["corrected"], 1);
    assert_eq!(state(&world, &first).await["accepted"], 31);
    assert_eq!(world.attendance(FRIDAY).await, (19, 20));
    let third = send(&world, &busy, 0, "k3", &enrolments(URN, 1..=1, 3)).await.body;
    assert_eq!(third["unchanged"], 1, "with nothing in front of it, it is applied at once");
    busy.kill().await;
}

/// threat: T-QUEUE
async fn no_trust_starves_another(database: Database) {
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    let large = send(&world, &idle, 0, "k1", &enrolments(URN, 1..=600, 3)).await.body;
    let admin = testkit::Caller::of(world.other_trust_id).named("mis");
    let feed = json!({"name": "f", "clientId": "mis", "kinds": ["RECORD_KIND_ENROLMENT"]});
    let path = format!("/v1/trusts/{}/feeds", world.other_trust_id);
    let feed = admin.post(&world.rest, &path, feed).await.body;
    let path = format!("/v1/feeds/{}/batches", feed["feedId"].as_str().unwrap());
    let records: Vec<_> = (0..15).map(|it| enrolment(OTHER_URN, &format!("q{it}"), 2)).collect();
    let small = admin.post(&idle.rest, &path, json!({"records": records})).await.body;
    let busy = Process::of(&world.app, None, 1);
    let path = format!("/v1/batches/{}", small["batchId"].as_str().unwrap());
    for _ in 0..600 {
        if admin.get(&world.rest, &path).await.body["state"] == "BATCH_STATE_APPLIED" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let done = state(&world, &large).await["records"].as_u64().unwrap();
    assert!(done < 300, "{done} of 600 records of the other trust went before");
    assert_eq!(settled(&world, &large).await["accepted"], 600);
    busy.kill().await;
}

async fn workers_that_die_are_followed_up(database: Database) {
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    let batch = send(&world, &idle, 0, "k", &enrolments(URN, 1..=400, 3)).await.body;
    for _ in 0..3 {
        let mortal = Process::of(&world.app, None, 1);
        let before = state(&world, &batch).await["records"].as_u64().unwrap();
        for _ in 0..1000 {
            if state(&world, &batch).await["records"].as_u64().unwrap() > before {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        mortal.kill().await;
    }
    // As from another machine: what the dead ones held passes to it.
    let heir = Process::another(&database, None, 2).await;
    let done = settled(&world, &batch).await;
    assert_eq!((&done["records"], &done["accepted"]), (&json!(400), &json!(400)), "{done}");
    let parts = "SELECT count(*) FROM event WHERE type = 'headway.intelligence.v1.BatchAdvanced'";
    assert_eq!(count(&world, parts).await, 39, "each part but the last, once");
    heir.kill().await;
}

async fn two_processes_share_the_work(database: Database) {
    let world = World::new(&database).await;
    let here = Process::of(&world.app, None, 2);
    // A file has one process.
    let there = match &database {
        Database::Sqlite(_) => None,
        Database::Postgres { .. } => Some(Process::another(&database, None, 2).await),
    };
    let mut batches = Vec::new();
    for round in 0..6 {
        let records = enrolments(URN, round * 10 + 1..=round * 10 + 25, 3);
        let door = there.as_ref().filter(|_| round % 2 == 1).unwrap_or(&here);
        batches.push(send(&world, door, 0, &format!("k{round}"), &records).await.body);
    }
    let (mut accepted, mut unchanged) = (0, 0);
    for batch in &batches {
        let done = settled(&world, batch).await;
        accepted += done["accepted"].as_u64().unwrap();
        unchanged += done["unchanged"].as_u64().unwrap();
    }
    assert_eq!((accepted, unchanged), (75, 75));
    here.kill().await;
    if let Some(there) = there {
        there.kill().await;
    }
}

/// With a queue every push goes through it; a server that is killed and comes back has lost nothing it acknowledged.
async fn a_queue_holds_every_batch_until_it_is_applied(database: Database) {
    let world = World::new(&database).await;
    let mut server = testkit::Nats::start();
    let queue = relay::Nats::connect(&server.url()).await.unwrap().work();
    let idle = Process::of(&world.app, Some(queue.clone()), 0);
    let one = send(&world, &idle, 0, "k1", &enrolments(URN, 1..=1, 3)).await.body;
    assert_eq!(one["state"], "BATCH_STATE_RECEIVED", "{one}");
    let many = send(&world, &idle, 0, "k2", &enrolments(URN, 1..=60, 3)).await.body;
    assert_eq!(send(&world, &idle, 0, "k2", &enrolments(URN, 1..=60, 3)).await.body, many);
    assert_eq!(count(&world, "SELECT count(*) FROM batch_part").await, 0);

    server.kill();
    let refused = send(&world, &idle, 0, "k3", &enrolments(URN, 1..=2, 3)).await;
    assert_eq!(testkit::problem(&refused), "UNAVAILABLE");
    let busy = Process::of(&world.app, Some(queue.clone()), 2);
    server.restart();
    assert_eq!(settled(&world, &one).await["accepted"], 1);
    let done = settled(&world, &many).await;
    assert_eq!((&done["accepted"], &done["unchanged"]), (&json!(59), &json!(1)), "{done}");
    let waited = send(&world, &busy, 30, "k3", &enrolments(URN, 1..=2, 3)).await.body;
    assert_eq!(waited["unchanged"], 2, "{waited}");
    // What was refused may have reached the server after all: it is swept. What is applied is forgotten behind the commit.
    let applied = [&one, &many, &waited].map(|it| it["batchId"].as_str().unwrap().to_owned());
    for attempt in 0.. {
        let mut left = Vec::new();
        for partition in 0..16 {
            left.extend(queue.batches(partition).await.unwrap());
        }
        if !left.iter().any(|it| applied.contains(&it.to_string())) {
            break;
        }
        assert!(attempt < 100, "what is applied stays");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    busy.kill().await;
}

/// threat: T-STOLEN-FILE
async fn nothing_readable_waits_in_the_spool(database: Database) {
    let Database::Sqlite(_) = &database else { return };
    let world = World::new(&database).await;
    let idle = Process::of(&world.app, None, 0);
    let records: Vec<_> =
        (0..40).map(|it| enrolment(URN, &format!("SecretPupil-{it}"), 3)).collect();
    send(&world, &idle, 0, "k", &records).await;
    let path = database.url(intelligence::NAME).replace("sqlite:", "");
    for file in [path.clone(), format!("{path}-wal")] {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(!bytes.windows(11).any(|it| it == b"SecretPupil"));
    }
}
