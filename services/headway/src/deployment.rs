//! Services put together: their databases, their doors, and what follows what.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use access::{Directory, Outward, People};
use anyhow::{Context, Result};
use axum::Router;
use dashboard::{Board, Peers};
use db::{Access, Db, Migrations, Options};
use host::{Part, front};
use journal::{Follower, Journal, Journals, Source};
use metrics_exporter_prometheus::PrometheusHandle;
use relay::Nats;
use rpc::{Peer, Reach, Scope, auth::Authority, token::Keys};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use uuid::Uuid;

use crate::{
    channel::{caller, connect, landing},
    config::{Config, Service},
    issuer::DemonstrationIssuer,
    secrets::Secrets,
};

/// How long followers and relays have to end by themselves.
const PARTING: std::time::Duration = std::time::Duration::from_secs(3);

/// Channels for webhooks that are kept at the same time, at the most.
const CHANNELS: usize = 10_000;

/// Services that run in this process.
pub struct Deployment {
    secrets: Secrets,
    opened: Opened,
    routes: Routes,
    shared: Router,
}

impl Deployment {
    /// Opens the databases of one service or of all and brings their schemas up to date.
    pub async fn open(config: &Config, only: Option<Service>) -> Result<Self> {
        std::fs::create_dir_all(&config.data_dir)
            .with_context(|| config.data_dir.display().to_string())?;
        let secrets = Secrets::of(config)?;
        let mut opened = Opened::default();
        if let Some(url) = &config.nats_url {
            opened.nats = Some(Nats::connect(url).await.context("nats_url")?);
        }
        for service in Service::ALL.into_iter().filter(|it| only.is_none_or(|only| only == *it)) {
            opened.open(config, service, &secrets).await?;
        }
        let journals: Journals = opened.journals.iter().cloned().collect();
        let routes = std::mem::take(&mut opened.routes).add_service(journals.grpc());
        Ok(Self { secrets, opened, routes, shared: journals.rest() })
    }

    /// A channel to the services in this process, for somebody with those scopes.
    pub(crate) fn near(&self, client_id: &str, reach: Reach, scopes: &[Scope]) -> Peer {
        rpc::near(self.routes.clone(), caller(client_id, reach, scopes))
    }

    /// The registry, where it runs here.
    pub(crate) fn registry(&self) -> Option<&registry::App> {
        self.opened.registry.as_ref()
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.secrets.tokens
    }

    pub(crate) fn journals(&self) -> &[Journal] {
        &self.opened.journals
    }

    /// How many keys of pupils' ids there are, and with how many each trust's are hashed.
    pub(crate) async fn generations(&self) -> Result<(u32, Vec<(Uuid, u32)>)> {
        let app = self.opened.intelligence.as_ref().context("intelligence does not run here")?;
        Ok(app.generations().await?)
    }

    /// What the services here follow, to be acted on rather than run.
    pub(crate) fn followers(&self, config: &Config) -> Result<Vec<Follower>> {
        let Self { secrets, opened, routes, .. } = self;
        Reachable { config, here: opened, routes, secrets }.followers()
    }

    /// Starts what follows what, and serves until told to stop; gives the address once it listens.
    pub(crate) async fn serve(
        self,
        config: &Config,
        metrics: PrometheusHandle,
        stop: CancellationToken,
    ) -> Result<Serving> {
        self.serve_by(config, metrics, stop, |it| it).await
    }

