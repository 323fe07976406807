//! An identity provider for demonstrations and development, as far as `OpenID` Connect needs one: metadata, keys, a page on
//! which anybody signs in as anybody, and the authorization code flow with PKCE. It is there only where the settings ask
//! for it and the address is this machine's alone.

mod flow;
mod people;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use anyhow::Result;
use axum::{Json, Router, extract::State, routing::get};
use rpc::token::Keys;
use serde_json::{Value, json};

use crate::config::Config;

pub(crate) use people::{PEOPLE, Person};

/// Where it is below the deployment's address.
const PATH: &str = "/demo-issuer";
/// What its tokens name as their audience.
pub(crate) const AUDIENCE: &str = "headway-demo";
/// The one client that signs people in.
pub(crate) const CLIENT: &str = "headway-demo";

#[derive(Clone)]
pub(crate) struct DemonstrationIssuer {
    issuer: String,
    keys: Keys,
    codes: Arc<Mutex<HashMap<String, Signed>>>,
}

/// Somebody who has signed in, until the code is exchanged.
#[derive(Debug)]
struct Signed {
    person: &'static Person,
    at: Instant,
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
}

impl DemonstrationIssuer {
    /// Nothing where others than this machine reach the address, or where the settings allow no such issuer.
    pub(crate) fn open(config: &Config, address: SocketAddr) -> Result<Option<Self>> {
        if !config.access.loopback_issuers || !address.ip().is_loopback() {
            tracing::error!(
                "no demonstration issuer: it needs loopback_issuers and an address of this machine"
            );
            return Ok(None);
        }
        let issuer = issuer(address);
        let keys = Keys::open(&config.keys_dir().join("demo-issuer"), &issuer)?;
        Ok(Some(Self { issuer, keys, codes: Arc::default() }))
    }

    pub(crate) fn routes(self) -> Router {
        Router::new()
            .route("/demo-issuer/.well-known/openid-configuration", get(metadata))
            .route("/demo-issuer/jwks.json", get(jwks))
            .route("/demo-issuer/authorize", get(flow::authorize))
            .route("/demo-issuer/token", axum::routing::post(flow::token))
            .with_state(self)
    }

    fn codes(&self) -> std::sync::MutexGuard<'_, HashMap<String, Signed>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What it calls itself on a server that listens there.
pub(crate) fn issuer(address: SocketAddr) -> String {
    format!("http://{address}{PATH}")
}

async fn metadata(State(it): State<DemonstrationIssuer>) -> Json<Value> {
    let at = |path: &str| format!("{}{path}", it.issuer);
    Json(json!({
        "issuer": it.issuer,
        "authorization_endpoint": at("/authorize"),
        "token_endpoint": at("/token"),
        "jwks_uri": at("/jwks.json"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["EdDSA"],
        "token_endpoint_auth_methods_supported": ["none"],
        "code_challenge_methods_supported": ["S256"],
        "scopes_supported": ["openid"],
    }))
}

async fn jwks(State(it): State<DemonstrationIssuer>) -> Json<Value> {
    Json(it.keys.jwks())
}
