//! Where a followed journal's events come from: its service, or what carries them for it.

use std::{fmt, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use contract::journal::{
    Event, ListEventsRequest, SubscribeRequest, journal_service_client::JournalServiceClient,
};
use futures::{
    StreamExt, TryStreamExt,
    future::{BoxFuture, ready},
    stream::BoxStream,
};
use rpc::{Error, Peer, Reason, Result};
use uuid::Uuid;

use crate::{Recorded, text::Texts};

/// Events in the order of their positions.
pub type Events = BoxStream<'static, Result<Recorded>>;

/// How long to read from the service itself before the carrier is tried again.
const DETOUR: Duration = Duration::from_mins(1);
/// Events asked for at once when a stream is read again.
const PAGE: u32 = 500;
/// A stream longer than this is not held in memory to be replayed.
const LONGEST_STREAM: usize = 50_000;

/// Something that carries a service's events elsewhere. The service stays the authority.
pub trait Carrier: Send + Sync + 'static {
    /// The events after a position; refused when the carrier does not have them, or has those of another journal.
    fn events<'a>(&'a self, source: &'a Source, after: i64) -> BoxFuture<'a, Result<Events>>;
}

/// A journal that can be followed.
#[derive(Clone)]
pub struct Source {
    name: &'static str,
    peer: Peer,
    carrier: Option<Arc<dyn Carrier>>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Source").field(&self.name).finish()
    }
}

/// How far a journal goes beyond a position.
pub(crate) struct Ahead {
    pub(crate) head: i64,
    /// When the next event was recorded.
    pub(crate) next_at: Option<DateTime<Utc>>,
}

impl Source {
    /// The journal of a service that answers there.
    pub fn new(name: &'static str, peer: Peer) -> Self {
        Self { name, peer, carrier: None }
    }

    /// Reads from the carrier while that has the events, and from the service otherwise.
    #[must_use]
    pub fn carried_by(self, carrier: Arc<dyn Carrier>) -> Self {
        Self { carrier: Some(carrier), ..self }
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The one event at a position, as its service has it.
    pub async fn event(&self, position: i64) -> Result<Option<Recorded>> {
        let (mut events, _) = self.page(position - 1, None, 1).await?;
        let event = events.pop().map(Recorded::try_from).transpose()?;
        Ok(event.filter(|it| it.position == position))
    }

    /// Every event after a position, then each new one. A position that is skipped or repeated is an error.
    pub(crate) async fn subscribe(&self, after: i64) -> Result<Events> {
        let events = match &self.carrier {
            None => self.ask_service(after).await?,
            Some(carrier) => match carrier.events(self, after).await {
                Ok(events) => events,
                Err(error) => {
                    tracing::warn!(
                        source = self.name,
                        after,
                        cause = super::apply::causes(&error),
                        "reading from the service itself"
                    );
                    let detour = tokio::time::sleep(DETOUR);
                    self.ask_service(after).await?.take_until(detour).boxed()
                }
            },
        };
        let name = self.name;
        let mut expected = after;
        Ok(events
            .and_then(move |event| {
                expected += 1;
                ready(if event.position == expected {
                    Ok(event)
                } else {
                    let position = event.position;
                    Err(Error::internal(format!("{name} sent {position}, not {expected}")))
                })
            })
            .boxed())
    }

    async fn ask_service(&self, after: i64) -> Result<Events> {
        let after = u64::try_from(after).unwrap_or(0);
        let request = SubscribeRequest { service: self.name.to_owned(), after };
        let events = JournalServiceClient::new(self.peer.clone()).subscribe(request).await;
        let events = events.map_err(unreachable)?.into_inner();
        Ok(events.map_err(unreachable).and_then(|it| ready(it.try_into())).boxed())
    }

    pub(crate) async fn ahead(&self, after: i64) -> Result<Ahead> {
        let (mut events, head) = self.page(after, None, 1).await?;
        let next = events.pop().map(Recorded::try_from).transpose()?;
        Ok(Ahead { head, next_at: next.map(|it| it.recorded_at) })
    }

    /// A stream's events from a position on, and how far the journal had been read for that.
    pub(crate) async fn of_stream(&self, stream: &str, from: i64) -> Result<(Vec<Recorded>, i64)> {
        let mut all: Vec<Recorded> = Vec::new();
        loop {
            let after = all.last().map_or(from - 1, |it| it.position);
            let (events, head) = self.page(after, Some(stream), PAGE).await?;
            let last = events.len() < PAGE as usize;
            for event in events {
                all.push(event.try_into()?);
            }
            if last {
                return Ok((all, head));
            }
            if all.len() > LONGEST_STREAM {
                let detail = format!("more than {LONGEST_STREAM} events wait in this stream");
                return Err(Error::new(Reason::Overloaded, detail));
            }
        }
    }

    async fn page(
        &self,
        after: i64,
        subject: Option<&str>,
        size: u32,
    ) -> Result<(Vec<Event>, i64)> {
        let request = ListEventsRequest {
            service: self.name.to_owned(),
            after: u64::try_from(after).unwrap_or(0),
            subject: subject.map(str::to_owned),
            page_size: Some(size),
            ..ListEventsRequest::default()
        };
        let listed = JournalServiceClient::new(self.peer.clone()).list_events(request).await;
        let listed = listed.map_err(unreachable)?.into_inner();
        Ok((listed.events, i64::try_from(listed.head).map_err(Error::internal)?))
    }
}

fn unreachable(status: tonic::Status) -> Error {
    Error::new(Reason::Unavailable, "the journal cannot be reached").caused_by(status)
}

impl TryFrom<Event> for Recorded {
    type Error = Error;

    fn try_from(event: Event) -> Result<Self> {
        let id = |text: &str| Uuid::try_parse(text).map_err(Error::internal);
        let recorded_at = event.recorded_at.ok_or_else(|| Error::internal("no recorded_at"))?;
        Ok(Self {
            position: i64::try_from(event.position).map_err(Error::internal)?,
            trust_position: 0,
            trust_id: id(&event.trust_id)?,
            event_id: id(&event.event_id)?,
            stream: event.stream,
            version: event.version,
            kind: event.r#type,
            data: event.data,
            effective_on: event
                .effective_on
                .map(|it| it.parse())
                .transpose()
                .map_err(|error: chrono::ParseError| Error::internal(error))?,
            recorded_at: recorded_at.try_into().map_err(Error::internal)?,
            corrects: event.corrects.as_deref().map(id).transpose()?,
            actor: event.actor,
            correlation_id: id(&event.correlation_id)?,
            causation_id: event.causation_id.as_deref().map(id).transpose()?,
            texts: Texts::default(),
        })
    }
}
