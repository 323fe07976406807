//! Requests with which nothing is wrong but who sends them.

use rpc::Method;
use serde_json::{Map, Value, json};

/// A path with a value for every variable.
pub(crate) fn fill(path: &str, value: impl Fn(&str) -> String) -> String {
    let filled =
        path.split('/').map(|it| match it.strip_prefix('{').and_then(|it| it.strip_suffix('}')) {
            Some(variable) => value(variable),
            None => it.to_owned(),
        });
    filled.collect::<Vec<_>>().join("/")
}

/// The whole message of an RPC, with what its path names.
pub(crate) fn body(method: &Method, value: &impl Fn(&str) -> String) -> Value {
    let mut members = beside(method, value).as_object().cloned().unwrap_or_else(Map::new);
    for field in method.descriptor.input().fields() {
        if method.path.contains(&format!("{{{}}}", field.name())) {
            members.insert(field.json_name().to_owned(), value(field.name()).into());
        }
    }
    Value::Object(members)
}

/// A path with what beside its variables is asked for, where nothing is sent.
pub(crate) fn query(method: &Method, path: &str, value: &impl Fn(&str) -> String) -> String {
    let asked = beside(method, value);
    let asked = asked.as_object().into_iter().flatten();
    let asked: Vec<_> =
        asked.map(|(name, it)| format!("{name}={}", it.as_str().unwrap_or_default())).collect();
    if asked.is_empty() || method.writes() {
        path.to_owned()
    } else {
        format!("{path}?{}", asked.join("&"))
    }
}

/// What a message holds beside the variables of the path. An RPC that writes and is not here has to be added.
fn beside(method: &Method, value: &impl Fn(&str) -> String) -> Value {
    let urn = value("urn");
    let evidence = json!([{"kind": "EVIDENCE_KIND_DATA", "reference": "a review"}]);
    match method.descriptor.name() {
        "GetInclusionProof" => json!({"eventId": value("event_id")}),
        "ListObservations" => {
            json!({"measure": "attendance", "periodKind": "PERIOD_KIND_WEEK", "from": "2025-09-01", "to": "2025-10-01"})
        }
        _ if !method.writes() => json!({}),
        "CreateClient" => json!({"name": "Mine", "trustId": value("trust_id")}),
        "CreateClientSecret" | "WithdrawClientSecret" | "WithdrawGrant" => json!({}),
        "SetClientKeys" => json!({"jwks": "{\"keys\": []}", "expectedVersion": 1}),
        "CreateClientTransition" => json!({"kind": "CLIENT_TRANSITION_KIND_DISABLED"}),
        "CreateGrant" => {
            json!({"clientId": "mine", "scopes": ["SCOPE_REGISTRY_READ"], "purpose": "Mine", "urns": [urn]})
        }
        "SetIdentityProvider" => {
            json!({"issuer": "https://login.example", "audience": "mine", "enabled": true})
        }
        "CreateTrust" => json!({"name": "Mine"}),
        "ImportEstablishments" | "CreateWebhookSecret" | "CreateWebhookPing" | "DeleteWebhook" => {
            json!({})
        }
        "AddSchool" => json!({"urn": urn}),
        "CreateUnit" => json!({"kind": "UNIT_KIND_SUBJECT", "name": "Mine"}),
        "OpenJourney" => {
            json!({"urn": urn, "phase": "PHASE_REPAIR", "rationale": "Mine", "evidence": evidence})
        }
        "CreateTransition" => {
            json!({"kind": "TRANSITION_KIND_EMERGING", "to": "PHASE_IMPROVE", "rationale": "Mine",
            "evidence": evidence, "expectedVersion": 1})
        }
        "CreateRatings" => json!({"rationale": "Mine", "expectedVersion": 1, "ratings": [
            {"domain": "RUBRIC_DOMAIN_LEADERSHIP", "phase": "PHASE_IMPROVE", "evidence": evidence}]}),
        "ReplayParked" => json!({"source": "registry", "stream": "x/1", "reason": "Mine"}),
        "SkipParked" => {
            json!({"source": "registry", "stream": "x/1", "reason": "Mine", "position": "1"})
        }
        "CreateFeed" => {
            json!({"name": "Mine", "clientId": "mine", "urns": [urn], "kinds": ["RECORD_KIND_ENROLMENT"]})
        }
        "SaveMapping" => {
            json!({"name": "mine", "csv": {"kind": "RECORD_KIND_ENROLMENT", "columns": [
            {"field": "urn", "constant": urn}, {"field": "pupil", "header": "Pupil"},
            {"field": "yearGroup", "header": "Year"}, {"field": "startsOn", "header": "From"}]}})
        }
        "PushRecords" => json!({"records": [{"externalId": "e1", "enrolment":
            {"urn": urn, "pupil": "P1", "yearGroup": 3, "startsOn": "2025-09-01"}}]}),
        "CreateSignalTransition" => {
            json!({"to": "SIGNAL_STATE_DISMISSED", "rationale": "Mine", "expectedVersion": 1})
        }
        "CreateWebhook" => json!({"url": "https://1.1.1.1/mine"}),
        "UpdateWebhook" => json!({"description": "Mine", "expectedVersion": 1}),
        "CreateWebhookTransition" => {
            json!({"to": "WEBHOOK_STATE_DISABLED", "expectedVersion": 1})
        }
        "CreateWebhookReplay" => json!({"service": "registry"}),
        _ => of_projects(method, value),
    }
}

