//! Records that wait for their pupils.

use std::collections::BTreeSet;

use identity::TrustId;
use rpc::{Ctx, Error, Gathered, Page, Result, Scope};

use uuid::Uuid;

use super::App;
use crate::{
    domain::{BatchId, Parked, ParkedState},
    store::{self, parked::Filter},
};

/// A parked record with its school's URN today.
#[derive(Clone, Debug)]
pub(crate) struct NamedParked {
    pub parked: Parked,
    pub urn: String,
}

impl App {
    /// Those of the caller's feeds; of all for whoever administers feeds.
    pub(crate) async fn parked(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        (number, state): (Option<&str>, Option<ParkedState>),
        page: &Page<(BatchId, u32)>,
    ) -> Result<Vec<NamedParked>> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let schools = store::school::of_trust(&mut tx, trust_id).await?;
        let found = number.map(|it| schools.find(it)).transpose();
        let school = found.map_err(|it| Error::new(it.reason, it.detail))?;
        let own = (!ctx.caller.may(Scope::IntelligenceWrite)).then(|| ctx.caller.client_id.clone());
        let filter = Filter { school_id: school.map(|it| it.school_id), state, client_id: own };
        let granted = ctx.schools();
        let is_granted = |it: &Parked| {
            let of =
                |granted: &BTreeSet<Uuid>| it.school_id.is_some_and(|it| granted.contains(&it.0));
            granted.as_ref().is_none_or(of)
        };
        let limit = page.limit();
        let mut found = Gathered::of(page);
        while !found.is_done() {
            let after = found.after;
            let next = store::parked::of_trust(&mut tx, trust_id, &filter, after, limit).await?;
            found.take(next, |it| (it.batch_id, it.ordinal), is_granted);
        }
        let urn =
            |it: &Parked| it.school_id.and_then(|it| schools.get(it)).map(|it| it.urn.clone());
        let named = |parked: Parked| NamedParked { urn: urn(&parked).unwrap_or_default(), parked };
        let found: Vec<NamedParked> = found.items.into_iter().map(named).collect();
        tx.rollback().await?;
        let kinds: BTreeSet<_> = found.iter().map(|it| it.parked.kind).collect();
        let read = (trust_id, "headway.intelligence.v1.IntelligenceService.ListParkedRecords");
        let kinds: Vec<_> = kinds.into_iter().collect();
        self.note_read(ctx, read, &kinds, found.len(), None).await?;
        Ok(found)
    }
}
