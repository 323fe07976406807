//! A service with two trusts, told of schools and a signal as the other services would tell it.

use contract::{intelligence, registry};
use improvement::{
    App,
    follow::{Schools, Signals},
};
use journal::{Handler, Recorded};
use rpc::Ctx;
use serde_json::{Value, json};
use testkit::{Caller, Database};
use uuid::Uuid;

use crate::door::Door;

pub(crate) struct World {
    pub(crate) app: App,
    pub(crate) trust_id: Uuid,
    pub(crate) other_trust_id: Uuid,
    pub(crate) school_id: Uuid,
    pub(crate) signal_id: Uuid,
}

pub(crate) const URN: &str = "100001";
pub(crate) const SECOND_URN: &str = "100002";

impl World {
    pub(crate) async fn new(database: &Database) -> Self {
        let db = database.open(improvement::NAME, improvement::migrations()).await;
        let world = Self {
            app: App::open(db),
            trust_id: rpc::new_id(),
            other_trust_id: rpc::new_id(),
            school_id: rpc::new_id(),
            signal_id: rpc::new_id(),
        };
        let first = SchoolDetails { laestab: Some("9362014"), ..details(URN) };
        world.joined(world.trust_id, world.school_id, first).await;
        world.joined(world.trust_id, rpc::new_id(), details(SECOND_URN)).await;
        world.joined(world.other_trust_id, rpc::new_id(), details("100003")).await;
        world.raised(world.signal_id, world.school_id).await;
        world
    }

    pub(crate) fn caller(&self) -> Caller {
        Caller::of(self.trust_id)
    }

    pub(crate) fn rest(&self) -> Door {
        Door::rest(&self.app, &self.caller())
    }

    pub(crate) fn grpc(&self) -> Door {
        Door::grpc(&self.app, &self.caller())
    }

    /// Hands an event of the registry to this service's follower.
    pub(crate) async fn registry<M: prost::Message + prost::Name>(
        &self,
        trust_id: Uuid,
        message: M,
    ) {
        self.tell(Schools, trust_id, message).await;
    }

    pub(crate) async fn intelligence<M: prost::Message + prost::Name>(
        &self,
        trust_id: Uuid,
        message: M,
    ) {
        self.tell(Signals, trust_id, message).await;
    }

    pub(crate) async fn joined(&self, trust_id: Uuid, school_id: Uuid, details: SchoolDetails) {
        let message = registry::SchoolJoined {
            school_id: school_id.to_string(),
            details: Some(details.message()),
        };
        self.registry(trust_id, message).await;
    }

    pub(crate) async fn raised(&self, signal_id: Uuid, school_id: Uuid) {
        let message = intelligence::SignalRaised {
            signal_id: signal_id.to_string(),
            school_id: school_id.to_string(),
            urn: URN.to_owned(),
            measure: "persistent_absence".to_owned(),
            value: 31.5,
            centre: 22.0,
            ..Default::default()
        };
        self.intelligence(self.trust_id, message).await;
    }

    async fn tell<M: prost::Message + prost::Name>(
        &self,
        handler: impl Handler,
        trust_id: Uuid,
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
            effective_on: None,
            recorded_at: rpc::now(),
            corrects: None,
            actor: "another".to_owned(),
            correlation_id: rpc::new_id(),
            causation_id: None,
            texts: journal::text::Texts::default(),
        };
        let ctx = Ctx::system(improvement::NAME);
        let context = ctx.clone();
        self.app
            .journal()
            .write(&ctx, move |tx| {
                Box::pin(async move { handler.handle(tx, &context, &event).await })
            })
            .await
            .unwrap();
    }

    /// A project of this world's school, as first answered.
    pub(crate) async fn project(&self, door: &Door) -> Value {
        let body = json!({
            "trustId": self.trust_id,
            "urn": URN,
            "title": "Back in school",
            "rationale": "A quarter of Year 9 misses a day a week",
        });
        door.call("CreateProject", body).await.unwrap()
    }
}

/// What the registry would say of a school.
#[derive(Clone, Copy)]
pub(crate) struct SchoolDetails {
    pub(crate) urn: &'static str,
    pub(crate) laestab: Option<&'static str>,
}

pub(crate) fn details(urn: &'static str) -> SchoolDetails {
    SchoolDetails { urn, laestab: None }
}

impl SchoolDetails {
    pub(crate) fn message(self) -> registry::SchoolDetails {
        registry::SchoolDetails {
            urn: self.urn.to_owned(),
            name: "A school".to_owned(),
            laestab: self.laestab.map(str::to_owned),
            ..Default::default()
        }
    }
}

/// A message to change a project, at the version it was last answered with.
pub(crate) fn change(project: &Value, mut fields: Value) -> Value {
    fields["projectId"] = project["projectId"].clone();
    fields["expectedVersion"] = project["version"].clone();
    fields
}

pub(crate) fn today() -> chrono::NaiveDate {
    Ctx::system("test").today()
}

pub(crate) fn in_days(ahead: u64) -> String {
    (today() + chrono::Days::new(ahead)).to_string()
}

pub(crate) fn diagnosis() -> Value {
    json!({"diagnosis": {
        "basis": ["signal:0198", "https://data.example/observations/7"],
        "finding": "Data, pupils and the education welfare officer agree: Fridays",
        "diagnosedBy": [
            {"personId": "p-17", "role": "head teacher"},
            {"personId": "p-23", "role": "attendance lead"},
        ],
    }})
}

pub(crate) fn plan() -> Value {
    let link = |tier: &str| json!({"tier": tier, "role": "lead", "action": "meets weekly"});
    json!({"plan": {
        "owner": {"personId": "p-17", "role": "head teacher"},
        "level": "PROJECT_LEVEL_SCHOOL",
        "outputs": ["A Friday timetable worth coming for"],
        "deliveryChain": [
            link("DELIVERY_TIER_TRUST"),
            link("DELIVERY_TIER_SCHOOL_LEADERS"),
            link("DELIVERY_TIER_MIDDLE_LEADERS"),
            link("DELIVERY_TIER_CLASSROOM"),
        ],
        "capacity": "Nobody need be lent",
    }})
}

pub(crate) fn goal() -> Value {
    json!({"measure": "persistent_absence", "baseline": 31.5, "target": 20.0, "dueOn": in_days(240)})
}

pub(crate) fn to(state: &str) -> Value {
    json!({"to": format!("PROJECT_STATE_{state}"), "rationale": "The trust board agreed"})
}

/// A rating of every goal of a project.
pub(crate) fn reviews(project: &Value, rating: &str) -> Value {
    let review = |goal: &Value| {
        json!({
            "goalId": goal["goalId"],
            "rating": format!("GOAL_RATING_{rating}"),
            "reason": "The last four weeks say so",
        })
    };
    project["goals"].as_array().map(|it| it.iter().map(review).collect()).unwrap_or_default()
}

pub(crate) fn stocktake(project: &Value, rating: &str) -> Value {
    let due_on = in_days(14);
    json!({
        "stocktakeId": project["stocktakes"][0]["stocktakeId"],
        "reviews": reviews(project, rating),
        "likelihood": "LIKELIHOOD_LIKELY",
        "decisions": ["Go on"],
        "nextSteps": [{"action": "Ring home by ten", "ownerRole": "tutor", "dueOn": due_on}],
    })
}
