use anyhow::{Context, Result};
use contract::journal::{GetInclusionProofRequest, journal_service_client::JournalServiceClient};
use host::telemetry;
use rpc::{Reach, Scope};
use uuid::Uuid;

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

/// Prints the proof of one event against a checkpoint, as REST would give it.
pub(crate) async fn prove(
    settings: &Overrides,
    service: Service,
    event: Option<Uuid>,
    position: Option<u64>,
    size: Option<u64>,
) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let deployment = Deployment::open(&config, Some(service)).await?;
    let peer = deployment.near("operator", Reach::Platform, &[Scope::JournalRead]);
    let request = GetInclusionProofRequest {
        service: service.name().to_owned(),
        event_id: event.map(|it| it.to_string()),
        position,
        size,
    };
    let answer = JournalServiceClient::new(peer).get_inclusion_proof(request).await;
    let proof = answer.map_err(|it| anyhow::anyhow!("{}", it.message())).context("no proof")?;
    say(serde_json::to_string_pretty(&proof.into_inner())?)?;
    Ok(())
}
