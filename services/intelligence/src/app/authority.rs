//! Who may push, remembered: most pushes come by feeds that others came by a moment ago, and asking the database before
//! a body is read costs more than entering it. What is remembered may be old, so the transaction that enters a push
//! looks whether its feed is still the same, for a whole group by one statement.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use db::Tx;
use rpc::{Error, Reason, Result};

use crate::{
    domain::{Feed, FeedId},
    store,
};

/// Feeds remembered at the most; beyond, all are forgotten.
const REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Feeds(Mutex<HashMap<FeedId, Feed>>);

impl Feeds {
    /// A feed as it was when it was last read.
    pub(super) fn get(&self, feed_id: FeedId) -> Option<Feed> {
        self.known().get(&feed_id).cloned()
    }

    pub(super) fn remember(&self, feed: Feed) {
        let mut known = self.known();
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(feed.feed_id, feed);
    }

    /// Those of the feeds that are no longer as a push found them; they are forgotten.
    pub(super) async fn changed<'f>(
        &self,
        tx: &mut Tx,
        feeds: impl Iterator<Item = &'f Feed>,
    ) -> Result<HashSet<FeedId>> {
        let asked: HashMap<FeedId, u32> = feeds.map(|it| (it.feed_id, it.version)).collect();
        let ids: Vec<FeedId> = asked.keys().copied().collect();
        let now = store::feed::versions(tx, &ids).await?;
        let differs = |(id, version): &(FeedId, u32)| now.get(id) != Some(version);
        let changed: HashSet<FeedId> = asked.into_iter().filter(differs).map(|it| it.0).collect();
        if !changed.is_empty() {
            self.known().retain(|id, _| !changed.contains(id));
        }
        Ok(changed)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<FeedId, Feed>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a push is told whose feed changed after it was looked at; the next one is judged by the feed as it is.
pub(super) fn refused() -> Error {
    Error::new(Reason::Unavailable, "the feed was changed a moment ago: send the push again")
}
