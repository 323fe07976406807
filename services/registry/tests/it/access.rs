//! Clients, grants and tokens at the doors of the registry.

use axum::Router;
use base64::{Engine, prelude::BASE64_STANDARD};
use contract::registry::{GetDirectoryRequest, access_service_client::AccessServiceClient};
use registry::Oauth;
use rpc::{
    Reach, Scope,
    token::{ISSUER, Keys},
};
use serde_json::{Value, json};
use testkit::{Answer, Caller, Database, problem};

use crate::{
    schema::rebuilt,
    world::{World, ok, text, uuid},
};

testkit::both!(
    a_client_gets_a_token_for_what_it_was_granted,
    secrets_are_shown_once_and_two_at_a_time,
    a_trust_withdraws_what_it_gave_and_both_sides_see_it,
    tokens_name_one_trust_when_there_are_several,
    nobody_gets_a_token_without_proof,
    a_token_is_taken_back_by_its_own_client_alone,
    a_trusts_clients_are_its_own,
    what_is_wrong_with_a_grant_is_told_at_once,
    people_sign_in_where_their_trust_says,
    the_directory_tells_what_changed,
);

/// The registry with its authorization server.
pub(crate) struct Desk {
    pub(crate) world: World,
    pub(crate) keys: Keys,
    pub(crate) oauth: Router,
    pub(crate) trust_id: String,
    _folder: tempfile::TempDir,
}

impl Desk {
    pub(crate) async fn open(database: &Database) -> Self {
        let world = World::open(database).await;
        let folder = tempfile::tempdir().unwrap();
        let keys = Keys::open(folder.path(), ISSUER).unwrap();
        let oauth = Oauth::new(world.app.clone(), keys.clone(), "https://headway.test").routes();
        let (trust_id, _) = world.trust_with_school().await;
        Self { world, keys, oauth, trust_id, _folder: folder }
    }

    /// Whoever runs the trust.
    fn admin(&self) -> Caller {
        Caller::of(uuid(&self.trust_id))
    }

    /// A client with a secret.
    pub(crate) async fn client(&self, id: &str) -> String {
        let made = json!({"name": id, "clientId": id});
        self.world.post("/v1/clients", made).await;
        let made = self.world.post(&format!("/v1/clients/{id}/secrets"), json!({})).await;
        text(&made, "secret")
    }

    pub(crate) async fn grant(&self, trust_id: &str, client_id: &str, scopes: &[&str]) -> Value {
        let body = json!({"clientId": client_id, "scopes": scopes, "purpose": "registers"});
        self.world.post(&format!("/v1/trusts/{trust_id}/grants"), body).await
    }

    pub(crate) async fn ask(&self, id: &str, secret: &str, form: &str) -> Answer {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
        let headers = [("authorization", &*basic), FORM];
        let form = format!("grant_type=client_credentials&{form}");
        self.world.platform.raw(&self.oauth, "POST", "/oauth2/token", &headers, form).await
    }

    async fn post_as(&self, caller: &Caller, path: &str, body: Value) -> Answer {
        caller.post(&self.world.rest, path, body).await
    }
}

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16) -> &str {
    assert_eq!(answer.status.as_u16(), status, "{answer:?}");
    answer.body["error"].as_str().unwrap()
}

async fn a_client_gets_a_token_for_what_it_was_granted(database: Database) {
    let desk = Desk::open(&database).await;
    let secret = desk.client("arbor").await;
    let nothing = desk.ask("arbor", &secret, "").await;
    assert_eq!(refused(&nothing, 400), "unauthorized_client");
    desk.grant(&desk.trust_id, "arbor", &["SCOPE_RECORDS_WRITE", "SCOPE_INTELLIGENCE_READ"]).await;
    let given = ok(desk.ask("arbor", &secret, "").await);
    assert_eq!(given["token_type"], "Bearer");
    assert_eq!(given["expires_in"], 3600);
    assert_eq!(given["scope"], "records:write intelligence:read access:read");
    let token = desk.keys.verify(&text(&given, "access_token")).unwrap();
    assert_eq!((&*token.client_id, token.trust), ("arbor", Some(uuid(&desk.trust_id))));
    assert!(!token.service);
    let less = ok(desk.ask("arbor", &secret, "scope=records:write").await);
    assert_eq!(less["scope"], "records:write");
    let more = desk.ask("arbor", &secret, "scope=records:write%20records:read").await;
    assert_eq!(refused(&more, 400), "invalid_scope");
    rebuilt(&desk.world, &database).await;
}

