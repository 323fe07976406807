//! A storm of retries: every batch is pushed five times at once, in any order, while the server dies again and again. What
//! stands in the end is what one quiet push of each would have left.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt::Write,
    sync::{Arc, Mutex, RwLock},
    time::{Duration, Instant},
};

use chrono::{Days, NaiveDate};
use rand::{RngExt, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use testkit::{Nats, Server, setting};
use tokio::task::JoinSet;

use crate::{
    running::{Client, command},
    story::{Cast, Deployed, URN, feed, found},
};

/// How often each batch is pushed.
const COPIES: usize = 5;
/// Requests at once.
const SENDERS: usize = 16;
/// One batch in so many is of two parts, and waits its turn.
const LARGE: usize = 20;
/// How long a batch may stay unanswered, or unsettled.
const PATIENCE: Duration = Duration::from_mins(3);

/// How much of a storm it is.
#[derive(Clone, Copy)]
struct Size {
    batches: usize,
    /// How often something dies.
    deaths: u32,
}

const SMALL: Size = Size { batches: 60, deaths: 3 };
const FULL: Size = Size { batches: 1000, deaths: 20 };

/// Five pupils with a register of their own; in some batches so much besides that it takes two parts.
fn batch(number: usize) -> String {
    let slot = u64::try_from(number).unwrap();
    let monday = NaiveDate::from_ymd_opt(2024, 9, 2).unwrap();
    let date = monday + Days::new(slot / 10 * 7 + slot % 10 / 2);
    let session = if slot.is_multiple_of(2) { "AM" } else { "PM" };
    let mut body = String::new();
    let mut marks = Vec::new();
    for pupil in 0..5_usize {
        let name = format!("s{number}-{pupil}");
        let enrolment = json!({"externalId": name, "enrolment": {
            "urn": URN, "pupil": name, "yearGroup": pupil, "startsOn": "2024-09-01"}});
        writeln!(body, "{enrolment}").unwrap();
        marks.push(json!({"pupil": name, "code": if pupil == number % 5 { "I" } else { "/" }}));
    }
    let register = json!({"externalId": format!("r{number}"), "attendanceRegister": {
        "urn": URN, "date": date, "session": session, "marks": marks}});
    writeln!(body, "{register}").unwrap();
    if number.is_multiple_of(LARGE) {
        let padding = "x".repeat(190);
        for copy in 0..1800 {
            let more = json!({"externalId": format!("{copy}-{padding}"), "enrolment": {
                "urn": URN, "pupil": format!("s{number}-0"), "yearGroup": 0, "startsOn": "2024-09-01"}});
            writeln!(body, "{more}").unwrap();
        }
    }
    body
}

/// What dies.
enum Machine {
    Server,
    WithNats(Nats),
    WithPostgres(Server),
}

impl Machine {
    async fn strike(&mut self, deployed: &mut Deployed, chance: &mut StdRng) {
        match self {
            Self::WithNats(nats) if chance.random_bool(0.4) => {
                nats.kill();
                tokio::time::sleep(Duration::from_millis(chance.random_range(1..300))).await;
                nats.restart();
            }
            Self::WithPostgres(postgres) if chance.random_bool(0.4) => {
                postgres.kill();
                postgres.restart().await;
            }
            _ => {
                deployed.kill().await;
                deployed.start().await.unwrap();
            }
        }
    }
}

/// What the senders share.
struct Storm {
    door: RwLock<Client>,
    path: String,
    waiting: Mutex<VecDeque<usize>>,
    /// The ids each batch was acknowledged with.
    acknowledged: Mutex<BTreeMap<usize, BTreeSet<String>>>,
}

impl Storm {
    async fn send(&self) {
        loop {
            let Some(number) = self.waiting.lock().unwrap().pop_front() else { return };
            let id = self.push(number).await;
            self.acknowledged.lock().unwrap().entry(number).or_default().insert(id);
        }
    }

    /// Pushes a batch until it is acknowledged.
    async fn push(&self, number: usize) -> String {
        let key = format!("storm-{number}");
        let headers = [("content-type", "application/x-ndjson"), ("idempotency-key", &*key)];
        let give_up = Instant::now() + PATIENCE;
        loop {
            let door = self.door.read().unwrap().clone();
            match door.try_send("POST", &self.path, &headers, batch(number)).await {
                Ok(answer) if answer.status == 202 => {
                    return answer.json()["batchId"].as_str().unwrap().to_owned();
                }
                Ok(answer) => {
                    let again = answer.status.is_server_error()
                        || [409, 429].contains(&answer.status.as_u16());
                    assert!(again, "batch {number}: {answer:?}");
                }
                Err(_) => {}
            }
            assert!(Instant::now() < give_up, "batch {number} was never answered");
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
}

async fn rage(size: Size, mut machine: Machine, mut deployed: Deployed) {
    let mut chance = testkit::chance();
    let Size { batches, deaths } = size;
    let started = Instant::now();
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let mut order: Vec<usize> = (0..batches).flat_map(|it| [it; COPIES]).collect();
    order.shuffle(&mut chance);
    let storm = Arc::new(Storm {
        door: RwLock::new(deployed.client(1, &cast.vendor)),
        path: format!("/v1/feeds/{feed}/batches"),
        waiting: Mutex::new(order.into()),
        acknowledged: Mutex::default(),
    });
    let mut senders = JoinSet::new();
    for _ in 0..SENDERS {
        let storm = Arc::clone(&storm);
        senders.spawn(async move { storm.send().await });
    }
    for _ in 0..deaths {
        tokio::time::sleep(Duration::from_millis(chance.random_range(100..900))).await;
        machine.strike(&mut deployed, &mut chance).await;
        *storm.door.write().unwrap() = deployed.client(1, &cast.vendor);
    }
    while let Some(sent) = senders.join_next().await {
        sent.unwrap();
    }
    let acknowledged = std::mem::take(&mut *storm.acknowledged.lock().unwrap());
    assert_eq!(acknowledged.len(), batches);
    let ids: BTreeSet<String> = acknowledged
        .values()
        .map(|ids| {
            assert_eq!(ids.len(), 1, "one push, however often it is sent: {ids:?}");
            ids.first().unwrap().clone()
        })
        .collect();
    assert_eq!(ids.len(), batches);
    settled(&deployed, &cast, &ids).await;
    assert_eq!(received(&deployed, &cast).await, ids, "what was acknowledged, once, and no more");
    let picture = picture(&deployed, &cast).await;
    deployed.kill().await;
    let mut arguments = vec!["journal", "verify"];
    arguments.extend(deployed.arguments.iter().map(String::as_str));
    let arguments: Vec<_> = without_nats(&arguments);
    let verified = command(deployed.data(), &arguments);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    assert_eq!(picture, quiet(batches).await);
    let seconds = started.elapsed().as_secs();
    println!(
        "{batches} batches, each {COPIES} times, {deaths} deaths, {seconds} s: as one quiet push of each"
    );
}

/// The command needs the databases alone.
fn without_nats<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let at = arguments.iter().position(|it| *it == "--nats-url");
    let kept = |index: usize| at.is_none_or(|at| index != at && index != at + 1);
    (0..).zip(arguments).filter(|it| kept(it.0)).map(|it| *it.1).collect()
}

/// Every batch ends with each of its records stored, or stored before.
async fn settled(deployed: &Deployed, cast: &Cast, ids: &BTreeSet<String>) {
    let vendor = deployed.client(1, &cast.vendor);
    let give_up = Instant::now() + PATIENCE;
    for id in ids {
        loop {
            let batch = vendor.get(&format!("/v1/batches/{id}")).await.done();
            let count = |name: &str| batch[name].as_u64().unwrap_or(0);
            if batch["state"] == "BATCH_STATE_APPLIED" {
                assert_eq!(
                    count("accepted") + count("unchanged") + count("corrected"),
                    count("records"),
                    "{batch}"
                );
                assert!([6, 1806].contains(&count("records")), "{batch}");
                break;
            }
            assert!(Instant::now() < give_up, "never settled: {batch}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// The batches that the journal tells of as received.
async fn received(deployed: &Deployed, cast: &Cast) -> BTreeSet<String> {
    let (mut ids, mut after) = (BTreeSet::new(), 0);
    let admin = deployed.client(1, &cast.admin);
    loop {
        let path = format!("/v1/journals/intelligence/events?pageSize=1000&after={after}");
        let page = admin.get(&path).await.done();
        let Some(events) = page["events"].as_array().filter(|it| !it.is_empty()) else {
            return ids;
        };
        after += events.len();
        for event in events {
            if event["type"] == "headway.intelligence.v1.BatchReceived" {
                let id = event["stream"].as_str().unwrap().rsplit('/').next().unwrap();
                assert!(ids.insert(id.to_owned()), "{id} was received twice");
            }
        }
    }
}

/// What the trust knows of the school's attendance, by week and year group.
async fn picture(deployed: &Deployed, cast: &Cast) -> Vec<Value> {
    let admin = deployed.client(1, &cast.admin);
    let mut picture = Vec::new();
    for kind in ["DAY", "WEEK", "ACADEMIC_YEAR"] {
        let path = format!(
            "/v1/trusts/{}/observations?measure=attendance&urn={URN}&periodKind=PERIOD_KIND_{kind}\
             &from=2024-09-01&to=2027-07-31&byYearGroup=true&pageSize=1000",
            cast.trust
        );
        let page = admin.get(&path).await.done();
        picture.extend(page["observations"].as_array().cloned().unwrap_or_default());
    }
    for it in &mut picture {
        // Ids and times are another deployment's.
        let it = it.as_object_mut().unwrap();
        it.retain(|name, _| !name.ends_with("Id") && !name.ends_with("At"));
    }
    picture
}

/// The same batches, each pushed once to a server that is left alone.
async fn quiet(batches: usize) -> Vec<Value> {
    let deployed = Deployed::together(vec![]).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let vendor = deployed.client(1, &cast.vendor);
    let headers = [("content-type", "application/x-ndjson"), ("prefer", "wait=60")];
    for number in 0..batches {
        let path = format!("/v1/feeds/{feed}/batches");
        let answer = vendor.send("POST", &path, &headers, batch(number)).await.done();
        assert_eq!(answer["state"], "BATCH_STATE_APPLIED", "{answer}");
    }
    let picture = picture(&deployed, &cast).await;
    assert!(!picture.is_empty());
    deployed.end().await;
    picture
}

async fn on_sqlite(size: Size) {
    rage(size, Machine::Server, Deployed::together(vec![]).await).await;
}

async fn on_postgres(size: Size) {
    let server = Server::start(&[]).await;
    let url = format!("{}/postgres", server.url());
    let deployed = Deployed::together(vec!["--database-url".to_owned(), url]).await;
    rage(size, Machine::WithPostgres(server), deployed).await;
}

async fn through_jetstream(size: Size) {
    let nats = Nats::start();
    let mut arguments = crate::story::postgres().await;
    arguments.extend(["--nats-url".to_owned(), nats.url()]);
    let deployed = Deployed::together(arguments).await;
    rage(size, Machine::WithNats(nats), deployed).await;
}

#[tokio::test]
async fn a_storm_on_sqlite() {
    on_sqlite(SMALL).await;
}

#[tokio::test]
async fn a_storm_on_postgres() {
    on_postgres(SMALL).await;
}

#[tokio::test]
async fn a_storm_through_jetstream() {
    through_jetstream(SMALL).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_great_storm_on_sqlite() {
    on_sqlite(FULL).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_great_storm_on_postgres() {
    on_postgres(FULL).await;
}

#[tokio::test]
#[ignore = "takes minutes"]
async fn a_great_storm_through_jetstream() {
    through_jetstream(FULL).await;
}

/// A body of any size takes a bounded part of memory: MiB of it, `HEADWAY_BODY_MIB`; 300 is the full size.
#[tokio::test]
async fn a_large_body_takes_little_memory() {
    let deployed = Deployed::together(vec![]).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let line = format!("{{\"externalId\": \"{}\"}}\n", "x".repeat(4000));
    let size = usize::try_from(setting("HEADWAY_BODY_MIB", 150)).unwrap() << 20;
    let body = line.repeat(size / line.len());
    let vendor = deployed.client(1, &cast.vendor);
    let path = format!("/v1/feeds/{feed}/batches");
    let headers = [("content-type", "application/x-ndjson")];
    let before = deployed.memory();
    let answer = vendor.send("POST", &path, &headers, body).await.done();
    assert_eq!(answer["state"], "BATCH_STATE_RECEIVED");
    let grown = deployed.memory().saturating_sub(before);
    println!("{} MiB of body, {} MiB of memory", size >> 20, grown >> 10);
    assert!(grown < 64 << 10, "{grown} KiB");
}
