//! The operations: authorise, read, decide, record, answer.

pub(crate) mod access;
mod establishment;
mod import;
mod journey;
mod school;
mod trust;
mod unit;
mod webhook;

use std::sync::Arc;

use db::Tx;
use identity::TrustId;
use journal::Journal;
use rpc::{Ctx, Error, Result};

use crate::{
    domain::{
        import::SchoolChange,
        register::{Step, reconcile},
    },
    store::{event, register},
};

pub(crate) use journey::{JourneyView, NewJourney, NewRatings, NewTransition, TransitionView};
pub(crate) use school::SchoolView;
pub(crate) use trust::NewTrust;
pub(crate) use unit::NewUnit;
pub(crate) use webhook::{ChangedWebhook, NewWebhook, SERVICES, Telling, WebhookView};
pub use webhook::{Channels, Standing};

/// The registry, ready to serve.
#[derive(Clone, Debug)]
pub struct App {
    pub(crate) journal: Journal,
    /// Whether trusts may name issuers on this machine, over plain HTTP: for development.
    pub(crate) loopback_issuers: bool,
    /// Absent where no webhooks are offered.
    pub(crate) telling: Option<Arc<Telling>>,
}

impl App {
    /// Records what the register changes in the schools of one trust, or of all.
    async fn reconcile(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        trust_id: Option<TrustId>,
    ) -> Result<Vec<SchoolChange>> {
        let (trusts, schools, known) = register::concerning(tx, trust_id).await?;
        let new_id = || identity::SchoolId(ctx.new_id());
        let steps = reconcile(&trusts, schools, &known, ctx.today(), new_id);
        let drafts = steps
            .iter()
            .map(|it| event::school_changed(ctx.new_id(), it))
            .collect::<Result<Vec<_>>>()?;
        self.journal.record(tx, ctx, drafts).await?;
        Ok(steps.iter().filter_map(Step::report).collect())
    }
}

/// Refuses a thing of another trust as if there were none.
fn within(ctx: &Ctx, trust_id: TrustId, absent: impl FnOnce() -> Error) -> Result<()> {
    ctx.within(trust_id.0).map_err(|_| absent())
}