fn of_projects(method: &Method, value: &impl Fn(&str) -> String) -> Value {
    let urn = value("urn");
    let person = json!({"personId": "p-17", "role": "head teacher"});
    let chain = ["TRUST", "SCHOOL_LEADERS", "MIDDLE_LEADERS", "CLASSROOM"].map(
        |it| json!({"tier": format!("DELIVERY_TIER_{it}"), "role": "lead", "action": "meets"}),
    );
    match method.descriptor.name() {
        "CreateErasure" | "ExportSubject" | "CreateLegalHold" | "LiftErasure" | "LiftLegalHold"
        | "SetRetention" | "FindTexts" | "EraseText" => of_privacy(method, value),
        "CreateProject" => json!({"urn": urn, "title": "Mine", "rationale": "Mine"}),
        "SetDiagnosis" => json!({"expectedVersion": 1, "diagnosis":
            {"basis": ["signal:1"], "finding": "Mine", "diagnosedBy": [person, {"personId": "p-18", "role": "lead"}]}}),
        "SetPlan" => {
            json!({"expectedVersion": 1, "plan": {"owner": person, "level": "PROJECT_LEVEL_SCHOOL",
            "outputs": ["Mine"], "capacity": "Mine", "deliveryChain": chain}})
        }
        "CreateGoal" => {
            json!({"expectedVersion": 1, "measure": "persistent_absence", "baseline": 31.5, "target": 20.0,
            "dueOn": soon()})
        }
        "CreateMilestone" => json!({"expectedVersion": 1, "description": "Mine", "dueOn": soon()}),
        "ReachMilestone" => json!({"expectedVersion": 1}),
        "CreateStocktake" => json!({"expectedVersion": 1, "dueOn": soon()}),
        "HoldStocktake" => json!({"expectedVersion": 1, "reviews": [{"goalId": value("trust_id"),
            "rating": "GOAL_RATING_ON_TRACK", "reason": "Mine"}], "likelihood": "LIKELIHOOD_LIKELY", "decisions": ["Go on"]}),
        "SetImpact" => {
            json!({"expectedVersion": 1, "impact": {"verdict": "VERDICT_ACHIEVED", "evaluation": "Mine"}})
        }
        "CreateProjectTransition" => {
            json!({"expectedVersion": 1, "to": "PROJECT_STATE_DIAGNOSED", "rationale": "Mine"})
        }
        other => panic!("give a valid body of {other}, so that only its sender is wrong"),
    }
}

fn of_privacy(method: &Method, value: &impl Fn(&str) -> String) -> Value {
    match method.descriptor.name() {
        "CreateErasure" => {
            json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "P1", "authority": "Mine"})
        }
        "ExportSubject" => {
            json!({"subject": "SUBJECT_KIND_PUPIL", "vendorId": "P1", "purpose": "Mine"})
        }
        "SetRetention" => json!({"months": 24, "expectedVersion": 0}),
        "FindTexts" => json!({"trustId": value("trust_id"), "containing": "Mine"}),
        _ => json!({"reason": "Mine"}),
    }
}

fn soon() -> String {
    (rpc::now().date_naive() + chrono::Days::new(30)).to_string()
}
