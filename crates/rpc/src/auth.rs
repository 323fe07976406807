//! Reads the credential of each request, whichever door it comes by, and gives the request its id.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use crate::{REQUEST_ID, ctx::new_id, token::Keys};

/// Whether the caller's connection showed a service's certificate; left in each request by the accept loop, and absent
/// where none is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Shown(pub bool);

/// A layer for `axum::middleware::from_fn_with_state`: a valid token leaves its [`crate::Caller`] in the request.
///
/// It refuses nothing itself: [`crate::Ctx::enter`] does, once the RPC and so its scope are known.
pub async fn identify(State(keys): State<Keys>, mut request: Request, next: Next) -> Response {
    if let Some(caller) = bearer(request.headers()).and_then(|it| keys.verify(it).ok()) {
        request.extensions_mut().insert(caller);
    }
    let id = new_id();
    let mut response = REQUEST_ID.scope(id, next.run(request)).await;
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
