//! A service with two trusts, told of schools as the registry would tell it, and a vendor with a feed.

use axum::Router;
use chrono::{Days, NaiveDate};
use contract::{intelligence::intelligence_service_client::IntelligenceServiceClient, registry};
use intelligence::{App, RegistryFollower};
use journal::{Handler, Recorded};
use rpc::{Ctx, Peer};
use serde_json::{Value, json};
use testkit::{Answer, Caller, Database};
use tonic::service::Routes;
use uuid::Uuid;

pub(crate) const URN: &str = "100001";
pub(crate) const SECOND_URN: &str = "100002";
pub(crate) const OTHER_URN: &str = "100003";
/// A Friday, long past.
pub(crate) const FRIDAY: &str = "2025-11-21";

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) rest: Router,
    pub(crate) trust_id: Uuid,
    pub(crate) other_trust_id: Uuid,
    pub(crate) school_id: Uuid,
    pub(crate) second_school_id: Uuid,
    pub(crate) feed_id: String,
}

impl World {
    pub(crate) async fn new(database: &Database) -> Self {
        let db = database.open(intelligence::NAME, intelligence::migrations()).await;
        let app = App::open(db, [7; 32]);
        let mut world = Self {
            rest: app.rest(),
            app,
            trust_id: rpc::new_id(),
            other_trust_id: rpc::new_id(),
            school_id: rpc::new_id(),
            second_school_id: rpc::new_id(),
            feed_id: String::new(),
        };
        world.joined(world.trust_id, world.school_id, URN).await;
        world.joined(world.trust_id, world.second_school_id, SECOND_URN).await;
        world.joined(world.other_trust_id, rpc::new_id(), OTHER_URN).await;
        world.feed_id = world.feed(&json!([])).await;
        world
    }

    /// The trust's administrator.
    pub(crate) fn admin(&self) -> Caller {
        Caller::of(self.trust_id).named("admin")
    }

    /// The client of the feed.
    pub(crate) fn vendor(&self) -> Caller {
        Caller::of(self.trust_id).named("mis")
    }

    pub(crate) fn client(&self, caller: &Caller) -> IntelligenceServiceClient<Peer> {
        IntelligenceServiceClient::new(caller.peer(Routes::new(self.app.grpc())))
    }

    /// A feed of every kind for some schools, or all.
    pub(crate) async fn feed(&self, urns: &Value) -> String {
        let body = json!({"name": "Attendance", "clientId": "mis", "urns": urns, "kinds": [
            "RECORD_KIND_PUPIL", "RECORD_KIND_ENROLMENT", "RECORD_KIND_ATTENDANCE_REGISTER",
            "RECORD_KIND_ASSESSMENT_RESULT", "RECORD_KIND_SUSPENSION", "RECORD_KIND_BEHAVIOUR_INCIDENT",
            "RECORD_KIND_STAFF_MEMBER", "RECORD_KIND_STAFF_ABSENCE", "RECORD_KIND_COVER",
            "RECORD_KIND_BUDGET_LINE", "RECORD_KIND_OBSERVATION",
            "RECORD_KIND_PUPIL_KEY_CHANGE",
        ]});
        let path = format!("/v1/trusts/{}/feeds", self.trust_id);
        let answer = self.admin().post(&self.rest, &path, body).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.body["feedId"].as_str().unwrap().to_owned()
    }

    pub(crate) fn batches(&self) -> String {
        format!("/v1/feeds/{}/batches", self.feed_id)
    }

    pub(crate) async fn push(&self, records: Value) -> Value {
        let body = json!({"records": records});
        let answer = self.vendor().post(&self.rest, &self.batches(), body).await;
        assert_eq!(answer.status, 202, "{answer:?}");
        answer.body
    }

