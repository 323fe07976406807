//! For those who run it: liveness, readiness, metrics, gRPC health and reflection.

use std::{sync::Arc, time::Instant};

use axum::{
    Extension, Json, Router,
    extract::{MatchedPath, Request},
    http::{StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
    routing::get,
};
use metrics_exporter_prometheus::PrometheusHandle;
use rpc::{Caller, Error, Reason, Scope, scope_name};
use serde_json::json;
use tonic::service::Routes;

use crate::Part;

pub(crate) fn routes(parts: Arc<Vec<Part>>, metrics: PrometheusHandle) -> Router {
    Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(move || ready(Arc::clone(&parts))))
        .route("/metrics", get(async move |caller| show_metrics(caller, &metrics)))
}

/// Whether every service's database answers and its journal may be written; says which does not.
async fn ready(parts: Arc<Vec<Part>>) -> Response {
    let mut services = serde_json::Map::new();
    let mut status = StatusCode::OK;
    for part in parts.iter() {
        let state = match part.db.ping().await {
            Ok(()) if part.damage.borrow().is_some() => {
                status = StatusCode::SERVICE_UNAVAILABLE;
                "its journal is damaged: it is read but not written; see the log"
            }
            Ok(()) => "ready",
            Err(error) => {
                tracing::warn!(service = part.name, %error, "not ready");
                status = StatusCode::SERVICE_UNAVAILABLE;
                "its database does not answer"
            }
        };
        services.insert(part.name.to_owned(), state.into());
    }
    (status, Json(json!({"ready": status == StatusCode::OK, "services": services}))).into_response()
}

fn show_metrics(
    caller: Option<Extension<Caller>>,
    metrics: &PrometheusHandle,
) -> Result<Response, Error> {
    let Some(Extension(caller)) = caller else {
        return Err(Error::new(
            Reason::Unauthenticated,
            "send a valid token: Authorization: Bearer …",
        ));
    };
    if !caller.may(Scope::MetricsRead) {
        let detail = format!("the credential lacks the scope {}", scope_name(Scope::MetricsRead));
        return Err(Error::new(Reason::ScopeMissing, detail));
    }
    let text = "text/plain; version=0.0.4; charset=utf-8";
    Ok(([(header::CONTENT_TYPE, text)], metrics.render()).into_response())
}

/// Counts and times every request by its route, never by its path: paths hold ids.
pub(crate) async fn measure(request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unknown".to_owned(), |it| it.as_str().to_owned());
    let method = request.method().to_string();
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    metrics::histogram!("headway_request_seconds", "route" => route, "method" => method, "status" => status)
        .record(started.elapsed().as_secs_f64());
    response
}

/// Adds health and reflection to the gRPC services.
pub(crate) async fn describe(mut grpc: Routes) -> Routes {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    grpc = grpc.add_service(health);
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(contract::DESCRIPTORS)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    // Some clients still ask the older version.
    match (reflection().build_v1(), reflection().build_v1alpha()) {
        (Ok(v1), Ok(v1alpha)) => grpc.add_service(v1).add_service(v1alpha),
        (Err(error), _) | (_, Err(error)) => {
            tracing::error!(%error, "gRPC reflection is off");
            grpc
        }
    }
}
