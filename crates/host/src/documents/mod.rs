//! Documents the service gives of itself: OpenAPI, AsyncAPI, pages made of them, and a page for each reason an error can
//! have.

mod catalogue;
mod frame;
mod overview;
mod reference;

use std::{collections::BTreeMap, sync::OnceLock};

use axum::{
    Router,
    body::Bytes,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use rpc::{Error, Reason};
use serde_json::Value;

use crate::catalogue::Entry;

/// Nothing from anywhere but here, nothing inline, no script at all; in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// The documents, and the pages once somebody has asked for one.
struct Documents {
    openapi: Value,
    asyncapi: Value,
    pages: OnceLock<BTreeMap<String, Bytes>>,
}

impl Documents {
    fn page(&self, name: &str) -> Option<Bytes> {
        let pages = self.pages.get_or_init(|| {
            let (openapi, asyncapi) = (&self.openapi, &self.asyncapi);
            let mut pages = BTreeMap::from([
                (String::new(), overview::overview(openapi)),
                ("schemas".to_owned(), reference::schemas(openapi)),
                ("events".to_owned(), overview::events(asyncapi)),
            ]);
            let tags = frame::tags(openapi);
            pages.extend(tags.iter().map(|it| (it.to_lowercase(), reference::tag(openapi, it))));
            pages.into_iter().map(|(name, it)| (name, it.into_string().into())).collect()
        });
        pages.get(name).cloned()
    }
}

pub(crate) fn routes(openapi: Value, asyncapi: Value) -> Router {
    let json = |document: &Value| {
        let text = Bytes::from(document.to_string());
        get(async move || ([(header::CONTENT_TYPE, "application/json")], text.clone()))
    };
    let router = Router::new()
        .route("/openapi.json", json(&openapi))
        .route("/asyncapi.json", json(&asyncapi))
        .route("/docs.css", get(style))
        .route("/docs", get(async |State(it): Shared| shown(&it, "")))
        .route(
            "/docs/{page}",
            get(async |State(it): Shared, Path(page): Path<String>| shown(&it, &page)),
        )
        .route("/errors", get(list))
        .route("/errors/{reason}", get(explain));
    router.with_state(std::sync::Arc::new(Documents { openapi, asyncapi, pages: OnceLock::new() }))
}

type Shared = State<std::sync::Arc<Documents>>;

fn shown(documents: &Documents, page: &str) -> Result<Response, Error> {
    let found = documents.page(page);
    let absent = || Error::new(Reason::PathUnknown, format!("no such page: /docs/{page}"));
    Ok(html(found.ok_or_else(absent)?))
}

async fn style() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("docs.css"))
}

/// Every reason there is.
async fn list(headers: HeaderMap) -> Response {
    if wants_json(&headers) {
        let all: Vec<_> = Entry::all().map(|it| catalogue::told(&it)).collect();
        return json(&Value::Array(all), "application/json");
    }
    html(catalogue::list().into_string().into())
}

/// What a problem's `type` says: the reason, its status, what it means, what to do, and an example.
async fn explain(headers: HeaderMap, Path(slug): Path<String>) -> Result<Response, Error> {
    let absent = || Error::not_found("error reason", &slug);
    let entry = Entry::by_slug(&slug).ok_or_else(absent)?;
    Ok(if accepts(&headers, "application/problem+json") {
        json(&entry.problem(), "application/problem+json")
    } else if wants_json(&headers) {
        json(&catalogue::told(&entry), "application/json")
    } else {
        html(catalogue::page(&entry).into_string().into())
    })
}

/// Whether a media type is asked for by name, before HTML.
fn accepts(headers: &HeaderMap, media_type: &str) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|it| it.to_str().ok()).unwrap_or("");
    let mut asked = accept.split(',').map(|it| it.split(';').next().unwrap_or("").trim());
    asked.find(|it| ["text/html", media_type].contains(it)).is_some_and(|it| it == media_type)
}

fn wants_json(headers: &HeaderMap) -> bool {
    accepts(headers, "application/json")
}

fn json(value: &Value, media_type: &'static str) -> Response {
    let headers = [(header::CONTENT_TYPE, media_type), (header::VARY, "accept")];
    (headers, value.to_string()).into_response()
}

fn html(page: Bytes) -> Response {
    let mut response = page.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::VARY, "accept"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
