use identity::SchoolNumber;
use rpc::{Ctx, Error, Fault, Page, Result};

use super::{
    App,
    school::{said, unregistered},
};
use crate::{
    domain::establishment::{Link, Registered},
    store::{
        establishment::{self, Near, Place, Search},
        link,
    },
};

impl App {
    /// An establishment with its ties from either side.
    pub async fn establishment(
        &self,
        ctx: &Ctx,
        number: &SchoolNumber,
    ) -> Result<(Registered, Vec<Link>)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let found = establishment::by_number(&mut tx, number).await?;
        let found = found.ok_or_else(|| Error::not_found("establishment", said(number)))?;
        let links = link::of(&mut tx, &found.establishment.urn).await?;
        Ok((found, links))
    }

    /// The place of the school that a search measures distance from: of the national register, which is nobody's.
    pub async fn near(&self, number: &SchoolNumber) -> Result<Near> {
        let mut tx = self.journal.db().read().await?;
        let found = establishment::by_number(&mut tx, number).await?;
        let it = found.ok_or_else(|| unregistered("/near", number))?.establishment;
        let Some((easting, northing)) = it.easting.zip(it.northing) else {
            let detail = format!("the register does not say where {} is", it.urn);
            return Err(Error::field("/near", Fault::invalid(detail)));
        };
        Ok(Near { urn: it.urn, easting: easting.into(), northing: northing.into() })
    }

    pub async fn establishments(
        &self,
        ctx: &Ctx,
        search: &Search,
        page: Page<Place>,
    ) -> Result<(Vec<Registered>, Option<String>)> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let (after, limit) = (page.after.as_ref(), page.limit());
        let Some(near) = &search.near else {
            let found = establishment::by_name(&mut tx, search, after, limit).await?;
            return page.cut(found, |it| Place {
                distance: 0,
                name: it.establishment.name.clone(),
                urn: it.establishment.urn.clone(),
            });
        };
        let found = establishment::by_distance(&mut tx, search, near, after, limit).await?;
        page.cut(found, |it| Place {
            distance: near.distance(&it.establishment),
            name: String::new(),
            urn: it.establishment.urn.clone(),
        })
    }
}
