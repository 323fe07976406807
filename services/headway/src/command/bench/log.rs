//! A log alone to measure on: no state hangs on it, and it is gone afterwards.

use std::time::Duration;

use anyhow::Result;
use contract::registry::TrustCreated;
use db::{Db, Options, Tx};
use futures::future::BoxFuture;
use journal::{Draft, Journal, Projection, Receipt, Recorded};
use rpc::{Ctx, Reason};
use tempfile::TempDir;
use uuid::Uuid;

use super::scratch::Scratch;

const NAME: &str = "bench_log";
/// How long a writer waits for the other processes' turns.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where it lies: SQLite in a temporary folder, or a database of its own.
pub(super) struct Place {
    pub(super) url: String,
    _folder: Option<TempDir>,
    scratch: Option<Scratch>,
}

impl Place {
    pub(super) async fn new(server: Option<String>) -> Result<Self> {
        if let Some(server) = server {
            let scratch = Scratch::create(&server).await?;
            return Ok(Self { url: scratch.url(), _folder: None, scratch: Some(scratch) });
        }
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("log.db").display());
        Ok(Self { url, _folder: Some(folder), scratch: None })
    }

    pub(super) async fn remove(self) -> Result<()> {
        match self.scratch {
            Some(scratch) => scratch.remove().await,
            None => Ok(()),
        }
    }
}

pub(super) async fn open(url: &str) -> Result<Journal> {
    let options = Options { acquire_timeout: PATIENCE, ..Options::default() };
    let db = Db::open(url, NAME, journal::migrations(), options).await?;
    Ok(Journal::open(NAME, db, Nothing))
}

/// Appends to a stream, again and again the same event until somebody has answered.
pub(super) async fn append(journal: &Journal, stream: &str, version: u32) -> Result<Receipt> {
    let event_id = rpc::new_id();
    let message = TrustCreated { name: "x".repeat(256), ..TrustCreated::default() };
    loop {
        let draft = Draft::new(event_id, Uuid::nil(), stream, version, &message);
        match journal.append(&Ctx::system(NAME), draft).await {
            Err(error) if matches!(error.reason, Reason::Unavailable | Reason::Overloaded) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            answer => return Ok(answer?),
        }
    }
}

struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, rpc::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}
