//! Operations that are cheaper together: those of one kind that queued at one time read and write as one.

use std::{
    any::{Any, TypeId},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use db::Tx;
use futures::{FutureExt, future::BoxFuture};
use rpc::{Ctx, Error, Result};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Journal,
    group::{Group, enter, keep, statement, unanswered},
    write::{Asked, Job, Promised},
};

/// A kind of operation that reads what all of a group touch, decides one after the other, and writes what all changed.
pub trait Gather: Send + Sync + 'static {
    type Input: Send + Sync + 'static;
    type Answer: Serialize + DeserializeOwned + Send + 'static;

    /// How much of [`Gather::LOAD`] an operation takes.
    fn weight(&self, input: &Self::Input) -> usize;

    /// The most that is run at once: what a group of operations may hold in memory.
    const LOAD: usize;

    /// Runs operations in their order, and answers each. It is called under the log's lock: what it reads stays true
    /// until the commit.
    ///
    /// A refusal among the answers must leave nothing behind. An error undoes all; each is then run by itself.
    fn run<'t>(
        &'t self,
        tx: &'t mut Tx,
        asked: Vec<(&'t Ctx, &'t Self::Input)>,
    ) -> BoxFuture<'t, Result<Vec<Result<Self::Answer>>>>;
}

impl Journal {
    /// Runs an operation together with those of its kind that are waiting; answers once it is durable.
    ///
    /// Answers are stored under idempotency keys as by [`Journal::write`].
    pub async fn gather<G: Gather>(
        &self,
        ctx: &Ctx,
        with: &Arc<G>,
        input: G::Input,
    ) -> Result<G::Answer> {
        self.writer
            .ask(ctx, |asked| {
                let (ctx, with) = (ctx.clone(), Arc::clone(with));
                Box::new(Gathered { asked, ctx, with, input })
            })
            .await
    }
}

/// An operation in the queue that is run with others of its kind.
pub(crate) trait Party: Any + Send {
    fn kind(&self) -> TypeId;
    fn weight(&self) -> usize;
    fn load(&self) -> usize;
    fn asked(&mut self) -> &mut dyn Promised;
    /// Runs itself and others of its kind.
    fn run<'t>(
        &'t mut self,
        tx: &'t mut Tx,
        others: Vec<&'t mut dyn Party>,
    ) -> BoxFuture<'t, Result<()>>;
}

struct Gathered<G: Gather> {
    asked: Asked<G::Answer>,
    ctx: Ctx,
    with: Arc<G>,
    input: G::Input,
}

impl<G: Gather> Party for Gathered<G> {
    fn kind(&self) -> TypeId {
        TypeId::of::<G>()
    }

    fn weight(&self) -> usize {
        self.with.weight(&self.input)
    }

    fn load(&self) -> usize {
        G::LOAD
    }

    fn asked(&mut self) -> &mut dyn Promised {
        &mut self.asked
    }

    fn run<'t>(
        &'t mut self,
        tx: &'t mut Tx,
        others: Vec<&'t mut dyn Party>,
    ) -> BoxFuture<'t, Result<()>> {
        let with = Arc::clone(&self.with);
        let mut all = vec![self];
        all.extend(others.into_iter().filter_map(|it| (it as &mut dyn Any).downcast_mut()));
        Box::pin(async move {
            let asked = all.iter().map(|it| (&it.ctx, &it.input)).collect();
            let answers = AssertUnwindSafe(with.run(tx, asked)).catch_unwind().await;
            let answers = answers.map_err(|_| Error::internal("the operation panicked"))??;
            if answers.len() != all.len() {
                return Err(Error::internal("not every operation was answered"));
            }
            for (it, answer) in all.into_iter().zip(answers) {
                it.asked.outcome = Some(answer);
            }
            Ok(())
        })
    }
}

impl<G: Gather> Job for Gathered<G> {
    fn as_party(&mut self) -> Option<&mut dyn Party> {
        Some(self)
    }

    fn finish(self: Box<Self>, failure: Option<&Error>) {
        self.asked.finish(failure);
    }
}

/// How many of the first operations are of one kind that is run together, and not too much at once.
pub(crate) fn run_of(jobs: &mut [Box<dyn Job>]) -> usize {
    let (mut first, mut load) = (None, 0);
    jobs.iter_mut()
        .map_while(|it| it.as_party())
        .take_while(|it| {
            load += it.weight();
            // The first is run however much it is.
            let fits = first.is_none() || load <= it.load();
            fits && *first.get_or_insert(it.kind()) == it.kind()
        })
        .count()
}

/// Runs operations of one kind; those that were answered are left out beforehand.
async fn run(tx: &mut Tx, mut parties: Vec<&mut dyn Party>) -> Result<()> {
    if parties.is_empty() {
        return Ok(());
    }
    let others = parties.split_off(1);
    match parties.pop() {
        Some(first) => first.run(tx, others).await,
        None => Ok(()),
    }
}

impl Group {
    /// Runs operations of one kind together; when that fails, one by one.
    pub(crate) async fn parties(
        &self,
        tx: &mut Tx,
        jobs: &mut [Box<dyn Job>],
        savepoint: bool,
    ) -> Result<bool> {
        if savepoint {
            enter(tx, &mut *self.log.heads.lock().await).await?;
        }
        let mut open = Vec::with_capacity(jobs.len());
        for party in jobs.iter_mut().filter_map(|it| it.as_party()) {
            if unanswered(tx, party.asked()).await? {
                open.push(party);
            }
        }
        let mut any = false;
        if run(tx, open.iter_mut().map(|it| &mut **it).collect()).await.is_ok() {
            for party in open {
                any |= settle_party(tx, party).await?;
            }
            return Ok(any);
        }
        self.undo(tx, "ROLLBACK TO SAVEPOINT append").await?;
        for party in open {
            statement(tx, "SAVEPOINT operation").await?;
            let done = run(tx, vec![&mut *party]).await;
            let done = match done {
                Ok(()) => settle_party(tx, party).await,
                Err(refused) => Err(refused),
            };
            match done {
                Ok(done) => any |= done,
                Err(refused) => {
                    party.asked().refuse(refused);
                    self.undo(tx, "ROLLBACK TO SAVEPOINT operation").await?;
                }
            }
            statement(tx, "RELEASE SAVEPOINT operation").await?;
        }
        Ok(any)
    }

    /// Undoes what was done since a savepoint, and what is remembered of it; the log's lock, taken before, stays.
    async fn undo(&self, tx: &mut Tx, sql: &'static str) -> Result<()> {
        self.log.heads.lock().await.forget();
        statement(tx, sql).await
    }
}

/// Keeps the answer, unless it is a refusal; says whether it is none.
async fn settle_party(tx: &mut Tx, party: &mut dyn Party) -> Result<bool> {
    let asked = party.asked();
    let granted = asked.is_granted();
    if granted {
        keep(tx, asked).await?;
    }
    Ok(granted)
}
