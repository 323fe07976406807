//! Streams set aside because an event of theirs could not be applied, and what an operator can do about them.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use contract::journal::{ParkedReplayed, ParkedSkipped};
use db::{Tx, on};
use rpc::{Ctx, Error, Reason, Result};
use serde::Serialize;
use uuid::Uuid;

use super::{apply::unknown_type, lease::partition};
use crate::{Draft, Journal, Recorded, lock, text::Text};

/// The longest reason kept, in characters.
const REASON_LIMIT: usize = 500;
/// How often to read a stream again because its consumer went on meanwhile.
const ROUNDS: u32 = 5;

/// A stream set aside, and the event it waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, sqlx::FromRow)]
pub struct ParkedStream {
    /// The journal followed.
    #[sqlx(rename = "consumer")]
    pub source: String,
    pub stream: String,
    /// Of the event, in the journal followed.
    #[sqlx(rename = "from_position")]
    pub position: i64,
    pub event_id: Uuid,
    /// Full name of the event's message.
    #[sqlx(rename = "type")]
    pub kind: String,
    pub reason: String,
    pub attempts: i32,
    pub parked_at: DateTime<Utc>,
}

/// Why a stream is set aside.
pub(super) struct Poison {
    pub(super) reason: String,
    pub(super) attempts: u32,
}

pub(super) async fn streams(tx: &mut Tx, source: &str) -> Result<HashSet<String>> {
    let streams: Vec<String> =
        on!(tx, |c| sqlx::query_scalar("SELECT stream FROM parked WHERE consumer = $1")
            .bind(source)
            .fetch_all(c)
            .await)?;
    Ok(streams.into_iter().collect())
}

pub(super) async fn park(
    tx: &mut Tx,
    source: &str,
    event: &Recorded,
    poison: &Poison,
) -> Result<()> {
    let reason: String = poison.reason.chars().take(REASON_LIMIT).collect();
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO parked (consumer, stream, from_position, event_id, type, reason, attempts, parked_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (consumer, stream) DO UPDATE
         SET from_position = excluded.from_position, event_id = excluded.event_id,
             type = excluded.type, reason = excluded.reason, attempts = excluded.attempts"
    )
    .bind(source)
    .bind(&event.stream)
    .bind(event.position)
    .bind(event.event_id)
    .bind(&event.kind)
    .bind(reason)
    .bind(i32::try_from(poison.attempts).unwrap_or(i32::MAX))
    .bind(rpc::now())
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

impl Journal {
    /// The streams this service has set aside, in the order in which that happened.
    pub async fn parked(&self) -> Result<Vec<ParkedStream>> {
        let mut tx = self.log.db.read().await?;
        Ok(on!(&mut tx, |c| sqlx::query_as(
            "SELECT consumer, stream, from_position, event_id, type, reason, attempts, parked_at
             FROM parked ORDER BY parked_at, consumer, stream"
        )
        .fetch_all(c)
        .await)?)
    }

    /// Applies a parked stream's events up to where the consumer is, all or none, and lets it go on; says how many.
    ///
    /// The follower must have been made in this process: what it does about an event is its own knowledge.
    pub async fn replay_parked(
        &self,
        ctx: &Ctx,
        source: &str,
        stream: &str,
        reason: &str,
    ) -> Result<u32> {
        let reason = Text::new(reason)?;
        self.on_parked(ctx, source, stream, |waiting| waiting.replay(reason.clone())).await
    }

    /// Passes over the event a stream is parked at, which must be the one at `position`; gives the position of the
    /// next that waits, at which the stream then is parked.
    pub async fn skip_parked(
        &self,
        ctx: &Ctx,
        source: &str,
        stream: &str,
        position: i64,
        reason: &str,
    ) -> Result<Option<i64>> {
        let reason = Text::new(reason)?;
        self.on_parked(ctx, source, stream, |waiting| waiting.skip(position, reason.clone())).await
    }

    /// Reads a parked stream from its source and does something about it, again while its consumer goes on meanwhile.
    async fn on_parked<T, A>(
        &self,
        ctx: &Ctx,
        source: &str,
        stream: &str,
        act: impl Fn(Waiting) -> A,
    ) -> Result<T>
    where
        T: serde::Serialize + serde::de::DeserializeOwned + Send + 'static,
        A: for<'t> FnOnce(&'t mut Tx) -> futures::future::BoxFuture<'t, Result<T>> + Send + 'static,
    {
        let followed = self.followed(source)?;
        for round in 1.. {
            let parked = self.parked().await?;
            let parked = parked.into_iter().find(|it| it.source == source && it.stream == stream);
            let parked = parked.ok_or_else(|| Error::not_found("parked stream", stream))?;
            let (events, head) = followed.source.of_stream(stream, parked.position).await?;
            let (journal, ctx2) = (self.clone(), ctx.clone());
            let followed = std::sync::Arc::clone(&followed);
            let waiting = Waiting { journal, ctx: ctx2, followed, parked, events, head };
            match self.write(ctx, act(waiting)).await {
                Err(error) if error.reason == Reason::Unavailable && round < ROUNDS => {}
                done => return done,
            }
        }
        Err(Error::internal("the rounds never end"))
    }
}

