//! Puts services together behind one port.

use std::sync::Arc;

use axum::{
    Router,
    extract::Request,
    http::{HeaderName, HeaderValue, header},
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
    Limits, asyncapi, documents,
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
        .merge(documents::routes(openapi(), asyncapi::asyncapi()))
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

/// What a browser is told of every answer that says nothing stricter of itself. Nothing here is for pages of others: no
/// answer lets another origin read it (CORS), frame it or load it.
const GUARDS: [(HeaderName, &str); 8] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("permissions-policy"),
        "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

async fn harden(mut response: Response) -> Response {
    // gRPC is not for browsers, and its metadata are sent with every answer.
    let grpc = response.headers().get(header::CONTENT_TYPE);
    let some = if grpc.is_some_and(|it| it.as_bytes().starts_with(b"application/grpc")) {
        2
    } else {
        GUARDS.len()
    };
    let headers = response.headers_mut();
    for (name, value) in GUARDS.into_iter().take(some) {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
