use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};
use host::telemetry;
use journal::proof;

use crate::{
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

/// Prints a journal line by line.
pub(crate) async fn export(settings: &Overrides, service: Service) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let deployment = Deployment::open(&config, Some(service)).await?;
    let journal = deployment.journals().first().context("no journal")?;
    let mut output = BufWriter::new(io::stdout());
    proof::export(journal, |line| writeln!(output, "{line}")).await?;
    output.flush()?;
    Ok(())
}
