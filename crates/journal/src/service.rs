//! The journals of the services in this process, as the contract's `JournalService`.

use std::{collections::BTreeMap, convert::Infallible, sync::Arc};

use axum::{
    Router,
    extract::Request,
    response::{IntoResponse, Response, Sse, sse},
};
use contract::journal::{
    Checkpoint, ConsistencyProof, EraseTextRequest, EraseTextResponse, Event, FindTextsRequest,
    FindTextsResponse, GetCheckpointRequest, GetConsistencyProofRequest, GetInclusionProofRequest,
    InclusionProof, ListCheckpointKeysRequest, ListCheckpointKeysResponse, ListEventsRequest,
    ListEventsResponse, ListParkedRequest, ListParkedResponse, ReplayParkedRequest,
    ReplayParkedResponse, SkipParkedRequest, SkipParkedResponse, SubscribeRequest,
    journal_service_server::{self as server, JournalServiceServer},
};
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use rpc::{Ctx, Error, Fault, Reach, Reason, Result};
use serde_json::Value;

use crate::{
    Journal, Recorded,
    cloud::{cloud_event, render},
    list, listing,
    read::head,
    tail,
};

const NAME: &str = "headway.journal.v1.JournalService";

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

    pub(crate) fn of(&self, service: &str) -> Result<&Journal> {
        self.0.get(service).ok_or_else(|| Error::not_found("journal", service))
    }

    async fn list_events(
        &self,
        ctx: &Ctx,
        request: ListEventsRequest,
    ) -> Result<ListEventsResponse> {
        let journal = self.of(&request.service)?;
        let mut tx = journal.log.db.read_as(ctx.tenant()).await?;
        let head = head(&mut tx, ctx.own_trust()).await?;
        let (query, size) = listing::read(ctx, &request, head)?;
        let recorded = list(&mut tx, &query, size).await?;
        let events: Vec<Event> =
            recorded.iter().map(|it| show(it, ctx.caller.reach, true)).collect::<Result<_>>()?;
        let full = i64::try_from(events.len()).is_ok_and(|it| it == size);
        let last = events.last().filter(|_| full).map(|it| it.position);
        let head = u64::try_from(head).map_err(Error::internal)?;
        let next_after = last.filter(|_| !query.newest_first).unwrap_or(head);
        let next_before = last.filter(|_| query.newest_first);
        Ok(ListEventsResponse { events, next_after, head, next_before })
    }
}

rpc::doors! {
    impl server::JournalService as "headway.journal.v1.JournalService" for Journals {
        ListEvents => list_events(ListEventsRequest) -> ListEventsResponse;
        GetCheckpoint => get_checkpoint(GetCheckpointRequest) -> Checkpoint;
        ListCheckpointKeys => list_checkpoint_keys(ListCheckpointKeysRequest) -> ListCheckpointKeysResponse;
        GetInclusionProof => get_inclusion_proof(GetInclusionProofRequest) -> InclusionProof;
        GetConsistencyProof => get_consistency_proof(GetConsistencyProofRequest) -> ConsistencyProof;
        ListParked => list_parked(ListParkedRequest) -> ListParkedResponse;
        ReplayParked => replay_parked(ReplayParkedRequest) -> ReplayParkedResponse;
        SkipParked => skip_parked(SkipParkedRequest) -> SkipParkedResponse;
        FindTexts => find_texts(FindTextsRequest) -> FindTextsResponse;
        EraseText => erase_text(EraseTextRequest) -> EraseTextResponse;
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

/// Subscribes after a position that must exist.
async fn subscribe(
    journal: Journal,
    trust_id: Option<uuid::Uuid>,
    after: u64,
) -> Result<impl Stream<Item = Result<Arc<Recorded>>> + Send> {
    let mut tx = journal.log.db.read_as(trust_id.into()).await?;
    let after = position("/after", after, head(&mut tx, trust_id).await?)?;
    drop(tx);
    Ok(tail::follow(journal, trust_id, after))
}

/// A position to go on from, refused when the log has not come that far.
fn position(pointer: &str, after: u64, head: i64) -> Result<i64> {
    i64::try_from(after).ok().filter(|it| *it <= head).ok_or_else(|| {
        let fault = Fault::invalid(format!("is beyond the newest position, {head}"));
        Error::field(pointer, fault)
    })
}

/// An event as a caller of that reach sees it: a trust counts positions of its own.
pub(crate) fn show(event: &Recorded, reach: Reach, rendered: bool) -> Result<Event> {
    let rendered = if rendered {
        let rendered = render(&event.kind, &event.data)?;
        Some(serde_json::from_value(rendered).map_err(Error::internal)?)
    } else {
        None
    };
    let shown = Event { rendered, ..Event::try_from(event)? };
    match reach {
        Reach::Platform => Ok(shown),
        Reach::Trust(_) => {
            let position = u64::try_from(event.trust_position).map_err(Error::internal)?;
            Ok(Event { position, ..shown })
        }
    }
}

/// The event as the log counts, with its message undecoded.
impl TryFrom<&Recorded> for Event {
    type Error = Error;

    fn try_from(event: &Recorded) -> Result<Self> {
        Ok(Self {
            position: u64::try_from(event.position).map_err(Error::internal)?,
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
            rendered: None,
        })
    }
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
    let service = path_service(request.uri().path()).to_owned();
    let stream = stream
        .map(move |it| it.and_then(|it| server_sent(&it, reach, &service)))
        // The stream ends where it fails; the reader comes back with Last-Event-ID.
        .take_while(|it| futures::future::ready(it.is_ok()))
        .filter_map(|it| futures::future::ready(it.ok()))
        .map(Ok::<_, Infallible>);
    Ok(Sse::new(stream).keep_alive(sse::KeepAlive::default()).into_response())
}

fn path_service(path: &str) -> &str {
    path.split('/').nth(3).unwrap_or_default()
}

fn server_sent(event: &Recorded, reach: Reach, service: &str) -> Result<sse::Event> {
    let shown = show(event, reach, false)?;
    let body = cloud_event(&shown, service)?;
    Ok(sse::Event::default().id(shown.position.to_string()).event("event").data(body.to_string()))
}
