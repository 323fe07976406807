//! Pushes: JSON, line-delimited JSON and CSV over REST, a stream of messages over gRPC. Nothing is applied before the last
//! byte has come, and of a body of any size only a part is in memory.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use contract::intelligence as pb;
use futures::{StreamExt, future::BoxFuture};
use prost::Message;
use rpc::{Caller, Ctx, Error, Fault, Fields, Method, Reason, Result, rest};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{
    arrive::{self, Arriving},
    format::{self, Options},
    intake::{Splitter, messages},
};
use crate::{
    App,
    domain::{BUNDLE_BYTES, Batch, Feed, FeedId, Format, Part, Read, Schools, Sizes},
};

/// Bytes that are cut before other requests of the same thread have their turn.
const SLICE: usize = 64 << 10;

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
    let mut header: pb::PushRecordsRequest =
        rest::parse(&method.descriptor.input(), &Value::Object(members))?;
    let feed = app.feed_to_push(&ctx, feed_id(&header)?).await?;
    let headers = request.headers();
    let (key, media_type) = (key(headers), rest::media_type(headers));
    let wait = arrive::wait(preferences(headers));
    let zipped = ["application/zip", "application/x-zip-compressed"].contains(&media_type.as_str());

    let mut digest = Sha256::new();
    digest.update(method.descriptor.full_name());
    digest.update(header.encode_to_vec());
    let mut arriving = Arriving::new(&app, feed, header.clone());
    arriving.fits(declared(headers))?;
    let format = if zipped {
        let body = rest::body(request, BUNDLE_BYTES).await?;
        arriving.count(&body)?;
        unpack(&app, &ctx, &header, &mut arriving, body).await?;
        "zip"
    } else {
        let (format, splitter) = splitter(headers, app.sizes())?;
        stream(method, &ctx, request, splitter, (&mut arriving, &mut header)).await?;
        format
    };
    digest.update(arriving.sha256());
    ctx.idempotency = rpc::door::idempotency_of(method, key.as_deref(), digest.finalize().into())?;
    let batch = arriving.end(&ctx, &header, format, media_type).await?;
    let batch = app.settled(batch, wait).await?;
    answer(method, batch, arrive::waited(wait))
}

/// Takes an archive apart, which needs all of it.
async fn unpack(
    app: &App,
    ctx: &Ctx,
    header: &pb::PushRecordsRequest,
    arriving: &mut Arriving,
    body: Bytes,
) -> Result<()> {
    let options = options(app, ctx, arriving.feed(), header, false).await?;
    let pieces = tokio::task::spawn_blocking(move || format::pieces(&options, &body));
    let pieces = pieces.await.map_err(Error::internal)??;
    arriving.skip(pieces.skipped_rows);
    arriving.take(ctx, pieces.parts).await
}

/// Takes a body in while it comes.
async fn stream(
    method: &Method,
    ctx: &Ctx,
    request: Request,
    mut splitter: Splitter,
    (arriving, header): (&mut Arriving, &mut pb::PushRecordsRequest),
) -> Result<()> {
    let limit = usize::try_from(arriving.limit()).unwrap_or(usize::MAX);
    let mut body = request.into_body().into_data_stream();
    while let Some(chunk) = body.next().await {
        let chunk = chunk.map_err(|error| rpc::body::broke_off(error, limit))?;
        arriving.count(&chunk)?;
        for slice in chunk.chunks(SLICE) {
            arriving.take(ctx, splitter.take(slice)?).await?;
            tokio::task::yield_now().await;
        }
    }
    let (parts, others) = splitter.end()?;
    beside(method, others, header)?;
    arriving.take(ctx, parts).await
}

/// Serves a push over gRPC. A stream that breaks off is an error before anything is applied.
pub(super) async fn over_grpc(
    app: &App,
    method: &'static Method,
    request: tonic::Request<tonic::Streaming<pb::PushRecordsRequest>>,
) -> Result<tonic::Response<pb::Batch>, tonic::Status> {
    let mut ctx = rpc::door::enter(method, &request)?;
    let metadata = request.metadata();
    let key = metadata.get("idempotency-key").map(|it| it.as_bytes().to_vec());
    let wait = metadata.get_all("prefer").iter().filter_map(|it| it.to_str().ok());
    let wait = arrive::wait(wait);
    let mut stream = request.into_inner();
    let Some(mut header) = stream.next().await.transpose()? else {
        return Err(Error::field("/feedId", missing()).into());
    };
    let feed = app.feed_to_push(&ctx, feed_id(&header)?).await?;

    let mut digest = Sha256::new();
    digest.update(method.descriptor.full_name());
    digest.update(header.encode_to_vec());
    let mut arriving = Arriving::new(app, feed, header.clone());
    arriving.count(&header.encode_to_vec())?;
    let mut cutter = messages::Messages::new(app.sizes());
    let first = std::mem::take(&mut header.records);
    arriving.take(&ctx, cutter.take(&first)?).await?;
    while let Some(more) = stream.next().await.transpose()? {
        if !more.feed_id.is_empty() && more.feed_id != header.feed_id {
            let fault = Fault::invalid("differs from the feed of the first message");
            return Err(Error::field("/feedId", fault).into());
        }
        arriving.count(&more.encode_to_vec())?;
        more.records.iter().for_each(|it| digest.update(it.encode_length_delimited_to_vec()));
        arriving.take(&ctx, cutter.take(&more.records)?).await?;
    }
    arriving.take(&ctx, cutter.end()).await?;
    ctx.idempotency = rpc::door::idempotency_of(method, key.as_deref(), digest.finalize().into())?;
    let batch = arriving.end(&ctx, &header, "messages", String::new()).await?;
    Ok(tonic::Response::new(app.settled(batch, wait).await?.into()))
}

