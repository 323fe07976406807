//! What was acknowledged survives a crash at any moment, once; what was not leaves nothing half-done, and is there once
//! when it is asked again.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use rand::{RngExt, rngs::StdRng};
use serde_json::Value;
use testkit::{PowerCut, Server, setting};
use tokio::task::JoinSet;

use crate::{
    load::{Caller, Paths, Work},
    running::{Client, command},
    story::{Cast, Deployed, feed, found},
};

/// After so many rounds everything is looked at and replayed, not only what the round did.
const THOROUGH: u64 = 25;

/// Rounds of each test: 500 is the full length.
fn length() -> u64 {
    setting("HEADWAY_CRASH_ROUNDS", 4)
}

/// What crashes: the SQLite files' machine loses power, or PostgreSQL dies with the services or without them.
enum Machine {
    Sqlite(PowerCut),
    Postgres(Server),
}

impl Machine {
    /// Brings everything down and up again.
    async fn crash(&mut self, deployed: &mut Deployed, chance: &mut StdRng) {
        match self {
            Self::Sqlite(disk) => {
                deployed.kill().await;
                disk.strike(chance);
            }
            Self::Postgres(server) => match chance.random_range(0..3) {
                0 => deployed.kill().await,
                1 => {
                    server.kill();
                    deployed.kill().await;
                    server.restart().await;
                }
                _ => {
                    // The services see their database go and come back, under load, before they die too.
                    server.kill();
                    server.restart().await;
                    tokio::time::sleep(Duration::from_millis(chance.random_range(1..400))).await;
                    deployed.kill().await;
                }
            },
        }
    }
}

/// The outcome of rounds: how much was acknowledged, or what was lost.
async fn survive(mut machine: Machine, mut deployed: Deployed, rounds: u64) -> Result<u64, String> {
    let mut chance = testkit::chance();
    deployed.start().await?;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let paths = Paths { trust: cast.trust.clone(), feed };
    let work = [Work::Pushes, Work::Journeys, Work::Projects, Work::Journeys, Work::Pushes];
    let mut callers: Vec<Caller> =
        work.iter().zip('a'..).map(|(work, name)| Caller::new(*work, &name.to_string())).collect();
    let mut seen = Seen::default();
    for round in 1..=rounds {
        let stop = Arc::new(AtomicBool::new(false));
        let mut working = JoinSet::new();
        for caller in callers.drain(..) {
            let client = client(&deployed, &cast, &caller);
            working.spawn(caller.work(client, paths.clone(), Arc::clone(&stop)));
        }
        tokio::time::sleep(Duration::from_millis(chance.random_range(20..500))).await;
        machine.crash(&mut deployed, &mut chance).await;
        callers = working.join_all().await;
        let lost = |what: String| format!("round {round}: {what}");
        deployed.start().await.map_err(lost)?;
        if round % THOROUGH == 0 || round == rounds {
            verified(&machine, &mut deployed).await.map_err(lost)?;
            seen = Seen::default();
        }
        seen.holds(&deployed, &cast, &callers, false).await.map_err(lost)?;
        sound(&deployed, &cast).await.map_err(lost)?;
        for caller in &mut callers {
            let client = client(&deployed, &cast, caller);
            caller.settle(&client, &paths).await.map_err(lost)?;
        }
        seen.holds(&deployed, &cast, &callers, true).await.map_err(lost)?;
    }
    deployed.kill().await;
    let steps: u64 =
        callers.iter().map(|it| it.batches.len() as u64 + it.versions.values().sum::<u64>()).sum();
    let retried: u32 = callers.iter().map(|it| it.retried).sum();
    println!("{rounds} crashes: {steps} acknowledged, {retried} asked again, none lost or doubled");
    Ok(steps)
}

fn client(deployed: &Deployed, cast: &Cast, caller: &Caller) -> Client {
    match caller.work {
        Work::Pushes => deployed.client(1, &cast.vendor),
        Work::Journeys | Work::Projects => deployed.client(0, &cast.admin),
    }
}

/// A journal that does not verify at its head is served, and refuses every write.
async fn sound(deployed: &Deployed, cast: &Cast) -> Result<(), String> {
    let ready = deployed.client(0, &cast.admin).get("/readyz").await;
    if ready.text.contains("damaged") { Err(ready.text) } else { Ok(()) }
}

/// The journals, proved by the command whoever runs the services has; the services are down meanwhile.
async fn verified(machine: &Machine, deployed: &mut Deployed) -> Result<(), String> {
    deployed.kill().await;
    let mut arguments = vec!["journal", "verify"];
    arguments.extend(deployed.arguments.iter().map(String::as_str));
    let verified = command(deployed.data(), &arguments);
    if let Machine::Sqlite(disk) = machine {
        disk.settle();
    }
    deployed.start().await?;
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    if verified.status.success() { Ok(()) } else { Err(said) }
}

