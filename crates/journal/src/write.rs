//! The one writer of a service: whatever queued during the last commit runs next, in order of arrival, in one
//! transaction, each operation under a savepoint. A lone caller waits for nobody.

use std::{
    collections::HashSet,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use chrono::{DateTime, Duration, Utc};
use db::{Db, Tx, on};
use futures::{FutureExt, future::BoxFuture};
use rpc::{Ctx, Error, Idempotency, Reason, Result};
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::{mpsc, oneshot, watch};

use crate::Journal;

/// Operations that may wait; more are refused with a hint to come back.
const QUEUE: usize = 1024;
/// Operations committed together.
const GROUP: usize = 256;
/// How long an answer is kept for a retry.
const ANSWERS_KEPT: Duration = Duration::hours(24);

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
        self.intact()?;
        let in_flight = match &ctx.idempotency {
            Some(it) => {
                Some(InFlight::enter(&self.writer.in_flight, &ctx.caller.client_id, &it.key)?)
            }
            None => None,
        };
        let (reply, answer) = oneshot::channel();
        let operation = Operation {
            client_id: ctx.caller.client_id.clone(),
            idempotency: ctx.idempotency.clone(),
            now: ctx.now,
            run: Some(operation),
            outcome: None,
            reply,
            in_flight,
        };
        self.writer.queue.try_send(Box::new(operation)).map_err(|error| match error {
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

impl Writer {
    pub(crate) fn start(service: &'static str, db: Db, news: Arc<watch::Sender<u64>>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(run(service, db, jobs, news));
        Self { queue, in_flight: Keys::default() }
    }
}

async fn run(
    service: &'static str,
    db: Db,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    news: Arc<watch::Sender<u64>>,
) {
    let mut group = Vec::with_capacity(GROUP);
    let mut purged = None;
    while queue.recv_many(&mut group, GROUP).await > 0 {
        let started = Instant::now();
        metrics::histogram!("headway_write_group_size", "service" => service)
            .record(u32::try_from(group.len()).unwrap_or(u32::MAX));
        metrics::gauge!("headway_write_queue", "service" => service)
            .set(u32::try_from(queue.len()).unwrap_or(u32::MAX));
        let committed = commit(&db, &mut group, &mut purged).await;
        metrics::histogram!("headway_write_seconds", "service" => service)
            .record(started.elapsed().as_secs_f64());
        if committed.is_ok() {
            news.send_modify(|it| *it += 1);
        }
        let failure = committed.err();
        for job in group.drain(..) {
            job.finish(failure.as_ref());
        }
    }
}

/// Runs every job and commits those that did not refuse.
async fn commit(
    db: &Db,
    group: &mut [Box<dyn Job>],
    purged: &mut Option<DateTime<Utc>>,
) -> Result<()> {
    let mut tx = db.begin().await?;
    let alone = group.len() == 1;
    let mut any = false;
    for job in group {
        if !alone {
            statement(&mut tx, "SAVEPOINT operation").await?;
        }
        let done = AssertUnwindSafe(job.run(&mut tx)).catch_unwind().await.unwrap_or(false);
        any |= done;
        if !alone {
            if !done {
                statement(&mut tx, "ROLLBACK TO SAVEPOINT operation").await?;
            }
            statement(&mut tx, "RELEASE SAVEPOINT operation").await?;
        }
    }
    if !any {
        return Ok(tx.rollback().await?);
    }
    purge(&mut tx, purged).await?;
    Ok(tx.commit().await?)
}

async fn statement(tx: &mut Tx, sql: &'static str) -> Result<()> {
    on!(tx, |c| sqlx::query(sql).execute(c).await.map(drop))?;
    Ok(())
}

/// Forgets old answers, once an hour.
async fn purge(tx: &mut Tx, purged: &mut Option<DateTime<Utc>>) -> Result<()> {
    let now = rpc::now();
    if purged.is_some_and(|it| now - it < Duration::hours(1)) {
        return Ok(());
    }
    on!(tx, |c| sqlx::query("DELETE FROM answer WHERE answered_at < $1")
        .bind(now - ANSWERS_KEPT)
        .execute(c)
        .await
        .map(drop))?;
    *purged = Some(now);
    Ok(())
}

/// An operation in the queue, whatever it answers.
trait Job: Send {
    /// Runs it; false when it refused and nothing of it may stay.
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool>;
    /// Answers the caller; `failure` says why the group could not be committed.
    fn finish(self: Box<Self>, failure: Option<&Error>);
}

struct Operation<T, F> {
    client_id: String,
    idempotency: Option<Idempotency>,
    now: DateTime<Utc>,
    run: Option<F>,
    outcome: Option<Result<T>>,
    reply: oneshot::Sender<Result<T>>,
    in_flight: Option<InFlight>,
}

impl<T, F> Job for Operation<T, F>
where
    T: Serialize + DeserializeOwned + Send + 'static,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>> + Send + 'static,
{
    fn run<'t>(&'t mut self, tx: &'t mut Tx) -> BoxFuture<'t, bool> {
        Box::pin(async move {
            let Some(run) = self.run.take() else { return false };
            let outcome = match self.idempotency.as_ref() {
                None => run(tx).await,
                Some(it) => once(tx, &self.client_id, it, self.now, run).await,
            };
            self.outcome.insert(outcome).is_ok()
        })
    }

    fn finish(self: Box<Self>, failure: Option<&Error>) {
        let answer = match (self.outcome, failure) {
            (Some(Err(refused)), _) => Err(refused),
            (Some(Ok(answer)), None) => Ok(answer),
            (_, Some(failure)) => Err(Error::new(failure.reason, failure.detail.clone())),
            (None, None) => Err(Error::internal("the operation panicked")),
        };
        // Before the answer: its caller may send the same key again at once.
        drop(self.in_flight);
        // A caller who has gone away cannot be answered, and need not be.
        drop(self.reply.send(answer));
    }
}

/// Runs an operation unless it was answered before, and stores its answer.
async fn once<T, F>(
    tx: &mut Tx,
    client_id: &str,
    idempotency: &Idempotency,
    now: DateTime<Utc>,
    run: F,
) -> Result<T>
where
    T: Serialize + DeserializeOwned,
    F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T>>,
{
    let stored: Option<(Vec<u8>, String)> = on!(tx, |c| sqlx::query_as(
        "SELECT request, answer FROM answer WHERE client_id = $1 AND key = $2"
    )
    .bind(client_id)
    .bind(&idempotency.key)
    .fetch_optional(c)
    .await)?;
    if let Some((request, answer)) = stored {
        if request != idempotency.request {
            let detail = "this idempotency key was used for another request; take a new one";
            return Err(Error::new(Reason::IdempotencyKeyReused, detail));
        }
        return serde_json::from_str(&answer).map_err(Error::internal);
    }
    let answer = run(tx).await?;
    on!(tx, |c| sqlx::query(
        "INSERT INTO answer (client_id, key, request, answer, answered_at) VALUES ($1, $2, $3, $4, $5)"
    )
    .bind(client_id)
    .bind(&idempotency.key)
    .bind(idempotency.request.to_vec())
    .bind(serde_json::to_string(&answer).map_err(Error::internal)?)
    .bind(now)
    .execute(c)
    .await
    .map(drop))
    .map_err(|error| match error.as_database_error() {
        // Another replica answered the same key meanwhile.
        Some(it) if it.is_unique_violation() => in_flight().caused_by(error),
        _ => error.into(),
    })?;
    Ok(answer)
}

type Keys = Arc<Mutex<HashSet<(String, String)>>>;

/// Holds an idempotency key while its request is being answered.
struct InFlight {
    keys: Keys,
    key: (String, String),
}

impl InFlight {
    fn enter(keys: &Keys, client_id: &str, key: &str) -> Result<Self> {
        let key = (client_id.to_owned(), key.to_owned());
        if keys.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone()) {
            Ok(Self { keys: Arc::clone(keys), key })
        } else {
            Err(in_flight())
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

fn in_flight() -> Error {
    Error::new(Reason::IdempotencyInFlight, "a request with this idempotency key is being answered")
}
