use contract::registry as v1;
use journal::AsOf;
use rpc::{Ctx, PAGES, Page, Result};

use super::{
    answer,
    convert::{field, new_school, new_unit, school_number, trust_id},
    doors::Doors,
};
use crate::domain::unit::UnitId;

impl Doors {
    pub(super) async fn add_school(
        &self,
        ctx: &Ctx,
        request: v1::AddSchoolRequest,
    ) -> Result<v1::School> {
        let trust_id = trust_id(&request.trust_id)?;
        let (number, joined_on) = new_school(ctx, &request)?;
        Ok(self.0.add_school(ctx, trust_id, number, joined_on).await?.into())
    }

    pub(super) async fn get_school(
        &self,
        ctx: &Ctx,
        request: v1::GetSchoolRequest,
    ) -> Result<v1::School> {
        let trust_id = trust_id(&request.trust_id)?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.0.school(ctx, trust_id, &school_number(&request.urn)?, as_of).await?.into())
    }

    pub(super) async fn list_schools(
        &self,
        ctx: &Ctx,
        request: v1::ListSchoolsRequest,
    ) -> Result<v1::ListSchoolsResponse> {
        let trust_id = trust_id(&request.trust_id)?;
        let filters = ("schools", trust_id);
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let (schools, next_page_token) = self.0.schools(ctx, trust_id, page).await?;
        let schools = schools.into_iter().map(Into::into).collect();
        Ok(v1::ListSchoolsResponse { schools, next_page_token })
    }

    pub(super) async fn create_unit(
        &self,
        ctx: &Ctx,
        request: v1::CreateUnitRequest,
    ) -> Result<v1::Unit> {
        let (unit, urn) = self.0.create_unit(ctx, new_unit(request)?).await?;
        Ok(answer::unit(unit, &urn))
    }

    pub(super) async fn get_unit(
        &self,
        ctx: &Ctx,
        request: v1::GetUnitRequest,
    ) -> Result<v1::Unit> {
        let unit_id = field("/unitId", &request.unit_id, UnitId::parse)?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        let (unit, urn) = self.0.unit(ctx, unit_id, as_of).await?;
        Ok(answer::unit(unit, &urn))
    }

    pub(super) async fn list_units(
        &self,
        ctx: &Ctx,
        request: v1::ListUnitsRequest,
    ) -> Result<v1::ListUnitsResponse> {
        let trust_id = trust_id(&request.trust_id)?;
        let number = school_number(&request.urn)?;
        let filters = ("units", trust_id, &request.urn);
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let (units, urn, next_page_token) = self.0.units(ctx, trust_id, &number, page).await?;
        let units = units.into_iter().map(|it| answer::unit(it, &urn)).collect();
        Ok(v1::ListUnitsResponse { units, next_page_token })
    }

    pub(super) async fn get_spread(
        &self,
        ctx: &Ctx,
        request: v1::GetSpreadRequest,
    ) -> Result<v1::Spread> {
        let trust_id = trust_id(&request.trust_id)?;
        let number = school_number(&request.urn)?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        let (urn, spread) = self.0.spread(ctx, trust_id, &number, as_of).await?;
        Ok(answer::spread(spread, &urn))
    }
}
