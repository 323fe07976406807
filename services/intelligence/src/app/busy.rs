//! Which trusts have batches waiting, asked for many pushes at once: each has to know, and asking for each by itself costs
//! about as much as entering it.

use std::{
    collections::BTreeSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use db::Db;
use futures::FutureExt;
use identity::TrustId;
use rpc::{Error, Result};
use tokio::sync::oneshot;

use crate::store;

#[derive(Debug, Default)]
pub(super) struct Busy(Mutex<Asked>);

#[derive(Debug, Default)]
struct Asked {
    trusts: Vec<(TrustId, oneshot::Sender<Result<bool>>)>,
    /// Whether somebody is looking, who will look again for those who ask meanwhile.
    is_looking: bool,
}

impl Busy {
    /// Whether batches of the trust wait, seen by a look that begins after this was asked.
    pub(super) async fn is_busy(self: &Arc<Self>, db: &Db, trust_id: TrustId) -> Result<bool> {
        let (reply, answer) = oneshot::channel();
        let is_looking = {
            let mut asked = self.asked();
            asked.trusts.push((trust_id, reply));
            std::mem::replace(&mut asked.is_looking, true)
        };
        if !is_looking {
            // Whoever asked first may go away, and the others still wait.
            tokio::spawn(Arc::clone(self).look(db.clone()));
        }
        answer.await.map_err(Error::internal)?
    }

    async fn look(self: Arc<Self>, db: Db) {
        loop {
            let trusts = {
                let mut asked = self.asked();
                asked.is_looking = !asked.trusts.is_empty();
                std::mem::take(&mut asked.trusts)
            };
            if trusts.is_empty() {
                return;
            }
            let ids = trusts.iter().map(|it| it.0).collect();
            let busy = AssertUnwindSafe(those_of(&db, ids)).catch_unwind().await;
            let busy = busy.unwrap_or_else(|_| Err(Error::internal("looking panicked")));
            for (trust_id, reply) in trusts {
                let answer = match &busy {
                    Ok(busy) => Ok(busy.contains(&trust_id)),
                    Err(failed) => Err(Error::new(failed.reason, failed.detail.clone())),
                };
                // A caller who has gone away cannot be answered, and need not be.
                drop(reply.send(answer));
            }
        }
    }

    fn asked(&self) -> MutexGuard<'_, Asked> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn those_of(db: &Db, trusts: BTreeSet<TrustId>) -> Result<BTreeSet<TrustId>> {
    let trusts: Vec<TrustId> = trusts.into_iter().collect();
    store::work::busy(&mut db.read().await?, &trusts).await
}
