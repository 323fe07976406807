//! Settings: one type, read once, from the commented default file, a file of the operator's, and flags or environment.

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use host::Limits;
use journal::proof::Settings;
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

const DEFAULTS: &str = include_str!("../headway.toml");
/// A file in the data directory that is read when no other is named; the demonstration leaves one.
pub(crate) const LOCAL: &str = "headway.toml";

/// One of the three services.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Service {
    Registry,
    Intelligence,
    Improvement,
}

impl Service {
    pub const ALL: [Self; 3] = [Self::Registry, Self::Intelligence, Self::Improvement];

    pub fn name(self) -> &'static str {
        match self {
            Self::Registry => registry::NAME,
            Self::Intelligence => intelligence::NAME,
            Self::Improvement => improvement::NAME,
        }
    }
}

/// What `headway.toml` holds; that file says what each key means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub data_dir: PathBuf,
    pub database_url: Option<String>,
    pub nats_url: Option<String>,
    pub keys_dir: Option<PathBuf>,
    pub public_url: Option<String>,
    pub connections: u32,
    pub log: String,
    pub log_json: bool,
    pub peers: Peers,
    pub ingest: Ingest,
    pub journal: Proof,
    pub board: Board,
    pub webhooks: Webhooks,
    pub limits: Limits,
    pub tls: Tls,
    pub access: AccessSettings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessSettings {
    pub loopback_issuers: bool,
    pub demonstration_issuer: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingest {
    pub workers: usize,
    pub batch_bytes: u64,
    pub batch_records: u32,
}

impl Ingest {
    /// As the service takes it.
    pub(crate) fn sizes(&self) -> intelligence::domain::Sizes {
        let (bytes, records) = (self.batch_bytes, self.batch_records);
        intelligence::domain::Sizes { bytes, records, ..Default::default() }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    pub name: Option<String>,
    pub checkpoint_interval_ms: u64,
    pub anchors: Vec<String>,
    pub anchor_interval_s: u64,
}

impl Proof {
    /// As the journals take it.
    pub(crate) fn settings(&self) -> Settings {
        // Reading an anchor cannot fail: what is no URL is a path.
        let anchors = self.anchors.iter().filter_map(|it| it.parse().ok()).collect();
        Settings {
            checkpoint_interval: Duration::from_millis(self.checkpoint_interval_ms),
            anchors,
            anchor_interval: Duration::from_secs(self.anchor_interval_s),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peers {
    pub registry: Option<String>,
    pub intelligence: Option<String>,
    pub improvement: Option<String>,
}

/// Where the certificates are; docs/tls.md.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    pub certificate: Option<PathBuf>,
    pub key: Option<PathBuf>,
    pub peers_ca: Option<PathBuf>,
}

impl Tls {
    /// The files, where the port is to speak TLS.
    pub(crate) fn files(&self) -> Result<Option<tls::Files>> {
        match (&self.certificate, &self.key) {
            (Some(certificate), Some(key)) => Ok(Some(tls::Files {
                certificate: certificate.clone(),
                key: key.clone(),
                peers_ca: self.peers_ca.clone(),
            })),
            (None, None) if self.peers_ca.is_none() => Ok(None),
            _ => bail!("[tls] needs both certificate and key, with peers_ca or without"),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    pub trust_id: Option<String>,
    pub demonstration: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub allow_private_targets: bool,
}

impl Webhooks {
    /// As the sender takes it.
    pub(crate) fn policy(&self) -> webhook::Policy {
        if self.allow_private_targets { webhook::Policy::Anywhere } else { webhook::Policy::Public }
    }
}

/// The settings that flags and environment may give.
#[derive(Args, Clone, Debug, Default, Serialize)]
pub struct Overrides {
    /// File with settings (default: headway.toml in the data directory, where there is one)
    #[arg(long, env = "HEADWAY_CONFIG", value_name = "FILE")]
    #[serde(skip)]
    pub config: Option<PathBuf>,
    /// Folder for databases and keys
    #[arg(long, env = "HEADWAY_DATA_DIR", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<PathBuf>,
    /// PostgreSQL to use instead of SQLite files
    #[arg(long, env = "HEADWAY_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub database_url: Option<String>,
    /// NATS server with JetStream that carries the journals' events
    #[arg(long, env = "HEADWAY_NATS_URL", hide_env_values = true, value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_url: Option<String>,
    /// Folder for keys
    #[arg(long, env = "HEADWAY_KEYS_DIR", value_name = "DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys_dir: Option<PathBuf>,
    /// Where callers reach this deployment
    #[arg(long, env = "HEADWAY_PUBLIC_URL", value_name = "URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// What to log
    #[arg(long, env = "RUST_LOG", value_name = "FILTER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
}

impl Config {
    /// Defaults, then the file, then the overrides. `data_dir` replaces the default's when no other source gives one.
    pub fn load(
        overrides: &Overrides,
        listen: Option<SocketAddr>,
        data_dir: Option<&str>,
    ) -> Result<Self> {
        let mut table: Table = toml::from_str(DEFAULTS).context("the default settings")?;
        if let Some(folder) = data_dir {
            table.insert("data_dir".to_owned(), folder.into());
        }
        if let Some(text) = Self::file(overrides, &table)? {
            merge(&mut table, text);
        }
        merge(&mut table, Table::try_from(overrides).context("the flags")?);
        if let Some(listen) = listen {
            table.insert("listen".to_owned(), listen.to_string().into());
        }
        table.try_into().context("the settings")
    }

    fn file(overrides: &Overrides, defaults: &Table) -> Result<Option<Table>> {
        let path = if let Some(path) = &overrides.config {
            path.clone()
        } else {
            let folder = defaults.get("data_dir").and_then(Value::as_str).unwrap_or(".");
            let local = overrides.data_dir.clone().unwrap_or_else(|| folder.into()).join(LOCAL);
            if !local.exists() {
                return Ok(None);
            }
            local
        };
        let place = || path.display().to_string();
        let text = fs::read_to_string(&path).with_context(place)?;
        toml::from_str(&text).map(Some).with_context(place)
    }

    pub fn keys_dir(&self) -> PathBuf {
        self.keys_dir.clone().unwrap_or_else(|| self.data_dir.join("keys"))
    }

    /// Where callers reach a server that listens on an address; no slash at the end.
    pub fn base(&self, scheme: &str, address: SocketAddr) -> String {
        let base = self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{address}"));
        base.trim_end_matches('/').to_owned()
    }

    /// Where a service keeps its tables.
    pub fn url(&self, service: Service) -> String {
        self.database_url.clone().unwrap_or_else(|| {
            let path = self.data_dir.join(service.name()).with_extension("db");
            format!("sqlite:{}", path.display())
        })
    }

    /// Where a service that does not run here is.
    pub fn peer(&self, service: Service) -> Result<&str> {
        let peer = match service {
            Service::Registry => &self.peers.registry,
            Service::Intelligence => &self.peers.intelligence,
            Service::Improvement => &self.peers.improvement,
        };
        let name = service.name();
        peer.as_deref()
            .with_context(|| format!("say where {name} runs: [peers] {name} = \"http://…\""))
    }
}

/// Lays one table over another, tables within tables included.
fn merge(under: &mut Table, over: Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(Value::Table(under)), Value::Table(over)) => merge(under, over),
            (_, value) => drop(under.insert(key, value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_whole() {
        let config = Config::load(&Overrides::default(), None, None).unwrap();
        assert_eq!(config.listen.port(), 8080);
        assert_eq!(config.keys_dir(), PathBuf::from("headway-data/keys"));
        assert_eq!(config.limits, Limits::default());
    }

    #[test]
    fn flags_win_over_the_file_and_unknown_keys_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let local = folder.path().join(LOCAL);
        let overrides =
            Overrides { data_dir: Some(folder.path().to_owned()), ..Overrides::default() };
        fs::write(&local, "connections = 3\nlisten = \"127.0.0.1:1\"\n").unwrap();
        let listen = Some("127.0.0.1:2".parse().unwrap());
        let config = Config::load(&overrides, listen, None).unwrap();
        assert_eq!((config.connections, config.listen.port()), (3, 2));
        fs::write(&local, "conections = 3\n").unwrap();
        assert!(Config::load(&overrides, None, None).is_err());
    }
}