/// Reads the records of a part that waited.
pub(super) fn reading(
    app: App,
    ctx: Ctx,
    feed: Feed,
    header: Vec<u8>,
    part: Part,
) -> BoxFuture<'static, Result<Read>> {
    Box::pin(async move {
        let header = Message::decode(header.as_slice()).map_err(Error::internal)?;
        read(&app, &ctx, &feed, &header, part).await
    })
}

/// Reads the records of a part. One that is large takes a while, which would hold up every other request of the thread.
pub(super) async fn read(
    app: &App,
    ctx: &Ctx,
    feed: &Feed,
    header: &pb::PushRecordsRequest,
    part: Part,
) -> Result<Read> {
    let options = options(app, ctx, feed, header, part.format == Format::Csv).await?;
    if part.bytes.len() <= SLICE {
        return format::read(&options, &part);
    }
    let read = tokio::task::spawn_blocking(move || format::read(&options, &part));
    read.await.map_err(Error::internal)?
}

/// What the caller said of the push beside its body. Only files hold rows of schools that may be no concern of the feed.
async fn options(
    app: &App,
    ctx: &Ctx,
    feed: &Feed,
    header: &pb::PushRecordsRequest,
    file: bool,
) -> Result<Options> {
    let mut fields = Fields::new();
    let kind = match header.kind {
        0 => None,
        given => fields.listed("/kind", given),
    };
    let period = match header.period.as_str() {
        "" => None,
        text => fields.take("/period", format::period(text)),
    };
    let layout = match header.layout.as_str() {
        "" => None,
        text => fields.take("/layout", format::layout(text)),
    };
    fields.done(|| Some(()))?;
    let mapping = match header.mapping.as_str() {
        "" => None,
        name => Some(app.mapping_of(feed, name).await?.reading),
    };
    let schools = if file { app.schools(feed.trust_id).await? } else { Schools::default() };
    let (feed, schools) = (Arc::new(feed.clone()), Arc::new(schools));
    Ok(Options { today: ctx.today(), kind, mapping, period, layout, feed, schools })
}

fn feed_id(header: &pb::PushRecordsRequest) -> Result<FeedId> {
    if header.feed_id.is_empty() {
        return Err(Error::field("/feedId", missing()));
    }
    FeedId::parse(&header.feed_id).map_err(|fault| Error::field("/feedId", fault))
}

/// How a body is cut, and what events call its format.
fn splitter(headers: &HeaderMap, sizes: Sizes) -> Result<(&'static str, Splitter)> {
    match rest::media_type(headers).as_str() {
        "application/json" => Ok(("json", Splitter::json(sizes))),
        "application/x-ndjson" | "application/ndjson" => Ok(("ndjson", Splitter::lines(sizes))),
        "text/csv" => Ok(("csv", Splitter::table(None, sizes))),
        _ => {
            let detail = "send application/json, application/x-ndjson, text/csv or application/zip";
            Err(Error::new(Reason::MediaTypeUnsupported, detail))
        }
    }
}

/// What a JSON body says beside its records, laid over what the path and the query say.
fn beside(
    method: &Method,
    others: Map<String, Value>,
    header: &mut pb::PushRecordsRequest,
) -> Result<()> {
    let inner: pb::PushRecordsRequest =
        rest::parse(&method.descriptor.input(), &Value::Object(others))?;
    if !inner.feed_id.is_empty() && inner.feed_id != header.feed_id {
        let fault = Fault::invalid("differs from the same field in the path");
        return Err(Error::field("/feedId", fault));
    }
    if inner.snapshot.is_some() && header.snapshot.is_some() {
        let fault = Fault::invalid("may be given in the body or in the query, not in both");
        return Err(Error::field("/snapshot", fault));
    }
    header.dry_run |= inner.dry_run;
    header.snapshot = inner.snapshot.or(header.snapshot.take());
    header.confirm_removal = inner.confirm_removal.or(header.confirm_removal);
    Ok(())
}

fn answer(method: &Method, batch: Batch, waited: Option<HeaderValue>) -> Result<Response> {
    let location = format!("/v1/batches/{}", batch.batch_id);
    let mut response = rest::answer(method, &pb::Batch::from(batch))?;
    let headers = response.headers_mut();
    headers.insert(header::LOCATION, location.parse().map_err(Error::internal)?);
    if let Some(waited) = waited {
        headers.insert(HeaderName::from_static("preference-applied"), waited);
    }
    Ok(response)
}

fn key(headers: &HeaderMap) -> Option<Vec<u8>> {
    headers.get("idempotency-key").map(|it| it.as_bytes().to_vec())
}

fn preferences(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers.get_all("prefer").iter().filter_map(|it| it.to_str().ok())
}

/// The length that the caller declared; 0 where none did.
fn declared(headers: &HeaderMap) -> u64 {
    let length = headers.get(header::CONTENT_LENGTH).and_then(|it| it.to_str().ok());
    length.and_then(|it| it.parse().ok()).unwrap_or(0)
}

fn missing() -> Fault {
    Fault::new(Reason::FieldRequired, "must be given in the first message")
}
