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

use super::Plan;
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
    children: Vec<Child>,
    _outputs: Vec<Lines<BufReader<ChildStdout>>>,
}

impl Server {
    /// Starts it over a fresh folder, and over PostgreSQL when there is a URL; others beside it share its work.
    pub(super) async fn start(plan: &Plan, database_url: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let (mut children, mut outputs, mut addresses) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..plan.processes {
            let mut command = Command::new(std::env::current_exe()?);
            command.args(["serve", "--listen", "127.0.0.1:0", "--data-dir"]).arg(folder.path());
            if let Some(url) = database_url {
                command.args(["--database-url", url]);
            }
            for name in SURROUNDINGS {
                command.env_remove(name);
            }
            if let Some(url) = &plan.nats_url {
                command.env("HEADWAY_NATS_URL", url);
            }
            let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
            let mut output = BufReader::new(child.stdout.take().context("its output")?).lines();
            let line = output.next_line().await?.context("it did not start")?;
            let address = line.rsplit('/').next().and_then(|it| it.parse().ok());
            addresses.push(address.with_context(|| format!("no address: {line}"))?);
            children.push(child);
            outputs.push(output);
        }
        let secrets = Secrets::open(&folder.path().join("keys"))?;
        let process = children.first().and_then(Child::id).context("it runs")?.to_string();
        let address = addresses.into_iter().next().context("one at least")?;
        Ok(Self { address, secrets, process, folder, children, _outputs: outputs })
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
        for child in &mut self.children {
            child.kill().await?;
        }
        Ok(())
    }
}
