//! Documents the service gives of itself: OpenAPI, and a page for each reason an error can have.

use axum::{
    Json, Router,
    extract::Path,
    http::header,
    response::{IntoResponse, Response},
    routing::get,
};
use rpc::{Error, Reason, name, status, type_uri};
use serde_json::Value;

pub(crate) fn routes(openapi: Value) -> Router {
    Router::new()
        .route("/openapi.json", get(async move || Json(openapi.clone())))
        .route("/errors/{reason}", get(explain))
}

/// What a problem's `type` says: the reason, its status, and what the contract says of it.
async fn explain(Path(slug): Path<String>) -> Result<Response, Error> {
    let reason = (1..200)
        .filter_map(|it| Reason::try_from(it).ok())
        .find(|it| type_uri(*it).ends_with(&format!("/{slug}")))
        .ok_or_else(|| Error::not_found("error reason", &slug))?;
    let status = status(reason);
    let text = format!("{}\n\nHTTP {status}\n\n{}\n", name(reason), comment(reason));
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

fn comment(reason: Reason) -> String {
    let value = contract::pool()
        .get_enum_by_name("headway.common.v1.ErrorReason")
        .and_then(|it| it.get_value(reason.into()));
    value
        .map(|it| crate::openapi::comment(it.path(), &it.parent_enum().parent_file()))
        .unwrap_or_default()
}
