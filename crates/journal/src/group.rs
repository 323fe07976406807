//! One group of operations: one transaction, one append, one flush.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use chrono::{DateTime, Utc};
use db::{Db, Tx, on};
use futures::FutureExt;
use rpc::{Error, Reason, Result};
use sqlx::PgConnection;
use tokio::sync::Mutex;

use crate::{
    Projection, Recorded,
    aggregate::Loads,
    answer,
    append::{self, Inserted, append},
    command::Command,
    gather,
    heads::{Heads, Refusal, lock},
    read,
    reading::Reading,
    write::{Job, Promised},
};

/// What a group is written to.
#[derive(Clone)]
pub(crate) struct Log {
    pub(crate) service: &'static str,
    pub(crate) db: Db,
    pub(crate) projection: Arc<dyn Projection>,
    pub(crate) reading: Arc<Reading>,
    pub(crate) heads: Arc<Mutex<Heads>>,
}

impl Log {
    pub(crate) fn new(service: &'static str, db: Db, projection: Arc<dyn Projection>) -> Self {
        let reading = Reading::new(&*projection);
        Self { service, db, projection, reading, heads: Arc::default() }
    }

    /// Appends and projects events, in the transaction of whoever decided on them.
    pub(crate) async fn record(&self, tx: &mut Tx, events: Vec<Recorded>) -> Result<Vec<Recorded>> {
        let mut heads = self.heads.lock().await;
        if !heads.locked {
            lock(tx).await?;
            heads.locked = true;
        }
        let events = append::alone(tx, &mut heads, events).await?;
        drop(heads);
        self.take_in(tx, &events).await?;
        Ok(events)
    }
}

pub(crate) struct Group {
    pub(crate) log: Log,
    purged: Option<DateTime<Utc>>,
    line: Option<PgConnection>,
    seconds: metrics::Histogram,
    flush_seconds: metrics::Histogram,
}

impl Group {
    pub(crate) fn new(log: Log) -> Self {
        let service = log.service;
        Self {
            log,
            purged: None,
            line: None,
            seconds: metrics::histogram!("headway_write_seconds", "service" => service),
            flush_seconds: metrics::histogram!("headway_write_flush_seconds", "service" => service),
        }
    }

