//! What has to be there before the morning: trusts, schools, feeds and everybody's enrolments, all through the public
//! API.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::http::HeaderValue;
use contract::{
    intelligence::{
        CreateFeedRequest, RecordKind, intelligence_service_client::IntelligenceServiceClient,
    },
    registry::{CreateTrustRequest, registry_service_client::RegistryServiceClient},
};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use rpc::{Peer, Scope};
use serde::Deserialize;
use tokio::{task::JoinSet, time::sleep};
use uuid::Uuid;

use super::{
    england::{England, group_uid, trust_name},
    server::Server,
};
use crate::command::{
    import::{push, refused},
    rest::{Rest, bearer},
    stage,
};

/// Trusts created at the same time, and trusts whose rolls are pushed at the same time.
const AT_ONCE: usize = 8;
/// How long the intelligence service may take to hear of every school.
const PATIENCE: Duration = Duration::from_mins(30);
const PAUSE: Duration = Duration::from_millis(100);
/// Records of a full batch.
const RECORDS: usize = 10_000;
/// Most schools' systems are one of a handful of vendors'. A trust's schools have the same.
const VENDORS: [&str; 5] = ["mis-a", "mis-b", "mis-c", "mis-d", "mis-e"];

/// Where a trust's records go.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) trust_id: Uuid,
    /// Where its feed takes pushes.
    pub(super) path: String,
    /// The vendor's credential for this trust.
    pub(super) bearer: HeaderValue,
}

/// How a batch stands.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Batch {
    pub(super) batch_id: String,
    pub(super) state: String,
    pub(super) accepted: u32,
    pub(super) parked: u32,
    pub(super) rejected: u32,
}

impl Batch {
    pub(super) fn is_settled(&self) -> bool {
        let settled = ["APPLIED", "PARTLY_APPLIED", "REJECTED"];
        settled.iter().any(|it| self.state.strip_prefix("BATCH_STATE_") == Some(it))
    }
}

/// How long each step of the preparations took, in seconds.
#[derive(Debug, Default)]
pub(super) struct Took {
    pub(super) trusts: f64,
    pub(super) schools: f64,
    pub(super) feeds: f64,
    pub(super) rolls: f64,
}

/// Prepares everything; gives a door for each trust.
pub(super) async fn prepare(
    server: &Server,
    england: &Arc<England>,
    bar: &ProgressBar,
) -> Result<(Vec<Door>, Took)> {
    let operator = stage::operator(server.address, &server.secrets)?;
    let mut took = Took::default();
    let started = Instant::now();
    let mut trust_ids: Vec<(usize, Uuid)> = stream::iter(0..england.trusts.len())
        .map(|trust| create_trust(operator.clone(), trust))
        .buffer_unordered(AT_ONCE)
        .try_collect()
        .await?;
    trust_ids.sort_unstable();
    took.trusts = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let file = england.establishments()?;
    let report = push(operator.clone(), file.as_bytes(), &ProgressBar::hidden()).await?;
    let joined = report.school_changes.len();
    ensure!(report.quarantined == 0 && joined == england.schools.len(), "{joined} schools joined");
    took.schools = started.elapsed().as_secs_f64();

    let started = Instant::now();
    let mut doors = Vec::new();
    let vendors = VENDORS.iter().cycle();
    for (((_, trust_id), schools), vendor) in
        trust_ids.into_iter().zip(&england.trusts).zip(vendors)
    {
        let schools = england.schools.get(schools.clone()).unwrap_or_default();
        let urns = schools.iter().map(|it| it.urn.to_string()).collect();
        let feed_id = feed(&operator, vendor, trust_id, urns).await?;
        let scopes = [Scope::RecordsWrite];
        let lifetime = chrono::Duration::hours(1);
        let token = server.keys().issue(vendor, Some(trust_id), &scopes, rpc::now(), lifetime)?;
        let path = format!("/v1/feeds/{feed_id}/batches");
        doors.push(Door { trust_id, path, bearer: bearer(&token)? });
    }
    took.feeds = started.elapsed().as_secs_f64();

    let started = Instant::now();
    bar.set_length(england.pupils());
    push_rolls(server, england, &doors, bar).await?;
    bar.finish_and_clear();
    took.rolls = started.elapsed().as_secs_f64();
    Ok((doors, took))
}

async fn create_trust(operator: Peer, trust: usize) -> Result<(usize, Uuid)> {
    let request = CreateTrustRequest {
        name: trust_name(trust),
        group_uid: Some(group_uid(trust)),
        ..CreateTrustRequest::default()
    };
    let made = RegistryServiceClient::new(operator).create_trust(request).await.map_err(refused)?;
    Ok((trust, Uuid::try_parse(&made.into_inner().trust_id)?))
}

/// Authorises a vendor for the trust's schools, as soon as the intelligence service knows all of them.
async fn feed(operator: &Peer, vendor: &str, trust_id: Uuid, urns: Vec<String>) -> Result<String> {
    let request = CreateFeedRequest {
        trust_id: trust_id.to_string(),
        name: "Morning registers".to_owned(),
        client_id: vendor.to_owned(),
        kinds: vec![RecordKind::Enrolment.into(), RecordKind::AttendanceRegister.into()],
        urns,
    };
    let started = Instant::now();
    let mut intelligence = IntelligenceServiceClient::new(operator.clone());
    loop {
        match intelligence.create_feed(request.clone()).await {
            Ok(feed) => return Ok(feed.into_inner().feed_id),
            Err(status) if started.elapsed() > PATIENCE => return Err(refused(status)),
            Err(status) if status.code() == tonic::Code::InvalidArgument => sleep(PAUSE).await,
            Err(status) => return Err(refused(status)),
        }
    }
}

/// Pushes everybody's enrolments in full batches, a trust's one after the other.
async fn push_rolls(
    server: &Server,
    england: &Arc<England>,
    doors: &[Door],
    bar: &ProgressBar,
) -> Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let doors: Arc<[Door]> = doors.into();
    let mut tasks = JoinSet::new();
    for _ in 0..AT_ONCE {
        let mut rest = Rest::connect(&server.address.to_string(), "").await?;
        let (next, doors) = (Arc::clone(&next), Arc::clone(&doors));
        let (england, bar) = (Arc::clone(england), bar.clone());
        tasks.spawn(async move {
            loop {
                let trust = next.fetch_add(1, Ordering::Relaxed);
                let Some((door, schools)) = doors.get(trust).zip(england.trusts.get(trust)) else {
                    return anyhow::Ok(());
                };
                rest.hold(&door.bearer);
                for (body, records) in england.rolls(schools, RECORDS)? {
                    enrol(&mut rest, door, body, records).await?;
                    bar.inc(records.into());
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

async fn enrol(rest: &mut Rest, door: &Door, body: hyper::body::Bytes, records: u32) -> Result<()> {
    let answer = rest.post_written(&door.path, body).await?;
    let mut batch: Batch = serde_json::from_slice(&answer)?;
    while !batch.is_settled() {
        sleep(PAUSE).await;
        let path = format!("/v1/batches/{}", batch.batch_id);
        batch = serde_json::from_slice(&rest.get_text(&path).await?).context("a batch")?;
    }
    ensure!(batch.accepted == records, "of {records} enrolments: {batch:?}");
    Ok(())
}
