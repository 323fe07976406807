//! How the document tells of limits: fields that every answer has, and the answers of who asks too much.

use serde_json::{Map, Value, json};

/// What every answer's headers refer to.
pub(super) fn headers() -> Value {
    json!({
        "RateLimit": {"$ref": "#/components/headers/RateLimit"},
        "RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"},
    })
}

pub(super) fn definitions() -> Value {
    json!({
        "RateLimit": {
            "description": "Requests this client has left (`r`), and in how many seconds it has as many as ever (`t`): \
                            draft-ietf-httpapi-ratelimit-headers.",
            "schema": {"type": "string"},
            "example": "\"requests\";r=3999;t=1",
        },
        "RateLimit-Policy": {
            "description": "What a client may do: requests at once (`q`) and in how many seconds they come back (`w`), \
                            requests under way, bytes of bodies under way.",
            "schema": {"type": "string"},
            "example": "\"requests\";q=4000;w=2, \"concurrent\";q=512;qu=\"concurrent-requests\", \
                        \"bodies\";q=100663296;qu=\"content-bytes\"",
        },
        "Retry-After": {
            "description": "Seconds to wait before the same request may succeed.",
            "schema": {"type": "integer", "minimum": 1},
        },
    })
}

/// Answers that any request may have.
pub(super) fn responses() -> Value {
    let problem = |description: &str, headers: Value| {
        json!({
            "description": description,
            "headers": headers,
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        })
    };
    let with_wait = json!({
        "RateLimit": {"$ref": "#/components/headers/RateLimit"},
        "RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"},
        "Retry-After": {"$ref": "#/components/headers/Retry-After"},
    });
    json!({
        "Problem": problem("A problem (RFC 9457)", headers()),
        "TooLarge": problem(
            "The body is larger than is read; `detail` names the limit and what to send instead. Nothing was done.",
            headers(),
        ),
        "TooMuch": problem(
            "Too many requests (`RATE_LIMITED`), or too much under way (`OVERLOADED`). Nothing was done: send the same \
             request again after as long as Retry-After says.",
            with_wait,
        ),
    })
}

/// The answers of a request that is refused for its size, where it has one, and of any other.
pub(super) fn refusals(has_body: bool) -> Map<String, Value> {
    let mut refusals = Map::new();
    let named = |it: &str| json!({"$ref": format!("#/components/responses/{it}")});
    refusals.insert("429".to_owned(), named("TooMuch"));
    refusals.insert("default".to_owned(), named("Problem"));
    if has_body {
        refusals.insert("413".to_owned(), named("TooLarge"));
    }
    refusals
}
