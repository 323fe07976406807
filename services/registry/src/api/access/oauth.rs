//! Where clients get tokens: OAuth 2.0 (RFC 6749, 4.4), with its metadata (RFC 8414), keys (RFC 7517) and revocation
//! (RFC 7009).

use axum::{
    Router,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use rpc::{
    all_scopes, scope_name,
    token::{ISSUER, Keys},
};
use serde_json::{Value, json};

use super::form::{Form, json_answer};
use crate::{
    App,
    app::access::{Refused, Request as Asked},
    domain::access::grantable,
};

/// The authorization server of a deployment.
#[derive(Clone, Debug)]
pub struct Oauth {
    app: App,
    keys: Keys,
    /// Where the deployment is reached, without a slash at the end.
    base: String,
}

impl Oauth {
    pub fn new(app: App, keys: Keys, base: impl Into<String>) -> Self {
        Self { app, keys, base: base.into() }
    }

    pub fn routes(self) -> Router {
        Router::new()
            .route("/oauth2/token", post(token))
            .route("/oauth2/revoke", post(revoke))
            .route("/.well-known/jwks.json", get(jwks))
            .route("/.well-known/oauth-authorization-server", get(metadata))
            .with_state(self)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What an assertion may name as its audience: the server, by either of its names, or the endpoint it is sent to.
    fn audiences(&self, path: &str) -> Vec<String> {
        vec![self.base.clone(), self.keys.issuer().to_owned(), self.endpoint(path)]
    }

    fn metadata(&self) -> Value {
        let issuer = Some(self.keys.issuer()).filter(|it| *it != ISSUER).unwrap_or(&self.base);
        let grantable = grantable();
        let scopes = all_scopes().filter(|it| grantable.contains(&i32::from(*it))).map(scope_name);
        let methods = ["client_secret_basic", "private_key_jwt"];
        let algorithms = ["EdDSA", "ES256", "RS256", "PS256"];
        json!({
            "issuer": issuer,
            "token_endpoint": self.endpoint("/oauth2/token"),
            "jwks_uri": self.endpoint("/.well-known/jwks.json"),
            "revocation_endpoint": self.endpoint("/oauth2/revoke"),
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "token_endpoint_auth_methods_supported": methods,
            "token_endpoint_auth_signing_alg_values_supported": algorithms,
            "revocation_endpoint_auth_methods_supported": methods,
            "revocation_endpoint_auth_signing_alg_values_supported": algorithms,
            "scopes_supported": scopes.collect::<Vec<_>>(),
            "service_documentation": self.endpoint("/docs"),
        })
    }
}

async fn token(State(oauth): State<Oauth>, request: Request) -> Result<Response, Refused> {
    let form = Form::read(request).await?;
    let proof = form.proof(oauth.audiences("/oauth2/token"))?;
    match form.get("grant_type") {
        Some("client_credentials") => {}
        Some(_) => {
            return Err(Refused::Request {
                error: "unsupported_grant_type",
                description: "grant_type must be client_credentials".to_owned(),
            });
        }
        None => {
            return Err(Refused::Request {
                error: "invalid_request",
                description: "grant_type must be given: client_credentials".to_owned(),
            });
        }
    }
    let scope = form.get("scope").map(str::to_owned);
    let issued =
        oauth.app.token(&oauth.keys, &Asked { proof, scope, trust: form.trust()? }).await?;
    let body = json!({
        "access_token": issued.token,
        "token_type": "Bearer",
        "expires_in": issued.expires_in,
        "scope": issued.scope,
    });
    Ok(json_answer(StatusCode::OK, &body))
}

async fn revoke(State(oauth): State<Oauth>, request: Request) -> Result<Response, Refused> {
    let form = Form::read(request).await?;
    let proof = form.proof(oauth.audiences("/oauth2/revoke"))?;
    let Some(token) = form.get("token") else {
        return Err(Refused::Request {
            error: "invalid_request",
            description: "token must be given".to_owned(),
        });
    };
    // RFC 7009, 2.2: a token that is none is as revoked as it can be.
    oauth.app.take_back(&proof, oauth.keys.verify(token).ok()).await?;
    Ok(StatusCode::OK.into_response())
}

async fn jwks(State(oauth): State<Oauth>) -> Response {
    json_answer(StatusCode::OK, &oauth.keys.jwks())
}

async fn metadata(State(oauth): State<Oauth>) -> Response {
    json_answer(StatusCode::OK, &oauth.metadata())
}
