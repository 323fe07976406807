use contract::registry as v1;
use identity::SchoolNumber;
use journal::AsOf;
use rpc::{Ctx, PAGES, Page, Result, Twin};

use super::{
    convert::{field, journey_id, new_journey, new_ratings, new_transition, trust_id},
    doors::Doors,
};
use crate::domain::{
    phase::Phase,
    rubric::{RubricDomain, descriptor},
    unit::UnitId,
};

impl Doors {
    pub(super) async fn open_journey(
        &self,
        ctx: &Ctx,
        request: v1::OpenJourneyRequest,
    ) -> Result<v1::Journey> {
        Ok(self.0.open_journey(ctx, new_journey(ctx, request)?).await?.into())
    }

    pub(super) async fn get_journey(
        &self,
        ctx: &Ctx,
        request: v1::GetJourneyRequest,
    ) -> Result<v1::Journey> {
        let journey_id = journey_id(&request.journey_id)?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        let mut journey: v1::Journey = self.0.journey(ctx, journey_id, as_of).await?.into();
        journey.effective_on = request.effective_on;
        journey.known_at = request.known_at.and(as_of).map(|it| it.known_at.into());
        Ok(journey)
    }

    pub(super) async fn list_journeys(
        &self,
        ctx: &Ctx,
        request: v1::ListJourneysRequest,
    ) -> Result<v1::ListJourneysResponse> {
        let trust_id = trust_id(&request.trust_id)?;
        let number =
            request.urn.as_deref().map(|it| field("/urn", it, SchoolNumber::parse)).transpose()?;
        let unit_id =
            request.unit_id.as_deref().map(|it| field("/unitId", it, UnitId::parse)).transpose()?;
        let filters = ("journeys", trust_id, &request.urn, unit_id);
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let of = (number, unit_id);
        let (journeys, next_page_token) = self.0.journeys(ctx, trust_id, of, page).await?;
        let journeys = journeys.into_iter().map(Into::into).collect();
        Ok(v1::ListJourneysResponse { journeys, next_page_token })
    }

    pub(super) async fn create_transition(
        &self,
        ctx: &Ctx,
        request: v1::CreateTransitionRequest,
    ) -> Result<v1::Journey> {
        Ok(self.0.create_transition(ctx, new_transition(ctx, request)?).await?.into())
    }

    pub(super) async fn list_transitions(
        &self,
        ctx: &Ctx,
        request: v1::ListTransitionsRequest,
    ) -> Result<v1::ListTransitionsResponse> {
        let journey_id = journey_id(&request.journey_id)?;
        let filters = ("transitions", journey_id);
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let (transitions, next_page_token) = self.0.transitions(ctx, journey_id, page).await?;
        let transitions = transitions.into_iter().map(Into::into).collect();
        Ok(v1::ListTransitionsResponse { transitions, next_page_token })
    }

    pub(super) async fn create_ratings(
        &self,
        ctx: &Ctx,
        request: v1::CreateRatingsRequest,
    ) -> Result<v1::Journey> {
        Ok(self.0.create_ratings(ctx, new_ratings(ctx, request)?).await?.into())
    }

    #[expect(
        clippy::unused_async,
        reason = "every RPC is asynchronous; this one waits for nothing"
    )]
    pub(super) async fn get_rubric(&self, _: &Ctx, _: v1::GetRubricRequest) -> Result<v1::Rubric> {
        let descriptors = RubricDomain::ALL
            .into_iter()
            .flat_map(|domain| {
                Phase::ALL.map(|phase| v1::RubricDescriptor {
                    domain: domain.to_wire(),
                    phase: phase.to_wire(),
                    description: descriptor(domain, phase).to_owned(),
                })
            })
            .collect();
        Ok(v1::Rubric { descriptors })
    }
}
