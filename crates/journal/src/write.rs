//! The one writer of a service: whatever queued during the last commit runs next, in order of arrival, in one
//! transaction. A lone caller waits for nobody.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use db::Tx;
use futures::future::BoxFuture;
use rpc::{Ctx, Error, Reason, Result};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    Journal,
    answer::{Keys, Promise},
    command::Command,
    gather::Party,
    group::{Group, Log},
    proof::State,
};

/// Operations that may wait; more are refused with a hint to come back.
const QUEUE: usize = 1024;
/// Of these, the most that one client may have waiting: whoever floods the queue leaves room for others.
const SHARE: usize = QUEUE / 4 * 3;
/// Operations committed together.
const GROUP: usize = 512;

#[derive(Clone)]
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    in_flight: Keys,
    waiting: Seats,
    soundness: Arc<State>,
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
    pub(crate) fn start(log: Log, news: Arc<watch::Sender<u64>>, soundness: Arc<State>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(run(log, jobs, news));
        Self { queue, in_flight: Keys::default(), waiting: Seats::default(), soundness }
    }

    /// Queues a job and waits for its answer.
    pub(crate) async fn ask<T>(
        &self,
        ctx: &Ctx,
        job: impl FnOnce(Asked<T>) -> Box<dyn Job>,
    ) -> Result<T> {
        self.soundness.intact()?;
        let promise = Promise::enter(&self.in_flight, ctx)?;
        let seat = Seat::take(&self.waiting, &ctx.caller.client_id)?;
        let (reply, answer) = oneshot::channel();
        let job = job(Asked { promise, outcome: None, reply, _seat: seat });
        self.queue.try_send(job).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => overloaded("too many writes are waiting"),
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }
}

fn overloaded(detail: &'static str) -> Error {
    Error::new(Reason::Overloaded, detail)
}

/// How many operations of each client wait.
type Seats = Arc<Mutex<HashMap<String, usize>>>;

/// A client's place among those who wait, given back once it is answered.
struct Seat {
    seats: Seats,
    client_id: String,
}

impl Seat {
    fn take(seats: &Seats, client_id: &str) -> Result<Self> {
        let mut taken = seats.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.entry(client_id.to_owned()).or_default();
        if *own >= SHARE {
            return Err(overloaded("too many writes of yours are waiting"));
        }
        *own += 1;
        Ok(Self { seats: Arc::clone(seats), client_id: client_id.to_owned() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = taken.get_mut(&self.client_id) {
            *own -= 1;
            if *own == 0 {
                taken.remove(&self.client_id);
            }
        }
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

    /// Itself, if it is run together with others of its kind.
    fn as_party(&mut self) -> Option<&mut dyn Party> {
        None
    }

    /// Runs it, unless it is one of these; false when it refused and nothing of it may stay.
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
    _seat: Seat,
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

/// What is asked for and may have been answered before, whatever the answer is.
pub(crate) trait Promised: Send {
    fn promise(&self) -> Option<&Promise>;
    fn refuse(&mut self, error: Error);
    /// Whether there is an answer other than a refusal.
    fn is_granted(&self) -> bool;
    /// Takes the answer that an earlier request under the same key was given.
    fn answered(&mut self, stored: &str);
    /// The answer as it is kept.
    fn answer(&self) -> Result<String>;
}

impl<T: Serialize + DeserializeOwned + Send> Promised for Asked<T> {
    fn promise(&self) -> Option<&Promise> {
        self.promise.as_ref()
    }

    fn refuse(&mut self, error: Error) {
        self.outcome = Some(Err(error));
    }

    fn is_granted(&self) -> bool {
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answered(&mut self, stored: &str) {
        self.outcome = Some(serde_json::from_str(stored).map_err(Error::internal));
    }

    fn answer(&self) -> Result<String> {
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
