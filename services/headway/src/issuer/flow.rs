//! The authorization code flow (RFC 6749, 4.1) with PKCE (RFC 7636).

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{Form, Query, State},
    http::{StatusCode, Uri},
    response::{Html, IntoResponse, Redirect, Response},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use maud::{DOCTYPE, html};
use rpc::token::LONGEST_S;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{AUDIENCE, CLIENT, DemonstrationIssuer, PEOPLE, Signed};

/// How long a code waits to be exchanged.
const CODE: Duration = Duration::from_mins(1);
/// Codes that wait at the most.
const CODES: usize = 1000;

#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    code_challenge: String,
    code_challenge_method: String,
    state: Option<String>,
    nonce: Option<String>,
    /// Who it was that was chosen on the page.
    person: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Exchange {
    grant_type: String,
    code: String,
    redirect_uri: String,
    client_id: String,
    code_verifier: String,
}

/// Shows who there is to sign in as; once one is chosen, goes back with a code.
pub(super) async fn authorize(
    State(issuer): State<DemonstrationIssuer>,
    uri: Uri,
    Query(asked): Query<Asked>,
) -> Response {
    let wrong = |what: &'static str| (StatusCode::BAD_REQUEST, what).into_response();
    if asked.client_id != CLIENT || !is_here(&asked.redirect_uri) {
        return wrong("client_id must be headway-demo, and redirect_uri on this machine\n");
    }
    if asked.response_type != "code" || asked.code_challenge_method != "S256" {
        return wrong("response_type must be code, and code_challenge_method S256\n");
    }
    let Some(person) = asked.person.as_ref().and_then(|id| PEOPLE.iter().find(|it| it.id == id))
    else {
        return Html(page(&uri)).into_response();
    };
    let code = rpc::new_id().to_string();
    let mut codes = issuer.codes();
    codes.retain(|_, it| it.at.elapsed() < CODE);
    if codes.len() >= CODES {
        return wrong("too many sign in at once\n");
    }
    let back = match &asked.state {
        Some(state) => vec![("code", code.clone()), ("state", state.clone())],
        None => vec![("code", code.clone())],
    };
    let Ok(url) = reqwest::Url::parse_with_params(&asked.redirect_uri, back) else {
        return wrong("redirect_uri is no URL\n");
    };
    let signed = Signed {
        person,
        at: Instant::now(),
        redirect_uri: asked.redirect_uri,
        challenge: asked.code_challenge,
        nonce: asked.nonce,
    };
    codes.insert(code, signed);
    Redirect::to(url.as_str()).into_response()
}

/// Exchanges a code for tokens.
pub(super) async fn token(
    State(issuer): State<DemonstrationIssuer>,
    Form(asked): Form<Exchange>,
) -> Response {
    let signed = issuer.codes().remove(&asked.code);
    let proof = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&asked.code_verifier));
    let good = |it: &Signed| {
        asked.grant_type == "authorization_code"
            && asked.client_id == CLIENT
            && it.at.elapsed() < CODE
            && it.redirect_uri == asked.redirect_uri
            && it.challenge == proof
    };
    let tokens = signed.filter(good).and_then(|it| {
        let now = rpc::now().timestamp();
        let mut claims = json!({
            "iss": issuer.issuer, "aud": AUDIENCE, "sub": it.person.id, "name": it.person.name,
            "groups": [it.person.id], "iat": now, "exp": now + LONGEST_S,
        });
        let access = issuer.keys.sign_other(&claims).ok()?;
        if let (Some(nonce), Some(members)) = (it.nonce, claims.as_object_mut()) {
            members.insert("nonce".to_owned(), nonce.into());
        }
        Some((access, issuer.keys.sign_other(&claims).ok()?))
    });
    let Some((access_token, id_token)) = tokens else {
        let refused: HashMap<&str, Value> = [("error", "invalid_grant".into())].into();
        return (StatusCode::BAD_REQUEST, Json(refused)).into_response();
    };
    let granted = json!({
        "access_token": access_token, "id_token": id_token, "token_type": "Bearer", "expires_in": LONGEST_S,
    });
    Json(granted).into_response()
}

fn page(uri: &Uri) -> String {
    let again = uri.query().unwrap_or_default();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width";
                title { "Sign in to the demonstration" }
            }
            body {
                h1 { "Sign in to the demonstration" }
                p { "Nobody here is real. Choose who to be." }
                ul {
                    @for it in &PEOPLE {
                        li { a href={ "?" (again) "&person=" (it.id) } { (it.name) } ", " (it.post) }
                    }
                }
            }
        }
    }
    .into_string()
}

/// Whether a browser that is sent there stays on this machine.
fn is_here(redirect_uri: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(redirect_uri) else { return false };
    let host = url.host_str().unwrap_or_default();
    url.scheme() == "http" && ["localhost", "127.0.0.1", "[::1]"].contains(&host)
}
