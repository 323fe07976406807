use identity::{SchoolNumber, TrustId, Urn};
use journal::{AsOf, Of};
use rpc::{Ctx, Error, Page, Reason, Result};

use super::{
    App,
    school::{granted, of_trust, still_here},
    within,
};
use crate::{
    domain::unit::{Unit, UnitId, UnitKind},
    store::{event, school, unit},
};

#[derive(Clone, Debug)]
pub struct NewUnit {
    pub trust_id: TrustId,
    pub school: SchoolNumber,
    pub kind: UnitKind,
    pub name: String,
    pub year_group: Option<i32>,
}

impl App {
    /// Adds a unit; answers with its school's URN.
    pub async fn create_unit(&self, ctx: &Ctx, new: NewUnit) -> Result<(Unit, Urn)> {
        ctx.within(new.trust_id.0)?;
        let (app, ctx2) = (self.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    // No version guards a school's list of units: replicas take turns from here on.
                    journal::lock(tx).await?;
                    let school = of_trust(tx, new.trust_id, &new.school).await?;
                    granted(&ctx2, &school)?;
                    still_here(&school)?;
                    let created = Unit {
                        unit_id: UnitId(ctx2.new_id()),
                        school_id: school.school_id,
                        trust_id: new.trust_id,
                        kind: new.kind,
                        name: new.name,
                        year_group: new.year_group,
                        version: 1,
                    };
                    let units = unit::all(tx, school.school_id).await?;
                    if let Some(same) = units.iter().find(|it| it.same_part(&created)) {
                        let detail = format!("the school has this unit: {}", same.unit_id);
                        return Err(Error::new(Reason::AlreadyExists, detail));
                    }
                    let draft = event::unit_created(ctx2.new_id(), &created);
                    app.journal.record(tx, &ctx2, vec![draft]).await?;
                    Ok((created, school.details.urn))
                })
            })
            .await
    }

    /// A unit, and the URN its school has now.
    pub async fn unit(
        &self,
        ctx: &Ctx,
        unit_id: UnitId,
        as_of: Option<AsOf>,
    ) -> Result<(Unit, Urn)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let absent = || Error::not_found("unit", unit_id);
        let now = unit::by_id(&mut tx, unit_id).await?.ok_or_else(absent)?;
        within(ctx, now.trust_id, absent)?;
        let urn = school::get(&mut tx, now.school_id).await?.details.urn;
        ctx.school(now.school_id.0, urn.as_str())?;
        let Some(at) = as_of else { return Ok((now, urn)) };
        drop(tx);
        let of = Of::Stream(format!("unit/{unit_id}"));
        let mut then = self.journal.as_of(now.trust_id.0, at, of).await?;
        let unit = unit::by_id(&mut then, unit_id).await?;
        Ok((unit.ok_or_else(|| at.absent("unit", unit_id))?, urn))
    }

    /// A school's units by name, and its URN.
    pub async fn units(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: &SchoolNumber,
        page: Page<(String, UnitId)>,
    ) -> Result<(Vec<Unit>, Urn, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let school = of_trust(&mut tx, trust_id, number).await?;
        granted(ctx, &school)?;
        let after = page.after.clone();
        let units = unit::list(&mut tx, school.school_id, after, page.limit()).await?;
        let (units, next) = page.cut(units, |it| (it.name.clone(), it.unit_id))?;
        Ok((units, school.details.urn, next))
    }
}
