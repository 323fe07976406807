//! The one writer of a service: whatever queued during the last commit runs next, in order of arrival, in one
//! transaction. A lone caller waits for nobody.

use std::sync::Arc;

use db::Tx;
use futures::future::BoxFuture;
use rpc::{Ctx, Error, Reason, Result};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Journal,
    answer::{Keys, Promise},
    command::Command,
    group::{Group, Log},
};

/// Operations that may wait; more are refused with a hint to come back.
const QUEUE: usize = 1024;
/// Operations committed together.
const GROUP: usize = 512;

#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    in_flight: Keys,
}

impl Journal {
    /// Runs an operation in a transaction and commits it; its answer is given once it is durable.
    ///
    /// The answer is stored under the caller's idempotency key in the same transaction, and given again to a retry.
    /// A caller who goes away does not undo the operation.
    pub async fn write<T, F>(&self, ctx: &Ctx, operation: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
    {
        self.writer.ask(ctx, |asked| Box::new(Operation { asked, run: Some(operation) })).await
    }
}

impl Writer {
    pub(crate) fn start(log: Log, news: Arc<watch::Sender<u64>>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(run(log, jobs, news));
        Self { queue, in_flight: Keys::default() }
    }

    /// Queues a job and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        ctx: &Ctx,
        job: impl FnOnce(Asked<T>) -> Box<dyn Job>,
    ) -> Result<T> {
        let promise = Promise::enter(&self.in_flight, ctx)?;
        let (reply, answer) = oneshot::channel();
        let job = job(Asked { promise, outcome: None, reply });
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => {
                Error::new(Reason::Overloaded, "too many writes are waiting")
            }
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }
}

fn stopped() -> Error {
    Error::new(Reason::Unavailable, "the service is stopping")
}

async fn run(log: Log, mut queue: mpsc::Receiver<Box<dyn Job>>, news: Arc<watch::Sender<u64>>) {
    let queued = metrics::gauge!("headway_write_queue", "service" => log.service);
    let sizes = metrics::histogram!("headway_write_group_size", "service" => log.service);
    let mut jobs = Vec::with_capacity(GROUP);
    let mut group = Group::new(log);
    while queue.recv_many(&mut jobs, GROUP).await > 0 {
        sizes.record(u32::try_from(jobs.len()).unwrap_or(u32::MAX));
        queued.set(u32::try_from(queue.len()).unwrap_or(u32::MAX));
        let committed = group.commit(&mut jobs).await;
        if committed.is_ok() {
            news.send_modify(|it| *it += 1);
        }
        let failure = committed.err();
        for job in jobs.drain(..) {
            job.finish(failure.as_ref());
        }
    }
}

/// An operation in the queue, whatever it answers.
pub(crate) trait Job: Send {
    /// Itself, if it needs no transaction of its own.
    fn as_command(&mut self) -> Option<&mut dyn Command> {
        None
    }

    /// Runs it, unless it is a command; false when it refused and nothing of it may stay.
    fn run<'t>(&'t mut self, _: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async { false })
    }

    /// Answers the caller; `failure` says why the group could not be committed.
    fn finish(self: Box<Self>, failure: Option<&Error>);
}

/// What every operation was asked with and is answered by.
pub(crate) struct Asked<T> {
    pub(crate) promise: Option<Promise>,
    pub(crate) outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T> Asked<T> {
    pub(crate) fn finish(self, failure: Option<&Error>) {
        let answer = match (self.outcome, failure) {
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(answer)), None) => Ok(answer),
            (_, Some(failure)) => Err(Error::new(failure.reason, failure.detail.clone())),
            (None, None) => Err(Error::internal("the operation panicked")),
        };
        // Before the answer: its caller may send the same key again at once.
        drop(self.promise);
        // A caller who has gone away cannot be answered, and need not be.
        drop(self.reply.send(answer));
    }
}

impl<T: Serialize + DeserializeOwned> Asked<T> {
    pub(crate) fn answered(&mut self, stored: &str) {
        self.outcome = Some(serde_json::from_str(stored).map_err(Error::internal));
    }

    pub(crate) fn answer(&self) -> Result<String> {
        match &self.outcome {
            Some(Ok(answer)) => serde_json::to_string(answer).map_err(Error::internal),
            _ => Err(Error::internal("there is no answer to keep")),
        }
    }
}

struct Operation<T, F> {
    asked: Asked<T>,
    run: Option<F>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(run) = self.run.take() else { return false };
            let outcome = self.once(tx, run).await;
            if let Err(refused) = outcome {
                self.asked.outcome = Some(Err(refused));
                return false;
            }
            true
        })
    }

    fn finish(self: Box<Self>, failure: Option<&Error>) {
        self.asked.finish(failure);
    }
}

impl<T: Serialize + DeserializeOwned + Send, F> Operation<T, F> {
    /// Runs it unless it was answered before, and keeps its answer.
    async fn once(
        &mut self,
        tx: &mut Tx,
        run: impl for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
    ) -> Result<()> {
        let asked = &mut self.asked;
        if let Some(promise) = &asked.promise
            && let Some(stored) = promise.answered(tx).await?
        {
            asked.answered(&stored);
            return Ok(());
        }
        asked.outcome = Some(Ok(run(tx).await?));
        if let Some(promise) = &asked.promise {
            promise.keep(tx, asked.answer()?).await?;
        }
        Ok(())
    }
}
