//! One RPC as an operation of the document.

use rpc::{Method, scope_name};
use serde_json::{Map, Value, json};

use super::{
    comment,
    example::Examples,
    limits, refusal,
    schema::{Schemas, in_path},
};

/// Fields of a push that REST has beside the body alone: of files they say what their rows cannot.
const BESIDE_A_PUSH: [&str; 4] = ["kind", "mapping", "period", "layout"];

pub(super) fn operation(method: &Method, schemas: &mut Schemas, examples: &Examples) -> Value {
    let descriptor = &method.descriptor;
    let text = comment(descriptor.path(), &descriptor.parent_service().parent_file());
    let (summary, more) = text.split_once(". ").unwrap_or((text.trim_end_matches('.'), ""));
    let scope = scope_name(method.scope);
    let mut responses = refusal::responses(method);
    responses.insert(method.success().as_str().to_owned(), done(method, schemas, examples));
    let mut operation = json!({
        "operationId": descriptor.name(),
        "tags": [descriptor.parent_service().name()],
        "summary": summary,
        "description": format!("{more}\n\nNeeds the scope `{scope}`.").trim(),
        "parameters": parameters(method, schemas, examples),
        "responses": responses,
        "security": [{"oauth2": [scope]}, {"token": [scope]}],
    });
    if let Some(members) = operation.as_object_mut().filter(|_| method.has_body()) {
        members.insert("requestBody".to_owned(), body(method, schemas, examples));
    }
    operation
}

fn is(method: &Method, rpc: &str) -> bool {
    method.descriptor.name() == rpc
}

fn parameters(method: &Method, schemas: &mut Schemas, examples: &Examples) -> Vec<Value> {
    let input = method.descriptor.input();
    let push = is(method, "PushRecords");
    let mut parameters = Vec::new();
    for field in input.fields() {
        let (place, name) = if in_path(method, &field) {
            ("path", field.name())
        } else if !method.has_body() || push && beside_a_push(field.name()) {
            ("query", field.json_name())
        } else {
            continue;
        };
        let text = comment(field.path(), &field.parent_message().parent_file());
        let text = if text.is_empty() { said(field.name()) } else { text };
        let mut parameter = json!({
            "name": name,
            "in": place,
            "required": place == "path",
            "description": text,
            "schema": schemas.field(&field),
        });
        let known = examples.parameter(method, place, name);
        if let (Some(members), Some(known)) = (parameter.as_object_mut(), known) {
            members.insert("example".to_owned(), known);
        }
        parameters.push(parameter);
    }
    parameters.extend(of_snapshots(push, schemas));
    parameters.extend(headers(method));
    parameters
}

/// What a name says by itself.
fn said(name: &str) -> String {
    match name {
        "page_token" => "The `nextPageToken` of the page before.".to_owned(),
        "page_size" => "The most that a page shall hold: 1 to 500; 50 when absent.".to_owned(),
        "urn" => "The school, by URN, UKPRN or LAESTAB.".to_owned(),
        other => format!("The {}.", other.trim_end_matches("_id").replace('_', " ")),
    }
}

fn beside_a_push(name: &str) -> bool {
    name == "dry_run" || name == "confirm_removal" || BESIDE_A_PUSH.contains(&name)
}

/// The scope of a snapshot, which a file cannot hold: `snapshot.kind` and the like.
fn of_snapshots(push: bool, schemas: &mut Schemas) -> Vec<Value> {
    let snapshot = contract::pool().get_message_by_name("headway.intelligence.v1.Snapshot");
    let fields = snapshot.iter().filter(|_| push).flat_map(|it| it.fields().collect::<Vec<_>>());
    fields
        .map(|field| {
            let text = comment(field.path(), &field.parent_message().parent_file());
            json!({
                "name": format!("snapshot.{}", field.json_name()),
                "in": "query",
                "required": false,
                "description": format!("Of a snapshot that is a file: {text}"),
                "schema": schemas.field(&field),
            })
        })
        .collect()
}

