//! Every RPC, reached over gRPC and over REST.

use axum::Router;
use contract::intelligence::{
    self as pb,
    intelligence_service_server::{IntelligenceService, IntelligenceServiceServer},
};
use identity::TrustId;
use journal::AsOf;
use rpc::{Ctx, Error, Fault, Fields, PAGES, Page, Result, Twin};

use super::{convert, push, results};
use crate::{
    App,
    app::Question,
    domain::{AttendanceCode, BatchId, FactMeasure, FeedId, Measure, Outcome, Shown, SignalId},
};

const SERVICE: &str = "headway.intelligence.v1.IntelligenceService";
/// Bytes of one message of a stream at the most; a stream may have any number.
const MESSAGE_BYTES: usize = 4 << 20;
const OBSERVATION_PAGES: (u32, u32) = (200, 1000);

rpc::doors! {
    impl IntelligenceService as "headway.intelligence.v1.IntelligenceService" for App {
        CreateFeed => create_feed(pb::CreateFeedRequest) -> pb::Feed;
        GetFeed => get_feed(pb::GetFeedRequest) -> pb::Feed;
        ListFeeds => list_feeds(pb::ListFeedsRequest) -> pb::ListFeedsResponse;
        SaveMapping => save_mapping(pb::SaveMappingRequest) -> pb::Mapping;
        GetMapping => get_mapping(pb::GetMappingRequest) -> pb::Mapping;
        ListMappings => list_mappings(pb::ListMappingsRequest) -> pb::ListMappingsResponse;
        GetBatch => get_batch(pb::GetBatchRequest) -> pb::Batch;
        ListParkedRecords => list_parked_records(pb::ListParkedRecordsRequest) -> pb::ListParkedRecordsResponse;
        ListChanges => list_changes(pb::ListChangesRequest) -> pb::ListChangesResponse;
        ListAttendanceCodes => list_attendance_codes(pb::ListAttendanceCodesRequest) -> pb::ListAttendanceCodesResponse;
        ListCodeLists => list_code_lists(pb::ListCodeListsRequest) -> pb::ListCodeListsResponse;
        ListCodes => list_codes(pb::ListCodesRequest) -> pb::ListCodesResponse;
        ListMeasures => list_measures(pb::ListMeasuresRequest) -> pb::ListMeasuresResponse;
        ListObservations => list_observations(pb::ListObservationsRequest) -> pb::ListObservationsResponse;
        ListStandings => list_standings(pb::ListStandingsRequest) -> pb::ListStandingsResponse;
        GetSignal => get_signal(pb::GetSignalRequest) -> pb::Signal;
        ListSignals => list_signals(pb::ListSignalsRequest) -> pb::ListSignalsResponse;
        CreateSignalTransition => create_signal_transition(pb::CreateSignalTransitionRequest) -> pb::Signal;
    }
    also {
        async fn push_records(
            &self,
            request: tonic::Request<tonic::Streaming<pb::PushRecordsRequest>>,
        ) -> Result<tonic::Response<pb::Batch>, tonic::Status> {
            push::over_grpc(self, rpc::method(SERVICE, "PushRecords"), request).await
        }

        async fn list_batch_results(
            &self,
            request: tonic::Request<pb::ListBatchResultsRequest>,
        ) -> Result<tonic::Response<pb::ListBatchResultsResponse>, tonic::Status> {
            let method = rpc::method(SERVICE, "ListBatchResults");
            let call = async |ctx, message| App::list_batch_results(self, &ctx, message).await;
            rpc::door::grpc(method, request, call).await
        }
    }
}

impl App {
    pub fn rest(&self) -> Router {
        let (method, app) = (rpc::method(SERVICE, "PushRecords"), self.clone());
        let push =
            rpc::door::raw(method, move |request| push::over_rest(app.clone(), method, request));
        let routes = self.rest_routes().merge(self.privacy().rest_routes());
        let routes = routes.route(&method.path, push);
        let (method, app) = (rpc::method(SERVICE, "ListBatchResults"), self.clone());
        let results =
            rpc::door::raw(method, move |request| results::over_rest(app.clone(), method, request));
        routes.route(&method.path, results)
    }

