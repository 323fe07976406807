//! Puts services together behind one port.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderValue, header},
    middleware::{from_fn, from_fn_with_state, map_response},
    response::{IntoResponse, Response},
};
use db::Db;
use metrics_exporter_prometheus::PrometheusHandle;
use rpc::{Error, Reason, auth::identify, token::Keys};
use tokio::sync::watch;
use tonic::{body::Body, service::Routes};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{documents, openapi, operate};

/// A service as the front needs it.
#[derive(Clone, Debug)]
pub struct Part {
    pub name: &'static str,
    pub rest: Router,
    pub db: Db,
    /// What is wrong with its journal, once something is: it is not written any more.
    pub damage: watch::Receiver<Option<String>>,
}

/// One router for REST, gRPC, health, metrics and documents, which knows its callers by their tokens. `shared` is what
/// belongs to no one service.
pub async fn front(
    parts: Vec<Part>,
    shared: Router,
    grpc: Routes,
    keys: Keys,
    metrics: PrometheusHandle,
) -> Router {
    let parts = Arc::new(parts);
    let rest = parts.iter().fold(shared, |router, it| router.merge(it.rest.clone()));
    let grpc = operate::describe(grpc).await.into_axum_router().reset_fallback();
    rest.merge(grpc)
        .merge(operate::routes(Arc::clone(&parts), metrics))
        .merge(documents::routes(openapi()))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(CatchPanicLayer::custom(|_| Error::internal("a handler panicked").into_response()))
        .layer(map_response(harden))
        .layer(from_fn(operate::measure))
        .layer(from_fn_with_state(keys, identify))
}

/// For any path nobody serves, in the caller's own protocol.
async fn unknown(request: Request) -> Response {
    let grpc = request
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"));
    let error = Error::new(Reason::PathUnknown, format!("no such path: {}", request.uri().path()));
    if grpc {
        tonic::Status::from(error).into_http::<Body>().into_response()
    } else {
        error.into_response()
    }
}

async fn not_allowed(request: Request) -> Error {
    Error::new(Reason::MethodNotAllowed, format!("this path does not take {}", request.method()))
}

async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}
