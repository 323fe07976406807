//! The paths that are no RPC: what the host itself answers, and where tokens come from.

use rpc::{Scope, all_scopes, scope_name};
use serde_json::{Map, Value, json};

/// Paths and the one operation that each has.
pub(super) fn paths() -> Map<String, Value> {
    let text =
        |text: &str| json!({"text/plain": {"schema": {"type": "string", "description": text}}});
    let page = json!({"text/html": {"schema": {"type": "string"}}});
    let object = json!({"application/json": {"schema": {"type": "object"}}});
    let ready = json!({"application/json": {"schema": {
        "type": "object",
        "required": ["ready", "services"],
        "properties": {
            "ready": {"type": "boolean"},
            "services": {"type": "object", "additionalProperties": {"type": "string"}},
        },
    }}});
    let mut paths = Map::new();
    let mut add = |path: &str, id: &str, summary: &str, answers: Value| {
        let operation = json!({"get": {
            "operationId": id,
            "tags": ["Host"],
            "summary": summary,
            "security": [],
            "responses": answers,
        }});
        paths.insert(path.to_owned(), operation);
    };
    let one = |content: &Value| json!({"200": {"description": "Done", "content": content}});
    add("/livez", "Live", "Says that the process lives", one(&text("alive")));
    add(
        "/readyz",
        "Ready",
        "Says whether every service can answer, and which cannot",
        json!({
            "200": {"description": "All can", "content": ready},
            "503": {"description": "Some cannot", "content": ready},
        }),
    );
    add("/openapi.json", "OpenApi", "Gives this document", one(&object));
    add("/asyncapi.json", "AsyncApi", "Gives the document of events (AsyncAPI 3.0)", one(&object));
    add("/docs", "Docs", "Shows the documents as pages", one(&page));
    add("/errors", "Errors", "Lists every reason for which a request can be refused", one(&page));
    add(
        "/errors/{reason}",
        "Error",
        "Explains a reason: the `type` of problem documents",
        one(&page),
    );
    explained(&mut paths, page);
    measured(&mut paths);
    signed_in(&mut paths);
    paths
}

/// The catalogue's pages.
fn explained(paths: &mut Map<String, Value>, page: Value) {
    let mut explain = json!({
        "application/json": {"schema": {"type": "object"}},
        "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}},
    });
    merge(&mut explain, page);
    if let Some(operation) = paths.get_mut("/errors/{reason}").and_then(|it| it.get_mut("get")) {
        let parameter = json!({
            "name": "reason", "in": "path", "required": true, "example": "not-found",
            "description": "The reason in lower case, with hyphens.",
            "schema": {"type": "string"},
        });
        merge(
            operation,
            json!({"parameters": [parameter], "responses": {
                "200": {"description": "The meaning, what to do, and an example; as JSON when Accept asks for it", "content": explain},
                "404": {"$ref": "#/components/responses/NotFound"},
            }}),
        );
    }
}

/// What only an operator may read.
fn measured(paths: &mut Map<String, Value>) {
    let scope = scope_name(Scope::MetricsRead);
    paths.insert(
        "/metrics".to_owned(),
        json!({"get": {
            "operationId": "Metrics",
            "tags": ["Host"],
            "summary": "Gives operating metrics in Prometheus' text format",
            "description": format!("Needs the scope `{scope}`."),
            "security": [{"oauth2": [scope]}, {"token": [scope]}],
            "responses": {
                "200": {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}},
                "401": {"$ref": "#/components/responses/Unauthenticated"},
                "403": {"$ref": "#/components/responses/ScopeMissing"},
                "429": {"$ref": "#/components/responses/RateLimited"},
            },
        }}),
    );
}

/// Where clients get tokens, as the standards have it.
fn signed_in(paths: &mut Map<String, Value>) {
    let told = |text: &str| {
        let content = json!({"application/json": {"schema": {"type": "object"}}});
        json!({
            "200": {"description": text, "content": content},
            "default": {"description": "An error as RFC 6749, 5.2 has it, or a problem"},
        })
    };
    for (path, id, summary, text) in [
        (
            "/.well-known/jwks.json",
            "Jwks",
            "Gives the keys by which tokens are verified",
            "A JSON Web Key Set",
        ),
        (
            "/.well-known/oauth-authorization-server",
            "Metadata",
            "Says how clients get tokens (RFC 8414)",
            "The metadata",
        ),
    ] {
        paths.insert(path.to_owned(), json!({"get": {
            "operationId": id, "tags": ["Host"], "summary": summary, "security": [], "responses": told(text),
        }}));
    }
    for (path, id, summary, text, fields) in [
        (
            "/oauth2/token",
            "Token",
            "Gives a token to a client that proves itself (RFC 6749, 4.4)",
            "`access_token`, `token_type`, `expires_in` and `scope`",
            ["grant_type", "scope", "resource"].as_slice(),
        ),
        (
            "/oauth2/revoke",
            "Revoke",
            "Takes a token of the client back (RFC 7009)",
            "It is refused everywhere within 60 seconds",
            ["token"].as_slice(),
        ),
    ] {
        let proof = ["client_assertion_type", "client_assertion"];
        let fields =
            fields.iter().chain(&proof).map(|it| ((*it).to_owned(), json!({"type": "string"})));
        let form = json!({"type": "object", "properties": fields.collect::<Map<_, _>>()});
        paths.insert(path.to_owned(), json!({"post": {
            "operationId": id,
            "tags": ["Host"],
            "summary": summary,
            "description": "The client proves itself by `client_secret_basic` or `private_key_jwt`.",
            "security": [],
            "requestBody": {"required": true, "content": {"application/x-www-form-urlencoded": {"schema": form}}},
            "responses": told(text),
        }}));
    }
}

fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}

/// How callers show who they are.
pub(super) fn security() -> Value {
    let scopes: Map<String, Value> =
        all_scopes().map(|it| (scope_name(it), said(it).into())).collect();
    json!({
        "oauth2": {
            "type": "oauth2",
            "description": "OAuth 2.0 client credentials, by `client_secret_basic` or `private_key_jwt`. A client with \
                            grants of several trusts names one as `resource`.",
            "flows": {"clientCredentials": {"tokenUrl": "/oauth2/token", "scopes": scopes}},
        },
        "token": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "A token of ours, or one of the trust's own identity provider for a person.",
        },
    })
}

/// What the contract says of a scope.
fn said(scope: Scope) -> String {
    let value = contract::pool()
        .get_enum_by_name("headway.common.v1.Scope")
        .and_then(|it| it.get_value(scope.into()));
    let said = value.map(|it| super::comment(it.path(), &it.parent_enum().parent_file()));
    said.unwrap_or_default()
}
