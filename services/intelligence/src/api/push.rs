//! Pushes: JSON, line-delimited JSON and CSV over REST, a stream of messages over gRPC. At most 10,000 records and
//! 32 MiB in one; nothing is applied before the last byte has come.

use std::collections::BTreeMap;

use axum::{body::Bytes, extract::Request, http::HeaderMap, response::Response};
use chrono::NaiveDate;
use contract::intelligence as pb;
use prost::Message;
use rpc::{Caller, Ctx, Error, Fault, Method, Reason, Result, rest};
use serde_json::{Value, value::RawValue};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;

use super::{csv, record};
use crate::{
    App,
    app::Push,
    domain::{BYTES_LIMIT, FeedId, RECORDS_LIMIT, Record},
};

/// How a body holds its records.
#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Lines,
    Csv,
}

/// Serves a push over REST.
pub(super) async fn over_rest(
    app: App,
    method: &'static Method,
    mut request: Request,
) -> Result<Response> {
    let mut ctx = Ctx::enter(request.extensions().get::<Caller>(), method)?;
    let mut members = rest::query_values(request.uri(), &method.descriptor.input())?;
    for (name, value) in rest::path_values(&mut request).await? {
        members.insert(name, Value::String(value));
    }
    let header: pb::PushRecordsRequest =
        rest::parse(&method.descriptor.input(), &Value::Object(members))?;
    let feed = app.feed_to_push(&ctx, feed_id(&header)?).await?;
    let (format, key) = (format(request.headers())?, key(request.headers()));
    let body = rest::body(request, BYTES_LIMIT).await?;

    let mut digest = Sha256::new();
    digest.update(method.descriptor.full_name());
    digest.update(header.encode_to_vec());
    digest.update([0]);
    digest.update(&body);
    ctx.idempotency = rpc::door::idempotency_of(method, key.as_deref(), digest.finalize().into())?;

    let today = ctx.today();
    // Parsing megabytes would hold up every other request of this thread.
    let read = tokio::task::spawn_blocking(move || read(format, &body, method, today));
    let (inner, records) = read.await.map_err(Error::internal)??;
    if !inner.feed_id.is_empty() && inner.feed_id != header.feed_id {
        let fault = Fault::invalid("differs from the same field in the path");
        return Err(Error::field("/feedId", fault));
    }
    let push = Push { feed, dry_run: header.dry_run || inner.dry_run, records };
    rest::answer(method, &pb::Batch::from(app.push(&ctx, push).await?))
}

/// Serves a push over gRPC. A stream that breaks off is an error before anything is applied.
pub(super) async fn over_grpc(
    app: &App,
    method: &'static Method,
    request: tonic::Request<tonic::Streaming<pb::PushRecordsRequest>>,
) -> Result<tonic::Response<pb::Batch>, tonic::Status> {
    let mut ctx = rpc::door::enter(method, &request)?;
    let key = request.metadata().get("idempotency-key").map(|it| it.as_bytes().to_vec());
    let mut stream = request.into_inner();
    let Some(mut header) = stream.next().await.transpose()? else {
        return Err(Error::field("/feedId", missing()).into());
    };
    let feed = app.feed_to_push(&ctx, feed_id(&header)?).await?;

    let mut digest = Sha256::new();
    digest.update(method.descriptor.full_name());
    digest.update(header.encode_to_vec());
    let mut bytes = header.encoded_len();
    let mut messages = std::mem::take(&mut header.records);
    while let Some(more) = stream.next().await.transpose()? {
        if !more.feed_id.is_empty() && more.feed_id != header.feed_id {
            let fault = Fault::invalid("differs from the feed of the first message");
            return Err(Error::field("/feedId", fault).into());
        }
        bytes += more.encoded_len();
        if bytes > BYTES_LIMIT {
            return Err(too_large().into());
        }
        if messages.len() + more.records.len() > RECORDS_LIMIT {
            return Err(too_many().into());
        }
        more.records.iter().for_each(|it| digest.update(it.encode_length_delimited_to_vec()));
        messages.extend(more.records);
    }
    if messages.len() > RECORDS_LIMIT {
        return Err(too_many().into());
    }
    ctx.idempotency = rpc::door::idempotency_of(method, key.as_deref(), digest.finalize().into())?;
    let today = ctx.today();
    let records = messages.into_iter().zip(1..).map(|(it, line)| record::read(line, it, today));
    let push = Push { feed, dry_run: header.dry_run, records: some(records.collect())? };
    Ok(tonic::Response::new(app.push(&ctx, push).await?.into()))
}

fn feed_id(header: &pb::PushRecordsRequest) -> Result<FeedId> {
    if header.feed_id.is_empty() {
        return Err(Error::field("/feedId", missing()));
    }
    FeedId::parse(&header.feed_id).map_err(|fault| Error::field("/feedId", fault))
}

