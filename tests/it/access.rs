//! Every RPC of the contract: where it is served, and to whom it is refused.

use contract::registry::{
    GetTrustRequest, ListTrustsRequest, registry_service_client::RegistryServiceClient,
};
use serde_json::json;
use tonic::{
    Code, Request,
    client::Grpc,
    codegen::http::uri::PathAndQuery,
    transport::{Channel, Endpoint},
};

use crate::running::{Client, Running, folder, token};

/// A path with something in the place of every variable.
fn filled(path: &str) -> String {
    let mut filled = String::new();
    for part in path.split_inclusive('/') {
        let part = if part.starts_with('{') { &part.replace(|c| c != '/', "") } else { part };
        if part.is_empty() || part == "/" && filled.ends_with('/') {
            filled.push_str(&uuid::Uuid::nil().to_string());
        }
        filled.push_str(part);
    }
    filled
}

async fn channel(running: &Running) -> Channel {
    Endpoint::from_shared(running.url.clone()).unwrap().connect().await.unwrap()
}

/// Calls a method with an empty message, whatever its kind: the refusal comes before the message is read.
async fn call(channel: Channel, method: &rpc::Method, token: Option<&str>) -> Code {
    let service = method.descriptor.parent_service().full_name().to_owned();
    let path = format!("/{service}/{}", method.descriptor.name());
    let mut request = Request::new(futures::stream::iter([GetTrustRequest::default()]));
    if let Some(token) = token {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    let codec = tonic_prost::ProstCodec::<GetTrustRequest, GetTrustRequest>::default();
    let mut grpc = Grpc::new(channel);
    grpc.ready().await.unwrap();
    match grpc.streaming(request, PathAndQuery::try_from(path).unwrap(), codec).await {
        Err(status) => status.code(),
        Ok(response) => {
            response.into_inner().message().await.map_or_else(|it| it.code(), |_| Code::Ok)
        }
    }
}

/// threat: T-FORGOTTEN-DOOR
#[test]
fn every_rpc_has_a_scope_and_a_route() {
    let all = contract::pool().services().flat_map(|it| it.methods().collect::<Vec<_>>());
    let without: Vec<_> = all
        .filter(|rpc| !rpc::methods().any(|it| it.descriptor == *rpc))
        .map(|it| it.full_name().to_owned())
        .collect();
    assert_eq!(without, Vec::<String>::new());
}

/// threat: T-NO-CREDENTIAL
#[tokio::test]
async fn nobody_gets_in_without_the_right_token() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let elsewhere = folder();
    let forged = token(elsewhere.path(), "stranger", None, &["registry:read", "records:write"]);
    let reads = token(data.path(), "weak", None, &["registry:read"]);
    let operates = token(data.path(), "weak", None, &["metrics:read"]);
    let channel = channel(&running).await;
    for method in rpc::methods() {
        let name = method.descriptor.full_name();
        let path = filled(&method.path);
        let verb = method.verb.as_str();
        let weak = if method.scope == rpc::Scope::RegistryRead { &operates } else { &reads };
        for (token, status, code) in [
            (None, 401, Code::Unauthenticated),
            (Some(forged.as_str()), 401, Code::Unauthenticated),
            (Some(weak.as_str()), 403, Code::PermissionDenied),
        ] {
            let client = Client::new(&running, token);
            let answer =
                client.send(verb, &path, &[("content-type", "application/json")], "{}").await;
            let reason = answer.refused(status);
            assert!(["UNAUTHENTICATED", "SCOPE_MISSING"].contains(&reason.as_str()), "{name}");
            assert_eq!(call(channel.clone(), method, token).await, code, "{name}");
        }
    }
    running.stop().await;
}

/// threat: T-NO-CREDENTIAL
#[tokio::test]
async fn what_is_open_tells_nothing_of_anybody() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let nobody = Client::new(&running, None);
    for path in [
        "/livez",
        "/readyz",
        "/openapi.json",
        "/asyncapi.json",
        "/",
        "/docs",
        "/errors",
        "/errors/scope-missing",
    ] {
        assert_eq!(nobody.get(path).await.status, 200, "{path}");
    }
    let ready = nobody.get("/readyz").await.json();
    assert_eq!(
        ready["services"],
        json!({"registry": "ready", "intelligence": "ready", "improvement": "ready"})
    );
    assert_eq!(nobody.get("/metrics").await.refused(401), "UNAUTHENTICATED");
    let operator = token(data.path(), "prometheus", None, &["metrics:read"]);
    let metrics = Client::new(&running, Some(&operator)).get("/metrics").await;
    assert!(metrics.text.contains("headway_request_seconds"), "{}", metrics.text);
    assert_eq!(nobody.get("/nowhere").await.refused(404), "PATH_UNKNOWN");
    assert_eq!(
        nobody.send("DELETE", "/v1/trusts", &[], "").await.refused(405),
        "METHOD_NOT_ALLOWED"
    );
    running.stop().await;
}

#[tokio::test]
async fn the_document_lists_every_route_and_no_other() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let document = Client::new(&running, None).get("/openapi.json").await.json();
    let mut listed: Vec<String> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let operations = item.as_object().unwrap().iter();
        // What the host answers itself is in the table of routes.
        let of_services = operations.filter(|it| it.1["tags"][0] != "Host");
        listed.extend(of_services.map(|(verb, _)| format!("{} {path}", verb.to_uppercase())));
    }
    let mut declared: Vec<_> =
        rpc::methods().map(|it| format!("{} {}", it.verb, it.path)).collect();
    listed.sort();
    declared.sort();
    assert_eq!(listed, declared);
    running.stop().await;
}

#[tokio::test]
async fn a_refusal_over_grpc_says_what_rest_says() {
    let data = folder();
    let running = Running::serve(data.path(), &[]).await;
    let token = token(data.path(), "reader", None, &["registry:read"]);
    let mut request =
        Request::new(ListTrustsRequest { page_size: Some(0), ..ListTrustsRequest::default() });
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let mut client = RegistryServiceClient::new(channel(&running).await);
    let status = client.list_trusts(request).await.unwrap_err();
    let answer = Client::new(&running, Some(&token)).get("/v1/trusts?pageSize=0").await;
    assert_eq!(answer.refused(400), "REQUEST_INVALID");
    let body = answer.json();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.message(), body["detail"].as_str().unwrap());
    let details = tonic_types::StatusExt::get_error_details(&status);
    assert_eq!(details.error_info().unwrap().reason, "REQUEST_INVALID");
    let violations = &details.bad_request().unwrap().field_violations;
    assert_eq!(violations[0].field, body["errors"][0]["pointer"].as_str().unwrap());
    running.stop().await;
}
