use identity::{SchoolNumber, TrustId, Urn};
use rpc::{Ctx, Error, Page, Reason, Result};

use super::{
    App,
    school::{of_trust, still_here},
};
use crate::{
    domain::unit::{Unit, UnitId, UnitKind},
    store::{event, unit},
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
                    let school = of_trust(tx, new.trust_id, &new.school).await?;
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

    /// A school's units by name, and its URN.
    pub async fn units(
        &self,
        ctx: &Ctx,
        trust_id: TrustId,
        number: &SchoolNumber,
        page: Page<(String, UnitId)>,
    ) -> Result<(Vec<Unit>, Urn, Option<String>)> {
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read().await?;
        let school = of_trust(&mut tx, trust_id, number).await?;
        let after = page.after.clone();
        let units = unit::list(&mut tx, school.school_id, after, page.limit()).await?;
        let (units, next) = page.cut(units, |it| (it.name.clone(), it.unit_id))?;
        Ok((units, school.details.urn, next))
    }
}
