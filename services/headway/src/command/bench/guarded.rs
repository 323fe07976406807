//! Guarded transitions through the whole system: gRPC over the network, credential, rules, state row, text, leaf.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use contract::improvement::{
    CreateProjectRequest, CreateProjectTransitionRequest, ProjectState,
    improvement_service_client::ImprovementServiceClient,
};
use metrics_exporter_prometheus::PrometheusHandle;
use rpc::{Peer, Scope};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use super::journal::Times;
use crate::{
    command::stage::Stage,
    config::{Config, Overrides},
    deployment::{Deployment, Serving},
};

/// Callers who share one connection.
const SHARING: usize = 32;

/// Abandons proposed projects, one transition each, and says how fast.
pub(super) async fn run(
    database_url: Option<String>,
    callers: u32,
    transitions: u32,
    metrics: &PrometheusHandle,
) -> Result<Times> {
    let folder = tempfile::tempdir()?;
    let overrides = Overrides {
        data_dir: Some(folder.path().to_owned()),
        database_url,
        ..Overrides::default()
    };
    let mut config = Config::load(&overrides, Some(([127, 0, 0, 1], 0).into()), None)?;
    config.limits = config.limits.lifted();
    let stop = CancellationToken::new();
    let deployment = Deployment::open(&config, None).await?;
    let Serving { address, secrets, task, .. } =
        deployment.serve(&config, metrics.clone(), stop.clone()).await?;
    let stage = Stage::raise(address, &secrets).await?;
    let scopes = [Scope::ImprovementWrite, Scope::ImprovementRead];
    let times = abandon(&stage, &scopes, callers, transitions).await;
    stop.cancel();
    task.await?;
    times
}

async fn abandon(stage: &Stage, scopes: &[Scope], callers: u32, transitions: u32) -> Result<Times> {
    let urn = stage.schools.first().context("the trust has schools")?.urn.clone();
    let mut clients = Vec::new();
    for _ in 0..(callers as usize).div_ceil(SHARING) {
        clients.push(ImprovementServiceClient::new(stage.channel("bench", scopes)?));
    }
    known(clients.first().cloned().context("a client")?, &stage.trust_id.to_string(), &urn).await?;
    let client = |caller: u32| clients.get(caller as usize / SHARING).cloned().context("a client");
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let (mut client, urn) = (client(caller)?, urn.clone());
        let trust_id = stage.trust_id.to_string();
        tasks.spawn(async move {
            let mut projects = Vec::new();
            for _ in 0..transitions / callers {
                let request = proposal(&trust_id, &urn);
                projects.push(client.create_project(request).await?.into_inner().project_id);
            }
            anyhow::Ok((caller, projects))
        });
    }
    let prepared: Vec<(u32, Vec<String>)> =
        tasks.join_all().await.into_iter().collect::<Result<_>>()?;
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (caller, projects) in prepared {
        let mut client = client(caller)?;
        tasks.spawn(async move {
            let mut times: Vec<Duration> = Vec::new();
            for project_id in projects {
                let asked = Instant::now();
                let request = CreateProjectTransitionRequest {
                    project_id,
                    to: ProjectState::Abandoned.into(),
                    rationale: "The school has asked for another one.".to_owned(),
                    expected_version: Some(1),
                };
                client.create_project_transition(request).await?;
                times.push(asked.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let times: Vec<Vec<Duration>> = tasks.join_all().await.into_iter().collect::<Result<_>>()?;
    Ok(Times::from(times.concat(), started.elapsed()))
}

fn proposal(trust_id: &str, urn: &str) -> CreateProjectRequest {
    CreateProjectRequest {
        trust_id: trust_id.to_owned(),
        urn: Some(urn.to_owned()),
        title: "Attendance".to_owned(),
        rationale: "It has fallen for three weeks.".to_owned(),
        signal_id: None,
    }
}

/// Waits until projects may be proposed for a school that has just joined.
async fn known(
    mut client: ImprovementServiceClient<Peer>,
    trust_id: &str,
    urn: &str,
) -> Result<()> {
    for _ in 0..200 {
        match client.create_project(proposal(trust_id, urn)).await {
            Err(status) if status.code() == Code::NotFound => {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            answer => return Ok(answer.map(drop)?),
        }
    }
    bail!("the improvement service has not heard of {urn}");
}
