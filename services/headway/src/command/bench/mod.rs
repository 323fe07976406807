//! Measurements that anyone can repeat: a fresh deployment, driven over the network as a vendor drives it.

mod flush;
mod guarded;
pub(crate) mod ingest;
pub(crate) mod journal;
mod log;
pub(crate) mod long;
mod message_db;
pub(crate) mod order;
pub(crate) mod register;
mod scratch;
pub(crate) mod snapshot;
pub(crate) mod subscribe;

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

use crate::{
    command::{rest::Rest, say},
    config::{Config, Overrides},
};

const STARTS: usize = 5;
/// What a started process is given before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(2);

/// Starts a process over the data the settings name, until it says that it is ready, and looks at its memory.
pub(crate) async fn start(settings: &Overrides) -> Result<()> {
    let config = Config::load(settings, None, None)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(&config.data_dir);
    let mut times = Vec::new();
    let mut idle = Vec::new();
    for _ in 0..STARTS {
        let started = Instant::now();
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let output = child.stdout.take().context("its output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("it did not start")?;
        let address = line.rsplit('/').next().context("an address")?;
        Rest::connect(address, "").await?.get("/readyz").await?;
        times.push(started.elapsed());
        tokio::time::sleep(SETTLING).await;
        idle.push(resident_kib(&child.id().context("it runs")?.to_string()));
        child.kill().await?;
    }
    times.sort_unstable();
    idle.sort_unstable();
    let middle = STARTS / 2;
    say(format_args!(
        "ready within {} ms of being started, {} MiB resident when idle (medians of {STARTS})",
        times.get(middle).map_or(0, Duration::as_millis),
        idle.get(middle).map_or(0, |it| it / 1024),
    ))?;
    Ok(())
}

/// The time in milliseconds within which so many of a thousand lie; `sorted`, shortest first.
fn milliseconds_at(sorted: &[Duration], permille: usize) -> f64 {
    let index = (sorted.len() * permille / 1000).min(sorted.len().saturating_sub(1));
    sorted.get(index).map_or(0.0, |it| it.as_secs_f64() * 1000.0)
}

/// Resident memory of a process; 0 where the system does not say.
fn resident_kib(process: &str) -> u64 {
    status_kib(process, "VmRSS:")
}

/// A line of a process's status; 0 where the system does not say.
fn status_kib(process: &str, line: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line));
    found.and_then(|it| it.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
