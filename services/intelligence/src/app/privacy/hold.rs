//! Legal holds: given, listed, lifted.

use identity::TrustId;
use journal::text::Text;
use rpc::{Ctx, Error, Reason, Result};
use serde::{Deserialize, Serialize};

use super::Person;
use crate::{
    app::App,
    domain::{HoldId, Kind, LegalHold},
    store,
};

#[derive(Clone, Debug)]
pub(crate) struct CreateHold {
    pub trust_id: TrustId,
    pub kinds: Vec<Kind>,
    pub person: Option<Person>,
    pub reason: String,
}

/// A hold with its texts.
#[derive(Clone, Debug)]
pub(crate) struct NamedHold {
    pub hold: LegalHold,
    pub reason: Option<String>,
    pub lifted_reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Given(uuid::Uuid);

impl App {
    pub(crate) async fn give_hold(&self, ctx: &Ctx, it: CreateHold) -> Result<NamedHold> {
        ctx.within(it.trust_id.0)?;
        let reason = Text::new(it.reason)?;
        // As with an erasure: an id is easily guessed from a digest.
        let idempotency = ctx.idempotency.clone().filter(|_| it.person.is_none());
        let ctx = Ctx { idempotency, ..ctx.clone() };
        let (app, context) = (self.clone(), ctx.clone());
        let Given(hold_id) = self
            .journal
            .write(&ctx, move |tx| {
                Box::pin(async move {
                    let hash = match &it.person {
                        Some(person) => Some(app.known(tx, person).await?.hash),
                        None => None,
                    };
                    let hold = LegalHold {
                        hold_id: HoldId(context.new_id()),
                        trust_id: it.trust_id,
                        kinds: it.kinds,
                        of_person: hash.is_some(),
                        person: hash,
                        reason: Some(reason.id()),
                        given_at: context.now,
                        given_by: context.caller.client_id.clone(),
                        lifted_at: None,
                        lifted_by: None,
                        lifted_reason: None,
                        version: 1,
                    };
                    let event_id = context.new_id();
                    let draft = store::privacy::event::legal_hold_given(&hold, reason, event_id);
                    app.journal.record(tx, &context, vec![draft]).await?;
                    if let Some(hash) = &hash {
                        let of = (hold.hold_id, hold.trust_id);
                        store::privacy::hold::concerns(tx, of, hash).await?;
                    }
                    Ok(Given(hold.hold_id.0))
                })
            })
            .await?;
        self.hold(&ctx, HoldId(hold_id)).await
    }

    pub(crate) async fn lift_hold(
        &self,
        ctx: &Ctx,
        hold_id: HoldId,
        reason: String,
    ) -> Result<NamedHold> {
        let reason = Text::new(reason)?;
        let (app, context) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let missing = || Error::not_found("legal hold", hold_id);
                    let hold = store::privacy::hold::get(tx, hold_id).await?.ok_or_else(missing)?;
                    context.within(hold.trust_id.0).map_err(|_| missing())?;
                    if hold.lifted_at.is_some() {
                        let detail = "it was lifted before";
                        return Err(Error::new(Reason::TransitionNotAllowed, detail));
                    }
                    let event_id = context.new_id();
                    let draft = store::privacy::event::legal_hold_lifted(&hold, reason, event_id);
                    app.journal.record(tx, &context, vec![draft]).await.map(drop)
                })
            })
            .await?;
        self.hold(ctx, hold_id).await
    }

    pub(crate) async fn holds(&self, ctx: &Ctx, trust_id: TrustId) -> Result<Vec<NamedHold>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let mut named = Vec::new();
        for hold in store::privacy::hold::of_trust(&mut tx, trust_id).await? {
            named.push(with_texts(&mut tx, hold).await?);
        }
        Ok(named)
    }

    async fn hold(&self, ctx: &Ctx, hold_id: HoldId) -> Result<NamedHold> {
        let missing = || Error::not_found("legal hold", hold_id);
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let hold = store::privacy::hold::get(&mut tx, hold_id).await?.ok_or_else(missing)?;
        ctx.within(hold.trust_id.0).map_err(|_| missing())?;
        with_texts(&mut tx, hold).await
    }
}

async fn with_texts(tx: &mut db::Tx, hold: LegalHold) -> Result<NamedHold> {
    let (mut reason, mut lifted_reason) = (None, None);
    if let Some(it) = hold.reason {
        reason = journal::text::body(tx, it).await?;
    }
    if let Some(it) = hold.lifted_reason {
        lifted_reason = journal::text::body(tx, it).await?;
    }
    Ok(NamedHold { hold, reason, lifted_reason })
}
