use identity::{CompaniesHouseNumber, GroupUid, TrustId, Ukprn};
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Page, Reason, Result};

use super::App;
use crate::{
    domain::trust::Trust,
    store::{event, trust},
};

#[derive(Clone, Debug)]
pub struct NewTrust {
    pub name: String,
    pub group_uid: Option<GroupUid>,
    pub ukprn: Option<Ukprn>,
    pub companies_house_number: Option<CompaniesHouseNumber>,
}

impl App {
    pub async fn create_trust(&self, ctx: &Ctx, new: NewTrust) -> Result<Trust> {
        if ctx.own_trust().is_some() {
            let detail = "a credential confined to one trust creates none";
            return Err(Error::new(Reason::ScopeMissing, detail));
        }
        let (app, ctx2) = (self.clone(), ctx.clone());
        let created = Trust {
            trust_id: TrustId(ctx.new_id()),
            name: new.name,
            group_uid: new.group_uid,
            ukprn: new.ukprn,
            companies_house_number: new.companies_house_number,
            version: 1,
            created_at: ctx.now,
        };
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let draft = event::trust_created(ctx2.new_id(), &created);
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    app.reconcile(tx, &ctx2, Some(created.trust_id)).await?;
                    trust::get(tx, created.trust_id).await
                })
            })
            .await
    }

    pub async fn trust(&self, ctx: &Ctx, trust_id: TrustId, as_of: Option<AsOf>) -> Result<Trust> {
        ctx.within(trust_id.0)?;
        let now = trust::get(&mut self.journal.db().read_as(ctx.tenant()).await?, trust_id).await?;
        let Some(at) = as_of else { return Ok(now) };
        let of = Of::Stream(format!("trust/{trust_id}"));
        let mut then = self.journal.as_of(trust_id.0, at, of).await?;
        trust::find(&mut then, trust_id).await?.ok_or_else(|| at.absent("trust", trust_id))
    }

    pub async fn trusts(
        &self,
        ctx: &Ctx,
        page: Page<(String, TrustId)>,
    ) -> Result<(Vec<Trust>, Option<String>)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let own = ctx.own_trust().map(TrustId);
        let trusts = trust::list(&mut tx, own, page.after.clone(), page.limit()).await?;
        page.cut(trusts, |it| (it.name.clone(), it.trust_id))
    }
}