/// threat: T-STOLEN-SECRET
async fn secrets_are_shown_once_and_two_at_a_time(database: Database) {
    let desk = Desk::open(&database).await;
    let first = desk.client("arbor").await;
    assert_eq!(first.len(), "hws_".len() + 43, "256 random bits");
    desk.grant(&desk.trust_id, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    let path = "/v1/clients/arbor/secrets";
    let key = [("idempotency-key", "another")];
    let platform = &desk.world.platform;
    let second = ok(platform.send_with(&desk.world.rest, "POST", path, &key, json!({})).await);
    let retried = ok(platform.send_with(&desk.world.rest, "POST", path, &key, json!({})).await);
    assert_eq!(retried["secretId"], second["secretId"]);
    assert_eq!(retried.get("secret"), None, "shown once");
    let shown = desk.world.get("/v1/clients/arbor").await;
    assert_eq!(shown["secrets"].as_array().unwrap().len(), 2);
    assert!(!shown.to_string().contains("hws_"), "{shown}");
    for secret in [&first, &text(&second, "secret")] {
        ok(desk.ask("arbor", secret, "").await);
    }
    let third = platform.post(&desk.world.rest, path, json!({})).await;
    assert_eq!((third.status.as_u16(), problem(&third)), (409, "TRANSITION_NOT_ALLOWED"));
    let old = shown["secrets"][0]["secretId"].as_str().unwrap();
    desk.world.post(&format!("{path}/{old}/withdrawal"), json!({})).await;
    assert_eq!(refused(&desk.ask("arbor", &first, "").await, 401), "invalid_client");
    ok(desk.ask("arbor", &text(&second, "secret"), "").await);
    rebuilt(&desk.world, &database).await;
}

async fn a_trust_withdraws_what_it_gave_and_both_sides_see_it(database: Database) {
    let desk = Desk::open(&database).await;
    let secret = desk.client("arbor").await;
    let body = json!({
        "clientId": "arbor", "scopes": ["SCOPE_RECORDS_WRITE"], "urns": ["100000"],
        "kinds": ["RECORD_KIND_ENROLMENT"], "purpose": "rolls", "endsOn": "2999-07-31",
    });
    let path = format!("/v1/trusts/{}/grants", desk.trust_id);
    let grant = ok(desk.post_as(&desk.admin(), &path, body).await);
    assert_eq!(
        (&grant["state"], &grant["urns"]),
        (&json!("GRANT_STATE_ACTIVE"), &json!(["100000"]))
    );
    assert_eq!((&grant["givenBy"], &grant["clientName"]), (&json!("trust"), &json!("arbor")));
    let vendor = Caller::new("arbor", Reach::Trust(uuid(&desk.trust_id)), [Scope::AccessRead]);
    let vendor = vendor.granted([]);
    let own = ok(vendor.get(&desk.world.rest, "/v1/grants").await);
    assert_eq!(own["grants"], json!([grant]));
    let all = vendor.get(&desk.world.rest, &path).await;
    assert_eq!((all.status.as_u16(), problem(&all)), (403, "GRANT_MISSING"));
    let one = format!("/v1/grants/{}", text(&grant, "grantId"));
    assert_eq!(ok(vendor.get(&desk.world.rest, &one).await), grant);
    let other = Caller::new("other", Reach::Trust(uuid(&desk.trust_id)), [Scope::AccessRead]);
    let other = other.granted([]).get(&desk.world.rest, &one).await;
    assert_eq!(other.status, 404, "another client's grant");

    let elsewhere = Caller::of(rpc::new_id());
    let refusal = desk.post_as(&elsewhere, &format!("{one}/withdrawal"), json!({})).await;
    assert_eq!(refusal.status, 404, "another trust's grant");
    let withdrawn = ok(desk.post_as(&desk.admin(), &format!("{one}/withdrawal"), json!({})).await);
    assert_eq!(withdrawn["state"], "GRANT_STATE_WITHDRAWN");
    assert_eq!(withdrawn["withdrawnBy"], "trust");
    let again = ok(desk.post_as(&desk.admin(), &format!("{one}/withdrawal"), json!({})).await);
    assert_eq!(again, withdrawn);
    assert_eq!(refused(&desk.ask("arbor", &secret, "").await, 400), "unauthorized_client");
    let active = format!("{path}?state=GRANT_STATE_ACTIVE");
    let active = ok(desk.admin().get(&desk.world.rest, &active).await);
    assert_eq!(active["grants"], json!([]));
    let own = ok(vendor.get(&desk.world.rest, "/v1/grants").await);
    assert_eq!(own["grants"], json!([withdrawn]), "the vendor sees that it was withdrawn");
    rebuilt(&desk.world, &database).await;
}

async fn tokens_name_one_trust_when_there_are_several(database: Database) {
    let desk = Desk::open(&database).await;
    let secret = desk.client("arbor").await;
    let second = desk.world.post("/v1/trusts", json!({"name": "Another Trust"})).await;
    let second = text(&second, "trustId");
    for trust in [&desk.trust_id, &second] {
        desk.grant(trust, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    }
    let which = desk.ask("arbor", &secret, "").await;
    assert_eq!(refused(&which, 400), "invalid_target");
    assert!(!which.body.to_string().contains(&second), "which trusts there are is not told");
    for resource in
        [format!("urn:headway:trust:{second}"), format!("https://headway.test/v1/trusts/{second}")]
    {
        let given = ok(desk.ask("arbor", &secret, &format!("resource={resource}")).await);
        let token = desk.keys.verify(&text(&given, "access_token")).unwrap();
        assert_eq!(token.trust, Some(uuid(&second)));
    }
    let strange = format!("resource=urn:headway:trust:{}", rpc::new_id());
    assert_eq!(refused(&desk.ask("arbor", &secret, &strange).await, 400), "invalid_target");
}

/// threat: T-STOLEN-SECRET
async fn nobody_gets_a_token_without_proof(database: Database) {
    let desk = Desk::open(&database).await;
    let secret = desk.client("arbor").await;
    desk.grant(&desk.trust_id, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    for (id, tried) in [("arbor", "hws_wrong"), ("arbor", ""), ("nobody", &*secret)] {
        let answer = desk.ask(id, tried, "").await;
        assert_eq!(refused(&answer, 401), "invalid_client", "{id}");
        assert_eq!(answer.headers["www-authenticate"], "Basic realm=\"headway\"");
    }
    let post = async |headers: &[(&str, &str)], form: &'static str| {
        let platform = &desk.world.platform;
        platform.raw(&desk.oauth, "POST", "/oauth2/token", headers, form).await
    };
    let anonymous = post(&[FORM], "grant_type=client_credentials").await;
    assert_eq!(refused(&anonymous, 401), "invalid_client");
    let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("arbor:{secret}")));
    let basic = ("authorization", &*basic);
    for (form, error) in [
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("scope=records:write", "invalid_request"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
    ] {
        assert_eq!(refused(&post(&[basic, FORM], form).await, 400), error, "{form}");
    }
    let json = [basic, ("content-type", "application/json")];
    assert_eq!(refused(&post(&json, "{}").await, 400), "invalid_request");
    let off = json!({"kind": "CLIENT_TRANSITION_KIND_DISABLED"});
    desk.world.post("/v1/clients/arbor/transitions", off).await;
    assert_eq!(refused(&desk.ask("arbor", &secret, "").await, 401), "invalid_client");
    let on = json!({"kind": "CLIENT_TRANSITION_KIND_ENABLED"});
    desk.world.post("/v1/clients/arbor/transitions", on).await;
    ok(desk.ask("arbor", &secret, "").await);
    rebuilt(&desk.world, &database).await;
}

/// threat: T-STOLEN-TOKEN
async fn a_token_is_taken_back_by_its_own_client_alone(database: Database) {
    let desk = Desk::open(&database).await;
    let (secret, other) = (desk.client("arbor").await, desk.client("other").await);
    desk.grant(&desk.trust_id, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    let token = text(&ok(desk.ask("arbor", &secret, "").await), "access_token");
    let revoke = async |id: &str, secret: &str| {
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{id}:{secret}")));
        let headers = [("authorization", &*basic), FORM];
        let form = format!("token={token}");
        desk.world.platform.raw(&desk.oauth, "POST", "/oauth2/revoke", &headers, form).await.status
    };
    assert_eq!(revoke("other", &other).await, 200, "as if it had been revoked");
    let revoked = async || directory(&desk, None).await.revoked;
    assert_eq!(revoked().await, []);
    assert_eq!(revoke("arbor", "wrong").await, 401);
    assert_eq!(revoke("arbor", &secret).await, 200);
    assert_eq!(revoke("arbor", &secret).await, 200, "again");
    assert_eq!(revoked().await[0].jti, desk.keys.verify(&token).unwrap().jti);
    rebuilt(&desk.world, &database).await;
}

async fn a_trusts_clients_are_its_own(database: Database) {
    let desk = Desk::open(&database).await;
    let admin = desk.admin();
    let made = ok(desk.post_as(&admin, "/v1/clients", json!({"name": "Our data team"})).await);
    let id = text(&made, "clientId");
    assert_eq!(made["trustId"], json!(desk.trust_id));
    let chosen = json!({"name": "x", "clientId": "arbor"});
    assert_eq!(desk.post_as(&admin, "/v1/clients", chosen).await.status, 400);
    let second = desk.world.post("/v1/trusts", json!({"name": "Another Trust"})).await;
    let second = text(&second, "trustId");
    let stranger = Caller::of(uuid(&second));
    for (path, body) in [
        (format!("/v1/clients/{id}/secrets"), json!({})),
        (
            format!("/v1/clients/{id}/transitions"),
            json!({"kind": "CLIENT_TRANSITION_KIND_DISABLED"}),
        ),
    ] {
        assert_eq!(desk.post_as(&stranger, &path, body.clone()).await.status, 404, "{path}");
        ok(desk.post_as(&admin, &path, body).await);
    }
    assert_eq!(stranger.get(&desk.world.rest, &format!("/v1/clients/{id}")).await.status, 404);
    let listed = ok(stranger.get(&desk.world.rest, "/v1/clients").await);
    assert_eq!(listed["clients"], json!([]));
    let listed = ok(admin.get(&desk.world.rest, "/v1/clients").await);
    assert_eq!(listed["clients"].as_array().unwrap().len(), 1);
    let grant = json!({"clientId": id, "scopes": ["SCOPE_RECORDS_READ"], "purpose": "x"});
    let path = format!("/v1/trusts/{second}/grants");
    let answer = desk.post_as(&stranger, &path, grant).await;
    assert_eq!(answer.status, 400, "another trust's client takes nothing: {answer:?}");
    assert_eq!(answer.body["errors"][0]["pointer"], "/clientId");
    // A vendor that a trust has granted something is seen by it, without its secrets.
    desk.client("arbor").await;
    desk.grant(&second, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    let seen = ok(stranger.get(&desk.world.rest, "/v1/clients/arbor").await);
    assert_eq!((&seen["name"], &seen["secrets"]), (&json!("arbor"), &json!([])));
    assert_eq!(desk.post_as(&stranger, "/v1/clients/arbor/secrets", json!({})).await.status, 404);
    rebuilt(&desk.world, &database).await;
}

async fn what_is_wrong_with_a_grant_is_told_at_once(database: Database) {
    let desk = Desk::open(&database).await;
    let path = format!("/v1/trusts/{}/grants", desk.trust_id);
    let wrong = json!({
        "clientId": "nobody", "scopes": ["SCOPE_PLATFORM_WRITE", "SCOPE_RECORDS_READ"],
        "urns": ["100000", "1"], "kinds": ["RECORD_KIND_UNSPECIFIED"], "endsOn": "31.7.2026",
    });
    let answer = desk.post_as(&desk.admin(), &path, wrong).await;
    let pointers: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|it| &it["pointer"]).collect();
    assert_eq!(pointers, ["/scopes/0", "/kinds/0", "/urns/1", "/purpose", "/endsOn"]);
    desk.client("arbor").await;
    let gone = json!({
        "clientId": "arbor", "scopes": ["SCOPE_RECORDS_READ"], "urns": ["999999"], "purpose": "x",
        "endsOn": "2020-01-01",
    });
    let answer = desk.post_as(&desk.admin(), &path, gone).await;
    let codes: Vec<_> =
        answer.body["errors"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert_eq!(codes, ["FIELD_INVALID", "SCHOOL_UNKNOWN"], "{answer:?}");
}

/// threat: T-FALSE-ISSUER
async fn people_sign_in_where_their_trust_says(database: Database) {
    let desk = Desk::open(&database).await;
    let path = format!("/v1/trusts/{}/identity-provider", desk.trust_id);
    let admin = desk.admin();
    assert_eq!(admin.get(&desk.world.rest, &path).await.status, 404);
    let body = json!({
        "issuer": "https://login.example.org/tenant", "audience": "api://headway", "enabled": true,
        "mappings": [{
            "group": "7d1f", "role": "ROLE_EDITOR", "audience": "AUDIENCE_SCHOOL_LEADER",
            "urns": ["100000"], "named": true,
        }],
    });
    let set = ok(admin.send(&desk.world.rest, "PUT", &path, body.clone()).await);
    assert_eq!((&set["version"], &set["groupsClaim"]), (&json!(1), &json!("groups")));
    assert_eq!(ok(admin.get(&desk.world.rest, &path).await), set);
    let blind = admin.send(&desk.world.rest, "PUT", &path, body.clone()).await;
    assert_eq!((blind.status.as_u16(), problem(&blind)), (428, "VERSION_MISSING"));
    let tag = [("if-match", "\"1\"")];
    let mut plain = body.clone();
    plain["issuer"] = json!("http://127.0.0.1:1/issuer");
    let plain = admin.send_with(&desk.world.rest, "PUT", &path, &tag, plain).await;
    assert_eq!(plain.body["errors"][0]["pointer"], "/issuer");
    let second = desk.world.post("/v1/trusts", json!({"name": "Another Trust"})).await;
    let second = text(&second, "trustId");
    let stranger = Caller::of(uuid(&second));
    let mut taken = body.clone();
    taken["mappings"] = json!([]);
    let path = format!("/v1/trusts/{second}/identity-provider");
    let taken = stranger.send(&desk.world.rest, "PUT", &path, taken).await;
    assert_eq!((taken.status.as_u16(), problem(&taken)), (409, "ALREADY_EXISTS"));
    rebuilt(&desk.world, &database).await;
}

async fn directory(desk: &Desk, after: Option<u64>) -> contract::registry::GetDirectoryResponse {
    let service = Caller::new("directory", Reach::Platform, [Scope::DirectoryRead]);
    let routes = tonic::service::Routes::new(desk.world.app.access());
    let mut access = AccessServiceClient::new(service.peer(routes));
    access.get_directory(GetDirectoryRequest { after }).await.unwrap().into_inner()
}

async fn the_directory_tells_what_changed(database: Database) {
    let desk = Desk::open(&database).await;
    desk.client("arbor").await;
    let grant = desk.grant(&desk.trust_id, "arbor", &["SCOPE_RECORDS_WRITE"]).await;
    let all = directory(&desk, None).await;
    assert_eq!((all.clients.len(), all.grants.len()), (1, 1));
    let none = directory(&desk, Some(all.position)).await;
    assert_eq!((none.position, none.clients.len(), none.grants.len()), (all.position, 0, 0));
    let path = format!("/v1/grants/{}/withdrawal", text(&grant, "grantId"));
    desk.world.post(&path, json!({})).await;
    let news = directory(&desk, Some(all.position)).await;
    assert!(news.position > all.position && news.grants[0].withdrawn);
    assert_eq!(directory(&desk, None).await.grants, [], "what is over is not told from the start");
    let trust = Caller::of(uuid(&desk.trust_id));
    let refused = trust.get(&desk.world.rest, "/v1/directory").await;
    let body = refused.body.to_string();
    assert!(!body.contains("arbor"), "{body}");
}