/// A parked stream as it was read, to be acted on.
struct Waiting {
    journal: Journal,
    ctx: Ctx,
    followed: std::sync::Arc<super::Followed>,
    parked: ParkedStream,
    events: Vec<Recorded>,
    head: i64,
}

type Acting<'t, T> = futures::future::BoxFuture<'t, Result<T>>;

impl Waiting {
    fn replay(self, reason: Text) -> impl for<'t> FnOnce(&'t mut Tx) -> Acting<'t, u32> + Send {
        move |tx| {
            Box::pin(async move {
                let queued = self.queued(tx).await?;
                for event in &queued {
                    if !self.journal.log.knows(&event.kind) {
                        return Err(unknown_type(event));
                    }
                    let cause = Some(event.event_id);
                    let ctx = Ctx { cause, idempotency: None, ..self.ctx.clone() };
                    self.followed.handle(tx, &ctx, event).await?;
                }
                self.unpark(tx).await?;
                let events = u32::try_from(queued.len()).map_err(Error::internal)?;
                let message = ParkedReplayed {
                    source: self.parked.source.clone(),
                    stream: self.parked.stream.clone(),
                    from_position: self.position()?,
                    events,
                    reason: Some(reason.commitment()),
                };
                self.audit(tx, &message, reason).await?;
                Ok(events)
            })
        }
    }

    fn skip(
        self,
        position: i64,
        reason: Text,
    ) -> impl for<'t> FnOnce(&'t mut Tx) -> Acting<'t, Option<i64>> + Send {
        move |tx| {
            Box::pin(async move {
                if position != self.parked.position {
                    let detail = format!(
                        "the stream is parked at {}, not at {position}: list the parked streams again",
                        self.parked.position
                    );
                    return Err(Error::new(Reason::VersionStale, detail));
                }
                let queued = self.queued(tx).await?;
                let next = queued.get(1);
                match next {
                    None => self.unpark(tx).await?,
                    Some(next) => {
                        let reason = format!("waits behind position {position}, passed over");
                        let waits = Poison { reason, attempts: 0 };
                        park(tx, &self.parked.source, next, &waits).await?;
                    }
                }
                let message = ParkedSkipped {
                    source: self.parked.source.clone(),
                    stream: self.parked.stream.clone(),
                    position: self.position()?,
                    event_id: self.parked.event_id.to_string(),
                    reason: Some(reason.commitment()),
                };
                self.audit(tx, &message, reason).await?;
                Ok(next.map(|it| it.position))
            })
        }
    }

    fn position(&self) -> Result<u64> {
        u64::try_from(self.parked.position).map_err(Error::internal)
    }

    /// The events that wait: from the parked one to where the consumer is, which can move no more meanwhile.
    async fn queued(&self, tx: &mut Tx) -> Result<Vec<Recorded>> {
        // The log's lock first, as whoever writes commands and applies events in one group takes it.
        lock(tx).await?;
        let (source, stream) = (&self.parked.source, &self.parked.stream);
        let partitions: i64 =
            on!(&mut *tx, |c| sqlx::query_scalar("SELECT count(*) FROM consumer WHERE name = $1")
                .bind(source)
                .fetch_one(c)
                .await)?;
        let partition = partition(stream, i32::try_from(partitions).map_err(Error::internal)?);
        let position: i64 = on!(&mut *tx, |c| sqlx::query_scalar(
            "UPDATE consumer SET position = position
             WHERE name = $1 AND partition = $2 RETURNING position"
        )
        .bind(source)
        .bind(partition)
        .fetch_one(c)
        .await)?;
        let from: Option<i64> = on!(tx, |c| sqlx::query_scalar(
            "SELECT from_position FROM parked WHERE consumer = $1 AND stream = $2"
        )
        .bind(source)
        .bind(stream)
        .fetch_optional(c)
        .await)?;
        if position > self.head || from != Some(self.parked.position) {
            let detail = "the consumer went on meanwhile; try again";
            return Err(Error::new(Reason::Unavailable, detail));
        }
        let queued = self.events.iter().filter(|it| it.position <= position);
        Ok(queued.cloned().collect())
    }

    async fn unpark(&self, tx: &mut Tx) -> Result<()> {
        on!(tx, |c| sqlx::query("DELETE FROM parked WHERE consumer = $1 AND stream = $2")
            .bind(&self.parked.source)
            .bind(&self.parked.stream)
            .execute(c)
            .await
            .map(drop))?;
        Ok(())
    }

    async fn audit<M: prost::Message + prost::Name>(
        &self,
        tx: &mut Tx,
        act: &M,
        reason: Text,
    ) -> Result<()> {
        let id = rpc::new_id();
        let stream = format!("operator-action/{id}");
        let draft = Draft::new(id, Uuid::nil(), stream, 1, act).with_texts([reason]);
        self.journal.record(tx, &self.ctx, vec![draft]).await.map(drop)
    }
}
