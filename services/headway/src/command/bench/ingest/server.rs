//! The running system: a process of this same binary that serves, as an operator would start it.

use std::{net::SocketAddr, process::Stdio};

use anyhow::{Context, Result};
use rpc::{Scope, token::Keys};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStdout, Command},
};
use uuid::Uuid;

use crate::{command::rest::Rest, secrets::Secrets};

/// What would come from this process's surroundings and change what is measured.
const SURROUNDINGS: [&str; 5] = [
    "HEADWAY_CONFIG",
    "HEADWAY_DATABASE_URL",
    "HEADWAY_KEYS_DIR",
    "HEADWAY_LISTEN",
    "HEADWAY_NATS_URL",
];

pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) secrets: Secrets,
    /// Its number, as `/proc` calls it.
    pub(super) process: String,
    pub(super) folder: TempDir,
    child: Child,
    _output: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts it over a fresh folder, and over PostgreSQL when there is a URL.
    pub(super) async fn start(database_url: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
        if let Some(url) = database_url {
            command.args(["--database-url", url]);
        }
        for name in SURROUNDINGS {
            command.env_remove(name);
        }
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut output = BufReader::new(child.stdout.take().context("its output")?).lines();
        let line = output.next_line().await?.context("it did not start")?;
        let address = line.rsplit('/').next().and_then(|it| it.parse().ok());
        let address = address.with_context(|| format!("no address: {line}"))?;
        let secrets = Secrets::open(&folder.path().join("keys"))?;
        let process = child.id().context("it runs")?.to_string();
        Ok(Self { address, secrets, process, folder, child, _output: output })
    }

    pub(super) fn keys(&self) -> &Keys {
        &self.secrets.tokens
    }

    /// A caller over the network with such a token.
    pub(super) async fn caller(&self, trust: Option<Uuid>, scopes: &[Scope]) -> Result<Rest> {
        let lifetime = chrono::Duration::hours(1);
        let token = self.keys().issue("bench", trust, scopes, rpc::now(), lifetime)?;
        Rest::connect(&self.address.to_string(), &token).await
    }

    pub(super) async fn stop(mut self) -> Result<()> {
        Ok(self.child.kill().await?)
    }
}