fn headers(method: &Method) -> Vec<Value> {
    let header = |name: &str, text: &str, schema: Value, example: &str| {
        json!({
            "name": name, "in": "header", "required": false, "description": text, "schema": schema,
            "example": example,
        })
    };
    let mut headers = Vec::new();
    if method.writes() {
        headers.push(header(
            "Idempotency-Key",
            "The same key and request give the stored answer, for 24 hours.",
            json!({"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"}),
            "0198c1a2-7f00-7000-8000-0000000000a1",
        ));
    }
    if method.descriptor.input().get_field_by_name("expected_version").is_some() {
        headers.push(header(
            "If-Match",
            "The ETag that was read; stands for `expectedVersion`.",
            json!({"type": "string", "pattern": "^\"[0-9]{1,9}\"$"}),
            "\"1\"",
        ));
    }
    if is(method, "PushRecords") {
        headers.push(header(
            "Prefer",
            "`wait=10` has the answer wait so many seconds for the batch to be applied, 60 at the most.",
            json!({"type": "string", "pattern": "^wait=[0-9]{1,2}$"}),
            "wait=10",
        ));
    }
    if is(method, "Subscribe") {
        headers.push(header(
            "Last-Event-ID",
            "The position to go on after, as browsers send it when they reconnect; stands for `after`.",
            json!({"type": "string", "pattern": "^[0-9]{1,18}$"}),
            "41",
        ));
    }
    headers
}

/// The body a write takes. Streams are named one by one: their REST forms are files and lines, not one message.
fn body(method: &Method, schemas: &mut Schemas, examples: &Examples) -> Value {
    let file = |text: &str| json!({"type": "string", "description": text});
    let binary =
        json!({"description": "A OneRoster bundle: a ZIP archive of CSV files, at most 32 MiB."});
    let mut content = Map::new();
    let mut add = |media: &str, schema: Value| {
        let mut media_type = json!({"schema": schema});
        let known = examples.bodies(method, media);
        if let Some(members) = media_type.as_object_mut().filter(|_| !known.is_empty()) {
            members.insert("examples".to_owned(), known.into());
        }
        content.insert(media.to_owned(), media_type);
    };
    if is(method, "ImportEstablishments") {
        add("text/csv", file("A file of the register as GIAS publishes it, at most 128 MiB."));
    } else {
        let beside: &[&str] = if is(method, "PushRecords") { &BESIDE_A_PUSH } else { &[] };
        add("application/json", schemas.body(method, beside));
    }
    if is(method, "PushRecords") {
        add("application/x-ndjson", file("A Record a line, in its canonical JSON."));
        add(
            "text/csv",
            file("A record a row, by our columns, by a saved mapping, or a published table."),
        );
        add("application/zip", binary);
    }
    json!({"required": true, "content": content})
}

fn done(method: &Method, schemas: &mut Schemas, examples: &Examples) -> Value {
    let output = method.descriptor.output();
    let text = comment(output.path(), &output.parent_file());
    let mut headers = limits::headers(false);
    let mut add = |name: &str, text: &str, schema: Value| {
        if let Some(members) = headers.as_object_mut() {
            members.insert(name.to_owned(), json!({"description": text, "schema": schema}));
        }
    };
    if output.get_field_by_name("version").is_some() {
        add("ETag", "The version, for If-Match.", json!({"type": "string"}));
    }
    if is(method, "PushRecords") {
        add(
            "Location",
            "Where the batch is read.",
            json!({"type": "string", "format": "uri-reference"}),
        );
        add("Preference-Applied", "The wait that was granted.", json!({"type": "string"}));
    }
    let content = if is(method, "Subscribe") {
        let text = "Server-sent events: each has the position as `id` and a CloudEvent as `data`, described in /asyncapi.json.";
        json!({"text/event-stream": {"schema": {"type": "string", "description": text}}})
    } else {
        let mut media_type = json!({"schema": schemas.message(&output)});
        let known = examples.answers(method);
        if let Some(members) = media_type.as_object_mut().filter(|_| !known.is_empty()) {
            members.insert("examples".to_owned(), known.into());
        }
        let mut content = json!({"application/json": media_type});
        if let Some(members) = content.as_object_mut().filter(|_| is(method, "ListBatchResults")) {
            let lines = "Every result, one a line, when Accept asks for it.";
            let table = "Every result, a row for each problem, when Accept asks for it.";
            for (media, text) in [("application/x-ndjson", lines), ("text/csv", table)] {
                let schema = json!({"type": "string", "description": text});
                members.insert(media.to_owned(), json!({"schema": schema}));
            }
        }
        content
    };
    let text = if text.is_empty() { "Done".to_owned() } else { text };
    json!({"description": text, "headers": headers, "content": content})
}
