//! Callers who push registers, move journeys and work on projects, whatever becomes of the server meanwhile: a request
//! that was not answered is sent again under its key until it is.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{running::Client, story::URN};

/// Transitions of a journey before its caller opens another; diagnoses of a project likewise.
const MOVES: u32 = 12;
/// How long a request may be answered by errors of the server alone.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a caller does, step by step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    Pushes,
    Journeys,
    Projects,
}

/// A caller and what they were told.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) work: Work,
    name: String,
    step: u32,
    unit: String,
    id: String,
    version: u64,
    waiting: bool,
    /// What the server answered that nobody should be answered.
    refused: Option<String>,
    /// Batches that were accepted.
    pub(crate) batches: Vec<String>,
    /// The last version acknowledged of every journey or project.
    pub(crate) versions: HashMap<String, u64>,
    /// Requests that had to be sent again.
    pub(crate) retried: u32,
}

/// Where the callers' requests go.
#[derive(Clone)]
pub(crate) struct Paths {
    pub(crate) trust: String,
    pub(crate) feed: String,
}

impl Caller {
    pub(crate) fn new(work: Work, name: &str) -> Self {
        Self {
            work,
            name: name.to_owned(),
            step: 0,
            unit: String::new(),
            id: String::new(),
            version: 0,
            waiting: false,
            refused: None,
            batches: vec![],
            versions: HashMap::new(),
            retried: 0,
        }
    }

    /// Works until told to stop, or until the server is gone or refuses.
    pub(crate) async fn work(mut self, client: Client, to: Paths, stop: Arc<AtomicBool>) -> Self {
        while !stop.load(Ordering::Relaxed) && self.take_step(&client, &to).await {}
        self
    }

    /// Has the request answered whose answer never came; says why it cannot be.
    pub(crate) async fn settle(&mut self, client: &Client, to: &Paths) -> Result<(), String> {
        let give_up = Instant::now() + PATIENCE;
        while self.waiting {
            let there = self.refused.is_none() && self.take_step(client, to).await;
            if let Some(refused) = self.refused.take() {
                return Err(refused);
            }
            if !there {
                return Err("the server went away by itself".to_owned());
            }
            if Instant::now() > give_up {
                return Err(format!("{} was never answered", self.request(to).0));
            }
        }
        Ok(())
    }

    /// Sends the next request, or the last again; false when the server is gone or refuses.
    async fn take_step(&mut self, client: &Client, to: &Paths) -> bool {
        let (path, body) = self.request(to);
        let key = format!("{}-{}", self.name, self.step);
        let headers = [("content-type", "application/json"), ("idempotency-key", key.as_str())];
        self.retried += u32::from(self.waiting);
        self.waiting = true;
        let Ok(answer) = client.try_send("POST", &path, &headers, body.to_string()).await else {
            return false;
        };
        if answer.status.is_server_error() {
            // The database is gone, or coming back.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return true;
        }
        if !answer.status.is_success() {
            self.refused = Some(format!("{path} was refused: {answer:?}"));
            return false;
        }
        self.learn(&answer.json());
        self.waiting = false;
        self.step += 1;
        true
    }

    fn request(&self, to: &Paths) -> (String, Value) {
        let (name, step) = (&self.name, self.step);
        let evidence = json!([{"kind": "EVIDENCE_KIND_OUTSIDE_JUDGEMENT", "reference": name}]);
        match (self.work, step % (MOVES + 2)) {
            (Work::Pushes, _) => {
                let pupil = format!("{name}-{step}");
                let records = json!({"records": [{"externalId": pupil, "enrolment": {
                    "urn": URN, "pupil": pupil, "yearGroup": 2, "startsOn": "2026-09-01"}}]});
                (format!("/v1/feeds/{}/batches", to.feed), records)
            }
            (Work::Journeys, 0) => {
                let unit = json!({"kind": "UNIT_KIND_TEAM", "name": format!("{name} {step}")});
                (format!("/v1/trusts/{}/schools/{URN}/units", to.trust), unit)
            }
            (Work::Journeys, 1) => {
                let journey = json!({"urn": URN, "unitId": self.unit, "phase": "PHASE_REPAIR",
                    "rationale": "As reviewed", "evidence": evidence, "effectiveOn": "2025-09-01"});
                (format!("/v1/trusts/{}/journeys", to.trust), journey)
            }
            (Work::Journeys, at) => {
                let mut transition = json!({"rationale": "As seen", "effectiveOn": "2026-09-01",
                    "evidence": evidence, "expectedVersion": self.version});
                if at % 2 == 0 {
                    transition["kind"] = json!("TRANSITION_KIND_EMERGING");
                    transition["to"] = json!("PHASE_IMPROVE");
                } else {
                    transition["kind"] = json!("TRANSITION_KIND_EMERGENCE_ABANDONED");
                }
                (format!("/v1/journeys/{}/transitions", self.id), transition)
            }
            (Work::Projects, 0) => {
                let title = format!("{name} {step}");
                let project = json!({"urn": URN, "title": title, "rationale": "To see it kept"});
                (format!("/v1/trusts/{}/projects", to.trust), project)
            }
            (Work::Projects, _) => {
                let diagnosis = json!({"expectedVersion": self.version, "diagnosis": {
                    "basis": [format!("signal:{name}-{step}")], "finding": "Fridays",
                    "diagnosedBy": [{"personId": "p-17", "role": "head teacher"},
                        {"personId": "p-23", "role": "attendance lead"}]}});
                (format!("/v1/projects/{}/diagnosis", self.id), diagnosis)
            }
        }
    }

    fn learn(&mut self, answer: &Value) {
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        match (self.work, self.step % (MOVES + 2)) {
            (Work::Pushes, _) => {
                let counted = answer["accepted"].as_u64().unwrap_or(0)
                    + answer["unchanged"].as_u64().unwrap_or(0);
                assert_eq!(counted, 1, "{answer}");
                self.batches.push(text("batchId"));
                return;
            }
            (Work::Journeys, 0) => {
                self.unit = text("unitId");
                return;
            }
            (Work::Journeys, 1) => self.id = text("journeyId"),
            (Work::Projects, 0) => self.id = text("projectId"),
            _ => {}
        }
        self.version = answer["version"].as_u64().unwrap();
        self.versions.insert(self.id.clone(), self.version);
    }
}
