//! The journals of the services in this process, as the contract's `JournalService`.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response, Sse, sse},
};
use contract::journal::{
    Event, ListEventsRequest, ListEventsResponse, SubscribeRequest,
    journal_service_server::{self as server, JournalServiceServer},
};
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use prost_reflect::DynamicMessage;
use rpc::{Ctx, Error, Fault, Reach, Reason, Result};
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::{
    Filter, Journal, Recorded,
    read::{events, head},
};

const NAME: &str = "headway.journal.v1.JournalService";
const PAGE_CAP: u32 = 1000;
const PAGE_DEFAULT: u32 = 100;
/// Events a subscription reads at once.
const CHUNK: i64 = 256;
/// How long a subscriber may sleep unwoken: another replica's commits wake nobody here.
const NAP: Duration = Duration::from_millis(500);

/// One or more services' journals behind one door.
#[derive(Clone, Debug, Default)]
pub struct Journals(BTreeMap<&'static str, Journal>);

impl FromIterator<Journal> for Journals {
    fn from_iter<I: IntoIterator<Item = Journal>>(journals: I) -> Self {
        Self(journals.into_iter().map(|it| (it.log.service, it)).collect())
    }
}

impl Journals {
    pub fn grpc(&self) -> JournalServiceServer<Self> {
        JournalServiceServer::new(self.clone())
    }

    pub fn rest(&self) -> Router {
        let method = rpc::method(NAME, "Subscribe");
        let journals = self.clone();
        self.rest_routes().route(
            &method.path,
            rpc::door::raw(method, move |request| sse(journals.clone(), request)),
        )
    }

    fn of(&self, service: &str) -> Result<&Journal> {
        self.0.get(service).ok_or_else(|| Error::not_found("journal", service))
    }

    async fn list_events(
        &self,
        ctx: &Ctx,
        request: ListEventsRequest,
    ) -> Result<ListEventsResponse> {
        let journal = self.of(&request.service)?;
        let size = request.page_size.unwrap_or(PAGE_DEFAULT);
        if size == 0 || size > PAGE_CAP {
            let fault = Fault::invalid(format!("must be 1 to {PAGE_CAP}"));
            return Err(Error::field("/pageSize", fault));
        }
        let filter =
            Filter { trust_id: ctx.own_trust(), kind: request.r#type, stream: request.subject };
        let mut tx = journal.log.db.read_as(filter.trust_id.into()).await?;
        let head = head(&mut tx, filter.trust_id).await?;
        let after = position("/after", request.after, head)?;
        let recorded = events(&mut tx, after, &filter, i64::from(size)).await?;
        let events: Vec<Event> =
            recorded.iter().map(|it| show(it, ctx.caller.reach, true)).collect::<Result<_>>()?;
        let full = events.len() == size as usize;
        let last = events.last().filter(|_| full).map(|it| it.position);
        let head = u64::try_from(head).map_err(Error::internal)?;
        Ok(ListEventsResponse { events, next_after: last.unwrap_or(head), head })
    }
}

rpc::doors! {
    impl server::JournalService as "headway.journal.v1.JournalService" for Journals {
        ListEvents => list_events(ListEventsRequest) -> ListEventsResponse;
    }
    also {
        type SubscribeStream = BoxStream<'static, Result<Event, tonic::Status>>;

        async fn subscribe(
            &self,
            request: tonic::Request<SubscribeRequest>,
        ) -> Result<tonic::Response<Self::SubscribeStream>, tonic::Status> {
            let ctx = rpc::door::enter(rpc::method(NAME, "Subscribe"), &request)?;
            let request = request.into_inner();
            let journal = self.of(&request.service)?.clone();
            let reach = ctx.caller.reach;
            let stream = subscribe(journal, ctx.own_trust(), request.after)
                .await?
                .map(move |it| it.and_then(|it| show(&it, reach, false)))
                .map_err(tonic::Status::from);
            Ok(tonic::Response::new(stream.boxed()))
        }
    }
}

/// Every event after a position, then each new one once it is committed. Holds at most one chunk in memory.
async fn subscribe(
    journal: Journal,
    trust_id: Option<uuid::Uuid>,
    after: u64,
) -> Result<impl Stream<Item = Result<Recorded>> + Send> {
    let mut tx = journal.log.db.read_as(trust_id.into()).await?;
    let after = position("/after", after, head(&mut tx, trust_id).await?)?;
    drop(tx);
    let filter = Filter { trust_id, ..Filter::default() };
    let news = journal.news.subscribe();
    let tail = Tail { journal, filter, after, news };
    Ok(stream::try_unfold(tail, async |mut tail: Tail| {
        let chunk = tail.next().await?;
        Ok::<_, Error>(chunk.map(|it| (it, tail)))
    })
    .map_ok(|chunk| stream::iter(chunk.into_iter().map(Ok)))
    .try_flatten())
}

struct Tail {
    journal: Journal,
    filter: Filter,
    after: i64,
    news: watch::Receiver<u64>,
}

impl Tail {
    /// The next events, waiting for some; nothing once the journal closes.
    async fn next(&mut self) -> Result<Option<Vec<Recorded>>> {
        while !self.journal.closing.is_cancelled() {
            self.news.mark_unchanged();
            let mut tx = self.journal.log.db.read_as(self.filter.trust_id.into()).await?;
            let chunk = events(&mut tx, self.after, &self.filter, CHUNK).await?;
            drop(tx);
            if let Some(last) = chunk.last() {
                let of_trust = self.filter.trust_id.is_some();
                self.after = if of_trust { last.trust_position } else { last.position };
                return Ok(Some(chunk));
            }
            tokio::select! {
                () = self.journal.closing.cancelled() => break,
                _ = self.news.changed() => {}
                () = tokio::time::sleep(NAP) => {}
            }
        }
        Ok(None)
    }
}

/// A position to go on from, refused when the log has not come that far.
fn position(pointer: &str, after: u64, head: i64) -> Result<i64> {
    i64::try_from(after).ok().filter(|it| *it <= head).ok_or_else(|| {
        let fault = Fault::invalid(format!("is beyond the newest position, {head}"));
        Error::field(pointer, fault)
    })
}

/// An event as a caller of that reach sees it: a trust counts positions of its own.
fn show(event: &Recorded, reach: Reach, rendered: bool) -> Result<Event> {
    let position = match reach {
        Reach::Platform => event.position,
        Reach::Trust(_) => event.trust_position,
    };
    let rendered = if rendered {
        Some(serde_json::from_value(render(event)?).map_err(Error::internal)?)
    } else {
        None
    };
    Ok(Event {
        position: u64::try_from(position).map_err(Error::internal)?,
        event_id: event.event_id.to_string(),
        trust_id: event.trust_id.to_string(),
        stream: event.stream.clone(),
        version: event.version,
        r#type: event.kind.clone(),
        effective_on: event.effective_on.map(|it| it.to_string()),
        recorded_at: Some(event.recorded_at.into()),
        corrects: event.corrects.map(|it| it.to_string()),
        actor: event.actor.clone(),
        correlation_id: event.correlation_id.to_string(),
        causation_id: event.causation_id.map(|it| it.to_string()),
        data: event.data.clone(),
        rendered,
    })
}

/// The event's message as canonical JSON, from the contract's descriptors.
fn render(event: &Recorded) -> Result<Value> {
    let message = contract::pool()
        .get_message_by_name(&event.kind)
        .ok_or_else(|| Error::internal(format!("no message {} in the contract", event.kind)))?;
    let message =
        DynamicMessage::decode(message, event.data.as_slice()).map_err(Error::internal)?;
    serde_json::to_value(message).map_err(Error::internal)
}

/// `Subscribe` as server-sent events: `CloudEvents` 1.0 in JSON, the position as the event's id.
async fn sse(journals: Journals, mut request: Request) -> Result<Response> {
    let method = rpc::method(NAME, "Subscribe");
    let ctx = Ctx::enter(request.extensions().get::<rpc::Caller>(), method)?;
    let path = rpc::rest::path_values(&mut request).await?;
    let service = path.into_iter().find(|(name, _)| name == "service").map(|it| it.1);
    let journal = journals.of(&service.unwrap_or_default())?.clone();
    let resumed = request.headers().get("last-event-id").and_then(|it| it.to_str().ok());
    let query = rpc::rest::query_values(request.uri(), &method.descriptor.input())?;
    let after = resumed.or_else(|| query.get("after").and_then(Value::as_str)).unwrap_or("0");
    let after = after.parse().map_err(|_| {
        let fault = Fault::new(Reason::FieldType, "must be a position: a whole number");
        Error::field("/after", fault)
    })?;
    let reach = ctx.caller.reach;
    let stream = subscribe(journal, ctx.own_trust(), after).await?;
    let source = format!("/v1/journals/{}", path_service(request.uri().path()));
    let stream = stream
        .map(move |it| it.and_then(|it| cloud_event(&it, reach, &source)))
        // The stream ends where it fails; the reader comes back with Last-Event-ID.
        .take_while(|it| futures::future::ready(it.is_ok()))
        .filter_map(|it| futures::future::ready(it.ok()))
        .map(Ok::<_, Infallible>);
    Ok(Sse::new(stream).keep_alive(sse::KeepAlive::default()).into_response())
}

fn path_service(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

fn cloud_event(event: &Recorded, reach: Reach, source: &str) -> Result<sse::Event> {
    let shown = show(event, reach, false)?;
    let body = json!({
        "specversion": "1.0",
        "id": shown.event_id,
        "source": source,
        "type": shown.r#type,
        "subject": shown.stream,
        "time": event.recorded_at,
        "datacontenttype": "application/json",
        "sequence": shown.position.to_string(),
        "trustid": shown.trust_id,
        "data": render(event)?,
    });
    Ok(sse::Event::default().id(shown.position.to_string()).event("event").data(body.to_string()))
}