    /// Runs every job and commits those that did not refuse.
    pub(crate) async fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        let started = Instant::now();
        let done = self.try_commit(jobs).await;
        if done.is_err() {
            self.log.heads.lock().await.forget();
        }
        self.seconds.record(started.elapsed());
        done
    }

    async fn try_commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<()> {
        if self.log.projection.tables().is_empty() && self.at_once(jobs).await? {
            return Ok(());
        }
        let commands_first =
            jobs.first_mut().is_some_and(|it| it.as_command().is_some() || it.as_party().is_some());
        let mut tx = begin(&self.log.db, commands_first).await?;
        self.log.heads.lock().await.enter(commands_first);
        let alone = jobs.len() == 1;
        let mut any = false;
        let mut rest = jobs;
        let mut first = true;
        while !rest.is_empty() {
            let commands = rest.iter_mut().map_while(|it| it.as_command()).count();
            let parties = gather::run_of(rest);
            let (now, later) = rest.split_at_mut(commands.max(parties).max(1));
            any |= if commands > 0 {
                self.commands(&mut tx, now, !first).await?
            } else if parties > 0 {
                self.parties(&mut tx, now, !first).await?
            } else {
                self.operation(&mut tx, now, alone).await?
            };
            (rest, first) = (later, false);
        }
        if !any {
            return Ok(tx.rollback().await?);
        }
        answer::purge(&mut tx, &mut self.purged).await?;
        let flushing = Instant::now();
        tx.commit().await?;
        self.flush_seconds.record(flushing.elapsed());
        Ok(())
    }

    /// Appends bare events to a log on which no state hangs, by one round trip; false when that cannot be, and nothing
    /// was done.
    async fn at_once(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<bool> {
        let mut events = Vec::with_capacity(jobs.len());
        for job in &mut *jobs {
            match job.as_command().and_then(|it| it.bare()) {
                Some(event) if self.log.reading.is_described(&event.kind) => events.push(event),
                _ => return Ok(false),
            }
        }
        let mut heads = self.log.heads.lock().await;
        heads.enter(false);
        let flushing = Instant::now();
        match append::at_once(&self.log.db, &mut self.line, &mut heads, &mut events).await? {
            Some(Inserted::Yes) => {}
            Some(Inserted::Moved | Inserted::Taken) => {
                heads.forget();
                return Ok(false);
            }
            None => return Ok(false),
        }
        self.flush_seconds.record(flushing.elapsed());
        for command in jobs.iter_mut().filter_map(|it| it.as_command()) {
            command.bare_recorded();
        }
        Ok(true)
    }

    /// Runs one operation under a savepoint, so that its refusal does not touch its neighbours.
    async fn operation(&self, tx: &mut Tx, jobs: &mut [Box<dyn Job>], alone: bool) -> Result<bool> {
        let Some(job) = jobs.first_mut() else { return Ok(false) };
        if !alone {
            statement(tx, "SAVEPOINT operation").await?;
        }
        let done = AssertUnwindSafe(job.run(tx)).catch_unwind().await.unwrap_or(false);
        if !done {
            let mut heads = self.log.heads.lock().await;
            // A lock taken since the savepoint goes with it.
            heads.enter(false);
            heads.forget();
        }
        if !alone {
            if !done {
                statement(tx, "ROLLBACK TO SAVEPOINT operation").await?;
            }
            statement(tx, "RELEASE SAVEPOINT operation").await?;
        }
        Ok(done)
    }

    /// Runs commands together: what they are decided on is loaded, what they decided is appended and projected, by a
    /// few statements for all of them.
    async fn commands(
        &self,
        tx: &mut Tx,
        jobs: &mut [Box<dyn Job>],
        savepoint: bool,
    ) -> Result<bool> {
        let mut heads = self.log.heads.lock().await;
        if savepoint {
            enter(tx, &mut heads).await?;
        }
        let mut open: Vec<&mut dyn Command> = Vec::with_capacity(jobs.len());
        for command in jobs.iter_mut().filter_map(|it| it.as_command()) {
            if unanswered(tx, command.asked()).await? {
                open.push(command);
            }
        }
        let mut loads = Loads::default();
        for command in &open {
            command.want(&mut loads);
        }
        loads.load(tx).await?;
        let mut decided = Vec::with_capacity(open.len());
        for command in open {
            match command.decide(&mut loads) {
                Ok(events) => decided.push(Decided { command, events, original: false }),
                Err(refused) => command.asked().refuse(refused),
            }
        }
        let mut kept = together(tx, &mut heads, decided).await?;
        drop(heads);
        let mut events = Vec::with_capacity(kept.len());
        for it in &mut kept {
            it.command.recorded(&it.events);
            if !it.original {
                events.append(&mut it.events);
            }
        }
        self.log.take_in(tx, &events).await?;
        for it in &mut kept {
            keep(tx, it.command.asked()).await?;
        }
        Ok(!kept.is_empty())
    }
}

struct Decided<'j> {
    command: &'j mut dyn Command,
    events: Vec<Recorded>,
    /// Whether they were in the log already.
    original: bool,
}

/// Begins a transaction; with the log's lock and a savepoint, by the same round trip, where commands come first.
async fn begin(db: &Db, for_commands: bool) -> Result<Tx> {
    Ok(if for_commands {
        db.begin_with(
            "SAVEPOINT append",
            "SELECT pg_advisory_xact_lock(7310, hashtext(current_schema())); SAVEPOINT append",
        )
        .await?
    } else {
        db.begin().await?
    })
}

/// Whether something is still to be run: a retry is given the answer there is.
pub(crate) async fn unanswered(tx: &mut Tx, asked: &mut dyn Promised) -> Result<bool> {
    let Some(promise) = asked.promise() else { return Ok(true) };
    match promise.answered(tx).await {
        Ok(None) => return Ok(true),
        Ok(Some(stored)) => asked.answered(&stored),
        Err(refused) if refused.reason == Reason::IdempotencyKeyReused => asked.refuse(refused),
        Err(failed) => return Err(failed),
    }
    Ok(false)
}

