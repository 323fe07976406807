//! A long log: how fast it grows, what it weighs, and what it costs to prove something of it.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use contract::journal::{
    GetConsistencyProofRequest, GetInclusionProofRequest,
    journal_service_client::JournalServiceClient,
};
use journal::{Journal, Journals, audit, proof};
use rpc::{Caller, Peer, Reach, Scope};
use sqlx::Connection;
use tokio::task::JoinSet;
use tonic::service::Routes;

use super::{
    journal::Times,
    log::{self, Place},
    resident_kib,
};
use crate::{command::say, secrets::Secrets};

/// Times the log is looked at while it grows.
const LOOKS: u32 = 10;
/// Proofs asked for, of each kind.
const PROOFS: u64 = 1000;

pub(crate) async fn run(events: u32, callers: u32, database_url: Option<String>) -> Result<()> {
    let place = Place::new(database_url).await?;
    let journal = log::open(&place.url).await?;
    let keys = tempfile::tempdir()?;
    journal.guard(Secrets::open(keys.path())?.journal).await?;
    journal.attest(&proof::Settings::default());
    for look in 0..LOOKS {
        let started = Instant::now();
        let share = events / LOOKS / callers;
        grow(&journal, look, callers, share).await?;
        let count = share * callers;
        say(format_args!(
            "{:>9} events: {:>6.0} a second, {} MiB resident",
            count * (look + 1),
            f64::from(count) / started.elapsed().as_secs_f64(),
            resident_kib("self") / 1024,
        ))?;
    }
    let signing = Instant::now();
    journal.sign().await?;
    let head = u64::try_from(journal.head().await?)?;
    let weight = weight(&place.url).await?;
    say(format_args!(
        "all signed {:.1} s later; {} bytes an event on disk, indexes and tree included",
        signing.elapsed().as_secs_f64(),
        weight / head,
    ))?;
    prove(&journal, head).await?;
    let started = Instant::now();
    let audit = audit(&journal).await?;
    anyhow::ensure!(audit.flaws.is_empty(), "{:?}", audit.flaws);
    let seconds = started.elapsed().as_secs_f64();
    say(format_args!(
        "verified in {seconds:.1} s: {} events, {} checkpoints, {} nodes, no flaw; {} MiB resident",
        audit.events,
        audit.checkpoints,
        audit.nodes,
        resident_kib("self") / 1024,
    ))?;
    journal.close();
    journal.db().close().await;
    place.remove().await
}

/// Appends single events, each caller to a stream of its own.
async fn grow(journal: &Journal, look: u32, callers: u32, share: u32) -> Result<()> {
    let mut tasks = JoinSet::new();
    for caller in 0..callers {
        let journal = journal.clone();
        tasks.spawn(async move {
            let stream = format!("bench/{caller}");
            for version in look * share + 1..=(look + 1) * share {
                log::append(&journal, &stream, version).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Bytes of everything the log keeps.
async fn weight(url: &str) -> Result<u64> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        return Ok(std::fs::metadata(path)?.len());
    }
    let mut connection = sqlx::PgConnection::connect(url).await?;
    let size: i64 = sqlx::query_scalar("SELECT pg_database_size(current_database())")
        .fetch_one(&mut connection)
        .await?;
    Ok(u64::try_from(size)?)
}

/// Asks for proofs of events all over the log, as callers do.
async fn prove(journal: &Journal, head: u64) -> Result<()> {
    let service = journal.service().to_owned();
    let journals: Journals = [journal.clone()].into_iter().collect();
    let caller = Caller::whole("bench", Reach::Platform, [Scope::JournalRead]);
    let peer: Peer = rpc::near(Routes::new(journals.grpc()), caller);
    let mut client = JournalServiceClient::new(peer);
    let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
    for number in 0..PROOFS {
        // Far apart, and no two in the same tile but by chance.
        let position = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) % head + 1;
        let request = GetInclusionProofRequest {
            service: service.clone(),
            position: Some(position),
            ..GetInclusionProofRequest::default()
        };
        inclusion.push(timed(client.get_inclusion_proof(request)).await?);
        let request =
            GetConsistencyProofRequest { service: service.clone(), first: position, second: None };
        consistency.push(timed(client.get_consistency_proof(request)).await?);
    }
    for (what, times) in [("inclusion", inclusion), ("consistency", consistency)] {
        let Times { p50, p99, .. } = Times::from(times, Duration::from_secs(1));
        say(format_args!("{what} proofs: p50 {p50:.2} ms, p99 {p99:.2} ms"))?;
    }
    Ok(())
}

async fn timed<T>(answer: impl Future<Output = Result<T, tonic::Status>>) -> Result<Duration> {
    let asked = Instant::now();
    answer.await.context("a proof")?;
    Ok(asked.elapsed())
}
