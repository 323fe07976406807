//! Erasing a text that an event commits to: the log stays as it is, and every proof with it; the text goes from wherever
//! the service keeps it, the files included.

use std::collections::{BTreeMap, BTreeSet};

use contract::journal as pb;
use db::{Tx, on};
use rpc::{Ctx, Error, Fault, Fields, Result};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Draft, Filter, Journal, Journals, Query, Recorded, event_types, list, lock,
    read::events,
    text::{self, Text},
};

/// Events looked at in one step.
const CHUNK: i64 = 1000;
/// Texts found at the most.
const FOUND: usize = 1000;
/// The least of a text that is searched for, in characters.
const LEAST: usize = 3;

/// A text that is gone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErasedText {
    /// The stream of the event that commits to it.
    pub stream: String,
    pub position: i64,
    pub trust_position: i64,
}

impl Journals {
    pub(crate) async fn find_texts(
        &self,
        ctx: &Ctx,
        request: pb::FindTextsRequest,
    ) -> Result<pb::FindTextsResponse> {
        let mut fields = Fields::new();
        let trust_id =
            Uuid::try_parse(&request.trust_id).map_err(|_| Fault::invalid("must be an id"));
        let trust_id = fields.take("/trustId", trust_id);
        let containing = fields.text("/containing", request.containing);
        if containing.as_ref().is_some_and(|it| it.trim().chars().count() < LEAST) {
            fields.refuse(
                "/containing",
                Fault::invalid(format!("must be at least {LEAST} characters")),
            );
        }
        let (trust_id, containing) = fields.done(|| Some((trust_id?, containing?)))?;
        ctx.within(trust_id)?;
        ctx.everything_of_people()?;
        let found = self.of(&request.service)?.texts_with(ctx, trust_id, containing.trim()).await?;
        let own = ctx.own_trust().is_some();
        let texts = found.into_iter().map(|(text_id, event)| {
            let position = if own { event.trust_position } else { event.position };
            Ok(pb::FoundText {
                text_id: text_id.to_string(),
                stream: event.stream,
                position: u64::try_from(position).map_err(Error::internal)?,
                recorded_at: Some(event.recorded_at.into()),
            })
        });
        Ok(pb::FindTextsResponse { texts: texts.collect::<Result<_>>()? })
    }

    pub(crate) async fn erase_text(
        &self,
        ctx: &Ctx,
        request: pb::EraseTextRequest,
    ) -> Result<pb::EraseTextResponse> {
        let mut fields = Fields::new();
        let text_id =
            Uuid::try_parse(&request.text_id).map_err(|_| Fault::invalid("must be an id"));
        let text_id = fields.take("/textId", text_id);
        let reason = fields.text("/reason", request.reason);
        let (text_id, reason) = fields.done(|| Some((text_id?, reason?)))?;
        let journal = self.of(&request.service)?;
        let erased = journal.erase_text(ctx, text_id, &reason).await?;
        let scrubbed_how = journal.scrub_texts().await?;
        let own = ctx.own_trust().is_some();
        let position = if own { erased.trust_position } else { erased.position };
        Ok(pb::EraseTextResponse {
            text_id: text_id.to_string(),
            stream: erased.stream,
            position: u64::try_from(position).map_err(Error::internal)?,
            scrubbed_how,
        })
    }
}

impl Journal {
    /// Erases a text from the tables; its bytes are in the files until [`Journal::scrub_texts`].
    pub async fn erase_text(&self, ctx: &Ctx, text_id: Uuid, reason: &str) -> Result<ErasedText> {
        let reason = Text::new(reason)?;
        let (journal, context) = (self.clone(), ctx.clone());
        self.write(ctx, move |tx| {
            Box::pin(async move { journal.erase(tx, &context, text_id, reason).await })
        })
        .await
    }

    /// Removes the bytes of erased texts from the database's files; says how.
    pub async fn scrub_texts(&self) -> Result<String> {
        let tables = self.projection().tables().iter().copied().chain(["text", "answer"]);
        Ok(self.db().scrub(&tables.collect::<Vec<_>>()).await?)
    }