    /// The same with something between callers and what knows them; for measurements.
    pub(crate) async fn serve_by(
        self,
        config: &Config,
        metrics: PrometheusHandle,
        stop: CancellationToken,
        between: impl FnOnce(Arc<dyn Authority>) -> Arc<dyn Authority>,
    ) -> Result<Serving> {
        let listen = config.listen;
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
        let address = listener.local_addr()?;
        let Self { secrets, opened, routes, shared } = self;
        let files = config.tls.files()?;
        let server = files.as_ref().map(tls::Server::open).transpose().context("[tls]")?;
        let scheme = if server.is_some() { "https" } else { "http" };
        let peers = Reachable { config, here: &opened, routes: &routes, secrets: &secrets };
        let settings = config.journal.settings();
        let mut tasks = JoinSet::new();
        for follower in peers.followers()? {
            tasks.spawn(follower.run());
        }
        if let Some(app) = &opened.intelligence {
            tasks.spawn(app.work(config.ingest.workers));
            tasks.spawn(app.clone().keep_house());
        }
        let directory = peers.directory().await?;
        if let Some(app) = &opened.registry {
            let known = directory.clone();
            let standing = move |client_id: &str, trust_id| known.stands(client_id, trust_id);
            app.connect(peers.journals(), Box::new(standing));
            tasks.spawn(app.clone().tell());
        }
        for journal in &opened.journals {
            journal.attest(&settings);
            if let Some(nats) = &opened.nats {
                tasks.spawn(nats.relay(journal.clone()));
            }
        }
        let mut shared = shared.merge(peers.board()?.unwrap_or_else(landing));
        if let Some(app) = &opened.registry {
            let base = config.base(scheme, address);
            let oauth = registry::Oauth::new(app.clone(), secrets.tokens.clone(), base);
            shared = shared.merge(oauth.routes());
        }
        if config.access.demonstration_issuer {
            let issuer = DemonstrationIssuer::open(config, address)?;
            shared = issuer.map_or(shared.clone(), |it| shared.merge(it.routes()));
        }
        let (keeping, closing) = (directory.clone(), stop.clone());
        tokio::spawn(async move { closing.run_until_cancelled(keeping.keep()).await });
        let Opened { parts, journals, .. } = opened;
        let authority = between(Arc::new(directory));
        let router = front(parts, shared, routes, authority, metrics, config.limits).await;
        let limits = config.limits;
        let task = tokio::spawn(async move {
            let closing = stop.clone();
            let open = journals.clone();
            tokio::spawn(async move {
                closing.cancelled().await;
                open.iter().for_each(Journal::close);
            });
            host::serve(listener, router, limits, server, stop).await;
            // They end by themselves once the journals are closed, and give their leases back.
            let ended = async { while tasks.join_next().await.is_some() {} };
            drop(tokio::time::timeout(PARTING, ended).await);
            tasks.abort_all();
            while tasks.join_next().await.is_some() {}
            for journal in journals {
                journal.db().close().await;
            }
        });
        Ok(Serving { url: format!("{scheme}://{address}"), address, secrets, task })
    }
}

/// A server under way.
pub(crate) struct Serving {
    pub(crate) url: String,
    pub(crate) address: SocketAddr,
    pub(crate) secrets: Secrets,
    pub(crate) task: tokio::task::JoinHandle<()>,
}

#[derive(Default)]
struct Opened {
    registry: Option<registry::App>,
    intelligence: Option<intelligence::App>,
    improvement: Option<improvement::App>,
    parts: Vec<Part>,
    journals: Vec<Journal>,
    routes: Routes,
    nats: Option<Nats>,
}

impl Opened {
    async fn open(&mut self, config: &Config, service: Service, secrets: &Secrets) -> Result<()> {
        let migrations = match service {
            Service::Registry => registry::migrations(),
            Service::Intelligence => intelligence::migrations(),
            Service::Improvement => improvement::migrations(),
        };
        let db = database(config, service, service.name(), migrations, Access::Restricted).await?;
        let routes = std::mem::take(&mut self.routes);
        let (journal, rest, routes) = match service {
            Service::Registry => {
                let sender = webhook::Sender::new(config.webhooks.policy())?;
                let app = registry::App::open(db.clone())
                    .with_loopback_issuers(config.access.loopback_issuers)
                    .with_webhooks(secrets.webhooks.clone(), sender);
                let routes = routes.add_service(app.grpc()).add_service(app.access());
                let routes = routes.add_service(app.grpc_of_webhooks());
                let opened = (app.journal().clone(), app.rest(), routes);
                self.registry = Some(app);
                opened
            }
            Service::Intelligence => {
                let app = intelligence::App::open(db.clone(), secrets.pupils.0.clone())
                    .taking(config.ingest.sizes(), self.nats.as_ref().map(Nats::work));
                let routes = routes.add_service(app.grpc()).add_service(app.privacy().grpc());
                let opened = (app.journal().clone(), app.rest(), routes);
                self.intelligence = Some(app);
                opened
            }
            Service::Improvement => {
                let app = improvement::App::open(db.clone());
                let routes = routes.add_service(app.grpc());
                let opened = (app.journal().clone(), app.rest(), routes);
                self.improvement = Some(app);
                opened
            }
        };
        journal.check()?;
        self.routes = routes;
        let checked = journal.guard(secrets.journal.clone()).await;
        checked.with_context(|| format!("reading the journal of {}", service.name()))?;
        let damage = journal.damage();
        self.journals.push(journal);
        self.parts.push(Part { name: service.name(), rest, db, damage });
        Ok(())
    }

    fn runs(&self, service: Service) -> bool {
        self.journals.iter().any(|it| it.service() == service.name())
    }
}

