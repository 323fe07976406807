use axum::Router;
use chrono::{Days, NaiveDate};
use contract::registry::registry_service_client::RegistryServiceClient;
use registry::App;
use rpc::{Ctx, Peer};
use serde_json::{Value, json};
use testkit::{Answer, Caller, Database};
use uuid::Uuid;

/// The service over a fresh database, with the platform at its doors.
pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) rest: Router,
    pub(crate) platform: Caller,
}

impl World {
    pub(crate) async fn open(database: &Database) -> Self {
        let db = database.open(registry::NAME, registry::migrations()).await;
        let app = App::open(db);
        Self { rest: app.rest(), app, platform: Caller::platform() }
    }

    /// The gRPC door for a caller.
    pub(crate) fn grpc(&self, caller: &Caller) -> RegistryServiceClient<Peer> {
        RegistryServiceClient::new(caller.peer(tonic::service::Routes::new(self.app.grpc())))
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        ok(self.platform.get(&self.rest, path).await)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Value {
        ok(self.platform.post(&self.rest, path, body).await)
    }

    /// Imports a file; gives the report.
    pub(crate) async fn import(&self, file: impl Into<axum::body::Bytes>) -> Value {
        ok(self.try_import(&[], file).await)
    }

    pub(crate) async fn try_import(
        &self,
        headers: &[(&str, &str)],
        file: impl Into<axum::body::Bytes>,
    ) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "text/csv"));
        self.platform.raw(&self.rest, "POST", IMPORTS, &headers, file).await
    }

    /// A trust with no group, and one primary school in it.
    pub(crate) async fn trust_with_school(&self) -> (String, &'static str) {
        self.import(establishments(&["100000,A Primary,Open,Primary,,1000,1000"])).await;
        let trust = self.post("/v1/trusts", json!({"name": "A Trust"})).await;
        let trust_id = text(&trust, "trustId");
        self.post(&format!("/v1/trusts/{trust_id}/schools"), json!({"urn": "100000"})).await;
        (trust_id, "100000")
    }

    /// How many events there are.
    pub(crate) async fn events(&self) -> usize {
        let mut tx = self.app.journal().db().read().await.unwrap();
        journal::events(&mut tx, 0, &journal::Filter::default(), 100_000).await.unwrap().len()
    }
}

pub(crate) const IMPORTS: &str = "/v1/establishment-imports";

/// A file of establishments from rows of URN, name, status, phase, group UID, easting, northing; after a bar the dates
/// it opened and closed on, parted by a semicolon.
pub(crate) fn establishments(rows: &[&str]) -> String {
    let header = "URN,EstablishmentName,EstablishmentStatus (name),PhaseOfEducation (name),\
                  Trusts (code),Easting,Northing,OpenDate,CloseDate,TypeOfEstablishment (name),\
                  LA (code),EstablishmentNumber";
    let rows = rows.iter().map(|row| {
        let (before, dates) = row.split_once('|').unwrap_or((row, ";"));
        let (opened, closed) = dates.split_once(';').unwrap();
        format!("{before},{opened},{closed},Academy converter,936,{}", &row[2..6])
    });
    std::iter::once(header.to_owned()).chain(rows).collect::<Vec<_>>().join("\r\n")
}

pub(crate) fn links(rows: &[&str]) -> String {
    format!("URN,LinkURN,LinkName,LinkType,LinkEstablishedDate\r\n{}\r\n", rows.join("\r\n"))
}

pub(crate) fn today() -> NaiveDate {
    Ctx::system("test").today()
}

pub(crate) fn days_ago(days: u64) -> String {
    (today() - Days::new(days)).to_string()
}

#[track_caller]
pub(crate) fn ok(answer: Answer) -> Value {
    assert!(answer.status.is_success(), "{answer:?}");
    answer.body
}

#[track_caller]
pub(crate) fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("no {name} in {value}")).to_owned()
}

pub(crate) fn uuid(text: &str) -> Uuid {
    Uuid::try_parse(text).unwrap()
}

pub(crate) const DOMAINS: [&str; 11] = [
    "LEADERSHIP",
    "GOVERNANCE",
    "EXTERNAL_SUPPORT",
    "STAFFING",
    "ATTENDANCE",
    "FINANCE",
    "OUTCOMES",
    "TEACHING",
    "PROFESSIONAL_DEVELOPMENT",
    "BEHAVIOUR",
    "SYSTEM_CONTRIBUTION",
];

pub(crate) fn evidence() -> Value {
    json!([{"kind": "EVIDENCE_KIND_DATA", "reference": "observation/1"}])
}

/// Every domain at one phase, each with evidence.
pub(crate) fn ratings(phase: &str) -> Value {
    DOMAINS
        .iter()
        .map(|it| {
            json!({"domain": format!("RUBRIC_DOMAIN_{it}"), "phase": phase, "evidence": evidence()})
        })
        .collect()
}