    async fn erase(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        text_id: Uuid,
        reason: Text,
    ) -> Result<ErasedText> {
        let missing = || Error::not_found("text", text_id);
        lock(tx).await?;
        let trust_id: Option<Uuid> =
            on!(&mut *tx, |c| sqlx::query_scalar("SELECT trust_id FROM text WHERE text_id = $1")
                .bind(text_id)
                .fetch_optional(c)
                .await)?;
        let trust_id = trust_id.ok_or_else(missing)?;
        ctx.within(trust_id).map_err(|_| missing())?;
        let wanted = BTreeSet::from([text_id]);
        let event = holders(tx, trust_id, &wanted).await?.remove(&text_id).ok_or_else(missing)?;
        let stream = event.stream;
        on!(&mut *tx, |c| sqlx::query("DELETE FROM text WHERE text_id = $1")
            .bind(text_id)
            .execute(c)
            .await
            .map(drop))?;
        forget_answers(tx, &stream).await?;
        self.project_again(tx, &stream).await?;
        let message = pb::TextErased {
            text_id: text_id.to_string(),
            stream: stream.clone(),
            reason: Some(reason.commitment()),
        };
        let draft = Draft::new(ctx.new_id(), trust_id, format!("text/{text_id}"), 1, &message);
        let recorded = self.record(tx, ctx, vec![draft.with_texts([reason])]).await?;
        let recorded = recorded.first().ok_or_else(|| Error::internal("nothing was recorded"))?;
        let (position, trust_position) = (recorded.position, recorded.trust_position);
        Ok(ErasedText { stream, position, trust_position })
    }

    /// Makes the rows of a stream anew from its events and the texts that are left.
    async fn project_again(&self, tx: &mut Tx, stream: &str) -> Result<()> {
        if !self.projection().clear(tx, stream).await? {
            return Ok(());
        }
        let filter = Filter { stream: Some(stream.to_owned()), ..Filter::default() };
        let mut after = 0;
        loop {
            let mut chunk = events(tx, after, &filter, CHUNK).await?;
            let Some(last) = chunk.last() else { return Ok(()) };
            after = last.position;
            text::load(tx, &mut chunk).await?;
            self.log.project(tx, &chunk).await?;
        }
    }

    /// The texts of a trust that hold something, each with the event that commits to it.
    async fn texts_with(
        &self,
        ctx: &Ctx,
        trust_id: Uuid,
        what: &str,
    ) -> Result<Vec<(Uuid, Recorded)>> {
        let mut tx = self.db().read_as(ctx.tenant()).await?;
        let found: Vec<Uuid> = match &mut tx {
            Tx::Sqlite(tx) => {
                sqlx::query_scalar(
                    "SELECT text_id FROM text WHERE trust_id = $1 AND instr(lower(body), lower($2)) > 0",
                )
                .bind(trust_id)
                .bind(what)
                .fetch_all(&mut **tx)
                .await?
            }
            Tx::Postgres(tx) => {
                sqlx::query_scalar(
                    "SELECT text_id FROM text WHERE trust_id = $1 AND position(lower($2) IN lower(body)) > 0",
                )
                .bind(trust_id)
                .bind(what)
                .fetch_all(&mut **tx)
                .await?
            }
        };
        let wanted = found.into_iter().take(FOUND).collect();
        Ok(holders(&mut tx, trust_id, &wanted).await?.into_iter().collect())
    }
}

/// The events of a trust that commit to these texts. All that may commit to any are read: that is asked rarely, and an
/// index over texts would hold for ever what is to be erased.
async fn holders(
    tx: &mut Tx,
    trust_id: Uuid,
    wanted: &BTreeSet<Uuid>,
) -> Result<BTreeMap<Uuid, Recorded>> {
    let mut found = BTreeMap::new();
    let types = event_types().iter().filter(|(_, it)| text::may_commit(&it.message, 0));
    let types: Vec<String> = types.map(|(name, _)| name.clone()).collect();
    let mut query = Query { trust_id: Some(trust_id), types: Some(types), ..Query::default() };
    while found.len() < wanted.len() {
        let chunk = list(tx, &query, CHUNK).await?;
        let Some(last) = chunk.last() else { break };
        query.after = last.trust_position;
        for event in chunk {
            for text_id in text::committed(&event)? {
                if wanted.contains(&text_id) {
                    found.entry(text_id).or_insert_with(|| event.clone());
                }
            }
        }
    }
    Ok(found)
}

/// Answers kept for retries repeat texts: those about a stream's thing go.
async fn forget_answers(tx: &mut Tx, stream: &str) -> Result<()> {
    let id = stream.split_once('/').map_or(stream, |it| it.1);
    match tx {
        Tx::Sqlite(tx) => sqlx::query("DELETE FROM answer WHERE instr(answer, $1) > 0")
            .bind(id)
            .execute(&mut **tx)
            .await
            .map(drop)?,
        Tx::Postgres(tx) => sqlx::query("DELETE FROM answer WHERE position($1 IN answer) > 0")
            .bind(id)
            .execute(&mut **tx)
            .await
            .map(drop)?,
    }
    Ok(())
}
