//! A push on its way in: its parts as they are cut, applied at once where there is but one, else kept until the body has
//! ended well.

use std::time::Duration;

use axum::http::HeaderValue;
use contract::intelligence as pb;
use prost::Message;
use rpc::{Ctx, Error, Fault, Reason, Result};
use sha2::{Digest, Sha256};

use super::{push::read, snapshot};
use crate::{
    App,
    app::{Header, LONGEST_WAIT, Push, Upload},
    domain::{Arrival, Batch, Feed, Part, Read},
};

/// A push whose body is still coming.
pub(super) struct Arriving {
    app: App,
    feed: Feed,
    /// The first part, until there is another.
    first: Option<Part>,
    upload: Option<Upload>,
    bytes: u64,
    sha256: Sha256,
    records: u32,
    skipped_rows: u32,
    header: pb::PushRecordsRequest,
}

impl Arriving {
    /// `header` is what the caller says beside the records.
    pub(super) fn new(app: &App, feed: Feed, header: pb::PushRecordsRequest) -> Self {
        Self {
            app: app.clone(),
            feed,
            first: None,
            upload: None,
            bytes: 0,
            sha256: Sha256::new(),
            records: 0,
            skipped_rows: 0,
            header: pb::PushRecordsRequest { records: Vec::new(), ..header },
        }
    }

    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Counts rows that became no record when an archive was taken apart.
    pub(super) fn skip(&mut self, rows: u32) {
        self.skipped_rows += rows;
    }

    /// Counts bytes of the body, and refuses more than a batch may have.
    pub(super) fn count(&mut self, bytes: &[u8]) -> Result<()> {
        self.bytes += bytes.len() as u64;
        self.sha256.update(bytes);
        self.fits(self.bytes)
    }

    /// Of the bytes counted.
    pub(super) fn sha256(&self) -> [u8; 32] {
        self.sha256.clone().finalize().into()
    }

    /// Bytes that a batch may have at the most.
    pub(super) fn limit(&self) -> u64 {
        self.app.sizes().bytes
    }

    /// Refuses a body of more bytes than that.
    pub(super) fn fits(&self, bytes: u64) -> Result<()> {
        let limit = self.limit();
        if bytes > limit {
            let detail =
                format!("a batch may have at most {limit} bytes; send the rest as another");
            return Err(Error::new(Reason::BodyTooLarge, detail));
        }
        Ok(())
    }

    /// Takes the parts that are whole.
    pub(super) async fn take(&mut self, ctx: &Ctx, parts: Vec<Part>) -> Result<()> {
        for part in parts {
            self.records += part.records;
            if let Some(upload) = &mut self.upload {
                upload.keep(part).await?;
            } else if let Some(first) = self.first.take() {
                self.begin(ctx, first).await?.keep(part).await?;
            } else {
                self.first = Some(part);
            }
        }
        Ok(())
    }

    /// Makes a batch of what has come.
    pub(super) async fn end(
        mut self,
        ctx: &Ctx,
        header: &pb::PushRecordsRequest,
        format: &'static str,
        media_type: String,
    ) -> Result<Batch> {
        let (message, dry_run) = (header.encode_to_vec(), header.dry_run);
        let snapshot = snapshot::read(&self.app, ctx, &self.feed, header).await?;
        let arrival = Arrival {
            client_id: ctx.caller.client_id.clone(),
            format,
            media_type,
            bytes: self.bytes,
            sha256: self.sha256(),
            records: Some(self.records),
            skipped_rows: self.skipped_rows,
        };
        if let Some(first) = self.first.take() {
            if dry_run || self.app.is_at_once(self.feed.trust_id).await? {
                let Read { records, skipped_rows } =
                    read(&self.app, ctx, &self.feed, &self.header, first).await?;
                if records.is_empty() && skipped_rows == 0 {
                    return Err(nothing());
                }
                let feed = self.feed;
                let push = Push {
                    feed,
                    dry_run,
                    arrival,
                    snapshot,
                    records,
                    generation: 0,
                    skipped_rows,
                    piece: None,
                };
                return self.app.push(ctx, push).await;
            }
            self.begin(ctx, first).await?;
        }
        let upload = self.upload.ok_or_else(nothing)?;
        upload.receive(ctx, Header { message, dry_run, snapshot, arrival }).await
    }

    /// Begins to keep the parts, once the first is known to be readable: what is wrong with a whole file shows there.
    async fn begin(&mut self, ctx: &Ctx, first: Part) -> Result<&mut Upload> {
        let found = read(&self.app, ctx, &self.feed, &self.header, first.clone()).await?;
        if found.records.is_empty() && found.skipped_rows == 0 {
            return Err(nothing());
        }
        let upload = self.upload.insert(self.app.upload(ctx, &self.feed));
        upload.keep(first).await?;
        Ok(upload)
    }
}

fn nothing() -> Error {
    let fault = Fault::new(Reason::FieldRequired, "must hold at least one record");
    Error::field("/records", fault)
}

/// How long the caller would have the answer wait for the batch to be settled: `Prefer: wait=10` (RFC 7240). What else it
/// says is passed over, as that asks of a server.
pub(super) fn wait<'h>(preferences: impl Iterator<Item = &'h str>) -> Duration {
    let each = preferences.flat_map(|it| it.split(','));
    let named = each.filter_map(|it| it.split(';').next()?.split_once('='));
    let seconds = named
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait"))
        .find_map(|(_, value)| value.trim().trim_matches('"').parse().ok());
    Duration::from_secs(seconds.unwrap_or(0)).min(LONGEST_WAIT)
}

/// How the wait that was asked for is told of in the answer.
pub(super) fn waited(wait: Duration) -> Option<HeaderValue> {
    let told = format!("wait={}", wait.as_secs());
    (!wait.is_zero()).then(|| HeaderValue::from_str(&told).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_from_preferences() {
        #[track_caller]
        fn check(preferences: &[&str], seconds: u64) {
            assert_eq!(wait(preferences.iter().copied()), Duration::from_secs(seconds));
        }
        check(&[], 0);
        check(&["wait=10"], 10);
        check(&["respond-async, Wait = 7; foo=1"], 7);
        check(&["return=minimal", "wait=\"3\", wait=9"], 3);
        check(&["wait=3600"], 60);
        check(&["wait=soon", "wait"], 0);
    }
}
