//! Clients of a trust whose grant does not reach, or reaches no more, asked at every RPC.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    adversary::{
        body::{body, fill, query},
        door::{Doors, Refused},
    },
    grants::{revoke, sign_in, vendor},
    isolation::{Trust, harvest, import},
    running::{eventually, token},
    story::Deployed,
};

/// Scopes that a trust may give.
fn given() -> Vec<&'static str> {
    let reserved = [
        rpc::Scope::PlatformWrite,
        rpc::Scope::DirectoryRead,
        rpc::Scope::JournalOperate,
        rpc::Scope::MetricsRead,
    ];
    rpc::all_scopes().filter(|it| !reserved.contains(it)).map(|it| it.as_str_name()).collect()
}

/// A client of a trust with every scope that can be given, for some schools or all; its secret.
async fn client(deployed: &Deployed, trust: &Trust, urns: &[&str]) -> String {
    let secret = vendor(deployed).await;
    let grant = json!({"clientId": "vendor", "scopes": given(), "urns": urns, "named": true, "purpose": "trial"});
    let path = format!("/v1/trusts/{}/grants", trust.trust_id);
    deployed.client(0, &trust.admin).post(&path, &grant).await.done();
    secret
}

/// Genuine tokens, not yet expired: one was taken back, and of the other the client is nobody any more.
/// threat: T-STOLEN-TOKEN, T-STOLEN-SECRET
#[tokio::test]
async fn a_token_that_was_taken_back_opens_no_door() {
    let deployed = Deployed::together(vec![]).await;
    import(&deployed).await;
    let trust = Trust::settle(&deployed, "5453", "own").await;
    let secret = client(&deployed, &trust, &[]).await;
    let token_held = sign_in(&deployed, &secret).await;
    let doors = Doors::at(&deployed.url(0)).await;
    let schools = format!("/v1/trusts/{}/schools", trust.trust_id);
    let is_taken = async |token: &str, status: u16| {
        let answer = doors.rest("GET", &schools, Some(token), "").await;
        (answer.status == status).then_some(())
    };
    let revoked = sign_in(&deployed, &secret).await;
    for token in [&token_held, &revoked] {
        assert!(is_taken(token, 200).await.is_some(), "it holds until it is taken back");
    }
    revoke(&deployed, &secret, &revoked).await;
    eventually(async || is_taken(&revoked, 401).await).await;
    assert!(is_taken(&token_held, 200).await.is_some(), "the client's other token holds");
    let operator = token(deployed.data(), "operator", None, &["access:write"]);
    let off = json!({"kind": "CLIENT_TRANSITION_KIND_DISABLED"});
    deployed.client(0, &operator).post("/v1/clients/vendor/transitions", &off).await.done();
    eventually(async || is_taken(&token_held, 401).await).await;
    for method in rpc::methods() {
        let name = method.descriptor.full_name();
        let path = fill(&method.path, |_| Uuid::nil().to_string());
        for token in [&token_held, &revoked] {
            let answer = doors.rest(method.verb.as_str(), &path, Some(token), "{}").await;
            assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"), "{name}");
            let answer = doors.grpc(method, Some(token), &json!({})).await;
            assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"), "{name} over gRPC");
        }
    }
    let answer = doors.rest("GET", "/metrics", Some(&token_held), "").await;
    assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"));
    deployed.end().await;
}

/// RPCs that answer with no more than the grant is of: what they tell must not name the other school.
const NARROWED: &[&str] = &[
    "ListFeeds",
    "ListChanges",
    "ListJourneys",
    "ListObservations",
    "ListParkedRecords",
    "ListProjects",
    "ListSchools",
    "ListSignals",
    "ListStandings",
];

/// A push says of each record whether a grant covers it, and that is tested with the grants.
const BY_RECORD: &[&str] = &["PushRecords"];

