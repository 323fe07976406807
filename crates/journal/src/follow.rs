//! Following another service's journal: read from the last position handled, apply, and move the position, all in one
//! transaction of the follower's own database.

use std::{sync::Arc, time::Duration};

use contract::journal::{Event, SubscribeRequest, journal_service_client::JournalServiceClient};
use db::{Tx, on};
use futures::{StreamExt, future::BoxFuture};
use rpc::{Ctx, Error, Peer, Result};
use uuid::Uuid;

use crate::{Journal, Recorded, text::Texts};

/// Events handled in one transaction at the most.
const GROUP: usize = 256;
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// What a service does about another's events. Types it does not care for are passed over.
pub trait Handler: Send + Sync + 'static {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        ctx: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>>;
}

/// Follows until the journal is closed; trouble is logged and tried again from the last position handled.
pub async fn follow(own: Journal, source: &'static str, peer: Peer, handler: impl Handler) {
    let handler = Arc::new(handler);
    let mut wait = FIRST_WAIT;
    while !own.closing.is_cancelled() {
        let round = tokio::select! {
            () = own.closing.cancelled() => break,
            round = catch_up(&own, source, peer.clone(), &handler) => round,
        };
        match round {
            Ok(0) => {}
            Ok(_) => wait = FIRST_WAIT,
            Err(error) => {
                tracing::warn!(follower = own.log.service, source, %error, "will follow again");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Handles events until the stream ends; says how many.
async fn catch_up(
    own: &Journal,
    source: &'static str,
    peer: Peer,
    handler: &Arc<impl Handler>,
) -> Result<u64> {
    let mut tx = own.log.db.read().await?;
    let after = position(&mut tx, source).await?;
    drop(tx);
    let request =
        SubscribeRequest { service: source.to_owned(), after: u64::try_from(after).unwrap_or(0) };
    let stream = JournalServiceClient::new(peer).subscribe(request).await.map_err(unreachable)?;
    let mut groups = stream.into_inner().ready_chunks(GROUP);
    let (mut count, mut expected) = (0, after + 1);
    while let Some(group) = groups.next().await {
        let mut events = Vec::with_capacity(group.len());
        for event in group {
            let event = Recorded::try_from(event.map_err(unreachable)?)?;
            if event.position != expected {
                return Err(Error::internal(format!(
                    "{source} sent position {} where {expected} was next",
                    event.position
                )));
            }
            expected += 1;
            events.push(event);
        }
        count += events.len() as u64;
        let events = own.log.current(&events)?.into_owned();
        apply(own, source, Arc::clone(handler), events).await?;
    }
    Ok(count)
}

async fn apply(
    own: &Journal,
    source: &'static str,
    handler: Arc<impl Handler>,
    events: Vec<Recorded>,
) -> Result<()> {
    let ctx = Ctx::system(own.log.service);
    let context = ctx.clone();
    own.write(&ctx, move |tx| {
        Box::pin(async move {
            for event in &events {
                let ctx = Ctx { cause: Some(event.event_id), ..context.clone() };
                handler.handle(tx, &ctx, event).await?;
            }
            match events.last() {
                Some(last) => advance(tx, source, last.position).await,
                None => Ok(()),
            }
        })
    })
    .await
}

async fn position(tx: &mut Tx, source: &str) -> Result<i64> {
    let position: Option<i64> =
        on!(tx, |c| sqlx::query_scalar("SELECT position FROM consumer WHERE name = $1")
            .bind(source)
            .fetch_optional(c)
            .await)?;
    Ok(position.unwrap_or(0))
}

async fn advance(tx: &mut Tx, source: &str, position: i64) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO consumer (name, position) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET position = excluded.position"
    )
    .bind(source)
    .bind(position)
    .execute(c)
    .await
    .map(drop))?;
    Ok(())
}

fn unreachable(status: tonic::Status) -> Error {
    Error::new(rpc::Reason::Unavailable, "the journal cannot be reached").caused_by(status)
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