    /// Applies received batches, those of so many trusts at once, until the journal is closed. Any number of processes may.
    pub fn work(&self, workers: usize) -> impl Future<Output = ()> + Send + use<> {
        let app = self.clone();
        async move { app.apply_received(push::reading, workers).await }
    }

    pub fn grpc(&self) -> IntelligenceServiceServer<Self> {
        IntelligenceServiceServer::new(self.clone()).max_decoding_message_size(MESSAGE_BYTES)
    }

    async fn create_feed(&self, ctx: &Ctx, request: pb::CreateFeedRequest) -> Result<pb::Feed> {
        Ok(self.make_feed(ctx, request.try_into()?).await?.into())
    }

    async fn get_feed(&self, ctx: &Ctx, request: pb::GetFeedRequest) -> Result<pb::Feed> {
        let feed_id = field("/feedId", FeedId::parse(&request.feed_id))?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.feed(ctx, feed_id, as_of).await?.into())
    }

    async fn list_feeds(
        &self,
        ctx: &Ctx,
        request: pb::ListFeedsRequest,
    ) -> Result<pb::ListFeedsResponse> {
        let trust_id = field("/trustId", TrustId::parse(&request.trust_id))?;
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &trust_id, PAGES)?;
        let feeds = self.feeds(ctx, trust_id, &page).await?;
        let (feeds, next_page_token) = page.cut(feeds, |it| it.feed.feed_id)?;
        let feeds = feeds.into_iter().map(Into::into).collect();
        Ok(pb::ListFeedsResponse { feeds, next_page_token })
    }

    async fn save_mapping(
        &self,
        ctx: &Ctx,
        request: pb::SaveMappingRequest,
    ) -> Result<pb::Mapping> {
        Ok(self.keep_mapping(ctx, request.try_into()?).await?.into())
    }

    async fn get_mapping(&self, ctx: &Ctx, request: pb::GetMappingRequest) -> Result<pb::Mapping> {
        let feed_id = field("/feedId", FeedId::parse(&request.feed_id))?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.mapping(ctx, feed_id, &request.name, as_of).await?.into())
    }

    async fn list_mappings(
        &self,
        ctx: &Ctx,
        request: pb::ListMappingsRequest,
    ) -> Result<pb::ListMappingsResponse> {
        let feed_id = field("/feedId", FeedId::parse(&request.feed_id))?;
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &feed_id, PAGES)?;
        let mappings = self.mappings(ctx, feed_id, &page).await?;
        let (mappings, next_page_token) = page.cut(mappings, |it| it.name.clone())?;
        let mappings = mappings.into_iter().map(Into::into).collect();
        Ok(pb::ListMappingsResponse { mappings, next_page_token })
    }

    async fn get_batch(&self, ctx: &Ctx, request: pb::GetBatchRequest) -> Result<pb::Batch> {
        let batch_id = field("/batchId", BatchId::parse(&request.batch_id))?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.batch(ctx, batch_id, as_of).await?.into())
    }

    pub(super) async fn list_batch_results(
        &self,
        ctx: &Ctx,
        request: pb::ListBatchResultsRequest,
    ) -> Result<pb::ListBatchResultsResponse> {
        let (batch_id, outcome) = asked(&request)?;
        let (filters, token) = ((batch_id, outcome), request.page_token.as_deref());
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let results = self.results(ctx, batch_id, outcome, &page).await?;
        let (results, next_page_token) = page.cut(results, |it| it.ordinal)?;
        let results = results.into_iter().map(Into::into).collect();
        Ok(pb::ListBatchResultsResponse { results, next_page_token })
    }

    #[expect(clippy::unused_async, reason = "the doors await every RPC")]
    async fn list_attendance_codes(
        &self,
        _ctx: &Ctx,
        request: pb::ListAttendanceCodesRequest,
    ) -> Result<pb::ListAttendanceCodesResponse> {
        let on = request.on.as_deref().map(|it| field("/on", identity::date(it))).transpose()?;
        let codes = AttendanceCode::all().iter();
        let codes = codes.filter(|it| on.is_none_or(|on| it.valid_on(on))).map(Into::into);
        Ok(pb::ListAttendanceCodesResponse { codes: codes.collect() })
    }

    #[expect(clippy::unused_async, reason = "the doors await every RPC")]
    async fn list_measures(
        &self,
        ctx: &Ctx,
        request: pb::ListMeasuresRequest,
    ) -> Result<pb::ListMeasuresResponse> {
        ctx.within(field("/trustId", TrustId::parse(&request.trust_id))?.0)?;
        let attendance = Measure::ALL.into_iter().map(Into::into);
        let measures = attendance.chain(FactMeasure::all().iter().map(Into::into)).collect();
        Ok(pb::ListMeasuresResponse { measures })
    }

    async fn list_observations(
        &self,
        ctx: &Ctx,
        request: pb::ListObservationsRequest,
    ) -> Result<pb::ListObservationsResponse> {
        let question = Question::read(&request, ctx.today())?;
        let filters = (
            (&request.trust_id, &request.measure, &request.urn, request.period_kind),
            (
                &request.from,
                &request.to,
                request.by_year_group,
                request.by_group,
                &request.subject,
                &request.group,
                &request.unit,
            ),
        );
        let token = request.page_token.as_deref();
        let page = Page::parse(request.page_size, token, &filters, OBSERVATION_PAGES)?;
        let observations = self.observations(ctx, &question, &page).await?;
        let (observations, next_page_token) = page.cut(observations, Shown::place)?;
        let observations = observations.into_iter().map(Into::into).collect();
        Ok(pb::ListObservationsResponse { observations, next_page_token })
    }

    async fn list_standings(
        &self,
        ctx: &Ctx,
        request: pb::ListStandingsRequest,
    ) -> Result<pb::ListStandingsResponse> {
        let trust_id = field("/trustId", TrustId::parse(&request.trust_id))?;
        let standings = self.standings(ctx, trust_id).await?;
        Ok(pb::ListStandingsResponse { standings: standings.into_iter().map(Into::into).collect() })
    }

    async fn get_signal(&self, ctx: &Ctx, request: pb::GetSignalRequest) -> Result<pb::Signal> {
        let signal_id = field("/signalId", SignalId::parse(&request.signal_id))?;
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        let on = as_of.map_or_else(|| ctx.today(), |it| it.effective_on);
        Ok(convert::signal(self.signal(ctx, signal_id, as_of).await?, on))
    }

    async fn list_signals(
        &self,
        ctx: &Ctx,
        request: pb::ListSignalsRequest,
    ) -> Result<pb::ListSignalsResponse> {
        let trust_id = field("/trustId", TrustId::parse(&request.trust_id))?;
        let state = match request.state {
            None => None,
            Some(it) => Some(listed("/state", it)?),
        };
        let urn = request.urn.as_deref();
        let (filters, token) = ((trust_id, urn, state), request.page_token.as_deref());
        let page = Page::parse(request.page_size, token, &filters, PAGES)?;
        let signals = self.signals_of(ctx, trust_id, urn, state, &page).await?;
        let (signals, next_page_token) = page.cut(signals, |it| it.signal_id)?;
        let signals = signals.into_iter().map(|it| convert::signal(it, ctx.today())).collect();
        Ok(pb::ListSignalsResponse { signals, next_page_token })
    }

    async fn create_signal_transition(
        &self,
        ctx: &Ctx,
        request: pb::CreateSignalTransitionRequest,
    ) -> Result<pb::Signal> {
        let signal_id = field("/signalId", SignalId::parse(&request.signal_id))?;
        let version = rpc::expected_version(request.expected_version)?;
        let signal = self.move_signal(ctx, signal_id, version, request.try_into()?).await?;
        Ok(convert::signal(signal, ctx.today()))
    }
}

/// Of which batch results are asked for, and of which outcome.
pub(super) fn asked(request: &pb::ListBatchResultsRequest) -> Result<(BatchId, Option<Outcome>)> {
    let batch_id = field("/batchId", BatchId::parse(&request.batch_id))?;
    let outcome = request.outcome.map(|it| listed("/outcome", it)).transpose()?;
    Ok((batch_id, outcome))
}

/// A filter by one of a closed list.
pub(super) fn listed<T: Twin>(pointer: &str, value: i32) -> Result<T> {
    let mut fields = Fields::new();
    let found = fields.listed(pointer, value);
    fields.done(|| found)
}

pub(super) fn field<T>(pointer: &str, parsed: Result<T, Fault>) -> Result<T> {
    parsed.map_err(|fault| Error::field(pointer, fault))
}