/// RPCs that name a school, or something of one.
const OF_A_SCHOOL: &[&str] = &[
    "CreateFeed",
    "CreateGoal",
    "CreateGrant",
    "CreateMilestone",
    "CreateProject",
    "CreateProjectTransition",
    "CreateRatings",
    "CreateSignalTransition",
    "CreateStocktake",
    "CreateTransition",
    "CreateUnit",
    "GetBatch",
    "GetFeed",
    "GetJourney",
    "GetMapping",
    "GetProject",
    "GetSchool",
    "GetSignal",
    "GetSpread",
    "GetUnit",
    "HoldStocktake",
    "ListBatchResults",
    "ListMappings",
    "ListProjectTransitions",
    "ListTransitions",
    "ListUnits",
    "OpenJourney",
    "ReachMilestone",
    "SaveMapping",
    "SetDiagnosis",
    "SetImpact",
    "SetPlan",
    "WithdrawGrant",
];

/// A grant of a school to another client.
async fn second(deployed: &Deployed, trust: &Trust, urn: &str) {
    let operator = token(deployed.data(), "operator", None, &["access:write"]);
    let own = json!({"name": "Second", "clientId": "second"});
    deployed.client(0, &operator).post("/v1/clients", &own).await.done();
    let admin = deployed.client(0, &trust.admin);
    let grant = json!({"clientId": "second", "scopes": given(), "urns": [urn], "purpose": "trial"});
    admin.post(&format!("/v1/trusts/{}/grants", trust.trust_id), &grant).await.done();
}

/// Every request is one that would be answered if the grant were of that school: nothing else is wrong with it. What
/// cannot be divided by schools is refused whatever is asked.
/// threat: T-OTHER-SCHOOL
#[tokio::test]
async fn a_school_that_was_not_granted_is_refused_wherever_it_is_named() {
    let deployed = Deployed::together(vec![]).await;
    import(&deployed).await;
    let trust = Trust::settle(&deployed, "5453", "own").await;
    let schools = format!("/v1/trusts/{}/schools", trust.trust_id);
    let listed = deployed.client(0, &trust.admin).get(&schools).await.done();
    // All that the trust has is of its first school; the grant is of another.
    let urn = |at: usize| listed["schools"][at]["urn"].as_str().unwrap().to_owned();
    let (other, granted) = (urn(0), urn(1));
    second(&deployed, &trust, &other).await;
    let of_trust = harvest(&deployed, None, &trust.trust_id).await;
    let secret = client(&deployed, &trust, &[&granted]).await;
    let held = sign_in(&deployed, &secret).await;
    let doors = Doors::at(&deployed.url(0)).await;
    let divided = OF_A_SCHOOL.iter().chain(NARROWED).chain(BY_RECORD);
    let mut asked: BTreeSet<&str> = divided.copied().collect();
    let mut wrong = Vec::new();
    for method in rpc::methods() {
        let name = method.descriptor.name();
        let is_divided = method.division == rpc::Division::Schools;
        assert_eq!(asked.remove(name), is_divided, "which list is {name} of?");
        let is_answered = method.division == rpc::Division::None || BY_RECORD.contains(&name);
        // What no trust can give is refused for its scope.
        if is_answered || !given().contains(&method.scope.as_str_name()) {
            continue;
        }
        let value = |variable: &str| match variable {
            "service" => "registry".to_owned(),
            "name" => "own-marks".to_owned(),
            "kind" => "enrolments".to_owned(),
            "urn" => other.clone(),
            it => of_trust
                .get(it)
                .and_then(|it| it.first())
                .cloned()
                .unwrap_or_else(|| Uuid::nil().to_string()),
        };
        let message: Value = body(method, &value);
        let path = query(method, &fill(&method.path, value), &value);
        let sent = if method.writes() { message.to_string() } else { String::new() };
        if NARROWED.contains(&name) {
            let told = deployed.client(0, &held).get(&path).await;
            if !told.status.is_success() || told.text.contains(&other) {
                wrong.push(format!("{name}: {path}: {told:?}"));
            }
            continue;
        }
        let rest = doors.rest(method.verb.as_str(), &path, Some(&held), &sent).await;
        let grpc = doors.grpc(method, Some(&held), &message).await;
        let refused = Refused::new(403, "GRANT_MISSING");
        if rest != refused || grpc != refused {
            wrong.push(format!("{name}: {path} {sent}: {rest:?}, {grpc:?}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new(), "\n{}", wrong.join("\n"));
    assert_eq!(asked, BTreeSet::new(), "RPCs that are not there");
    deployed.end().await;
}
