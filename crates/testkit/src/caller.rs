use std::sync::Arc;

use axum::{
    Router,
    body::{Body, Bytes},
    http::{HeaderMap, Method, Request, StatusCode},
};
use http_body_util::BodyExt;
use rpc::{Allowance, Peer, Permit, REQUEST_ID, Reach, Scope};
use serde_json::Value;
use tower::ServiceExt;
use uuid::Uuid;

/// Somebody at the doors of a service, already identified.
#[derive(Clone, Debug)]
pub struct Caller(pub rpc::Caller);

/// What came back over REST.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Caller {
    /// Whoever runs the platform: every trust, every scope.
    pub fn platform() -> Self {
        Self::new("platform", Reach::Platform, rpc::all_scopes())
    }

    /// A client of one trust with every scope but the platform's.
    pub fn of(trust_id: Uuid) -> Self {
        let scopes = rpc::all_scopes().filter(|it| *it != Scope::PlatformWrite);
        Self::new("trust", Reach::Trust(trust_id), scopes)
    }

    pub fn new(client_id: &str, reach: Reach, scopes: impl IntoIterator<Item = Scope>) -> Self {
        Self(rpc::Caller::whole(client_id, reach, scopes))
    }

    /// The same caller by these grants alone, as if a trust had given no others.
    #[must_use]
    pub fn granted(mut self, allowances: impl IntoIterator<Item = Allowance>) -> Self {
        self.0.permit = Arc::new(Permit::Granted(allowances.into_iter().collect()));
        self
    }

    #[must_use]
    pub fn named(mut self, client_id: &str) -> Self {
        client_id.clone_into(&mut self.0.client_id);
        self
    }

    /// Sends JSON, or nothing for `Value::Null`.
    pub async fn send(&self, router: &Router, method: &str, path: &str, body: Value) -> Answer {
        self.send_with(router, method, path, &[], body).await
    }

    pub async fn get(&self, router: &Router, path: &str) -> Answer {
        self.send(router, "GET", path, Value::Null).await
    }

    pub async fn post(&self, router: &Router, path: &str, body: Value) -> Answer {
        self.send(router, "POST", path, body).await
    }

    /// The same with headers of the caller's choice.
    pub async fn send_with(
        &self,
        router: &Router,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Value,
    ) -> Answer {
        let mut headers = headers.to_vec();
        headers.push(("content-type", "application/json"));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.raw(router, method, path, &headers, body).await
    }

    /// Sends a body as it is.
    pub async fn raw(
        &self,
        router: &Router,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request =
            Request::builder().method(Method::from_bytes(method.as_bytes()).unwrap()).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(body.into())).unwrap();
        request.extensions_mut().insert(self.0.clone());
        let response =
            REQUEST_ID.scope(rpc::new_id(), router.clone().oneshot(request)).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&bytes).into_owned()));
        Answer { status: parts.status, headers: parts.headers, body }
    }

    /// A gRPC request from this caller.
    pub fn ask<T>(&self, message: T) -> tonic::Request<T> {
        let mut request = tonic::Request::new(message);
        request.extensions_mut().insert(self.0.clone());
        request
    }

    /// A channel to a service in this process, all of whose calls are this caller's.
    pub fn peer(&self, routes: tonic::service::Routes) -> Peer {
        rpc::near(routes, self.0.clone())
    }
}

/// A message as REST would carry it.
pub fn json(message: &impl serde::Serialize) -> Value {
    serde_json::to_value(message).unwrap()
}

/// The reason of a problem document, checked to be one.
#[track_caller]
pub fn problem(answer: &Answer) -> &str {
    assert_eq!(
        answer.headers.get("content-type").map(|it| it.to_str().unwrap()),
        Some("application/problem+json"),
        "{answer:?}"
    );
    assert_eq!(answer.body["status"], answer.status.as_u16(), "{answer:?}");
    answer.body["reason"].as_str().unwrap()
}
