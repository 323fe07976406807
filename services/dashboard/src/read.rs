//! Asks the peers. A peer that fails costs its own section of the page, nothing else.

use std::time::Duration;

use contract::{
    improvement::{
        ListProjectsRequest, Project, improvement_service_client::ImprovementServiceClient,
    },
    intelligence::{
        Feed, ListFeedsRequest, ListMeasuresRequest, ListSignalsRequest, ListStandingsRequest,
        Measure, Signal, SignalState, Standing,
        intelligence_service_client::IntelligenceServiceClient,
    },
    journal::{ListEventsRequest, journal_service_client::JournalServiceClient},
    registry::{
        GetTrustRequest, Journey, ListJourneysRequest, ListSchoolsRequest, School, Trust,
        registry_service_client::RegistryServiceClient,
    },
};
use rpc::Peer;
use tonic::Status;

use crate::view::{Section, Tail};

/// How long the page waits for one answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Entries of each journal that are shown.
const SHOWN_EVENTS: u64 = 8;
/// A page shows at most this many of a list: more is not a board page.
const LIMIT: u32 = 500;

/// Waits for an answer, and puts a failure in words that betray nothing.
async fn answer<T>(what: &str, call: impl Future<Output = Result<T, Status>> + Send) -> Section<T> {
    match tokio::time::timeout(PATIENCE, call).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(status)) => {
            tracing::warn!(what, code = ?status.code(), cause = status.message(), "a peer refused");
            Err(format!("{what} cannot be shown: {}", reason(&status)))
        }
        Err(_) => {
            tracing::warn!(what, "a peer did not answer in time");
            Err(format!("{what} cannot be shown: no answer in time"))
        }
    }
}

fn reason(status: &Status) -> &'static str {
    match status.code() {
        tonic::Code::NotFound => "there is no such trust",
        tonic::Code::PermissionDenied | tonic::Code::Unauthenticated => "access was refused",
        tonic::Code::Unimplemented => "it is not offered here",
        _ => "the service did not answer",
    }
}

pub(crate) async fn trust(peer: Peer, trust_id: String) -> Section<Trust> {
    let mut client = RegistryServiceClient::new(peer);
    answer("The trust's name", async {
        Ok(client
            .get_trust(GetTrustRequest { trust_id, ..GetTrustRequest::default() })
            .await?
            .into_inner())
    })
    .await
}

pub(crate) async fn schools(peer: Peer, trust_id: String) -> Section<Vec<School>> {
    let mut client = RegistryServiceClient::new(peer);
    let request = ListSchoolsRequest { trust_id, page_size: Some(LIMIT), page_token: None };
    answer("The schools", async { Ok(client.list_schools(request).await?.into_inner().schools) })
        .await
}

pub(crate) async fn journeys(peer: Peer, trust_id: String) -> Section<Vec<Journey>> {
    let mut client = RegistryServiceClient::new(peer);
    answer("The schools' phases", async {
        let mut journeys = Vec::new();
        let mut page_token = None;
        loop {
            let page = client
                .list_journeys(ListJourneysRequest {
                    trust_id: trust_id.clone(),
                    page_size: Some(LIMIT),
                    page_token,
                    ..ListJourneysRequest::default()
                })
                .await?
                .into_inner();
            journeys.extend(page.journeys);
            page_token = page.next_page_token;
            if page_token.is_none() {
                return Ok(journeys);
            }
        }
    })
    .await
}

pub(crate) async fn measures(peer: Peer, trust_id: String) -> Section<Vec<Measure>> {
    let mut client = IntelligenceServiceClient::new(peer);
    answer("The measures", async {
        Ok(client.list_measures(ListMeasuresRequest { trust_id }).await?.into_inner().measures)
    })
    .await
}

pub(crate) async fn standings(peer: Peer, trust_id: String) -> Section<Vec<Standing>> {
    let mut client = IntelligenceServiceClient::new(peer).max_decoding_message_size(16 << 20);
    answer("The measures' values", async {
        Ok(client.list_standings(ListStandingsRequest { trust_id }).await?.into_inner().standings)
    })
    .await
}

pub(crate) async fn feeds(peer: Peer, trust_id: String) -> Section<Vec<Feed>> {
    let mut client = IntelligenceServiceClient::new(peer);
    let request = ListFeedsRequest { trust_id, page_size: Some(LIMIT), page_token: None };
    answer("The feeds", async { Ok(client.list_feeds(request).await?.into_inner().feeds) }).await
}

/// The signals that somebody still has to answer: raised, then acknowledged; newest first in each.
pub(crate) async fn signals(peer: Peer, trust_id: String) -> Section<Vec<Signal>> {
    let mut client = IntelligenceServiceClient::new(peer);
    answer("The signals", async {
        let mut signals = Vec::new();
        for state in [SignalState::Raised, SignalState::Acknowledged] {
            let request = ListSignalsRequest {
                trust_id: trust_id.clone(),
                urn: None,
                state: Some(state.into()),
                page_size: Some(LIMIT),
                page_token: None,
            };
            signals.extend(client.list_signals(request).await?.into_inner().signals);
        }
        Ok(signals)
    })
    .await
}

pub(crate) async fn projects(peer: Peer, trust_id: String) -> Section<Vec<Project>> {
    let mut client = ImprovementServiceClient::new(peer);
    let request = ListProjectsRequest {
        trust_id,
        urn: None,
        state: None,
        page_size: Some(LIMIT),
        page_token: None,
    };
    answer("The improvement projects", async {
        Ok(client.list_projects(request).await?.into_inner().projects)
    })
    .await
}

/// Where a journal ends now.
pub(crate) async fn head(peer: Peer, service: &'static str) -> Result<u64, Status> {
    let request = ListEventsRequest {
        service: service.to_owned(),
        page_size: Some(1),
        ..ListEventsRequest::default()
    };
    Ok(JournalServiceClient::new(peer).list_events(request).await?.into_inner().head)
}

pub(crate) async fn tail(peer: Peer, service: &'static str, trust_id: String) -> Section<Tail> {
    let what = format!("The journal of the {service} service");
    answer(&what, async {
        let head = head(peer.clone(), service).await?;
        let request = ListEventsRequest {
            service: service.to_owned(),
            after: head.saturating_sub(SHOWN_EVENTS),
            page_size: u32::try_from(SHOWN_EVENTS).ok(),
            ..ListEventsRequest::default()
        };
        let page = JournalServiceClient::new(peer).list_events(request).await?.into_inner();
        let mut events = page.events;
        events.retain(|it| it.trust_id == trust_id);
        events.reverse();
        Ok(Tail { head: page.head, events })
    })
    .await
}
