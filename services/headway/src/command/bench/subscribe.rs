//! How far subscribers are behind commits: in process, over the network, and through `JetStream`; and what a subscriber
//! that stopped reading costs.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use axum::http::header::{AUTHORIZATION, HOST};
use chrono::Duration as Span;
use contract::{
    journal::{SubscribeRequest, journal_service_client::JournalServiceClient},
    registry::TrustCreated,
};
use db::{Db, Options, Tx};
use futures::{StreamExt, future::BoxFuture, stream::BoxStream};
use host::{Limits, front, telemetry};
use http_body_util::{BodyExt, BodyStream, Empty};
use hyper::{Request, body::Bytes, client::conn::http1::handshake};
use hyper_util::rt::TokioIo;
use journal::{Carrier, Draft, Journal, Journals, Projection, Recorded, Source};
use rpc::{Ctx, Peer, Scope};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

use super::{milliseconds_at, resident_kib, scratch::Scratch};
use crate::{command::say, secrets::Secrets};

/// Callers who write while a subscriber is away.
const CALLERS: u32 = 128;
/// How long the last event may take to reach everybody.
const PATIENCE: Duration = Duration::from_secs(30);

/// What is measured.
pub(crate) struct Plan {
    pub(crate) rate: u32,
    pub(crate) seconds: u32,
    pub(crate) away: u32,
    pub(crate) database_url: Option<String>,
    pub(crate) nats_url: Option<String>,
}

type Positions = BoxStream<'static, Result<i64>>;

struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, rpc::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

pub(crate) async fn run(plan: Plan) -> Result<()> {
    let scratch = match &plan.database_url {
        Some(url) => Some(Scratch::create(url).await?),
        None => None,
    };
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("bench.db").display());
    let url = scratch.as_ref().map_or(file, Scratch::url);
    let service = format!("bench{}", rpc::new_id().simple()).leak();
    let db = Db::open(&url, service, journal::migrations(), Options::default()).await?;
    let server = Server::start(Journal::open(service, db, Nothing)).await?;
    server.lag(&plan).await?;
    server.away(plan.away).await?;
    server.stop().await;
    match scratch {
        Some(scratch) => scratch.remove().await,
        None => Ok(()),
    }
}

