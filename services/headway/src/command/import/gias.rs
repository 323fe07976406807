use std::{fs::File, io::Read, path::Path};

use anyhow::{Context, Result};
use contract::registry::{
    EstablishmentImport, ImportEstablishmentsRequest, RegisterFile,
    registry_service_client::RegistryServiceClient,
};
use host::telemetry;
use indicatif::{ProgressBar, ProgressStyle};
use rpc::{Peer, Reach, Scope};

use crate::{
    command::say,
    config::{Config, Overrides, Service},
    deployment::Deployment,
};

const CHUNK: usize = 256 << 10;
/// Quarantined rows shown on the terminal; the report holds more.
const SHOWN: usize = 20;

/// Imports a file of the national register into the databases the settings name; the services may be running.
pub(crate) async fn gias(settings: &Overrides, file: &Path) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let deployment = Deployment::open(&config, Some(Service::Registry)).await?;
    let peer = deployment.near("headway-import", Reach::Platform, &[Scope::PlatformWrite]);
    let name = file.display().to_string();
    let mut bytes = Vec::new();
    File::open(file).and_then(|mut it| it.read_to_end(&mut bytes)).with_context(|| name.clone())?;
    let bar = ProgressBar::new(bytes.len() as u64)
        .with_style(ProgressStyle::with_template("{wide_bar} {bytes}/{total_bytes} {msg}")?);
    bar.set_message(name.clone());
    let report = push(peer, &bytes, &bar).await.with_context(|| name)?;
    bar.finish_and_clear();
    print(&report)
}

/// Streams a file's bytes to the registry.
pub(crate) async fn push(
    peer: Peer,
    bytes: &[u8],
    bar: &ProgressBar,
) -> Result<EstablishmentImport> {
    let bar = bar.clone();
    let chunks: Vec<_> = bytes.chunks(CHUNK).map(<[u8]>::to_vec).collect();
    let stream = futures::stream::iter(chunks.into_iter().map(move |chunk| {
        bar.inc(chunk.len() as u64);
        ImportEstablishmentsRequest { chunk }
    }));
    let mut client = RegistryServiceClient::new(peer);
    client.import_establishments(stream).await.map(tonic::Response::into_inner).map_err(refused)
}

/// A status as a sentence for people.
#[expect(clippy::needless_pass_by_value, reason = "as map_err gives it")]
pub(crate) fn refused(status: tonic::Status) -> anyhow::Error {
    anyhow::anyhow!("{} ({:?})", status.message(), status.code())
}

fn print(report: &EstablishmentImport) -> Result<()> {
    let kind = RegisterFile::try_from(report.file).map_or("", |it| it.as_str_name());
    let kind = kind.trim_start_matches("REGISTER_FILE_").to_lowercase();
    say(format_args!(
        "{kind}: {} rows: {} added, {} changed, {} unchanged, {} of no concern, {} quarantined; {} closed",
        report.rows,
        report.added,
        report.changed,
        report.unchanged,
        report.ignored,
        report.quarantined,
        report.closed
    ))?;
    for row in report.quarantine.iter().take(SHOWN) {
        let column = row.column.as_deref().unwrap_or("row");
        say(format_args!("  line {}: {column}: {}", row.line, row.problem))?;
    }
    for change in &report.school_changes {
        say(format_args!("  {} {}", change.urn, change.change))?;
    }
    Ok(())
}
