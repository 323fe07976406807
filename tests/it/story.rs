//! A vendor pushes registers → the trust knows → a signal is raised → a project starts → a school's phase changes → the
//! journals prove it. The same on SQLite and PostgreSQL, in one process and in three.

use std::{ffi::OsString, fmt::Write, path::Path};

use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value, json};

use crate::running::{Client, Running, command, eventually, folder, root, token};

const SERVICES: [&str; 3] = ["registry", "intelligence", "improvement"];
/// The trust of the small register that the demonstration uses.
const GROUP_UID: &str = "5453";
pub(crate) const URN: &str = "140220";
const PUPILS: u32 = 40;

/// Services under way, together or apart, over one folder of keys.
pub(crate) struct Deployed {
    running: Vec<Running>,
    data: tempfile::TempDir,
    pub(crate) arguments: Vec<String>,
    pub(crate) environment: Vec<(&'static str, OsString)>,
    apart: bool,
}

impl Deployed {
    pub(crate) async fn together(arguments: Vec<String>) -> Self {
        let mut deployed = Self::prepared(arguments);
        deployed.start().await.unwrap();
        deployed
    }

    /// Not started yet.
    pub(crate) fn prepared(arguments: Vec<String>) -> Self {
        Self { running: vec![], data: folder(), arguments, environment: vec![], apart: false }
    }

    pub(crate) async fn apart(arguments: Vec<String>) -> Self {
        let mut deployed = Self { apart: true, ..Self::prepared(arguments) };
        deployed.start().await.unwrap();
        deployed
    }

    pub(crate) async fn start(&mut self) -> Result<(), String> {
        let mut peers = String::from("[peers]\n");
        for service in if self.apart { &SERVICES[..] } else { &["all"] } {
            let file = self.data.path().join(format!("{service}.toml"));
            std::fs::write(&file, &peers).unwrap();
            let file = file.display().to_string();
            let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
            if self.apart {
                arguments.extend(["--config", &file, "--only", service]);
            }
            let data = self.data.path();
            let running = Running::serve_in(data, &arguments, &self.environment).await?;
            writeln!(peers, "{service} = \"{}\"", running.url).unwrap();
            self.running.push(running);
        }
        Ok(())
    }

    pub(crate) async fn end(mut self) {
        self.stop().await;
    }

    pub(crate) fn url(&self, service: usize) -> String {
        self.running.get(service).unwrap_or(&self.running[0]).url.clone()
    }

    pub(crate) async fn kill(&mut self) {
        for running in self.running.drain(..) {
            running.kill().await;
        }
    }

    async fn stop(&mut self) {
        for running in self.running.drain(..) {
            running.stop().await;
        }
    }

    /// The process, of services that run together.
    pub(crate) fn pid(&self) -> u32 {
        self.running[0].child.id().unwrap()
    }

    /// The most memory that the first process has had so far, in KiB.
    #[cfg(target_os = "linux")]
    pub(crate) fn memory(&self) -> usize {
        let process = self.running[0].child.id().unwrap();
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let peak = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
        peak.split_whitespace().next().unwrap().parse().unwrap()
    }

    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// A client at the door of one service.
    pub(crate) fn client(&self, service: usize, token: &str) -> Client {
        Client::new(self.running.get(service).unwrap_or(&self.running[0]), Some(token))
    }
}

/// Who takes part.
pub(crate) struct Cast {
    pub(crate) trust: String,
    pub(crate) admin: String,
    pub(crate) vendor: String,
}

async fn tell(deployed: &mut Deployed) {
    let cast = found(deployed).await;
    let feed = feed(deployed, &cast).await;
    push(deployed, &cast, &feed).await;
    let signal = signal(deployed, &cast).await;
    let project = project(deployed, &cast, &signal).await;
    let journey = journey(deployed, &cast).await;
    proven(deployed, &cast).await;

    deployed.stop().await;
    let mut arguments: Vec<&str> = deployed.arguments.iter().map(String::as_str).collect();
    arguments.splice(0..0, ["journal", "verify"]);
    let verified = command(deployed.data(), &arguments);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}{}", String::from_utf8_lossy(&verified.stderr));
    assert!(said.contains("equals its replay") && said.contains("0 flaws"), "{said}");
    rebuilt(deployed);

    deployed.start().await.unwrap();
    let improvement = deployed.client(2, &cast.admin);
    let again =
        improvement.get(&format!("/v1/projects/{}", project["projectId"].as_str().unwrap())).await;
    assert_eq!(again.done(), project);
    let registry = deployed.client(0, &cast.admin);
    let again =
        registry.get(&format!("/v1/journeys/{}", journey["journeyId"].as_str().unwrap())).await;
    assert_eq!(again.done()["settled"], "PHASE_IMPROVE");
    deployed.stop().await;
}

