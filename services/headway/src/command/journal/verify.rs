use anyhow::{Context, Result, bail};
use host::telemetry;
use journal::{Journal, audit};

use super::rebuild::{beside, tell};
use crate::{
    command::say,
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

/// Flaws shown on the terminal, of each journal.
const SHOWN: usize = 20;

/// Checks the journals and proves that they hold the state; fails when one does not.
pub(crate) async fn verify(settings: &Overrides, only: Option<Service>) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let mut sound = true;
    for service in Service::ALL.into_iter().filter(|it| only.is_none_or(|only| only == *it)) {
        let deployment = Deployment::open(&config, Some(service)).await?;
        let journal = deployment.journals().first().context("no journal")?;
        sound &= check(journal).await?;
        sound &= tell(&beside(&config, service, journal).await?)?;
    }
    if !sound {
        bail!("a journal does not verify");
    }
    Ok(())
}

async fn check(journal: &Journal) -> Result<bool> {
    let audit = audit(journal).await?;
    say(format_args!(
        "{}: {} events, {} flaws; {} checkpoints, {} nodes",
        journal.service(),
        audit.events,
        audit.flaws.len(),
        audit.checkpoints,
        audit.nodes
    ))?;
    for flaw in audit.flaws.iter().take(SHOWN) {
        say(format_args!("  position {} {}", flaw.position, flaw.what))?;
    }
    Ok(audit.flaws.is_empty())
}
