//! Where the log, each trust's part of it and each stream end: remembered between groups, and forgotten as soon as
//! another process has written or a transaction was undone.

use std::collections::{HashMap, hash_map::Entry};

use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::{Error, Result};
use uuid::Uuid;

use crate::{
    Recorded, read,
    subject::{self, About, Known},
};

/// Streams remembered at the most; beyond, all are forgotten and looked up again as they come.
const STREAMS: usize = 100_000;

/// The newest position, 0 while there is none, and when it was recorded.
type End = (i64, Option<DateTime<Utc>>);

#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// Whether this transaction holds the log's lock.
    pub(crate) locked: bool,
    log: Option<End>,
    trusts: HashMap<Uuid, i64>,
    streams: HashMap<String, u32>,
    pub(crate) subjects: Known,
}

impl Heads {
    /// A transaction begins; `locked` when it begins with the log's lock.
    pub(crate) fn enter(&mut self, locked: bool) {
        self.locked = locked;
        if self.streams.len() > STREAMS {
            self.forget();
        }
    }

    /// What was appended since may not have been committed, or others have appended.
    pub(crate) fn forget(&mut self) {
        self.log = None;
        self.trusts.clear();
        self.streams.clear();
        self.subjects.clear();
    }

    /// Admits and places events without asking the database, where everything needed is remembered; answers with the
    /// position before the first and what they are about.
    pub(crate) fn remembered(
        &mut self,
        events: &mut [&mut Recorded],
    ) -> Result<Option<(i64, About)>> {
        let Some((before, last)) = self.log else { return Ok(None) };
        let mut ahead: HashMap<&str, u32> = HashMap::new();
        for event in &*events {
            let new = event.version == 1 && !self.streams.contains_key(&event.stream);
            let version = ahead.get(event.stream.as_str()).or(self.streams.get(&event.stream));
            let follows = version.map_or(new, |it| it + 1 == event.version);
            if !follows || !self.trusts.contains_key(&event.trust_id) {
                return Ok(None);
            }
            if !new
                && !self.subjects.contains_key(&event.stream)
                && !ahead.contains_key(&*event.stream)
            {
                return Ok(None);
            }
            ahead.insert(&event.stream, event.version);
        }
        for (stream, version) in ahead {
            self.follow(stream, version);
        }
        self.number((before, last), events);
        let about = subject::about_known(&mut self.subjects, events.iter().map(|it| &**it))?;
        Ok(Some((before, about)))
    }

    /// Whether what is remembered is still so; if another process has appended since, it is forgotten.
    pub(crate) async fn current(&mut self, tx: &mut Tx) -> Result<bool> {
        let Some((remembered, _)) = self.log else { return Ok(true) };
        if remembered == read::head(tx, None).await? {
            return Ok(true);
        }
        self.forget();
        Ok(false)
    }

    async fn log(&mut self, tx: &mut Tx) -> Result<End> {
        if let Some(log) = self.log {
            return Ok(log);
        }
        let head: Option<(i64, DateTime<Utc>)> = on!(tx, |c| sqlx::query_as(
            "SELECT position, recorded_at FROM event ORDER BY position DESC LIMIT 1"
        )
        .persistent(false)
        .fetch_optional(c)
        .await)?;
        Ok(*self.log.insert(head.map_or((0, None), |(position, at)| (position, Some(at)))))
    }

    /// Refuses events whose streams are not at the version before theirs, saying at which they are.
    ///
    /// A stream not seen yet is trusted to be new where its first event comes, since a second one would break its
    /// unique key; `careful` looks it up all the same.
    pub(crate) async fn admit(
        &mut self,
        tx: &mut Tx,
        events: &[Recorded],
        careful: bool,
    ) -> Result<(), Refusal> {
        let mut ahead: HashMap<&str, u32> = HashMap::new();
        for event in events {
            let begins = event.version == 1 && !self.streams.contains_key(&event.stream);
            let version = match ahead.get(event.stream.as_str()) {
                Some(version) => *version,
                None if begins && !careful => 0,
                None => self.version(tx, &event.stream).await?,
            };
            if event.version != version + 1 {
                return Err(Refusal::Stale(version));
            }
            ahead.insert(&event.stream, event.version);
        }
        for (stream, version) in ahead {
            self.follow(stream, version);
        }
        Ok(())
    }

    fn follow(&mut self, stream: &str, version: u32) {
        match self.streams.get_mut(stream) {
            Some(known) => *known = version,
            None => drop(self.streams.insert(stream.to_owned(), version)),
        }
    }

    async fn version(&mut self, tx: &mut Tx, stream: &str) -> Result<u32> {
        if let Some(version) = self.streams.get(stream) {
            return Ok(*version);
        }
        let version: Option<i32> =
            on!(tx, |c| sqlx::query_scalar("SELECT max(version) FROM event WHERE stream = $1")
                .persistent(false)
                .bind(stream)
                .fetch_one(c)
                .await)?;
        let version = u32::try_from(version.unwrap_or(0)).map_err(Error::internal)?;
        self.streams.insert(stream.to_owned(), version);
        Ok(version)
    }

    /// Gives admitted events their places at the end of the log; answers with the position before the first.
    pub(crate) async fn place(&mut self, tx: &mut Tx, events: &mut [&mut Recorded]) -> Result<i64> {
        let end = self.log(tx).await?;
        for event in &*events {
            if let Entry::Vacant(trust) = self.trusts.entry(event.trust_id) {
                trust.insert(read::head(tx, Some(event.trust_id)).await?);
            }
        }
        self.number(end, events);
        Ok(end.0)
    }

    /// Numbers events on from the end of the log, and from the ends of their trusts' parts of it, which are remembered.
    fn number(&mut self, end: End, events: &mut [&mut Recorded]) {
        let (mut position, last) = end;
        let recorded_at = last.map_or_else(rpc::now, |it| it.max(rpc::now()));
        for event in events {
            let trust = self.trusts.entry(event.trust_id).or_default();
            *trust += 1;
            position += 1;
            event.position = position;
            event.trust_position = *trust;
            event.recorded_at = recorded_at;
        }
        if position > end.0 {
            self.log = Some((position, Some(recorded_at)));
        }
    }
}

/// Why events were not admitted.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Their stream is at another version: this one.
    Stale(u32),
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Stale(version) => Self::stale(version),
            Refusal::Failed(error) => error,
        }
    }
}

/// Takes the log's lock for the rest of the transaction: one writer at a time, in every process.
///
/// Recording takes it. An operation that reads, changes and writes back what is not guarded by a version takes it
/// first; a lock of its own, taken in the other order elsewhere, would be a deadlock.
pub async fn lock(tx: &mut Tx) -> Result<()> {
    match tx {
        // BEGIN IMMEDIATE holds the only write lock there is.
        Tx::Sqlite(_) => Ok(()),
        Tx::Postgres(tx) => {
            sqlx::query("SELECT pg_advisory_xact_lock(7310, hashtext(current_schema()))")
                .execute(&mut **tx)
                .await?;
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut heads = Heads { log: Some((7, None)), ..Heads::default() };
        for stream in 0..STREAMS {
            heads.follow(&format!("note/{stream}"), 1);
        }
        heads.enter(false);
        assert_eq!((heads.streams.len(), heads.log), (STREAMS, Some((7, None))));
        heads.follow("note/one-too-many", 1);
        heads.enter(false);
        assert_eq!((heads.streams.len(), heads.log), (0, None));
    }
}
