use std::{
    fs,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use contract::intelligence::{
    Batch, PushRecordsRequest, intelligence_service_client::IntelligenceServiceClient,
};
use host::telemetry;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use metrics_exporter_prometheus::PrometheusHandle;
use rpc::token::create_private;
use rpc::{Peer, Scope};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    import::{push as push_file, refused},
    perform::Performer,
    say,
    stage::Stage,
    stop_on_signal,
};
use crate::{
    config::{Config, LOCAL, Overrides, Service},
    demo::{self, Plan, Push, School, story},
    deployment::{Deployment, Serving},
};

const FOLDER: &str = "headway-demo";
/// The demonstration's credentials, written last: where it is, the demonstration is whole.
const KEPT: &str = "demo.json";
const VENDOR: &str = "demo-mis";
const ADMIN: &str = "trust-admin";
/// Between two live pushes.
const BREATH: Duration = Duration::from_secs(2);

/// What a later run needs to go on.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    told: Told,
    /// The schools as the pupils and marks were drawn for them.
    schools: Vec<School>,
}

/// What `demo --json` prints, with the address of this run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    url: String,
    trust_id: Uuid,
    urn: String,
    feed_id: String,
    vendor: Credential,
    admin: Credential,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Credential {
    client_id: String,
    client_secret: String,
    /// Holds for an hour; `POST /oauth2/token` gives another.
    #[serde(default)]
    token: String,
}

/// Runs the services with a demonstration trust, made on first start through the public API, and pushes live registers.
pub(crate) async fn run(
    settings: &Overrides,
    listen: Option<SocketAddr>,
    json: bool,
) -> Result<()> {
    let config = Config::load(settings, listen, Some(FOLDER))?;
    telemetry::start_logs(&config.log, config.log_json)?;
    let metrics = telemetry::start_metrics()?;
    let stop = stop_on_signal()?;
    let path = config.data_dir.join(KEPT);
    if !path.exists() {
        clear(&config)?;
        let building = build(&config, metrics.clone(), json);
        tokio::select! {
            built = building => built?,
            () = stop.cancelled() => return Ok(()),
        }
    }
    let mut kept: Kept = serde_json::from_slice(&fs::read(&path)?).context(KEPT)?;
    // Building left settings that show the trust's board.
    let config = Config::load(settings, listen, Some(FOLDER))?;
    let serving =
        Deployment::open(&config, None).await?.serve(&config, metrics, stop.clone()).await?;
    kept.told.url = serving.url.clone();
    let stage = Stage::again(serving.address, &serving.secrets, kept.told.trust_id)?;
    stage.sign_in_here(&kept.told.urn).await?;
    for it in [&mut kept.told.vendor, &mut kept.told.admin] {
        it.token = stage.token(&it.client_id, &it.client_secret).await?;
    }
    if json {
        say(serde_json::to_string(&kept.told)?)?;
    } else {
        welcome(&kept.told)?;
    }
    let live = live(&serving, &kept);
    tokio::select! {
        // First, so that a push the stop cut short is no news.
        biased;
        () = stop.cancelled() => {}
        ended = live => ended?,
    }
    stop.cancel();
    serving.task.await?;
    Ok(())
}

/// Removes what a demonstration that was not finished left behind.
fn clear(config: &Config) -> Result<()> {
    let files = Service::ALL.iter().flat_map(|service| {
        ["db", "db-wal", "db-shm"].map(|it| config.data_dir.join(service.name()).with_extension(it))
    });
    for file in files.chain([config.data_dir.join(LOCAL)]).filter(|it| it.exists()) {
        fs::remove_file(&file).with_context(|| file.display().to_string())?;
    }
    Ok(())
}

/// Makes the demonstration through the public API of a server of its own, then stops that server.
async fn build(config: &Config, metrics: PrometheusHandle, quiet: bool) -> Result<()> {
    let config = Config { listen: ([127, 0, 0, 1], 0).into(), ..config.clone() };
    let stop = CancellationToken::new();
    let serving =
        Deployment::open(&config, None).await?.serve(&config, metrics, stop.clone()).await?;
    let started = Instant::now();
    let stage = Stage::raise(serving.address, &serving.secrets).await?;
    let urns: Vec<&str> = stage.schools.iter().map(|it| it.urn.as_str()).collect();
    let establishments = stage.establishments(&urns).await?;
    let schools: Vec<School> =
        establishments.iter().map(|it| School::of(it, story::trend(&it.urn))).collect();
    let today = calendar::london_date(rpc::now());
    let plan = Plan::new(story::SEED, schools.clone(), story::changes(), today);
    let mut performer = Performer::new(stage.trust_id.to_string(), &stage.operator);
    performer.play(story::before_changes(VENDOR)).await?;
    let feed_id = performer.feed_id.clone().context("the story creates a feed")?;
    let vendor = stage.channel(VENDOR, &[Scope::RecordsWrite])?;
    let bar = bar(quiet, plan.marks())?;
    push_all(&vendor, &feed_id, plan.before_changes(), &bar).await?;
    for file in [demo::LINKS_CHANGES, demo::REGISTER_CHANGES] {
        push_file(stage.operator.clone(), file, &ProgressBar::hidden()).await?;
    }
    stage.knows(story::CONVERTED.1).await?;
    push_all(&vendor, &feed_id, plan.after_changes(), &bar).await?;
    performer.play(story::after_changes(today)).await?;
    bar.finish_and_clear();
    if !quiet {
        say(format_args!(
            "Made a demonstration trust: {} marks in {:.0} s",
            bar.position(),
            started.elapsed().as_secs_f64()
        ))?;
    }
    let settings = format!(
        "[board]\ntrust_id = \"{}\"\ndemonstration = true\n\n\
         [access]\nloopback_issuers = true\ndemonstration_issuer = true\n",
        stage.trust_id
    );
    fs::write(config.data_dir.join(LOCAL), settings)?;
    let kept = keep(&config, &stage, feed_id, schools).await;
    stop.cancel();
    serving.task.await?;
    kept
}

