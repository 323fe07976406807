//! Carrying checkpoints elsewhere: what is kept by somebody else cannot be rewritten here.

use std::{convert::Infallible, path::PathBuf, str::FromStr, time::Duration};

use rpc::{Error, Result};
use tokio::{fs::OpenOptions, io::AsyncWriteExt};

use super::{Checkpoint, store};
use crate::Journal;

const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_mins(5);
/// How long an anchor may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where notes are kept outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A file that notes are appended to, an empty line after each.
    File(PathBuf),
    /// A URL that notes are posted to as text; any 2xx means that it was taken.
    Url(String),
}

impl FromStr for Anchor {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let url = text.starts_with("http://") || text.starts_with("https://");
        Ok(if url { Self::Url(text.to_owned()) } else { Self::File(text.into()) })
    }
}

/// Sends the newest checkpoint, at most one an interval, until the journal closes. What fails is tried again; nothing
/// waits for it.
pub(crate) async fn run(journal: Journal, anchor: Anchor, interval: Duration) {
    let service = journal.service();
    let (mut sent, mut wait) = (0, FIRST_WAIT);
    loop {
        let pause = match carry(&journal, &anchor, sent).await {
            Ok(size) if size > sent => {
                (sent, wait) = (size, FIRST_WAIT);
                metrics::counter!("headway_anchored_total", "service" => service).increment(1);
                interval
            }
            Ok(_) => interval.min(FIRST_WAIT),
            // The database closes with the journal.
            Err(_) if journal.closing.is_cancelled() => return,
            Err(error) => {
                metrics::counter!("headway_anchor_failures_total", "service" => service)
                    .increment(1);
                tracing::warn!(service, ?anchor, %error, "will carry the checkpoint again");
                let pause = wait;
                wait = (wait * 2).min(LONGEST_WAIT);
                pause
            }
        };
        tokio::select! {
            () = journal.closing.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Takes the newest checkpoint there, unless it is there already; gives its size.
async fn carry(journal: &Journal, anchor: &Anchor, sent: u64) -> Result<u64> {
    let mut tx = journal.db().read().await?;
    let latest = store::latest(&mut tx).await?;
    drop(tx);
    let Some(checkpoint) = latest.filter(|it| it.size > sent) else { return Ok(sent) };
    match anchor {
        Anchor::File(path) => append(path, &checkpoint).await.map_err(Error::internal)?,
        Anchor::Url(url) => post(url, &checkpoint).await.map_err(Error::internal)?,
    }
    Ok(checkpoint.size)
}

async fn append(path: &PathBuf, checkpoint: &Checkpoint) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(path).await?;
    // In one write: several journals may share a file.
    file.write_all(format!("{}\n", checkpoint.note).as_bytes()).await?;
    file.sync_data().await
}

async fn post(url: &str, checkpoint: &Checkpoint) -> reqwest::Result<()> {
    let client = reqwest::Client::builder()
        .timeout(PATIENCE)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let request = client.post(url).header("content-type", "text/plain; charset=utf-8");
    request.body(checkpoint.note.clone()).send().await?.error_for_status()?;
    Ok(())
}
