//! The one reader: gRPC and server-sent subscriptions and the relay all read the log through this.
//!
//! The newest events are kept in memory, once for all readers, within bounds. A reader who keeps up takes them from
//! there, so that a commit is read from the tables once and not once per reader; a slow one finds that its place is no
//! longer there and reads pages of the table until it has caught up. None is dropped, and none is buffered for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::{Stream, TryStreamExt, stream};
use rpc::{Error, Result};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{
    Filter, Journal, Recorded,
    read::{events, head},
};

/// Events read or handed over at once.
const CHUNK: usize = 256;
/// Bounds of what is kept in memory, whichever is reached first.
const KEPT: usize = 4096;
const KEPT_BYTES: usize = 4 << 20;
/// What an event costs beyond its own bytes, roughly.
const OVERHEAD_BYTES: usize = 400;
/// How long a reader may sleep unwoken. Whoever wakes it only gives a hint; this is what it relies on.
const NAP: Duration = Duration::from_millis(500);

/// The newest events of a log, without a gap.
#[derive(Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
    /// Held by the one reader who fetches what is new for all.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Kept {
    events: VecDeque<Arc<Recorded>>,
    bytes: usize,
}

impl Recent {
    /// Events after a position, at most a chunk; nothing when the first of them is not here.
    fn after(&self, position: i64) -> Vec<Arc<Recorded>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let first = kept.events.front().map_or(i64::MAX, |it| it.position);
        let Ok(skipped) = usize::try_from(position + 1 - first) else { return Vec::new() };
        kept.events.iter().skip(skipped).take(CHUNK).cloned().collect()
    }

    /// Adds events that follow what is here; if they do not, they replace it.
    fn add(&self, new: &[Arc<Recorded>]) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for event in new {
            if kept.events.back().is_some_and(|it| it.position + 1 != event.position) {
                *kept = Kept::default();
            }
            kept.bytes += cost(event);
            kept.events.push_back(Arc::clone(event));
        }
        while kept.events.len() > KEPT || kept.bytes > KEPT_BYTES {
            let Some(oldest) = kept.events.pop_front() else { break };
            kept.bytes -= cost(&oldest);
        }
    }

    fn newest(&self) -> i64 {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.events.back().map_or(0, |it| it.position)
    }
}

fn cost(event: &Recorded) -> usize {
    event.data.len() + event.stream.len() + event.kind.len() + OVERHEAD_BYTES
}

/// Every event after a position, then each new one once it is committed; ends when the journal closes.
///
/// For a trust, its own events, and `after` counts positions within them.
pub(crate) fn follow(
    journal: Journal,
    trust_id: Option<Uuid>,
    after: i64,
) -> impl Stream<Item = Result<Arc<Recorded>>> + Send {
    let filter = Filter { trust_id, ..Filter::default() };
    let seen = trust_id.is_none().then_some(after);
    let (news, hints) = (journal.news.subscribe(), journal.hints.subscribe());
    journal.listen();
    let tail = Tail { journal, filter, after, seen, news, hints };
    stream::try_unfold(tail, async |mut tail: Tail| {
        let chunk = tail.next().await?;
        Ok::<_, Error>(chunk.map(|it| (it, tail)))
    })
    .map_ok(|chunk| stream::iter(chunk.into_iter().map(Ok)))
    .try_flatten()
}

struct Tail {
    journal: Journal,
    filter: Filter,
    /// The last position handed over, as the reader counts.
    after: i64,
    /// The log's own position up to which the reader has everything; not known of a trust that has not caught up yet.
    seen: Option<i64>,
    news: watch::Receiver<u64>,
    hints: watch::Receiver<u64>,
}

impl Tail {
    /// The next events, waiting for some; nothing once the journal closes.
    async fn next(&mut self) -> Result<Option<Vec<Arc<Recorded>>>> {
        while !self.journal.closing.is_cancelled() {
            self.news.mark_unchanged();
            self.hints.mark_unchanged();
            let (chunk, more) = match self.seen {
                Some(seen) if seen >= self.journal.recent.newest() => self.fetch(seen).await?,
                Some(seen) => match self.journal.recent.after(seen) {
                    recent if recent.is_empty() => self.page().await?,
                    recent => (self.mine(recent), true),
                },
                None => self.page().await?,
            };
            if let Some(last) = chunk.last() {
                let of_trust = self.filter.trust_id.is_some();
                self.after = if of_trust { last.trust_position } else { last.position };
                return Ok(Some(chunk));
            }
            if more {
                continue;
            }
            tokio::select! {
                () = self.journal.closing.cancelled() => break,
                _ = self.news.changed() => {}
                _ = self.hints.changed() => {}
                () = tokio::time::sleep(NAP) => {}
            }
        }
        Ok(None)
    }

    /// What the log has gained, read once for everybody who waits here; and whether there may be more.
    async fn fetch(&mut self, seen: i64) -> Result<(Vec<Arc<Recorded>>, bool)> {
        let recent = Arc::clone(&self.journal.recent);
        let turn = recent.fetching.lock().await;
        if recent.newest() > seen {
            // Somebody else has read it meanwhile.
            return Ok((Vec::new(), true));
        }
        let mut tx = self.journal.log.db.read().await?;
        let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let new = events(&mut tx, seen, &Filter::default(), limit).await?;
        drop(tx);
        let new: Vec<_> = new.into_iter().map(Arc::new).collect();
        recent.add(&new);
        drop(turn);
        let more = !new.is_empty();
        Ok((self.mine(new), more))
    }

    /// Of events that follow what the reader has, those it may see.
    fn mine(&mut self, events: Vec<Arc<Recorded>>) -> Vec<Arc<Recorded>> {
        self.seen = events.last().map(|it| it.position).or(self.seen);
        match self.filter.trust_id {
            None => events,
            Some(trust_id) => events.into_iter().filter(|it| it.trust_id == trust_id).collect(),
        }
    }

    /// A page of the table, for who is not among the newest; and whether there may be more.
    async fn page(&mut self) -> Result<(Vec<Arc<Recorded>>, bool)> {
        let mut tx = self.journal.log.db.read().await?;
        let limit = i64::try_from(CHUNK).unwrap_or(i64::MAX);
        let page = events(&mut tx, self.after, &self.filter, limit).await?;
        let whole = page.len() == CHUNK;
        self.seen = match (self.filter.trust_id, page.last()) {
            (None, Some(last)) => Some(last.position),
            (None, None) => self.seen,
            (Some(_), _) if whole => None,
            // Read from the same snapshot as the page: nothing of the trust lies between.
            (Some(_), _) => Some(head(&mut tx, None).await?),
        };
        Ok((page.into_iter().map(Arc::new).collect(), whole))
    }
}
