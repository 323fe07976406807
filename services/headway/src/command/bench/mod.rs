//! Measurements that anyone can repeat: a fresh deployment, driven over the network as a vendor drives it.

mod flush;
mod guarded;
pub(crate) mod ingest;
pub(crate) mod journal;
mod log;
pub(crate) mod long;
mod message_db;
pub(crate) mod order;
mod scratch;
pub(crate) mod snapshot;
pub(crate) mod subscribe;

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use contract::intelligence::RecordKind;
use host::telemetry;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};
use tokio_util::sync::CancellationToken;

use crate::{
    command::{rest::Rest, say, stage::Stage},
    config::{Config, Overrides},
    deployment::{Deployment, Serving},
};

const PUPILS: u32 = 30;
const STARTS: usize = 5;
/// What a started process is given before its memory is looked at.
const SETTLING: Duration = Duration::from_secs(2);

/// Pushes registers of 30 marks and says how long each took to be acknowledged.
pub(crate) async fn register(
    registers: u32,
    callers: u32,
    database_url: Option<String>,
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let data_dir = Some(folder.path().to_owned());
    let overrides = Overrides { data_dir, database_url, ..Overrides::default() };
    let mut config = Config::load(&overrides, Some(([127, 0, 0, 1], 0).into()), None)?;
    config.limits = config.limits.lifted();
    let metrics = telemetry::start_metrics()?;
    let stop = CancellationToken::new();
    let deployment = Deployment::open(&config, None).await?;
    let Serving { address, secrets, task, .. } =
        deployment.serve(&config, metrics, stop.clone()).await?;

    let stage = Stage::raise(address, &secrets).await?;
    let urn = stage.schools.first().context("the trust has schools")?.urn.clone();
    let feed_id =
        stage.feed("bench", &[RecordKind::Enrolment, RecordKind::AttendanceRegister]).await?;
    let token = stage.vendor("bench")?;
    let path = format!("/v1/feeds/{feed_id}/batches");
    let address = address.to_string();
    enrol(&mut Rest::connect(&address, &token).await?, &path, &urn, callers).await?;

    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let mut rest = Rest::connect(&address, &token).await?;
        let (path, urn) = (path.clone(), urn.clone());
        let share = registers / callers;
        tasks.spawn(async move {
            let mut times = Vec::new();
            for number in 0..share {
                let body = form_register(&urn, caller, number)?;
                let sent = Instant::now();
                rest.post(&path, &body).await?;
                times.push(sent.elapsed());
            }
            anyhow::Ok(times)
        });
    }
    let mut times = Vec::new();
    while let Some(done) = tasks.join_next().await {
        times.extend(done??);
    }
    let elapsed = started.elapsed();
    stop.cancel();
    task.await?;
    report(&mut times, elapsed, callers)?;
    say(format_args!(
        "resident afterwards, callers included: {} MiB",
        resident_kib("self") / 1024
    ))?;
    Ok(())
}

/// Puts a form of 30 on roll for each caller.
async fn enrol(rest: &mut Rest, path: &str, urn: &str, callers: u32) -> Result<()> {
    let records: Vec<_> = (0..callers * PUPILS)
        .map(|pupil| {
            json!({"externalId": format!("e{pupil}"), "enrolment": {
                "urn": urn, "pupil": format!("p{pupil}"), "yearGroup": 3, "startsOn": "2020-09-01",
            }})
        })
        .collect();
    let batch = rest.post(path, &json!({"records": records})).await?;
    anyhow::ensure!(batch.get("rejected") == Some(&json!(0)), "{batch}");
    Ok(())
}

/// One form's register for one session; each a session of its own.
fn form_register(urn: &str, caller: u32, number: u32) -> Result<Value> {
    let day = NaiveDate::from_ymd_opt(2021, 1, 4)
        .and_then(|it| it.checked_add_days(Days::new(u64::from(number / 2))))
        .context("a day")?;
    let (session, code) = if number.is_multiple_of(2) { ("AM", "/") } else { ("PM", "\\") };
    let marks: Vec<_> = (caller * PUPILS..(caller + 1) * PUPILS)
        .map(|pupil| {
            let code = if (pupil + number).is_multiple_of(17) { "I" } else { code };
            json!({"pupil": format!("p{pupil}"), "code": code})
        })
        .collect();
    Ok(json!({"records": [{"externalId": format!("r{caller}-{number}"), "attendanceRegister": {
        "urn": urn, "date": day.to_string(), "session": session, "marks": marks,
    }}]}))
}

fn report(times: &mut [Duration], elapsed: Duration, callers: u32) -> Result<()> {
    times.sort_unstable();
    let at = |permille| milliseconds_at(times, permille);
    let count = u32::try_from(times.len())?;
    say(format_args!(
        "{count} registers of {PUPILS} marks from {callers} callers in {:.1} s: {:.0} a second",
        elapsed.as_secs_f64(),
        f64::from(count) / elapsed.as_secs_f64()
    ))?;
    say(format_args!(
        "acknowledged within p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
        at(500),
        at(900),
        at(990),
        at(1000)
    ))?;
    Ok(())
}

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
