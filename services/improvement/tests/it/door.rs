//! Either door of the service, called by the name of an RPC with its message as JSON.

use axum::Router;
use contract::improvement::improvement_service_client::ImprovementServiceClient;
use improvement::App;
use rpc::{Peer, Reason};
use serde_json::Value;
use testkit::{Caller, json};
use tonic::{Code, service::Routes};

#[derive(Clone)]
pub(crate) enum Door {
    Rest(Router, Caller),
    Grpc(ImprovementServiceClient<Peer>),
}

/// What both doors say of a refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) detail: String,
}

/// Calls the client's method of the RPC named.
macro_rules! dispatch {
    ($client:expr, $name:expr, $message:expr, $key:expr, [$($rpc:ident => $method:ident),* $(,)?]) => {
        match $name {
            $(stringify!($rpc) => {
                let mut request =
                    tonic::Request::new(serde_json::from_value($message).expect("a message"));
                if let Some(key) = $key {
                    request.metadata_mut().insert("idempotency-key", key.parse().unwrap());
                }
                $client.clone().$method(request).await.map(|it| json(&it.into_inner()))
            })*
            other => unreachable!("no RPC {other}"),
        }
    };
}

impl Door {
    pub(crate) fn rest(app: &App, caller: &Caller) -> Self {
        Self::Rest(app.rest(), caller.clone())
    }

    pub(crate) fn grpc(app: &App, caller: &Caller) -> Self {
        Self::Grpc(ImprovementServiceClient::new(caller.peer(Routes::new(app.grpc()))))
    }

    pub(crate) async fn call(&self, name: &str, message: Value) -> Result<Value, Refusal> {
        self.call_with(name, message, None).await
    }

    /// The same under an idempotency key.
    pub(crate) async fn call_with(
        &self,
        name: &str,
        message: Value,
        key: Option<&str>,
    ) -> Result<Value, Refusal> {
        match self {
            Self::Rest(router, caller) => rest(router, caller, name, message, key).await,
            Self::Grpc(client) => grpc(client, name, message, key).await,
        }
    }
}

async fn grpc(
    client: &ImprovementServiceClient<Peer>,
    name: &str,
    message: Value,
    key: Option<&str>,
) -> Result<Value, Refusal> {
    let answer = dispatch!(client, name, message, key, [
        CreateProject => create_project,
        GetProject => get_project,
        ListProjects => list_projects,
        SetDiagnosis => set_diagnosis,
        SetPlan => set_plan,
        CreateGoal => create_goal,
        CreateMilestone => create_milestone,
        ReachMilestone => reach_milestone,
        CreateStocktake => create_stocktake,
        HoldStocktake => hold_stocktake,
        SetImpact => set_impact,
        CreateProjectTransition => create_project_transition,
        ListProjectTransitions => list_project_transitions,
    ]);
    answer.map_err(|it| Refusal { code: it.code(), detail: it.message().to_owned() })
}

async fn rest(
    router: &Router,
    caller: &Caller,
    name: &str,
    mut message: Value,
    key: Option<&str>,
) -> Result<Value, Refusal> {
    let method = rpc::method("headway.improvement.v1.ImprovementService", name);
    let mut path = method.path.clone();
    let fields = message.as_object_mut().unwrap();
    for field in method.descriptor.input().fields() {
        let variable = format!("{{{}}}", field.name());
        if path.contains(&variable) {
            let value = fields.remove(field.json_name()).unwrap_or_default();
            path = path.replace(&variable, value.as_str().unwrap_or_default());
        }
    }
    if !method.writes() {
        let pairs = fields.iter().map(|(name, value)| match value {
            Value::String(text) => format!("{name}={text}"),
            value => format!("{name}={value}"),
        });
        path = format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"));
        message = Value::Null;
    }
    let headers: Vec<_> = key.map(|it| ("idempotency-key", it)).into_iter().collect();
    let answer = caller.send_with(router, method.verb.as_str(), &path, &headers, message).await;
    if answer.status.is_success() {
        assert_eq!(answer.status, method.success(), "{name}");
        return Ok(answer.body);
    }
    let reason = format!("ERROR_REASON_{}", testkit::problem(&answer));
    let reason = Reason::from_str_name(&reason).unwrap();
    let detail = answer.body["detail"].as_str().unwrap().to_owned();
    Err(Refusal { code: rpc::code(reason), detail })
}