async fn keep(config: &Config, stage: &Stage, feed_id: String, schools: Vec<School>) -> Result<()> {
    let credential = |client_id: &str, client_secret| Credential {
        client_id: client_id.to_owned(),
        client_secret,
        token: String::new(),
    };
    let (vendor, admin) = (stage.vendor(VENDOR).await?, stage.admin(ADMIN).await?);
    let told = Told {
        url: String::new(),
        trust_id: stage.trust_id,
        urn: stage.schools.first().context("the trust has schools")?.urn.clone(),
        feed_id,
        vendor: credential(VENDOR, vendor),
        admin: credential(ADMIN, admin),
    };
    let kept = serde_json::to_vec_pretty(&Kept { told, schools })?;
    create_private(&config.data_dir.join(KEPT), &kept)?;
    Ok(())
}

fn bar(quiet: bool, marks: u64) -> Result<ProgressBar> {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let style = ProgressStyle::with_template(
        "Three years of registers {wide_bar} {human_pos}/{human_len} marks, {eta} to go",
    )?;
    Ok(ProgressBar::with_draw_target(Some(marks), target).with_style(style))
}

async fn push_all(
    vendor: &Peer,
    feed_id: &str,
    pushes: impl Iterator<Item = Push>,
    bar: &ProgressBar,
) -> Result<()> {
    for it in pushes {
        let marks = it.marks as u64;
        let batch = push(vendor, feed_id, it).await?;
        anyhow::ensure!(batch.rejected == 0, "{} records were rejected", batch.rejected);
        bar.inc(marks);
    }
    Ok(())
}

async fn push(vendor: &Peer, feed_id: &str, push: Push) -> Result<Batch> {
    let first = PushRecordsRequest { feed_id: feed_id.to_owned(), ..PushRecordsRequest::default() };
    // Well below the largest message gRPC takes by default, 4 MiB.
    let pieces: Vec<_> = push.records.chunks(20).map(<[_]>::to_vec).collect();
    let pieces = pieces
        .into_iter()
        .map(|records| PushRecordsRequest { records, ..PushRecordsRequest::default() });
    let stream = futures::stream::iter(std::iter::once(first).chain(pieces));
    let mut client = IntelligenceServiceClient::new(vendor.clone());
    client.push_records(stream).await.map(tonic::Response::into_inner).map_err(refused)
}

/// Pushes the registers of the session that is on, form by form, for as long as the demonstration runs.
async fn live(serving: &Serving, kept: &Kept) -> Result<()> {
    let stage = Stage::again(serving.address, &serving.secrets, kept.told.trust_id)?;
    let vendor = stage.channel(VENDOR, &[Scope::RecordsWrite])?;
    let today = calendar::london_date(rpc::now());
    let plan = Plan::new(story::SEED, kept.schools.clone(), story::changes(), today);
    loop {
        for it in plan.live(rpc::now()) {
            if let Err(error) = push(&vendor, &kept.told.feed_id, it).await {
                tracing::warn!(%error, "a live register was not taken");
            }
            tokio::time::sleep(BREATH).await;
        }
    }
}

fn welcome(kept: &Told) -> Result<()> {
    let day = calendar::london_date(rpc::now()).pred_opt().context("a day")?;
    let body = json!({"records": [
        {"externalId": "enrolment-1", "enrolment":
            {"urn": kept.urn, "pupil": "A1093", "yearGroup": 4, "startsOn": "2025-09-01"}},
        {"externalId": "register-1", "attendanceRegister":
            {"urn": kept.urn, "date": day.to_string(), "session": "AM", "marks": [{"pupil": "A1093", "code": "/"}]}},
    ]});
    say(format_args!("\nHeadway is running with a demonstration trust: {}\n", kept.url))?;
    say(format_args!("The board's page   {}/", kept.url))?;
    say(format_args!("The trust          {}", kept.trust_id))?;
    say(format_args!("A vendor           {}, feed {}", kept.vendor.client_id, kept.feed_id))?;
    say(format_args!("Its token          {}", kept.vendor.token))?;
    say(format_args!("An administrator's {}\n", kept.admin.token))?;
    say("Push a register as that vendor:\n")?;
    say(format_args!(
        "curl {}/v1/feeds/{}/batches -H 'authorization: Bearer {}' -H 'content-type: application/json' -d '{body}'\n",
        kept.url, kept.feed_id, kept.vendor.token
    ))?;
    say("Tokens hold for an hour. Another one:\n")?;
    say(format_args!(
        "curl {}/oauth2/token -u '{}:{}' -d grant_type=client_credentials\n",
        kept.url, kept.vendor.client_id, kept.vendor.client_secret
    ))?;
    say("Live registers keep coming. Ctrl-C stops; the same command goes on where it was.")?;
    Ok(())
}
