//! Whoever should be refused, refused at every route and RPC: driven from the contract's descriptors, so that one which is
//! added is under it without anybody thinking of it.

mod body;
mod door;
mod forge;
mod taken;

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::{
    adversary::{
        body::{body, fill, query},
        door::{Doors, Refused},
        forge::Forger,
    },
    isolation::{Trust, harvest, import},
    running::{Client, Running, folder, token},
    story::Deployed,
};

/// What needs no credential beside the contract, at which a hostile one does nothing either.
const SCOPED_BESIDE: &[(&str, &str, rpc::Scope)] = &[("GET", "/metrics", rpc::Scope::MetricsRead)];

fn all_but(without: Option<rpc::Scope>) -> Vec<String> {
    rpc::all_scopes().filter(|it| Some(*it) != without).map(rpc::scope_name).collect()
}

fn with_scopes(
    running: &std::path::Path,
    name: &str,
    trust: Option<&str>,
    but: Option<rpc::Scope>,
) -> String {
    let scopes = all_but(but);
    token(running, name, trust, &scopes.iter().map(String::as_str).collect::<Vec<_>>())
}

/// threat: T-NO-CREDENTIAL, T-FORGED-TOKEN, T-EXPIRED-TOKEN, T-WRONG-AUDIENCE
#[tokio::test]
async fn no_token_but_ours_in_force_opens_any_door() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let genuine = with_scopes(data.path(), "genuine", None, None);
    let forger = Forger::new(data.path(), &genuine);
    let doors = Doors::at(&running.url).await;
    assert_eq!(doors.rest("GET", "/v1/trusts", Some(&genuine), "").await.status, 200);
    let again = forger.again();
    assert_eq!(
        doors.rest("GET", "/v1/trusts", Some(&again), "").await.status,
        200,
        "the forger can sign"
    );
    for (what, token) in forger.hostile() {
        let token = token.as_deref();
        for method in rpc::methods() {
            let name = method.descriptor.full_name();
            let path = fill(&method.path, |_| Uuid::nil().to_string());
            let answer = doors.rest(method.verb.as_str(), &path, token, "{}").await;
            assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"), "{what}: {name}");
            let answer = doors.grpc(method, token, &serde_json::json!({})).await;
            assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"), "{what}: {name} over gRPC");
        }
        for (verb, path, _) in SCOPED_BESIDE {
            let answer = doors.rest(verb, path, token, "").await;
            assert_eq!(answer, Refused::new(401, "UNAUTHENTICATED"), "{what}: {path}");
        }
    }
    running.stop().await;
}

/// threat: T-WRONG-SCOPE
#[tokio::test]
async fn every_scope_but_the_right_one_opens_nothing() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let doors = Doors::at(&running.url).await;
    for scope in rpc::all_scopes() {
        let lacking = with_scopes(data.path(), "lacking", None, Some(scope));
        for method in rpc::methods().filter(|it| it.scope == scope) {
            let name = method.descriptor.full_name();
            let path = fill(&method.path, |_| Uuid::nil().to_string());
            let answer = doors.rest(method.verb.as_str(), &path, Some(&lacking), "{}").await;
            assert_eq!(answer, Refused::new(403, "SCOPE_MISSING"), "{name}");
            let answer = doors.grpc(method, Some(&lacking), &serde_json::json!({})).await;
            assert_eq!(answer, Refused::new(403, "SCOPE_MISSING"), "{name} over gRPC");
        }
        for (verb, path, needed) in SCOPED_BESIDE.iter().filter(|it| it.2 == scope) {
            let answer = doors.rest(verb, path, Some(&lacking), "").await;
            assert_eq!(answer, Refused::new(403, "SCOPE_MISSING"), "{path} needs {needed:?}");
        }
    }
    running.stop().await;
}

/// What names nothing of a trust, so that there is nothing of another's to ask for.
const OF_NO_TRUST: &[(&str, &str)] = &[
    ("ListTrusts", "lists the caller's own"),
    ("ListEstablishments", "the national register"),
    ("GetEstablishment", "the national register"),
    ("GetRubric", "the same for all"),
    ("ListAttendanceCodes", "the national list"),
    ("ListCodeLists", "the national lists"),
    ("ListCodes", "the national lists"),
    ("ListEvents", "lists the caller's own"),
    ("Subscribe", "tells the caller's own"),
    ("GetCheckpoint", "hashes over all events"),
    ("ListCheckpointKeys", "public keys"),
    (
        "GetEstablishmentImport",
        "of the national register; what it says of schools is of the caller's own",
    ),
    ("ListClients", "lists the caller's own"),
    ("ListOwnGrants", "lists the caller's own"),
    ("GetConsistencyProof", "hashes over all events"),
    ("GetProcessingRecord", "what the contract says, the same for all"),
];

/// What is for the platform alone: a trust's credential is refused whatever it names.
const OF_THE_PLATFORM: &[&str] = &[
    "GetDirectory",
    "CreateTrust",
    "ImportEstablishments",
    "ListParked",
    "ReplayParked",
    "SkipParked",
];

/// Every request is one that the other trust itself could send: nothing else is wrong with it.
/// threat: T-OTHER-TRUST
#[tokio::test]
async fn what_is_anothers_is_not_there() {
    let deployed = Deployed::together(vec![]).await;
    import(&deployed).await;
    let own = Trust::settle(&deployed, "5453", "own").await;
    let other = Trust::settle(&deployed, "16431", "other").await;
    let theirs = harvest(&deployed, None, &other.trust_id).await;
    let doors = Doors::at(&deployed.url(0)).await;
    let mut unknown: BTreeSet<&str> = OF_NO_TRUST.iter().map(|it| it.0).collect();
    for method in rpc::methods() {
        let name = method.descriptor.name();
        if unknown.remove(name) {
            continue;
        }
        let value = |variable: &str| match variable {
            "service" => "registry".to_owned(),
            "name" => "other-marks".to_owned(),
            "kind" => "enrolments".to_owned(),
            "what" => "suspensions".to_owned(),
            other => theirs
                .get(other)
                .and_then(|it| it.first())
                .cloned()
                .unwrap_or_else(|| Uuid::nil().to_string()),
        };
        let body = body(method, &value);
        let path = query(method, &fill(&method.path, value), &value);
        let refused = if OF_THE_PLATFORM.contains(&name) {
            Refused::new(403, "SCOPE_MISSING")
        } else {
            Refused::new(404, "NOT_FOUND")
        };
        let sent = if method.writes() { body.to_string() } else { String::new() };
        let answer = doors.rest(method.verb.as_str(), &path, Some(&own.admin), &sent).await;
        assert_eq!(answer, refused, "{name}: {path} {sent}");
        let answer = doors.grpc(method, Some(&own.admin), &body).await;
        assert_eq!(answer, refused, "{name} over gRPC: {body}");
    }
    assert_eq!(unknown, BTreeSet::new(), "RPCs that are not there");
    let client = Client { address: deployed.url(0).replace("http://", ""), token: Some(own.admin) };
    let trusts = client.get("/v1/trusts").await.done();
    assert_eq!(
        trusts["trusts"].as_array().unwrap().len(),
        1,
        "lists hold the caller's own: {trusts}"
    );
    deployed.end().await;
}
