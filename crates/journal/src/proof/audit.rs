//! The whole log against everything that was ever said about it: events, their hashes, the tree, the checkpoints.

use std::{borrow::Cow, ops::RangeInclusive};

use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::{Reason, Result};

use super::{
    Checkpoint, Hash, head,
    sign::mark,
    store,
    tiles::{HEIGHT, signed},
    tree::Frontier,
};
use crate::{Filter, Journal, Recorded, read::events};

const CHUNK: i64 = 1000;
/// Flaws collected before the audit gives up naming more.
const ENOUGH: usize = 10_000;

/// Something wrong with the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// Of the event; for a checkpoint or node, of the last event it covers.
    pub position: i64,
    pub what: Cow<'static, str>,
}

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audit {
    pub events: i64,
    pub checkpoints: u64,
    pub nodes: u64,
    pub flaws: Vec<Flaw>,
}

/// Reads every event of a journal from one snapshot: positions and versions without holes, messages that match their
/// hashes, every node and every checkpoint what the events give, every signature valid.
pub async fn audit(journal: &Journal) -> Result<Audit> {
    let mut tx = journal.db().read().await?;
    let signed_size = store::latest(&mut tx).await.ok().flatten().map_or(0, |it| it.size);
    let mut auditor = Auditor::new(journal, signed_size);
    auditor.turn(&mut tx, 0).await?;
    auditor.read(&mut tx).await?;
    auditor.finish(&mut tx).await?;
    Ok(auditor.audit)
}

/// How many events there are, and what is wrong with them: the short form of [`audit`].
pub async fn verify(journal: &Journal) -> Result<(i64, Vec<Flaw>)> {
    let Audit { events, flaws, .. } = audit(journal).await?;
    Ok((events, flaws))
}

struct Auditor<'j> {
    journal: &'j Journal,
    audit: Audit,
    frontier: Frontier,
    /// Marks of the leaves since the last checkpoint.
    marks: Vec<[u8; 4]>,
    next: Option<Checkpoint>,
    signed_size: u64,
    /// A position was missing: leaves no longer stand where they did.
    lost: bool,
    /// A root did not fit: those after it cannot.
    strayed: bool,
    wrong_nodes: Vec<(u8, u64)>,
    /// When the last event was recorded or checkpoint signed, whichever was later.
    clock: DateTime<Utc>,
}

impl<'j> Auditor<'j> {
    fn new(journal: &'j Journal, signed_size: u64) -> Self {
        Self {
            journal,
            audit: Audit::default(),
            frontier: Frontier::default(),
            marks: Vec::new(),
            next: None,
            signed_size,
            lost: false,
            strayed: false,
            wrong_nodes: Vec::new(),
            clock: DateTime::UNIX_EPOCH,
        }
    }

    fn flaw(&mut self, position: i64, what: impl Into<Cow<'static, str>>) {
        if self.audit.flaws.len() < ENOUGH {
            self.audit.flaws.push(Flaw { position, what: what.into() });
        }
    }

    fn is_flawed(&self, positions: &RangeInclusive<i64>) -> bool {
        self.audit.flaws.iter().any(|it| positions.contains(&it.position))
    }

    async fn read(&mut self, tx: &mut Tx) -> Result<()> {
        let (mut limit, mut recorded_at) = (CHUNK, None);
        loop {
            let after = self.audit.events;
            let chunk = match events(tx, after, &Filter::default(), limit).await {
                Ok(chunk) => chunk,
                Err(_) if limit > 1 => {
                    limit /= 2;
                    continue;
                }
                Err(_) => {
                    self.unreadable(tx, after).await?;
                    continue;
                }
            };
            if chunk.is_empty() {
                return Ok(());
            }
            let hashes = content_hashes(tx, after, limit).await?;
            limit = (limit * 2).min(CHUNK);
            for (event, hash) in chunk.into_iter().zip(hashes) {
                if recorded_at.is_some_and(|it| it > event.recorded_at) {
                    self.flaw(event.position, "was recorded before the one before");
                }
                recorded_at = Some(event.recorded_at);
                self.clock = self.clock.max(event.recorded_at);
                self.event(tx, &event, &hash).await?;
            }
        }
    }

    /// Passes over an event that the database's driver cannot make sense of.
    async fn unreadable(&mut self, tx: &mut Tx, after: i64) -> Result<()> {
        let position: i64 = on!(&mut *tx, |c| sqlx::query_scalar(
            "SELECT position FROM event WHERE position > $1 ORDER BY position LIMIT 1"
        )
        .bind(after)
        .fetch_one(c)
        .await)?;
        self.flaw(position, "cannot be read");
        self.place(tx, position, [0; 32]).await
    }

    async fn event(&mut self, tx: &mut Tx, event: &Recorded, hash: &[u8]) -> Result<()> {
        let content_hash = event.content_hash();
        if content_hash.as_slice() != hash {
            self.flaw(event.position, "is not what was recorded");
        }
        self.place(tx, event.position, event.leaf_over(&content_hash)).await
    }