fn format(headers: &HeaderMap) -> Result<Format> {
    match rest::media_type(headers).as_str() {
        "application/json" => Ok(Format::Json),
        "application/x-ndjson" | "application/ndjson" => Ok(Format::Lines),
        "text/csv" => Ok(Format::Csv),
        _ => {
            let detail = "send application/json, application/x-ndjson or text/csv";
            Err(Error::new(Reason::MediaTypeUnsupported, detail))
        }
    }
}

fn key(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get("idempotency-key").map(|it| it.as_bytes().to_vec())
}

/// What a body holds: its records, and in JSON whatever else the message may say.
fn read(
    format: Format,
    body: &Bytes,
    method: &Method,
    today: NaiveDate,
) -> Result<(pb::PushRecordsRequest, Vec<Record>)> {
    let (header, records) = match format {
        Format::Json => json(body, method, today)?,
        Format::Lines => (pb::PushRecordsRequest::default(), lines(body, today)?),
        Format::Csv => (pb::PushRecordsRequest::default(), csv::read(body, today)?),
    };
    Ok((header, some(records)?))
}

fn some(records: Vec<Record>) -> Result<Vec<Record>> {
    if records.is_empty() {
        let fault = Fault::new(Reason::FieldRequired, "must hold at least one record");
        return Err(Error::field("/records", fault));
    }
    Ok(records)
}

fn json(
    body: &[u8],
    method: &Method,
    today: NaiveDate,
) -> Result<(pb::PushRecordsRequest, Vec<Record>)> {
    let mut members: BTreeMap<String, &RawValue> =
        serde_json::from_slice(body).map_err(not_json)?;
    let records = members.remove("records").map_or("[]", RawValue::get);
    let others = members
        .into_iter()
        .map(|(name, it)| Ok((name, serde_json::from_str(it.get()).map_err(not_json)?)))
        .collect::<Result<_>>()?;
    let header = rest::parse(&method.descriptor.input(), &Value::Object(others))?;
    let records: Vec<&RawValue> = serde_json::from_str(records)
        .map_err(|_| Error::field("/records", Fault::new(Reason::FieldType, "must be an array")))?;
    if records.len() > RECORDS_LIMIT {
        return Err(too_many());
    }
    let records = records.into_iter().zip(1..).map(|(it, line)| one(it.get(), line, today));
    Ok((header, records.collect()))
}

fn lines(body: &[u8], today: NaiveDate) -> Result<Vec<Record>> {
    let text = std::str::from_utf8(body)
        .map_err(|error| Error::new(Reason::BodyMalformed, format!("not UTF-8: {error}")))?;
    let mut records = Vec::new();
    for (line, number) in text.lines().zip(1_u32..).filter(|(it, _)| !it.trim().is_empty()) {
        if records.len() == RECORDS_LIMIT {
            return Err(too_many());
        }
        let raw: &RawValue = serde_json::from_str(line).map_err(|error| {
            let column = error.column();
            let detail = format!("not JSON: {error} (line {number} of the body, column {column})");
            Error::new(Reason::BodyMalformed, detail)
        })?;
        records.push(one(raw.get(), number, today));
    }
    Ok(records)
}

/// One record, which is well-formed JSON; what else is wrong with it is told in its result.
fn one(text: &str, line: u32, today: NaiveDate) -> Record {
    if let Ok(message) = serde_json::from_str(text) {
        return record::read(line, message, today);
    }
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let external_id = value.get("externalId").and_then(Value::as_str).unwrap_or_default();
    let descriptor = contract::pool().get_message_by_name("headway.intelligence.v1.Record");
    match descriptor.map(|it| rest::parse::<pb::Record>(&it, &value)) {
        Some(Ok(message)) => record::read(line, message, today),
        Some(Err(error)) => record::refused(line, external_id, error.problems),
        None => record::refused(line, external_id, Vec::new()),
    }
}

fn not_json(error: serde_json::Error) -> Error {
    if error.is_data() {
        return Error::field("", Fault::new(Reason::FieldType, "must be an object"));
    }
    // The message ends with the line and column.
    Error::new(Reason::BodyMalformed, format!("not JSON: {error}")).caused_by(error)
}

fn missing() -> Fault {
    Fault::new(Reason::FieldRequired, "must be given in the first message")
}

fn too_large() -> Error {
    Error::new(Reason::BodyTooLarge, format!("a push may have at most {BYTES_LIMIT} bytes"))
}

pub(super) fn too_many() -> Error {
    Error::new(Reason::BodyTooLarge, format!("a push may have at most {RECORDS_LIMIT} records"))
}
