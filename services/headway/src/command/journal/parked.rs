//! Streams set aside: seen, replayed, passed over. Works beside a running server and without one.

use anyhow::Result;
use contract::journal::{
    ListParkedRequest, ReplayParkedRequest, SkipParkedRequest,
    journal_service_client::JournalServiceClient,
};
use host::telemetry;
use journal::Follower;
use rpc::{Peer, Reach, Scope};

use crate::{
    cli::Which,
    command::say,
    config::{Config, Overrides},
    deployment::Deployment,
};

/// The journals of all services, and who knows what to do about events.
struct Operating {
    client: JournalServiceClient<Peer>,
    services: Vec<&'static str>,
    /// Not run, only asked: they hold what a replay does.
    _followers: Vec<Follower>,
}

impl Operating {
    async fn open(settings: &Overrides) -> Result<Self> {
        let config = Config { nats_url: None, ..Config::load(settings, None, None)? };
        telemetry::start_logs(&config.log, config.log_json)?;
        let deployment = Deployment::open(&config, None).await?;
        let scopes = [Scope::JournalRead, Scope::JournalOperate];
        let peer = deployment.near("operator", Reach::Platform, &scopes);
        Ok(Self {
            client: JournalServiceClient::new(peer),
            services: deployment.journals().iter().map(journal::Journal::service).collect(),
            _followers: deployment.followers(&config)?,
        })
    }
}

pub(crate) async fn list(settings: &Overrides) -> Result<()> {
    let mut operating = Operating::open(settings).await?;
    let mut count = 0;
    for service in operating.services {
        let request = ListParkedRequest { service: service.to_owned() };
        for it in operating.client.list_parked(request).await?.into_inner().parked {
            count += 1;
            say(format_args!(
                "{service}: {} of {} is parked at position {} ({})\n  {}",
                it.stream, it.source, it.position, it.r#type, it.reason
            ))?;
        }
    }
    say(format_args!("{count} streams are parked"))?;
    Ok(())
}

pub(crate) async fn replay(settings: &Overrides, which: Which) -> Result<()> {
    let mut operating = Operating::open(settings).await?;
    let request = ReplayParkedRequest {
        service: which.service.name().to_owned(),
        source: which.source.name().to_owned(),
        stream: which.stream,
        reason: which.reason,
    };
    let events = operating.client.replay_parked(request).await?.into_inner().events;
    say(format_args!("{events} events applied; the stream goes on"))?;
    Ok(())
}

pub(crate) async fn skip(settings: &Overrides, which: Which, position: u64) -> Result<()> {
    let mut operating = Operating::open(settings).await?;
    let request = SkipParkedRequest {
        service: which.service.name().to_owned(),
        source: which.source.name().to_owned(),
        stream: which.stream,
        position,
        reason: which.reason,
    };
    let next = operating.client.skip_parked(request).await?.into_inner().parked_at_position;
    let now = match next {
        Some(next) => format!("the stream is parked at its next event, {next}"),
        None => "nothing waited behind it, and the stream goes on".to_owned(),
    };
    say(format_args!("passed over; {now}"))?;
    Ok(())
}