/// Imports the register, creates the trust, and gives out its credentials.
pub(crate) async fn found(deployed: &Deployed) -> Cast {
    let operator = token(deployed.data(), "operator", None, &["platform:write", "registry:read"]);
    let registry = deployed.client(0, &operator);
    let register = std::fs::read(root().join("services/headway/data/register.csv")).unwrap();
    let headers = [("content-type", "text/csv")];
    let report =
        registry.send("POST", "/v1/establishment-imports", &headers, register.clone()).await.done();
    assert_eq!(report["quarantined"], 0, "{report}");
    let again = registry.send("POST", "/v1/establishment-imports", &headers, register).await.done();
    assert_eq!((&again["added"], &again["changed"]), (&json!(0), &json!(0)), "{again}");
    let trust = json!({"name": "A trust", "groupUid": GROUP_UID});
    let trust =
        registry.post("/v1/trusts", &trust).await.done()["trustId"].as_str().unwrap().to_owned();
    let scopes: Vec<String> = rpc::all_scopes()
        .filter(|it| *it != rpc::Scope::PlatformWrite)
        .map(rpc::scope_name)
        .collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    let admin = token(deployed.data(), "admin", Some(&trust), &scopes);
    let vendor = token(deployed.data(), "vendor", Some(&trust), &["records:write"]);
    let schools =
        deployed.client(0, &admin).get(&format!("/v1/trusts/{trust}/schools")).await.done();
    assert_eq!(schools["schools"].as_array().unwrap().len(), 13);
    Cast { trust, admin, vendor }
}

pub(crate) async fn feed(deployed: &Deployed, cast: &Cast) -> String {
    let intelligence = deployed.client(1, &cast.admin);
    let path = format!("/v1/trusts/{}/feeds", cast.trust);
    let feed = json!({
        "name": "Registers", "clientId": "vendor", "urns": [URN],
        "kinds": ["RECORD_KIND_ENROLMENT", "RECORD_KIND_ATTENDANCE_REGISTER"],
    });
    // The school is known here once the registry's journal has been followed.
    let feed = eventually(async || {
        let answer = intelligence.post(&path, &feed).await;
        answer.status.is_success().then(|| answer.json())
    });
    feed.await["feedId"].as_str().unwrap().to_owned()
}

/// Sixteen weeks of registers; in the last of them a third of the pupils are ill.
pub(crate) async fn push(deployed: &Deployed, cast: &Cast, feed: &str) {
    let vendor = deployed.client(1, &cast.vendor);
    let path = format!("/v1/feeds/{feed}/batches");
    let enrolments: Vec<_> = (0..PUPILS)
        .map(|it| {
            json!({"externalId": format!("e{it}"), "enrolment": {
                "urn": URN, "pupil": format!("P{it}"), "yearGroup": it % 7, "startsOn": "2024-09-01"}})
        })
        .collect();
    let today = rpc::now().date_naive();
    let monday = today - Days::new(today.weekday().num_days_from_monday().into());
    let mut registers = Vec::new();
    for week in 1..=16_u64 {
        for day in 0..5 {
            let date = monday - Days::new(7 * week) + Days::new(day);
            let ill =
                if week == 1 { PUPILS / 3 } else { 2 + u32::try_from((week + day) % 2).unwrap() };
            registers.push(register(date, ill));
        }
    }
    // Registers first: their marks wait for the pupils.
    let batch = vendor.post(&path, &json!({"records": registers})).await;
    assert_eq!(batch.status, 202);
    assert_eq!(batch.json()["parked"], 80, "{batch:?}");
    let batch = vendor.post(&path, &json!({"records": enrolments})).await.done();
    assert_eq!(batch["accepted"], PUPILS, "{batch}");
}

fn register(date: NaiveDate, ill: u32) -> Value {
    let marks: Vec<_> = (0..PUPILS)
        .map(|it| json!({"pupil": format!("P{it}"), "code": if it < ill { "I" } else { "/" }}))
        .collect();
    json!({"externalId": format!("r{date}"), "attendanceRegister": {
        "urn": URN, "date": date.to_string(), "session": "AM", "marks": marks}})
}

async fn signal(deployed: &Deployed, cast: &Cast) -> Value {
    let intelligence = deployed.client(1, &cast.admin);
    let signals = intelligence.get(&format!("/v1/trusts/{}/signals", cast.trust)).await.done();
    let signal = signals["signals"][0].clone();
    assert_eq!(signal["urn"], URN, "{signals}");
    assert_eq!(signal["direction"], "DIRECTION_WORSE");
    assert_eq!(signal["state"], "SIGNAL_STATE_RAISED");
    signal
}

async fn project(deployed: &Deployed, cast: &Cast, signal: &Value) -> Value {
    let improvement = deployed.client(2, &cast.admin);
    let path = format!("/v1/trusts/{}/projects", cast.trust);
    let project = json!({
        "signalId": signal["signalId"], "title": "Back to school", "rationale": "Attendance fell beyond chance",
    });
    let project = eventually(async || {
        let answer = improvement.post(&path, &project).await;
        answer.status.is_success().then(|| answer.json())
    })
    .await;
    assert_eq!(project["state"], "PROJECT_STATE_PROPOSED");
    assert_eq!(project["urn"], URN);
    let intelligence = deployed.client(1, &cast.admin);
    let path = format!("/v1/signals/{}/transitions", signal["signalId"].as_str().unwrap());
    let body = json!({"to": "SIGNAL_STATE_ACTIONED", "projectId": project["projectId"],
        "expectedVersion": signal["version"]});
    assert_eq!(intelligence.post(&path, &body).await.done()["state"], "SIGNAL_STATE_ACTIONED");
    assert_eq!(intelligence.post(&path, &body).await.refused(412), "VERSION_STALE");
    project
}

