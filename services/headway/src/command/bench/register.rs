//! Registers of 30 marks over REST: how long each takes to be acknowledged, and what asking who sends it costs of that.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use chrono::{Days, NaiveDate};
use contract::intelligence::RecordKind;
use futures::{FutureExt, future::BoxFuture};
use host::telemetry;
use rpc::{
    Caller, Reach, Scope,
    auth::{Admitted, Authority},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{milliseconds_at, resident_kib};
use crate::{
    command::{rest::Rest, say, stage::Stage},
    config::{Config, Overrides},
    deployment::{Deployment, Serving},
};

const PUPILS: u32 = 30;
/// What is sent in the place of a token where nobody is asked who they are.
const NOBODY: &str = "nobody";

/// Knows whoever sends no token as whoever runs the platform, without asking.
struct Open(Arc<dyn Authority>);

impl Authority for Open {
    fn admit<'a>(&'a self, token: &'a str) -> BoxFuture<'a, rpc::Result<Admitted>> {
        if token != NOBODY {
            return self.0.admit(token);
        }
        let caller = Caller::whole("bench", Reach::Platform, [Scope::RecordsWrite]);
        std::future::ready(Ok(Admitted { caller, watched: false })).boxed()
    }
}

/// Pushes registers of 30 marks and says how long each took to be acknowledged; with `rounds`, so often with a token and
/// without, in turn, over the same server.
pub(crate) async fn run(
    registers: u32,
    callers: u32,
    rounds: Option<u32>,
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
    let serving = deployment.serve_by(&config, metrics, stop.clone(), |it| Arc::new(Open(it)));
    let Serving { address, secrets, task, .. } = serving.await?;

    let stage = Stage::raise(address, &secrets).await?;
    let urn = stage.schools.first().context("the trust has schools")?.urn.clone();
    let feed_id =
        stage.feed("bench", &[RecordKind::Enrolment, RecordKind::AttendanceRegister]).await?;
    let secret = stage.vendor("bench").await?;
    let token = stage.token("bench", &secret).await?;
    let path = format!("/v1/feeds/{feed_id}/batches");
    let address = address.to_string();
    enrol(&mut Rest::connect(&address, &token).await?, &path, &urn, callers).await?;

    let mut at = Place { address, path, urn, callers, from: 0 };
    match rounds {
        None => {
            let (mut times, elapsed) = at.push(&token, registers).await?;
            report(&mut times, elapsed, callers)?;
        }
        Some(rounds) => compare(&mut at, &token, (registers, rounds)).await?,
    }
    stop.cancel();
    task.await?;
    say(format_args!(
        "resident afterwards, callers included: {} MiB",
        resident_kib("self") / 1024
    ))?;
    Ok(())
}

/// Where registers go.
struct Place {
    address: String,
    path: String,
    urn: String,
    callers: u32,
    /// Sessions that have registers already.
    from: u32,
}

impl Place {
    /// Pushes registers of sessions that have none; gives the time of each, and of all.
    async fn push(&mut self, token: &str, registers: u32) -> Result<(Vec<Duration>, Duration)> {
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        let (share, from) = (registers / self.callers, self.from);
        self.from += share;
        for caller in 0..self.callers {
            let mut rest = Rest::connect(&self.address, token).await?;
            let (path, urn) = (self.path.clone(), self.urn.clone());
            tasks.spawn(async move {
                let mut times = Vec::new();
                for number in from..from + share {
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
        Ok((times, started.elapsed()))
    }
}

/// Rounds with and without asking who sends, in turn, so that what else the machine does falls on both.
async fn compare(at: &mut Place, token: &str, (registers, rounds): (u32, u32)) -> Result<()> {
    at.push(token, registers.min(500)).await?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        let (mut asked, mut open) = (Duration::ZERO, Duration::ZERO);
        for turn in 0..2 {
            if (round + turn).is_multiple_of(2) {
                asked = at.push(token, registers).await?.1;
            } else {
                open = at.push(NOBODY, registers).await?.1;
            }
        }
        say(format_args!(
            "round {}: {:.2} s with authentication, authorisation and tenancy, {:.2} s without",
            round + 1,
            asked.as_secs_f64(),
            open.as_secs_f64()
        ))?;
        with.push(asked);
        without.push(open);
    }
    let median = |it: &mut Vec<Duration>| {
        it.sort_unstable();
        milliseconds_at(it, 500)
    };
    let (with, without) = (median(&mut with), median(&mut without));
    say(format_args!(
        "ratio of the medians: {:.3} ({:+.1} %)",
        with / without,
        (with / without - 1.0) * 100.0
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
