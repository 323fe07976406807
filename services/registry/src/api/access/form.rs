//! Forms of OAuth: parameters of the body, the client's proof, and refusals in the words of RFC 6749.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::access::{Proof, Refused};

/// The largest form, in bytes.
const LIMIT: usize = 64 << 10;
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The parameters of a request, and how its client proves that it is itself.
#[derive(Debug)]
pub(super) struct Form {
    parameters: BTreeMap<String, String>,
    basic: Option<(String, String)>,
}

fn invalid(description: impl Into<String>) -> Refused {
    Refused::Request { error: "invalid_request", description: description.into() }
}

impl Form {
    pub(super) async fn read(request: Request) -> Result<Self, Refused> {
        let basic = basic(request.headers())?;
        if rpc::rest::media_type(request.headers()) != "application/x-www-form-urlencoded" {
            return Err(invalid("send application/x-www-form-urlencoded"));
        }
        let body = rpc::rest::body(request, LIMIT).await?;
        let mut parameters = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(&body) {
            let name = name.into_owned();
            if parameters.contains_key(&name) {
                return Err(match name.as_str() {
                    "resource" => Refused::Request {
                        error: "invalid_target",
                        description: "a token is for one trust: send one resource".to_owned(),
                    },
                    _ => invalid(format!("{name} is sent twice")),
                });
            }
            // RFC 6749, 3.2: without a value it is as if it were not sent.
            if !value.is_empty() {
                parameters.insert(name, value.into_owned());
            }
        }
        Ok(Self { parameters, basic })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.get(name).map(String::as_str)
    }

    /// How the client proves that it is itself: in one way, no more.
    pub(super) fn proof(&self, audiences: Vec<String>) -> Result<Proof, Refused> {
        let assertion = self.get("client_assertion");
        if self.get("client_secret").is_some() {
            return Err(invalid(
                "send the secret with HTTP Basic (client_secret_basic), not in the body",
            ));
        }
        match (&self.basic, assertion) {
            (Some(_), Some(_)) => Err(invalid("prove who you are in one way, not in two")),
            (Some((client_id, secret)), None) => {
                if self.get("client_id").is_some_and(|it| it != client_id) {
                    return Err(invalid("client_id differs from that of the Authorization header"));
                }
                Ok(Proof::Secret { client_id: client_id.clone(), secret: secret.clone() })
            }
            (None, Some(jwt)) => {
                if self.get("client_assertion_type") != Some(ASSERTION_TYPE) {
                    return Err(invalid(format!("client_assertion_type must be {ASSERTION_TYPE}")));
                }
                let client_id = self.get("client_id").map(str::to_owned);
                Ok(Proof::Assertion { jwt: jwt.to_owned(), client_id, audiences })
            }
            (None, None) => Err(Refused::Client(
                "prove who you are: HTTP Basic with client id and secret, or a client_assertion",
            )),
        }
    }

    /// The trust that the token is to be for (RFC 8707).
    pub(super) fn trust(&self) -> Result<Option<Uuid>, Refused> {
        let Some(resource) = self.get("resource") else { return Ok(None) };
        let id = match resource.strip_prefix("urn:headway:trust:") {
            Some(id) => Some(id),
            None => resource.rsplit_once("/v1/trusts/").map(|it| it.1),
        };
        let trust = id.and_then(|it| Uuid::try_parse(it.trim_end_matches('/')).ok());
        trust.map(Some).ok_or_else(|| Refused::Request {
            error: "invalid_target",
            description: "resource must be urn:headway:trust:<id> or the URL of a trust".to_owned(),
        })
    }
}

