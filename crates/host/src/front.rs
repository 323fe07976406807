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
use rpc::{
    Error, Reason,
    auth::{Authority, identify},
};
use tokio::sync::watch;
use tonic::{body::Body, service::Routes};
use tower_http::{catch_panic::CatchPanicLayer, decompression::RequestDecompressionLayer};

use crate::{
    Limits, documents,
    limits::{Gate, admit, meter},
    openapi, operate,
};

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
    authority: Arc<dyn Authority>,
    metrics: PrometheusHandle,
    limits: Limits,
) -> Router {
    let gate = Gate::new(limits);
    let parts = Arc::new(parts);
    let rest = parts.iter().fold(shared, |router, it| router.merge(it.rest.clone()));
    let grpc = operate::describe(grpc).await.into_axum_router().reset_fallback();
    rest.merge(grpc)
        .merge(operate::routes(Arc::clone(&parts), metrics))
        .merge(documents::routes(openapi()))
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(CatchPanicLayer::custom(|_| Error::internal("a handler panicked").into_response()))
        .layer(from_fn_with_state(gate.clone(), meter))
        .layer(RequestDecompressionLayer::new())
        .layer(from_fn_with_state(gate, admit))
        .layer(map_response(harden))
        .layer(from_fn(operate::measure))
        .layer(from_fn_with_state(authority, identify))
}

/// For any path nobody serves, in the caller's own protocol.
async fn unknown(request: Request) -> Response {
    let error = Error::new(Reason::PathUnknown, format!("no such path: {}", request.uri().path()));
    refuse(is_grpc(&request), error)
}

pub(crate) fn is_grpc(request: &Request) -> bool {
    let media_type = request.headers().get(header::CONTENT_TYPE);
    media_type.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc"))
}

/// An error in the caller's own protocol.
pub(crate) fn refuse(grpc: bool, error: Error) -> Response {
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
