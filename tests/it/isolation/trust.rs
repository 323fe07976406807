//! A trust with something of everything, all of whose texts bear a marker.

use chrono::{Datelike, Days};
use serde_json::{Value, json};

use crate::{
    running::{eventually, root, token},
    story::Deployed,
};

/// A trust as its own people know it.
pub(crate) struct Trust {
    pub(crate) trust_id: String,
    pub(crate) marker: String,
    /// With every scope there is.
    pub(crate) admin: String,
}

pub(crate) async fn import(deployed: &Deployed) {
    let operator = token(deployed.data(), "operator", None, &["platform:write"]);
    let register = std::fs::read(root().join("services/headway/data/register.csv")).unwrap();
    let headers = [("content-type", "text/csv")];
    let registry = deployed.client(0, &operator);
    registry.send("POST", "/v1/establishment-imports", &headers, register).await.done();
}

impl Trust {
    pub(crate) async fn settle(deployed: &Deployed, group_uid: &str, marker: &str) -> Self {
        let operator = token(deployed.data(), "operator", None, &["platform:write"]);
        let registry = deployed.client(0, &operator);
        let trust = json!({"name": format!("{marker} trust"), "groupUid": group_uid});
        let trust = registry.post("/v1/trusts", &trust).await.done();
        let trust_id = trust["trustId"].as_str().unwrap().to_owned();
        let scopes: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
        let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
        let name = format!("{marker}-admin");
        let admin = token(deployed.data(), &name, Some(&trust_id), &scopes);
        let trust = Self { trust_id, marker: marker.to_owned(), admin };
        let urn = trust.school(deployed).await;
        let feed = trust.feed(deployed, &urn, &name).await;
        trust.push(deployed, &urn, &feed).await;
        trust.improve(deployed, &urn).await;
        trust
    }

    fn of(&self, what: &str) -> String {
        format!("/v1/trusts/{}/{what}", self.trust_id)
    }

    async fn school(&self, deployed: &Deployed) -> String {
        let registry = deployed.client(0, &self.admin);
        let schools = registry.get(&self.of("schools")).await.done();
        let urn = schools["schools"][0]["urn"].as_str().unwrap().to_owned();
        let unit = json!({"kind": "UNIT_KIND_SUBJECT", "name": format!("{} subject", self.marker)});
        registry.post(&self.of(&format!("schools/{urn}/units")), &unit).await.done();
        let evidence =
            json!([{"kind": "EVIDENCE_KIND_DATA", "reference": format!("{} review", self.marker)}]);
        let journey = json!({"urn": urn, "phase": "PHASE_REPAIR", "evidence": evidence,
            "rationale": format!("{} rationale", self.marker), "effectiveOn": "2025-09-01"});
        let journey = registry.post(&self.of("journeys"), &journey).await.done();
        let path = format!("/v1/journeys/{}/transitions", journey["journeyId"].as_str().unwrap());
        let emerging = json!({"kind": "TRANSITION_KIND_EMERGING", "to": "PHASE_IMPROVE", "evidence": evidence,
            "rationale": format!("{} emerging", self.marker), "expectedVersion": journey["version"]});
        registry.post(&path, &emerging).await;
        urn
    }

    async fn feed(&self, deployed: &Deployed, urn: &str, client_id: &str) -> String {
        let intelligence = deployed.client(1, &self.admin);
        let feed = json!({"name": format!("{} feed", self.marker), "clientId": client_id, "urns": [urn],
            "kinds": ["RECORD_KIND_ENROLMENT", "RECORD_KIND_ATTENDANCE_REGISTER"]});
        let feed = eventually(async || {
            let answer = intelligence.post(&self.of("feeds"), &feed).await;
            answer.status.is_success().then(|| answer.json())
        });
        let feed = feed.await["feedId"].as_str().unwrap().to_owned();
        let mapping = json!({"name": format!("{}-marks", self.marker.to_lowercase()), "csv": {
            "kind": "RECORD_KIND_ENROLMENT",
            "columns": [{"field": "urn", "constant": urn}, {"field": "pupil", "header": format!("{} pupil", self.marker)},
                {"field": "yearGroup", "header": "Year"}, {"field": "startsOn", "header": "From"}]}});
        intelligence.post(&format!("/v1/feeds/{feed}/mappings"), &mapping).await;
        feed
    }

    /// Sixteen weeks, in the last of which many are away, so that a signal is raised; and a pupil nobody knows.
    async fn push(&self, deployed: &Deployed, urn: &str, feed: &str) {
        let intelligence = deployed.client(1, &self.admin);
        let path = format!("/v1/feeds/{feed}/batches");
        let named = |what: &str, number: u64| format!("{}-{what}{number}", self.marker);
        let enrolments: Vec<Value> = (0..30)
            .map(|it| {
                json!({"externalId": named("e", it), "enrolment": {"urn": urn, "pupil": named("p", it),
                    "yearGroup": it % 7, "startsOn": "2024-09-01"}})
            })
            .collect();
        intelligence.post(&path, &json!({"records": enrolments})).await.done();
        let today = rpc::now().date_naive();
        let monday = today - Days::new(today.weekday().num_days_from_monday().into());
        let mut registers = Vec::new();
        for day in (1..=16_u64).flat_map(|week| (0..5).map(move |day| (week, day))) {
            let date = monday - Days::new(7 * day.0) + Days::new(day.1);
            let ill = if day.0 == 1 { 12 } else { 1 + (day.0 + day.1) % 2 };
            let marks: Vec<Value> = (0..30)
                .map(
                    |it| json!({"pupil": named("p", it), "code": if it < ill { "I" } else { "/" }}),
                )
                .collect();
            registers
                .push(json!({"externalId": named("r", day.0 * 10 + day.1), "attendanceRegister":
                {"urn": urn, "date": date.to_string(), "session": "AM", "marks": marks}}));
        }
        registers.push(json!({"externalId": named("parked", 1), "attendanceRegister": {"urn": urn,
            "date": (monday - Days::new(7)).to_string(), "session": "PM",
            "marks": [{"pupil": named("nobody", 1), "code": "/"}]}}));
        intelligence.post(&path, &json!({"records": registers})).await.done();
    }

    async fn improve(&self, deployed: &Deployed, urn: &str) {
        let signals = deployed.client(1, &self.admin).get(&self.of("signals")).await.done();
        let improvement = deployed.client(2, &self.admin);
        let mut project = json!({"urn": urn, "title": format!("{} project", self.marker),
            "rationale": format!("{} why", self.marker)});
        if let Some(signal) = signals["signals"].get(0) {
            project = json!({"signalId": signal["signalId"], "title": format!("{} project", self.marker),
                "rationale": format!("{} why", self.marker)});
        }
        let made = eventually(async || {
            let answer = improvement.post(&self.of("projects"), &project).await;
            answer.status.is_success().then(|| answer.json())
        });
        made.await;
    }

    /// How far each journal tells of this trust.
    pub(crate) async fn positions(&self, deployed: &Deployed) -> Vec<Value> {
        let mut heads = Vec::new();
        for (index, service) in ["registry", "intelligence", "improvement"].into_iter().enumerate()
        {
            let path = format!("/v1/journals/{service}/events?pageSize=1");
            heads.push(deployed.client(index, &self.admin).get(&path).await.done()["head"].clone());
        }
        heads
    }
}