/// Opens a service's database under a schema of that name.
pub(crate) async fn database(
    config: &Config,
    service: Service,
    schema: &str,
    migrations: Migrations,
    access: Access,
) -> Result<Db> {
    let options = Options { readers: config.connections, access, ..Options::default() };
    Db::open(&config.url(service), schema, migrations, options).await.map_err(|error| {
        // SQLite: CORRUPT and NOTADB.
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        let damaged = matches!(code.as_deref(), Some("11" | "26" | "267"));
        let advice =
            if damaged { ": the file is damaged or cut short; put a copy back" } else { "" };
        let doing = format!("opening the database of {}{advice}", service.name());
        anyhow::Error::new(error).context(doing)
    })
}

/// Channels to services, near or far.
struct Reachable<'a> {
    config: &'a Config,
    here: &'a Opened,
    routes: &'a Routes,
    secrets: &'a Secrets,
}

impl Reachable<'_> {
    /// What the services here follow.
    fn followers(&self) -> Result<Vec<Follower>> {
        let mut followers = Vec::new();
        if let Some(app) = &self.here.intelligence {
            followers.push(app.follow(self.source(Service::Registry, intelligence::NAME)?));
        }
        if let Some(app) = &self.here.improvement {
            let registry = self.source(Service::Registry, improvement::NAME)?;
            let intelligence = self.source(Service::Intelligence, improvement::NAME)?;
            followers.push(app.follow_registry(registry));
            followers.push(app.follow_intelligence(intelligence));
        }
        Ok(followers)
    }

    /// For a service of ours that follows another's journal.
    fn source(&self, of: Service, from: &'static str) -> Result<Source> {
        let peer = self.channel(of, from, Reach::Platform, vec![Scope::JournalRead])?;
        let source = Source::new(of.name(), peer);
        Ok(match &self.here.nats {
            Some(nats) => source.carried_by(Arc::new(nats.carrier())),
            None => source,
        })
    }

    /// Channels to journals, for telling webhooks of them. One that nobody said where it is, is missed when it is asked for.
    fn journals(&self) -> Box<registry::Channels> {
        let (config, secrets) = (self.config.clone(), self.secrets.clone());
        let routes = self.routes.clone();
        let here: Vec<_> = Service::ALL.into_iter().filter(|it| self.here.runs(*it)).collect();
        let known: Mutex<HashMap<_, Peer>> = Mutex::default();
        Box::new(move |name, reach| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(peer) = known.get(&(name, reach)) {
                return Ok(peer.clone());
            }
            let unknown = || rpc::Error::internal(format!("no service {name}"));
            let to = Service::ALL.into_iter().find(|it| it.name() == name).ok_or_else(unknown)?;
            let parts = (&config, &secrets, here.contains(&to).then_some(&routes));
            let channel = connect(parts, to, registry::NAME, reach, vec![Scope::JournalRead]);
            let channel = channel.map_err(|error| {
                let detail = "it is not known where a journal is";
                rpc::Error::new(rpc::Reason::Unavailable, detail).caused_by(error.to_string())
            })?;
            if known.len() >= CHANNELS {
                known.clear();
            }
            known.insert((name, reach), channel.clone());
            Ok(channel)
        })
    }

    fn channel(
        &self,
        to: Service,
        from: &'static str,
        reach: Reach,
        scopes: Vec<Scope>,
    ) -> Result<Peer> {
        let near = self.here.runs(to).then_some(self.routes);
        connect((self.config, self.secrets, near), to, from, reach, scopes)
    }

    /// What this process knows of who may do what, asked for once already where the registry runs here.
    async fn directory(&self) -> Result<Directory> {
        let scopes = vec![Scope::DirectoryRead];
        let peer = self.channel(Service::Registry, "directory", Reach::Platform, scopes)?;
        let outward =
            if self.config.access.loopback_issuers { Outward::Loopback } else { Outward::Public };
        let people = People::new(outward)?;
        let directory = Directory::new(self.secrets.tokens.clone(), peer, people);
        if self.here.runs(Service::Registry) {
            directory.refresh(Instant::now()).await?;
        }
        Ok(directory)
    }

    /// The board of the trust that the settings name.
    fn board(&self) -> Result<Option<Router>> {
        let Some(trust_id) = &self.config.board.trust_id else { return Ok(None) };
        let trust = Uuid::try_parse(trust_id).context("[board] trust_id")?;
        let channel = |to| {
            let scopes = vec![
                Scope::RegistryRead,
                Scope::IntelligenceRead,
                Scope::ImprovementRead,
                Scope::JournalRead,
            ];
            self.channel(to, "board", Reach::Trust(trust), scopes)
        };
        let peers = Peers {
            registry: channel(Service::Registry)?,
            intelligence: channel(Service::Intelligence)?,
            improvement: channel(Service::Improvement)?,
        };
        Ok(Some(Board::new(peers, trust_id, self.config.board.demonstration).routes()))
    }
}