/// Takes the log's lock, unless it is held, and marks what can be undone alone.
pub(crate) async fn enter(tx: &mut Tx, heads: &mut Heads) -> Result<()> {
    if !heads.locked {
        lock(tx).await?;
        heads.locked = true;
    }
    statement(tx, "SAVEPOINT append").await
}

/// Keeps the answer for a retry, where there is a key.
pub(crate) async fn keep(tx: &mut Tx, asked: &mut dyn Promised) -> Result<()> {
    let Some(promise) = asked.promise() else { return Ok(()) };
    promise.keep(tx, asked.answer()?).await
}

/// Appends the events of all, refusing those whose streams have moved; answers with those whose events are in the log.
async fn together<'j>(
    tx: &mut Tx,
    heads: &mut Heads,
    mut decided: Vec<Decided<'j>>,
) -> Result<Vec<Decided<'j>>> {
    loop {
        let mut stale = Vec::new();
        for (index, it) in decided.iter_mut().enumerate() {
            match heads.admit(tx, &it.events, false).await {
                Ok(()) => {}
                Err(Refusal::Stale(_)) => stale.push(index),
                Err(Refusal::Failed(error)) => return Err(error),
            }
        }
        if !stale.is_empty() && !heads.current(tx).await? {
            continue;
        }
        let mut placed: Vec<&mut Recorded> = decided
            .iter_mut()
            .enumerate()
            .filter(|(index, _)| stale.binary_search(index).is_err())
            .flat_map(|(_, it)| &mut it.events)
            .collect();
        match append(tx, heads, &mut placed).await? {
            Inserted::Yes if stale.is_empty() => return Ok(decided),
            Inserted::Yes => return one_by_one(tx, heads, decided, &stale).await,
            Inserted::Moved => heads.forget(),
            Inserted::Taken => {
                heads.forget();
                statement(tx, "ROLLBACK TO SAVEPOINT append").await?;
                let all: Vec<usize> = (0..decided.len()).collect();
                return one_by_one(tx, heads, decided, &all).await;
            }
        }
    }
}

/// The slow way: settles each of those open by itself, for they were stale, where the same event again is no refusal, or
/// could not be inserted together.
async fn one_by_one<'j>(
    tx: &mut Tx,
    heads: &mut Heads,
    decided: Vec<Decided<'j>>,
    open: &[usize],
) -> Result<Vec<Decided<'j>>> {
    let mut kept = Vec::with_capacity(decided.len());
    for (index, it) in decided.into_iter().enumerate() {
        if open.binary_search(&index).is_err() {
            kept.push(it);
        } else {
            kept.extend(settle(tx, heads, it).await?);
        }
    }
    Ok(kept)
}

/// Appends the events of one command, unless they are in the log; refuses it where its stream has moved or an id was
/// another event's.
async fn settle<'j>(
    tx: &mut Tx,
    heads: &mut Heads,
    mut it: Decided<'j>,
) -> Result<Option<Decided<'j>>> {
    let mut known = Vec::new();
    for event in &it.events {
        known.extend(read::by_id(tx, event.trust_id, event.event_id).await?);
    }
    if !known.is_empty() {
        let same = known.len() == it.events.len()
            && known.iter().zip(&it.events).all(|(a, b)| a.content_hash() == b.content_hash());
        if same {
            return Ok(Some(Decided { events: known, original: true, ..it }));
        }
        let detail = "this event id was used for another event; take a new one";
        it.command.asked().refuse(Error::new(Reason::AlreadyExists, detail));
        return Ok(None);
    }
    match heads.admit(tx, &it.events, true).await {
        Ok(()) => {}
        Err(Refusal::Stale(version)) => {
            it.command.asked().refuse(Error::stale(version));
            return Ok(None);
        }
        Err(Refusal::Failed(error)) => return Err(error),
    }
    let mut placed: Vec<&mut Recorded> = it.events.iter_mut().collect();
    match append(tx, heads, &mut placed).await? {
        Inserted::Yes => Ok(Some(it)),
        Inserted::Moved | Inserted::Taken => {
            Err(Error::internal("the log was written to by somebody who does not take its lock"))
        }
    }
}

pub(crate) async fn statement(tx: &mut Tx, sql: &'static str) -> Result<()> {
    on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    Ok(())
}
