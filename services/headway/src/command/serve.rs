use std::net::SocketAddr;

use anyhow::Result;
use host::telemetry;

use super::{say, stop_on_signal};
use crate::{
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

/// Runs one service or all of them until told to stop.
pub(crate) async fn run(
    settings: &Overrides,
    listen: Option<SocketAddr>,
    only: Option<Service>,
) -> Result<()> {
    let config = Config::load(settings, listen, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let metrics = telemetry::start_metrics()?;
    let stop = stop_on_signal()?;
    let serving = Deployment::open(&config, only).await?.serve(&config, metrics, stop).await?;
    say(format_args!("Headway listens on {}", serving.url))?;
    serving.task.await?;
    Ok(())
}