/// One journal, served over the network.
struct Server {
    journal: Journal,
    address: String,
    token: String,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(journal: Journal) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let secrets = Secrets::open(folder.path())?;
        let scopes = [Scope::JournalRead];
        let token = secrets.tokens.issue("bench", None, &scopes, rpc::now(), Span::hours(1))?;
        let journals: Journals = [journal.clone()].into_iter().collect();
        let grpc = Routes::new(journals.grpc());
        let metrics = telemetry::start_metrics()?;
        let limits = Limits::default().lifted();
        let authority = std::sync::Arc::new(secrets.tokens);
        let router = front(Vec::new(), journals.rest(), grpc, authority, metrics, limits).await;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let stop = CancellationToken::new();
        let task = tokio::spawn(host::serve(listener, router, limits, None, stop.clone()));
        Ok(Self { journal, address, token, stop, task })
    }

    async fn stop(self) {
        self.journal.close();
        self.stop.cancel();
        drop(self.task.await);
        self.journal.db().close().await;
    }

    fn peer(&self) -> Result<Peer> {
        let token = self.token.clone();
        Ok(rpc::far(&format!("http://{}", self.address), None, move || Ok(token.clone()))?)
    }

    async fn grpc(&self, after: u64) -> Result<Positions> {
        let request = SubscribeRequest { service: self.journal.service().to_owned(), after };
        let events = JournalServiceClient::new(self.peer()?).subscribe(request).await?;
        Ok(events.into_inner().map(|it| Ok(i64::try_from(it?.position)?)).boxed())
    }

    async fn sse(&self) -> Result<Positions> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let request =
            Request::get(format!("/v1/journals/{}/events/stream", self.journal.service()))
                .header(HOST, &self.address)
                .header(AUTHORIZATION, format!("Bearer {}", self.token))
                .body(Empty::<Bytes>::new())?;
        let response = sender.send_request(request).await?;
        ensure!(response.status().is_success(), "{}", response.status());
        let body = BodyStream::new(response.into_body().map_err(anyhow::Error::from));
        let mut rest = String::new();
        let positions = body.map(move |frame| {
            let data = frame?.into_data().unwrap_or_default();
            rest.push_str(std::str::from_utf8(&data)?);
            let mut found = Vec::new();
            while let Some(end) = rest.find('\n') {
                let line: String = rest.drain(..=end).collect();
                if let Some(position) = line.strip_prefix("id: ") {
                    found.push(Ok(position.trim().parse()?));
                }
            }
            anyhow::Ok(futures::stream::iter(found))
        });
        // The connection lives as long as the sender does.
        let kept = positions.map(move |it| {
            let _open = &sender;
            it.unwrap_or_else(|error| futures::stream::iter(vec![Err(error)]))
        });
        Ok(kept.flatten().boxed())
    }

    async fn carried(&self, nats: &relay::Nats) -> Result<Positions> {
        let source = Source::new(self.journal.service().to_owned().leak(), self.peer()?);
        for _ in 0..100 {
            if let Ok(events) = nats.carrier().events(&source, 0).await {
                return Ok(events.map(|it| Ok(it?.position)).boxed());
            }
            sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("the stream was not made")
    }

    /// Writes at a steady rate, and says when each subscriber had each event.
    async fn lag(&self, plan: &Plan) -> Result<()> {
        let mut subscribers = vec![
            ("in process", self.journal.subscribe(0).map(|it| Ok(it?.position)).boxed()),
            ("over gRPC", self.grpc(0).await?),
            ("over SSE", self.sse().await?),
        ];
        // A second journal over the database is what another process has: only a hint reaches it. On SQLite there is none.
        let elsewhere = match &self.journal.db() {
            Db::Sqlite { .. } => None,
            db @ Db::Postgres(_) => {
                Some(Journal::open(self.journal.service(), Db::clone(db), Nothing))
            }
        };
        if let Some(journal) = &elsewhere {
            let events = journal.subscribe(0).map(|it| Ok(it?.position)).boxed();
            subscribers.push(("in another process", events));
        }
        let mut relay = JoinSet::new();
        let nats = match &plan.nats_url {
            Some(url) => Some(relay::Nats::connect(url).await?),
            None => None,
        };
        if let Some(nats) = &nats {
            relay.spawn(nats.relay(self.journal.clone()));
            subscribers.push(("through JetStream", self.carried(nats).await?));
        }
        let committed: Arc<Mutex<HashMap<i64, Instant>>> = Arc::default();
        let last = i64::from(plan.rate * plan.seconds);
        let mut readers = JoinSet::new();
        for (name, mut events) in subscribers {
            readers.spawn(async move {
                let mut had = Vec::new();
                for expected in 1..=last {
                    let position =
                        timeout(PATIENCE, events.next()).await?.context("it ended")??;
                    ensure!(position == expected, "{name}: {position} came, not {expected}");
                    had.push(Instant::now());
                }
                anyhow::Ok((name, had))
            });
        }
        self.write_steadily(plan, &committed).await?;
        say(format_args!("behind commit, at {} events a second:", plan.rate))?;
        while let Some(read) = readers.join_next().await {
            let (name, had) = read??;
            let committed = committed.lock().unwrap_or_else(PoisonError::into_inner);
            // The first second is not counted: connections and caches fill.
            let mut lags: Vec<Duration> = (1..)
                .zip(had)
                .skip(plan.rate as usize)
                .filter_map(|(position, at)| {
                    Some(at.saturating_duration_since(*committed.get(&position)?))
                })
                .collect();
            tell(name, &mut lags)?;
        }
        relay.shutdown().await;
        if let Some(nats) = nats {
            nats.remove(self.journal.service()).await?;
        }
        if let Some(journal) = elsewhere {
            journal.close();
        }
        Ok(())
    }

    async fn write_steadily(
        &self,
        plan: &Plan,
        committed: &Arc<Mutex<HashMap<i64, Instant>>>,
    ) -> Result<()> {
        let mut tick = interval(Duration::from_secs(1) / plan.rate);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut writes = JoinSet::new();
        for _ in 0..plan.rate * plan.seconds {
            tick.tick().await;
            let (journal, committed) = (self.journal.clone(), Arc::clone(committed));
            writes.spawn(async move {
                let position = append(&journal).await?;
                let now = Instant::now();
                committed.lock().unwrap_or_else(PoisonError::into_inner).insert(position, now);
                anyhow::Ok(())
            });
        }
        while let Some(written) = writes.join_next().await {
            written??;
        }
        Ok(())
    }

    /// A subscriber stops reading while many events are committed, and then catches up.
    async fn away(&self, events: u32) -> Result<()> {
        let after = self.journal.head().await?;
        let mut stalled = self.grpc(u64::try_from(after)?).await?;
        append(&self.journal).await?;
        stalled.next().await.context("it ended")??;
        let before = resident_kib("self") / 1024;
        let started = Instant::now();
        let mut writers = JoinSet::new();
        for _ in 0..CALLERS {
            let journal = self.journal.clone();
            writers.spawn(async move {
                for _ in 0..events / CALLERS {
                    append(&journal).await?;
                }
                anyhow::Ok(())
            });
        }
        while let Some(written) = writers.join_next().await {
            written??;
        }
        let written = i64::from(events / CALLERS * CALLERS);
        say(format_args!(
            "{written} events committed in {:.1} s while a subscriber did not read",
            started.elapsed().as_secs_f64()
        ))?;
        let waiting = resident_kib("self") / 1024;
        let started = Instant::now();
        for expected in after + 2..=after + 1 + written {
            let position = stalled.next().await.context("it ended")??;
            ensure!(position == expected, "{position} came, not {expected}");
        }
        let rate = f64::from(events) / started.elapsed().as_secs_f64();
        let caught_up = resident_kib("self") / 1024;
        say(format_args!(
            "caught up at {rate:.0} events a second; resident, subscriber included: {before} MiB before, \
             {waiting} MiB while it did not read, {caught_up} MiB afterwards"
        ))?;
        Ok(())
    }
}

fn tell(name: &str, lags: &mut [Duration]) -> Result<()> {
    lags.sort_unstable();
    let at = |permille| milliseconds_at(lags, permille);
    say(format_args!(
        "  {name}: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms, {} events in order",
        at(500),
        at(990),
        at(1000),
        lags.len()
    ))?;
    Ok(())
}

async fn append(journal: &Journal) -> Result<i64> {
    let id = rpc::new_id();
    let message = TrustCreated { name: "x".repeat(200), ..TrustCreated::default() };
    let draft = Draft::new(id, Uuid::nil(), format!("bench/{id}"), 1, &message);
    Ok(journal.append(&Ctx::system("bench"), draft).await?.position)
}