/// Client id and secret, each form-encoded within (RFC 6749, 2.3.1).
fn basic(headers: &HeaderMap) -> Result<Option<(String, String)>, Refused> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let wrong =
        Refused::Client("the Authorization header must be Basic, with client id and secret");
    let text = value.to_str().ok().and_then(|it| it.split_once(' '));
    let encoded = text.filter(|it| it.0.eq_ignore_ascii_case("basic")).map(|it| it.1.trim());
    let bytes = encoded.and_then(|it| BASE64_STANDARD.decode(it).ok());
    let text = bytes.and_then(|it| String::from_utf8(it).ok());
    let decoded = |text: &str| {
        let encoded = format!("it={text}");
        let value = form_urlencoded::parse(encoded.as_bytes()).next();
        value.map(|it| it.1.into_owned()).unwrap_or_default()
    };
    let pair = text.as_deref().and_then(|it| it.split_once(':'));
    pair.map(|(id, secret)| Some((decoded(id), decoded(secret)))).ok_or(wrong)
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, error, description) = match self {
            Self::Failed(error) => return error.into_response(),
            Self::Client(it) => (StatusCode::UNAUTHORIZED, "invalid_client", it.to_owned()),
            Self::Request { error, description } => (StatusCode::BAD_REQUEST, error, description),
        };
        let mut response =
            json_answer(status, &json!({"error": error, "error_description": description}));
        if status == StatusCode::UNAUTHORIZED {
            let value = HeaderValue::from_static("Basic realm=\"headway\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, value);
        }
        response
    }
}

pub(super) fn json_answer(status: StatusCode, body: &Value) -> Response {
    let mut response = (status, Body::from(body.to_string())).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(authorization: Option<&str>, body: &'static str) -> Result<Form, Refused> {
        let mut request = Request::post("/oauth2/token")
            .header("content-type", "application/x-www-form-urlencoded");
        if let Some(it) = authorization {
            request = request.header("authorization", it);
        }
        Form::read(request.body(Body::from(body)).unwrap()).await
    }

    fn said(refused: &Refused) -> &str {
        match refused {
            Refused::Client(_) => "invalid_client",
            Refused::Request { error, .. } => error,
            Refused::Failed(_) => "failed",
        }
    }

    #[tokio::test]
    async fn id_and_secret_come_encoded_within_basic() {
        let header = format!("Basic {}", BASE64_STANDARD.encode("a%2Db:s%2B%3A"));
        let form = read(Some(&header), "grant_type=client_credentials&scope=").await.unwrap();
        let Proof::Secret { client_id, secret } = form.proof(vec![]).unwrap() else { panic!() };
        assert_eq!((client_id.as_str(), secret.as_str()), ("a-b", "s+:"));
        assert_eq!((form.get("grant_type"), form.get("scope")), (Some("client_credentials"), None));
    }

    #[tokio::test]
    async fn proofs_that_are_none_are_refused() {
        let basic = format!("Basic {}", BASE64_STANDARD.encode("a:b"));
        for (authorization, body, error) in [
            (None, "", "invalid_client"),
            (None, "client_id=a&client_secret=b", "invalid_request"),
            (Some(basic.as_str()), "client_assertion=x", "invalid_request"),
            (Some(basic.as_str()), "client_id=other", "invalid_request"),
            (None, "client_assertion=x&client_assertion_type=saml", "invalid_request"),
        ] {
            let form = read(authorization, body).await.unwrap();
            assert_eq!(said(&form.proof(vec![]).unwrap_err()), error, "{body}");
        }
        assert_eq!(said(&read(Some("Bearer x"), "").await.unwrap_err()), "invalid_client");
        assert_eq!(said(&read(None, "a=1&a=2").await.unwrap_err()), "invalid_request");
        assert_eq!(said(&read(None, "resource=1&resource=2").await.unwrap_err()), "invalid_target");
    }

    #[tokio::test]
    async fn a_trust_is_named_by_urn_or_url() {
        let id = Uuid::from_u128(7);
        for (body, trust) in [
            ("", Some(None)),
            ("resource=urn:headway:trust:00000000-0000-0000-0000-000000000007", Some(Some(id))),
            ("resource=https://h/v1/trusts/00000000-0000-0000-0000-000000000007", Some(Some(id))),
            ("resource=https://h/", None),
            ("resource=urn:headway:trust:1", None),
        ] {
            let form = read(None, body).await.unwrap();
            assert_eq!(form.trust().ok(), trust, "{body}");
        }
    }
}