    /// Puts a leaf into the tree, and compares the tree with what was kept of it.
    async fn place(&mut self, tx: &mut Tx, position: i64, leaf: Hash) -> Result<()> {
        let expected = self.audit.events + 1;
        self.audit.events = position;
        if position != expected {
            self.lost = true;
            self.flaw(expected, "is missing");
        }
        if self.lost {
            return Ok(());
        }
        for (level, index, hash) in self.frontier.push(leaf) {
            if level % HEIGHT == 0 && (index + 1) << level <= self.signed_size {
                self.audit.nodes += 1;
                if node(tx, level, index).await?.as_deref() != Some(&hash[..]) {
                    self.wrong_nodes.push((level, index));
                }
            }
        }
        if u64::try_from(position).is_ok_and(|it| it <= self.signed_size) {
            self.marks.push(mark(&leaf));
        }
        let reached = self.next.take_if(|it| i64::try_from(it.size) == Ok(position));
        if let Some(checkpoint) = reached {
            self.checkpoint(&checkpoint);
            self.turn(tx, checkpoint.size).await?;
        }
        Ok(())
    }

    /// Takes up the next checkpoint.
    async fn turn(&mut self, tx: &mut Tx, size: u64) -> Result<()> {
        match store::after(tx, size).await {
            Ok(next) => self.next = next,
            Err(error) if error.reason == Reason::JournalDamaged => {
                self.flaw(signed(size)?, "is followed by a checkpoint that cannot be read");
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: &Checkpoint) {
        self.audit.checkpoints += 1;
        let position = self.audit.events;
        let keys = self.journal.keys();
        let checked = keys.and_then(|it| head::signed(checkpoint, it, self.journal.service()));
        if let Err(error) = checked {
            let what = error.detail.strip_prefix(super::PREFIX).unwrap_or(&error.detail).to_owned();
            self.marks.clear();
            return self.flaw(position, what);
        }
        if checkpoint.signed_at < self.clock {
            self.flaw(position, "was signed before it or the checkpoint before it was recorded");
        }
        self.clock = self.clock.max(checkpoint.signed_at);
        let marks = std::mem::take(&mut self.marks);
        let first = position - i64::try_from(marks.len()).unwrap_or(0) + 1;
        let fits = self.frontier.root() == checkpoint.root;
        let kept: Vec<&[u8]> = checkpoint.marks.chunks(4).collect();
        let changed =
            marks.iter().zip(&kept).zip(first..).filter(|((mark, kept), _)| mark != *kept);
        let changed: Vec<i64> = changed.map(|(_, position)| position).collect();
        if kept.len() != marks.len() || (fits && !changed.is_empty()) {
            self.flaw(position, "ends a checkpoint whose marks were changed");
        } else {
            for position in changed {
                if !self.is_flawed(&(position..=position)) {
                    self.flaw(position, "is not what a checkpoint was signed over");
                }
            }
        }
        if !fits && !self.strayed {
            self.strayed = true;
            if !self.is_flawed(&(first..=position)) {
                self.flaw(position, format!("or one from {first} on is not what was signed"));
            }
        }
    }

    /// What can be said only once every event was read.
    async fn finish(&mut self, tx: &mut Tx) -> Result<()> {
        for (level, index) in std::mem::take(&mut self.wrong_nodes) {
            let (first, last) = (signed(index << level)? + 1, signed((index + 1) << level)?);
            if !self.is_flawed(&(first..=last)) {
                self.flaw(last, format!("ends node {index} of level {level}, which was changed"));
            }
        }
        let belong: u64 = (1..8).map(|tier| self.signed_size >> (tier * HEIGHT)).sum();
        let there: i64 =
            on!(&mut *tx, |c| sqlx::query_scalar("SELECT count(*) FROM journal_node")
                .fetch_one(c)
                .await)?;
        if signed(belong)? != there {
            let what = format!("is the head, to which {belong} nodes belong; there are {there}");
            self.flaw(self.audit.events, what);
        }
        let events = self.audit.events;
        if let Some(beyond) = self.next.take().filter(|_| !self.lost) {
            let size = beyond.size;
            self.flaw(
                events + 1,
                format!("and on to {size} is missing, which a checkpoint covers"),
            );
        }
        for position in broken_streams(tx).await? {
            self.flaw(position, "leaves a hole in the versions of its stream");
        }
        for position in broken_trusts(tx).await? {
            self.flaw(position, "leaves a hole in the positions of its trust");
        }
        self.audit.flaws.sort_by_key(|it| it.position);
        Ok(())
    }
}

async fn node(tx: &mut Tx, level: u8, index: u64) -> Result<Option<Vec<u8>>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT hash FROM journal_node WHERE level = $1 AND \"index\" = $2"
    )
    .bind(i32::from(level))
    .bind(signed(index)?)
    .fetch_optional(c)
    .await)?)
}

/// The stored hashes of the same events that a chunk after that position holds.
pub(crate) async fn content_hashes(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<Vec<u8>>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT content_hash FROM event WHERE position > $1 ORDER BY position LIMIT $2"
    )
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await)?)
}

async fn broken_streams(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT max(position) FROM event GROUP BY stream HAVING max(version) <> count(*)"
    )
    .fetch_all(c)
    .await)?)
}

async fn broken_trusts(tx: &mut Tx) -> Result<Vec<i64>> {
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT max(position) FROM event GROUP BY trust_id HAVING max(trust_position) <> count(*)"
    )
    .fetch_all(c)
    .await)?)
}
