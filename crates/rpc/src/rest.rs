//! REST as the canonical JSON of the contract's messages: a request message is put together from query or body,
//! path and headers, and a message is the answer.

use axum::{
    RequestExt,
    body::{Body, Bytes},
    extract::{Path, Query, Request},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::{IntoResponse, Response},
};
use http_body_util::{BodyExt, Limited};
use prost_reflect::{Kind, MessageDescriptor};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use crate::{
    Caller, Ctx, Error, Fault, Method, Reason, Result,
    body::{broke_off, too_large},
    diagnose::diagnose,
    door::idempotency,
};

/// The largest JSON body of an ordinary request, in bytes.
pub const BODY_LIMIT: usize = 1 << 20;

/// Reads a request of an RPC: who calls, and the message.
pub async fn read<M>(method: &Method, mut request: Request) -> Result<(Ctx, M)>
where
    M: DeserializeOwned + prost::Message,
{
    let mut ctx = Ctx::enter(request.extensions().get::<Caller>(), method)?;
    let input = method.descriptor.input();
    let path = path_values(&mut request).await?;
    of_own_trust(&ctx, &path)?;
    let if_match = if_match(request.headers())?;
    let key = request.headers().get("idempotency-key").cloned();
    let mut members = if method.has_body() {
        json_body(request).await?
    } else {
        query_values(request.uri(), &input)?
    };
    for (name, value) in path {
        let clash = members.get(&name).is_some_and(|it| it.as_str() != Some(&value));
        if clash {
            let fault = Fault::invalid("differs from the same field in the path");
            return Err(Error::field(format!("/{name}"), fault));
        }
        members.insert(name, Value::String(value));
    }
    if let (Some(version), Some(_)) = (if_match, input.get_field_by_name("expected_version")) {
        members.insert("expectedVersion".to_owned(), version.into());
    }
    let message: M = parse(&input, &Value::Object(members))?;
    ctx.idempotency = idempotency(method, key.as_ref().map(HeaderValue::as_bytes), &message)?;
    Ok((ctx, message))
}

/// Refuses a path under another trust before anything else is read, whatever else is wrong with the request.
fn of_own_trust(ctx: &Ctx, path: &[(String, String)]) -> Result<()> {
    let Some((_, trust_id)) = path.iter().find(|(name, _)| name == "trustId") else {
        return Ok(());
    };
    let absent = || Error::not_found("trust", trust_id);
    match uuid::Uuid::try_parse(trust_id) {
        Ok(trust_id) => ctx.within(trust_id),
        Err(_) if ctx.own_trust().is_some() => Err(absent()),
        Err(_) => Ok(()),
    }
}

/// Turns JSON into a message, or says all that is wrong with it.
pub fn parse<M: DeserializeOwned>(input: &MessageDescriptor, value: &Value) -> Result<M> {
    M::deserialize(value).map_err(|error| {
        let problems = diagnose(input, value);
        if problems.is_empty() {
            Error::field("", Fault::invalid(error.to_string()))
        } else {
            Error::fields(problems)
        }
    })
}

/// Writes the answer of an RPC, with its version as a strong `ETag` where it has one.
pub fn answer(method: &Method, message: &impl Serialize) -> Result<Response> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let body = serde_json::to_vec(message).map_err(Error::internal)?;
    let etag = if method.descriptor.output().get_field_by_name("version").is_some() {
        let Versioned { version } = serde_json::from_slice(&body).map_err(Error::internal)?;
        Some(HeaderValue::from_str(&format!("\"{version}\"")).map_err(Error::internal)?)
    } else {
        None
    };
    let mut response = (method.success(), Body::from(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(etag) = etag {
        headers.insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The whole body, refused as soon as it is known to be larger than `limit`.
pub async fn body(request: Request, limit: usize) -> Result<Bytes> {
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    if declared.and_then(|it| it.parse::<u64>().ok()).is_some_and(|it| it > limit as u64) {
        return Err(too_large(limit));
    }
    match Limited::new(request.into_body(), limit).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) => Err(broke_off(error, limit)),
    }
}

/// The media type of a request, without its parameters and in lower case.
pub fn media_type(headers: &HeaderMap) -> String {
    let value = headers.get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok()).unwrap_or("");
    value.split(';').next().unwrap_or("").trim().to_ascii_lowercase()
}

