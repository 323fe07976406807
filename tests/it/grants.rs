//! Clients and their grants in services that run apart: what is withdrawn or revoked is refused everywhere within a
//! minute, and keys change while tokens hold.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    running::{Answer, Client, command, eventually, token},
    story::{Cast, Deployed, URN, feed, found, postgres},
};

/// The longest that anything may go on working that was taken away.
const WITHIN: Duration = Duration::from_mins(1);
const OTHER: &str = "140221";

/// A vendor as a trust would let one in: a client with a secret, and a grant.
struct Vendor {
    secret: String,
    grant: String,
}

/// Makes a vendor's client; gives its secret.
pub(crate) async fn vendor(deployed: &Deployed) -> String {
    let operator = token(deployed.data(), "operator", None, &["access:write"]);
    let registry = deployed.client(0, &operator);
    registry.post("/v1/clients", &json!({"name": "Vendor", "clientId": "vendor"})).await.done();
    let secret = registry.post("/v1/clients/vendor/secrets", &json!({})).await.done();
    secret["secret"].as_str().unwrap().to_owned()
}

async fn let_in(deployed: &Deployed, cast: &Cast, scopes: &[&str], urns: &[&str]) -> Vendor {
    let secret = vendor(deployed).await;
    let grant = json!({
        "clientId": "vendor", "scopes": scopes, "urns": urns, "purpose": "registers",
        "kinds": ["RECORD_KIND_ENROLMENT"],
    });
    let path = format!("/v1/trusts/{}/grants", cast.trust);
    let grant = deployed.client(0, &cast.admin).post(&path, &grant).await.done();
    Vendor { secret, grant: grant["grantId"].as_str().unwrap().to_owned() }
}

/// Asks something of the authorization server as the vendor.
async fn ask(deployed: &Deployed, secret: &str, path: &str, form: String) -> Answer {
    use base64::{Engine, prelude::BASE64_STANDARD};
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("vendor:{secret}")));
    let headers =
        [("authorization", &*basic), ("content-type", "application/x-www-form-urlencoded")];
    let nobody = Client { token: None, ..deployed.client(0, "") };
    nobody.send("POST", path, &headers, form).await
}

/// A token got as any client gets one.
pub(crate) async fn sign_in(deployed: &Deployed, secret: &str) -> String {
    let form = "grant_type=client_credentials".to_owned();
    let answer = ask(deployed, secret, "/oauth2/token", form).await;
    answer.done()["access_token"].as_str().unwrap().to_owned()
}

/// Takes a token back as its client may.
pub(crate) async fn revoke(deployed: &Deployed, secret: &str, token: &str) {
    let answer = ask(deployed, secret, "/oauth2/revoke", format!("token={token}")).await;
    assert!(answer.status.is_success(), "{answer:?}");
}

fn enrolment(urn: &str) -> Value {
    json!({"records": [{"externalId": "e1", "enrolment":
        {"urn": urn, "pupil": "p1", "yearGroup": 3, "startsOn": "2026-09-01"}}]})
}

