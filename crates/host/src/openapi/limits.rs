//! How the document tells of limits: fields that every answer has.

use serde_json::{Value, json};

/// What every answer's headers refer to; with how long to wait, where an answer says that.
pub(super) fn headers(waits: bool) -> Value {
    let mut headers = json!({
        "RateLimit": {"$ref": "#/components/headers/RateLimit"},
        "RateLimit-Policy": {"$ref": "#/components/headers/RateLimit-Policy"},
    });
    if let Some(members) = headers.as_object_mut().filter(|_| waits) {
        members
            .insert("Retry-After".to_owned(), json!({"$ref": "#/components/headers/Retry-After"}));
    }
    headers
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