/// The values of the path's variables, by the JSON names of the fields they fill.
pub async fn path_values(request: &mut Request) -> Result<Vec<(String, String)>> {
    let Path(values) = request
        .extract_parts::<Path<Vec<(String, String)>>>()
        .await
        .map_err(|error| Error::field("", Fault::invalid(error.body_text())))?;
    Ok(values.into_iter().map(|(name, value)| (camel(&name), value)).collect())
}

async fn json_body(request: Request) -> Result<Map<String, Value>> {
    let media_type = media_type(request.headers());
    if media_type != "application/json" && !media_type.ends_with("+json") {
        return Err(Error::new(Reason::MediaTypeUnsupported, "send application/json"));
    }
    let bytes = body(request, BODY_LIMIT).await?;
    match serde_json::from_slice(&bytes) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Error::field("", Fault::new(Reason::FieldType, "must be an object"))),
        Err(error) => Err(Error::new(Reason::BodyMalformed, format!("not JSON: {error}"))),
    }
}

/// Query parameters as fields of the message, typed as the contract types them.
pub fn query_values(uri: &Uri, input: &MessageDescriptor) -> Result<Map<String, Value>> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|error| Error::field("", Fault::invalid(error.body_text())))?;
    let mut members = Map::new();
    for (name, text) in pairs {
        query_value(&mut members, input, &name, text)?;
    }
    Ok(members)
}

/// Adds one parameter; `snapshot.kind` is a field of the message in the field `snapshot`.
fn query_value(
    members: &mut Map<String, Value>,
    message: &MessageDescriptor,
    name: &str,
    text: String,
) -> Result<()> {
    let find = |name: &str| {
        message.get_field_by_json_name(name).or_else(|| message.get_field_by_name(name))
    };
    if let Some((outer, inner)) = name.split_once('.')
        && let Some(field) = find(outer).filter(|it| !it.is_list())
        && let Kind::Message(of) = field.kind()
        && let Value::Object(members) =
            members.entry(field.json_name()).or_insert_with(|| Value::Object(Map::new()))
    {
        return query_value(members, &of, inner, text);
    }
    let field = find(name);
    let name = field.as_ref().map_or(name, |it| it.json_name()).to_owned();
    let value = match field.as_ref().map(prost_reflect::FieldDescriptor::kind) {
        Some(Kind::Bool) if text == "true" => Value::Bool(true),
        Some(Kind::Bool) if text == "false" => Value::Bool(false),
        _ => Value::String(text),
    };
    let list = field.is_some_and(|it| it.is_list());
    match members.get_mut(&name) {
        Some(Value::Array(values)) => values.push(value),
        Some(_) => {
            let fault = Fault::invalid("may be given only once");
            return Err(Error::field(format!("/{name}"), fault));
        }
        None if list => drop(members.insert(name, Value::Array(vec![value]))),
        None => drop(members.insert(name, value)),
    }
    Ok(())
}

fn if_match(headers: &HeaderMap) -> Result<Option<u32>> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let version = value
        .to_str()
        .ok()
        .and_then(|it| it.trim().strip_prefix('"')?.strip_suffix('"')?.parse().ok());
    version.map(Some).ok_or_else(|| {
        Error::new(
            Reason::VersionStale,
            "If-Match must be one ETag as it was given, for example \"3\"",
        )
    })
}

fn camel(name: &str) -> String {
    let mut upper = false;
    name.chars()
        .filter_map(|it| {
            if it == '_' {
                upper = true;
                return None;
            }
            let it = if upper { it.to_ascii_uppercase() } else { it };
            upper = false;
            Some(it)
        })
        .collect()
}