/// The trust's journals as far as they were read.
#[derive(Default)]
struct Seen {
    events: BTreeMap<&'static str, usize>,
    ids: BTreeSet<String>,
    /// The length of every stream, by the id in its name.
    streams: BTreeMap<String, u64>,
    /// Those among them that callers began.
    begun: BTreeSet<String>,
    batches: BTreeSet<String>,
}

impl Seen {
    /// Reads on, in the journals of both services, and checks that positions and versions have no hole.
    async fn read(&mut self, client: &Client) -> Result<(), String> {
        for service in ["registry", "improvement"] {
            loop {
                let after = self.events.entry(service).or_default();
                let path = format!("/v1/journals/{service}/events?pageSize=1000&after={after}");
                let page = client.get(&path).await;
                if !page.status.is_success() {
                    return Err(page.text);
                }
                let page = page.json();
                let Some(page) = page["events"].as_array().filter(|it| !it.is_empty()) else {
                    break;
                };
                for event in page {
                    self.add(service, event).map_err(|it| format!("{service}: {event} {it}"))?;
                }
            }
        }
        Ok(())
    }

    fn add(&mut self, service: &'static str, event: &Value) -> Result<(), String> {
        let text = |key: &str| event[key].as_str().unwrap().to_owned();
        let position = self.events.entry(service).or_default();
        *position += 1;
        if text("position") != position.to_string() {
            return Err(format!("is there where {position} should be"));
        }
        if !self.ids.insert(text("eventId")) {
            return Err("is there twice".to_owned());
        }
        let stream = text("stream");
        let id = stream.rsplit('/').next().unwrap_or_default().to_owned();
        if stream.starts_with("journey/") || stream.starts_with("project/") {
            self.begun.insert(id.clone());
        }
        let length = self.streams.entry(id).or_default();
        *length += 1;
        if event["version"].as_u64() == Some(*length) {
            return Ok(());
        }
        Err(format!("is not version {length}"))
    }

    /// Everything acknowledged is there; once every request is answered, nothing else is.
    async fn holds(
        &mut self,
        deployed: &Deployed,
        cast: &Cast,
        callers: &[Caller],
        all_answered: bool,
    ) -> Result<(), String> {
        self.read(&deployed.client(0, &cast.admin)).await?;
        let known: BTreeMap<&String, &u64> = callers.iter().flat_map(|it| &it.versions).collect();
        if let Some(id) = self.begun.iter().find(|it| all_answered && !known.contains_key(it)) {
            return Err(format!("nobody was told of {id}"));
        }
        for (id, version) in known {
            let found = self.streams.get(id).copied().unwrap_or(0);
            if found < *version || all_answered && found != *version {
                return Err(format!("{id} has {found} events where {version} were acknowledged"));
            }
        }
        let vendor = deployed.client(1, &cast.vendor);
        for batch in callers.iter().flat_map(|it| &it.batches) {
            if self.batches.insert(batch.clone()) {
                let answer = vendor.get(&format!("/v1/batches/{batch}")).await;
                if !answer.status.is_success() {
                    return Err(format!("batch {batch} was acknowledged: {}", answer.text));
                }
            }
        }
        Ok(())
    }
}

/// SQLite on a disk that loses power; on a lying one, what it said was flushed is lost too.
fn sqlite(lying: bool) -> (Machine, Deployed) {
    let mut deployed = Deployed::prepared(vec![]);
    let disk = PowerCut::over(deployed.data());
    deployed.environment = disk.environment().into();
    if lying {
        deployed.environment.push(PowerCut::LYING);
    }
    (Machine::Sqlite(disk), deployed)
}

/// threat: T-LOST-WRITE
#[tokio::test]
async fn a_power_cut_loses_nothing_on_sqlite() {
    let (machine, deployed) = sqlite(false);
    assert!(survive(machine, deployed, length()).await.unwrap() > 20);
}

/// The same rounds, on a disk whose flush does nothing, must find the loss.
/// threat: T-LOST-WRITE
#[tokio::test]
async fn a_disk_that_does_not_flush_is_caught() {
    let (machine, deployed) = sqlite(true);
    let lost = survive(machine, deployed, 20).await;
    println!("{}", lost.unwrap_err());
}

async fn postgres(settings: &[&str]) -> (Machine, Deployed) {
    let server = Server::start(settings).await;
    let url = format!("{}/postgres", server.url());
    let deployed = Deployed::prepared(vec!["--database-url".to_owned(), url]);
    (Machine::Postgres(server), deployed)
}

/// threat: T-LOST-WRITE
#[tokio::test]
async fn a_crash_loses_nothing_on_postgres() {
    let (machine, deployed) = postgres(&[]).await;
    assert!(survive(machine, deployed, length()).await.unwrap() > 20);
}