    /// What became of each record of a push.
    pub(crate) async fn results(&self, batch: &Value) -> Vec<Value> {
        let path = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
        let answer = self.vendor().get(&self.rest, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["results"].as_array().cloned().unwrap_or_default()
    }

    /// Pushes one record and says what became of it.
    pub(crate) async fn one(&self, record: Value) -> Value {
        let batch = self.push(json!([record])).await;
        self.results(&batch).await.remove(0)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.admin().get(&self.rest, &format!("/v1/trusts/{}/{path}", self.trust_id)).await
    }

    pub(crate) async fn observations(&self, query: &str) -> Vec<Value> {
        let answer = self.get(&format!("observations?pageSize=1000&{query}")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body["observations"].as_array().cloned().unwrap_or_default()
    }

    /// Numerator and denominator of attendance of the first school on a day.
    pub(crate) async fn attendance(&self, day: &str) -> (u64, u64) {
        let query =
            format!("measure=attendance&urn={URN}&periodKind=PERIOD_KIND_DAY&from={day}&to={day}");
        let found = self.observations(&query).await;
        let count = |name: &str| found[0][name].as_u64().unwrap_or(0);
        (count("numerator"), count("denominator"))
    }

    pub(crate) async fn joined(&self, trust_id: Uuid, school_id: Uuid, urn: &str) {
        let message = registry::SchoolJoined {
            school_id: school_id.to_string(),
            details: Some(details(urn)),
        };
        self.tell(trust_id, None, message).await;
    }

    /// Hands an event of the registry to this service's follower.
    pub(crate) async fn tell<M: prost::Message + prost::Name>(
        &self,
        trust_id: Uuid,
        effective_on: Option<NaiveDate>,
        message: M,
    ) {
        let event = Recorded {
            position: 1,
            trust_position: 1,
            trust_id,
            event_id: rpc::new_id(),
            stream: "of/another".to_owned(),
            version: 1,
            kind: M::full_name(),
            data: message.encode_to_vec(),
            effective_on,
            recorded_at: rpc::now(),
            corrects: None,
            actor: "another".to_owned(),
            correlation_id: rpc::new_id(),
            causation_id: None,
            texts: journal::text::Texts::default(),
        };
        let ctx = Ctx::system(intelligence::NAME);
        let context = ctx.clone();
        let follower = RegistryFollower::new(self.app.journal().clone());
        self.app
            .journal()
            .write(&ctx, move |tx| {
                Box::pin(async move { follower.handle(tx, &context, &event).await })
            })
            .await
            .unwrap();
    }
}

pub(crate) fn details(urn: &str) -> registry::SchoolDetails {
    registry::SchoolDetails {
        urn: urn.to_owned(),
        name: "A school".to_owned(),
        laestab: Some(format!("9{urn}")),
        ..Default::default()
    }
}

pub(crate) fn enrolment(urn: &str, pupil: &str, year_group: i32) -> Value {
    json!({"externalId": format!("e-{pupil}"), "enrolment": {
        "urn": urn, "pupil": pupil, "yearGroup": year_group, "startsOn": "2023-09-01",
    }})
}

/// Enrolments of pupils `p1`, `p2`, … in a year group.
pub(crate) fn enrolments(
    urn: &str,
    pupils: std::ops::RangeInclusive<u32>,
    year_group: i32,
) -> Vec<Value> {
    pupils.map(|it| enrolment(urn, &format!("p{it}"), year_group)).collect()
}

/// The same with characteristics, each by its code.
pub(crate) fn with(mut enrolment: Value, characteristics: &[&str]) -> Value {
    let held: Vec<_> = characteristics.iter().map(|it| json!({"flag": it})).collect();
    enrolment["enrolment"]["characteristics"] = json!(held);
    enrolment
}

pub(crate) fn register(urn: &str, date: &str, session: &str, marks: &[(&str, &str)]) -> Value {
    let marks: Vec<_> =
        marks.iter().map(|(pupil, code)| json!({"pupil": pupil, "code": code})).collect();
    json!({"externalId": format!("r-{date}-{session}"), "attendanceRegister": {
        "urn": urn, "date": date, "session": session, "marks": marks,
    }})
}

/// A register of pupils `p1` to `p{pupils}`, of whom the first so many are ill.
pub(crate) fn whole(urn: &str, date: NaiveDate, session: &str, pupils: u32, ill: u32) -> Value {
    let names: Vec<_> = (1..=pupils).map(|it| format!("p{it}")).collect();
    let marks: Vec<_> = names
        .iter()
        .zip(1..)
        .map(|(name, number)| (name.as_str(), if number <= ill { "I" } else { "/" }))
        .collect();
    register(urn, &date.to_string(), session, &marks)
}

pub(crate) fn today() -> NaiveDate {
    Ctx::system("test").today()
}

pub(crate) fn days_ago(days: u64) -> NaiveDate {
    today() - Days::new(days)
}

/// A message as a reader of REST's text takes it: decimal numbers may lose their last digit in being read.
pub(crate) fn told(message: &impl serde::Serialize) -> Value {
    serde_json::from_str(&serde_json::to_string(message).unwrap()).unwrap()
}