async fn journey(deployed: &Deployed, cast: &Cast) -> Value {
    let registry = deployed.client(0, &cast.admin);
    let evidence = json!([{"kind": "EVIDENCE_KIND_OUTSIDE_JUDGEMENT", "reference": "review-2025"}]);
    let opened = registry
        .post(
            &format!("/v1/trusts/{}/journeys", cast.trust),
            &json!({"urn": URN, "phase": "PHASE_REPAIR", "rationale": "As reviewed",
                "evidence": evidence, "effectiveOn": "2025-09-01"}),
        )
        .await;
    assert_eq!(opened.status, 201, "{opened:?}");
    let domains = contract::pool().get_enum_by_name("headway.registry.v1.RubricDomain").unwrap();
    let ratings: Vec<_> = domains
        .values()
        .skip(1)
        .map(|it| json!({"domain": it.name(), "phase": "PHASE_IMPROVE", "evidence": evidence}))
        .collect();
    let journey = opened.json();
    let path = format!("/v1/journeys/{}/transitions", journey["journeyId"].as_str().unwrap());
    let entered = json!({"kind": "TRANSITION_KIND_ENTERED", "to": "PHASE_IMPROVE", "rationale": "Secure",
        "evidence": evidence, "ratings": ratings, "effectiveOn": "2026-09-01"});
    assert_eq!(registry.post(&path, &entered).await.refused(428), "VERSION_MISSING");
    let etag = opened.headers["etag"].to_str().unwrap();
    let headers = [("content-type", "application/json"), ("if-match", etag)];
    let moved = registry.send("POST", &path, &headers, entered.to_string()).await.done();
    assert_eq!(moved["settled"], "PHASE_IMPROVE");
    let before =
        format!("/v1/journeys/{}?effectiveOn=2026-08-31", journey["journeyId"].as_str().unwrap());
    assert_eq!(registry.get(&before).await.done()["settled"], "PHASE_REPAIR");
    moved
}

/// The tables are made again from the journals, beside the services' databases and in them.
fn rebuilt(deployed: &Deployed) {
    for way in [&["journal", "rebuild"][..], &["journal", "rebuild", "--in-place"]] {
        let arguments: Vec<&str> =
            way.iter().copied().chain(deployed.arguments.iter().map(String::as_str)).collect();
        let rebuilt = command(deployed.data(), &arguments);
        let said = String::from_utf8_lossy(&rebuilt.stdout).into_owned();
        assert!(rebuilt.status.success(), "{said}{}", String::from_utf8_lossy(&rebuilt.stderr));
        assert_eq!(said.matches("events replayed").count(), 3, "{said}");
        assert!(said.contains("equals its replay") && !said.contains("DIFFERS"), "{said}");
    }
}

/// The trust's own journals, dense from 1, hold what was done.
async fn proven(deployed: &Deployed, cast: &Cast) {
    for (index, (service, expected)) in [
        ("registry", "headway.registry.v1.JourneyMoved"),
        ("intelligence", "headway.intelligence.v1.SignalRaised"),
        ("improvement", "headway.improvement.v1.ProjectProposed"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("/v1/journals/{service}/events?pageSize=1000");
        let listed = deployed.client(index, &cast.admin).get(&path).await.done();
        let events = listed["events"].as_array().unwrap();
        let positions: Vec<u64> =
            events.iter().map(|it| it["position"].as_str().unwrap().parse().unwrap()).collect();
        assert_eq!(positions, (1..=events.len() as u64).collect::<Vec<_>>(), "{service}");
        assert!(events.iter().any(|it| it["type"] == expected), "{service}: {listed}");
        for event in events {
            let marked = &journal::event_types()[event["type"].as_str().unwrap()];
            let kind = event["stream"].as_str().unwrap().split('/').next().unwrap();
            assert_eq!(kind, marked.stream_kind, "the contract says in which streams: {event}");
        }
        assert!(!listed.to_string().contains("P12"), "no pupil's id in {service}");
    }
}

/// A fresh database on the test server.
pub(crate) async fn postgres() -> Vec<String> {
    let database = testkit::Database::postgres().await;
    vec!["--database-url".to_owned(), database.url("")]
}

#[tokio::test]
async fn together_on_sqlite() {
    tell(&mut Deployed::together(vec![]).await).await;
}

#[tokio::test]
async fn together_on_postgres() {
    tell(&mut Deployed::together(postgres().await).await).await;
}

/// Each service starts before those that follow it, so that it is known where it listens.
#[tokio::test]
async fn apart_on_postgres() {
    tell(&mut Deployed::apart(postgres().await).await).await;
}

#[tokio::test]
async fn apart_on_sqlite() {
    tell(&mut Deployed::apart(vec![]).await).await;
}
