use axum::Router;
use contract::registry::{
    AddSchoolRequest, CreateRatingsRequest, CreateTransitionRequest, CreateTrustRequest,
    CreateUnitRequest, Establishment, EstablishmentImport, GetEstablishmentImportRequest,
    GetEstablishmentRequest, GetJourneyRequest, GetRubricRequest, GetSchoolRequest,
    GetSpreadRequest, GetTrustRequest, GetUnitRequest, ImportEstablishmentsRequest, Journey,
    ListEstablishmentsRequest, ListEstablishmentsResponse, ListJourneysRequest,
    ListJourneysResponse, ListSchoolsRequest, ListSchoolsResponse, ListTransitionsRequest,
    ListTransitionsResponse, ListTrustsRequest, ListTrustsResponse, ListUnitsRequest,
    ListUnitsResponse, OpenJourneyRequest, Rubric, School, Spread, Trust, Unit,
    registry_service_server::RegistryService,
};

use super::import;
use crate::App;

/// The service's name in the contract.
pub const SERVICE: &str = "headway.registry.v1.RegistryService";

/// The registry behind its two doors.
#[derive(Clone, Debug)]
pub struct Doors(pub(crate) App);

rpc::doors! {
    impl RegistryService as "headway.registry.v1.RegistryService" for Doors {
        CreateTrust => create_trust(CreateTrustRequest) -> Trust;
        GetTrust => get_trust(GetTrustRequest) -> Trust;
        ListTrusts => list_trusts(ListTrustsRequest) -> ListTrustsResponse;
        GetEstablishmentImport => get_establishment_import(GetEstablishmentImportRequest) -> EstablishmentImport;
        GetEstablishment => get_establishment(GetEstablishmentRequest) -> Establishment;
        ListEstablishments => list_establishments(ListEstablishmentsRequest) -> ListEstablishmentsResponse;
        AddSchool => add_school(AddSchoolRequest) -> School;
        GetSchool => get_school(GetSchoolRequest) -> School;
        ListSchools => list_schools(ListSchoolsRequest) -> ListSchoolsResponse;
        CreateUnit => create_unit(CreateUnitRequest) -> Unit;
        GetUnit => get_unit(GetUnitRequest) -> Unit;
        ListUnits => list_units(ListUnitsRequest) -> ListUnitsResponse;
        GetSpread => get_spread(GetSpreadRequest) -> Spread;
        OpenJourney => open_journey(OpenJourneyRequest) -> Journey;
        GetJourney => get_journey(GetJourneyRequest) -> Journey;
        ListJourneys => list_journeys(ListJourneysRequest) -> ListJourneysResponse;
        CreateTransition => create_transition(CreateTransitionRequest) -> Journey;
        ListTransitions => list_transitions(ListTransitionsRequest) -> ListTransitionsResponse;
        CreateRatings => create_ratings(CreateRatingsRequest) -> Journey;
        GetRubric => get_rubric(GetRubricRequest) -> Rubric;
    }
    also {
        async fn import_establishments(
            &self,
            request: tonic::Request<tonic::Streaming<ImportEstablishmentsRequest>>,
        ) -> Result<tonic::Response<EstablishmentImport>, tonic::Status> {
            import::stream(&self.0, request).await
        }
    }
}

impl Doors {
    pub fn routes(&self) -> Router {
        let method = rpc::method(SERVICE, "ImportEstablishments");
        let app = self.0.clone();
        self.rest_routes().route(
            &method.path,
            rpc::door::raw(method, move |request| import::rest(app.clone(), request)),
        )
    }
}