/// Waits until a request is refused with that status everywhere; says with which reasons.
async fn refused_within(clients: &[(Client, String)], status: u16) -> Vec<String> {
    let started = Instant::now();
    let mut reasons = Vec::new();
    for (client, path) in clients {
        loop {
            let answer = client.get(path).await;
            if answer.status == status {
                reasons.push(answer.refused(status));
                break;
            }
            assert!(answer.status.is_success(), "{answer:?}");
            assert!(started.elapsed() < WITHIN, "{path} is answered after a minute");
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    println!("refused everywhere after {:.1} s", started.elapsed().as_secs_f64());
    reasons
}

async fn taken_away(arguments: Vec<String>) {
    let deployed = Deployed::apart(arguments).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let scopes = [
        "SCOPE_RECORDS_WRITE",
        "SCOPE_REGISTRY_READ",
        "SCOPE_INTELLIGENCE_READ",
        "SCOPE_IMPROVEMENT_READ",
    ];
    let vendor = let_in(&deployed, &cast, &scopes, &[URN]).await;
    let first = sign_in(&deployed, &vendor.secret).await;

    // What is outside of the grant: another school, another kind.
    let push = async |token: &str, body: &Value| {
        let path = format!("/v1/feeds/{feed}/batches");
        deployed.client(1, token).post(&path, body).await
    };
    let batch = push(&first, &enrolment(URN)).await.done();
    assert_eq!((&batch["records"], &batch["accepted"]), (&json!(1), &json!(1)), "{batch}");
    let register = json!({"records": [{"externalId": "r1", "attendanceRegister":
        {"urn": URN, "date": "2026-09-07", "session": "AM", "marks": [{"pupil": "p1", "code": "/"}]}}]});
    let batch = push(&first, &register).await.done();
    assert_eq!(batch["rejected"], 1, "{batch}");
    let results = format!("/v1/batches/{}/results", batch["batchId"].as_str().unwrap());
    let results = deployed.client(1, &first).get(&results).await.done();
    let problem = &results["results"][0]["problems"][0];
    assert_eq!(problem["reason"], "ERROR_REASON_GRANT_MISSING", "{results}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("records:write") && detail.contains("ATTENDANCE_REGISTER"), "{detail}");
    let school = |urn: &str| format!("/v1/trusts/{}/schools/{urn}", cast.trust);
    let registry = deployed.client(0, &first);
    registry.get(&school(URN)).await.done();
    let other = registry.get(&format!("/v1/trusts/{}/schools", cast.trust)).await.done();
    assert_eq!(other["schools"].as_array().unwrap().len(), 1, "{other}");
    let answer = registry.get(&school(OTHER)).await;
    if answer.status != 404 {
        assert_eq!(answer.refused(403), "GRANT_MISSING");
        assert!(answer.text.contains("registry:read") && answer.text.contains(OTHER));
    }

    let paths = |token: &str| {
        [
            (deployed.client(0, token), format!("/v1/trusts/{}/schools", cast.trust)),
            (deployed.client(1, token), format!("/v1/trusts/{}/feeds", cast.trust)),
            (deployed.client(2, token), format!("/v1/trusts/{}/projects", cast.trust)),
        ]
    };
    let withdraw = format!("/v1/grants/{}/withdrawal", vendor.grant);
    deployed.client(0, &cast.admin).post(&withdraw, &json!({})).await.done();
    let reasons = refused_within(&paths(&first), 403).await;
    assert_eq!(reasons, ["GRANT_MISSING"; 3]);

    let again = json!({"clientId": "vendor", "scopes": scopes, "purpose": "registers"});
    let grants = format!("/v1/trusts/{}/grants", cast.trust);
    deployed.client(0, &cast.admin).post(&grants, &again).await.done();
    let second = sign_in(&deployed, &vendor.secret).await;
    for (client, path) in paths(&second) {
        client.get(&path).await.done();
    }
    let operator = token(deployed.data(), "operator", None, &["access:write"]);
    let off = json!({"kind": "CLIENT_TRANSITION_KIND_DISABLED"});
    deployed.client(0, &operator).post("/v1/clients/vendor/transitions", &off).await.done();
    let reasons = refused_within(&paths(&second), 401).await;
    assert_eq!(reasons, ["UNAUTHENTICATED"; 3]);
    deployed.end().await;
}

/// threat: T-STOLEN-SECRET, T-OTHER-SCHOOL, T-OLD-GRANT
#[tokio::test]
async fn what_is_taken_away_is_refused_everywhere_on_sqlite() {
    taken_away(vec![]).await;
}

/// threat: T-STOLEN-SECRET, T-OTHER-SCHOOL, T-OLD-GRANT
#[tokio::test]
async fn what_is_taken_away_is_refused_everywhere_on_postgres() {
    taken_away(postgres().await).await;
}

/// threat: T-LEAKED-KEY
#[tokio::test]
async fn tokens_of_both_keys_hold_while_keys_change() {
    let deployed = Deployed::apart(vec![]).await;
    let cast = found(&deployed).await;
    let scopes = ["SCOPE_REGISTRY_READ", "SCOPE_INTELLIGENCE_READ"];
    let vendor = let_in(&deployed, &cast, &scopes, &[]).await;
    let old = sign_in(&deployed, &vendor.secret).await;
    let kid = |token: &str| {
        use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
        let header = BASE64_URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
        serde_json::from_slice::<Value>(&header).unwrap()["kid"].clone()
    };
    let rotated = command(deployed.data(), &["keys", "rotate"]);
    let listed: Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(listed["keys"].as_array().unwrap().len(), 2, "{listed}");
    // The new one signs once every process has had time to read it.
    let new = eventually(async || {
        let token = sign_in(&deployed, &vendor.secret).await;
        (kid(&token) != kid(&old)).then_some(token)
    })
    .await;
    for token in [&old, &new] {
        for (service, path) in [(0, "schools"), (1, "feeds")] {
            let path = format!("/v1/trusts/{}/{path}", cast.trust);
            deployed.client(service, token).get(&path).await.done();
        }
    }
    assert!(command(deployed.data(), &["keys", "rotate", "--alone"]).status.success());
    for token in [&old, &new] {
        let path = format!("/v1/trusts/{}/feeds", cast.trust);
        refused_within(&[(deployed.client(1, token), path)], 401).await;
    }
    // The registry may sign by a key that is gone for as long as it has not looked.
    let path = format!("/v1/trusts/{}/feeds", cast.trust);
    eventually(async || {
        let fresh = sign_in(&deployed, &vendor.secret).await;
        deployed.client(1, &fresh).get(&path).await.status.is_success().then_some(())
    })
    .await;
    deployed.end().await;
}
