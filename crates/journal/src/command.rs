//! Operations that decide on one aggregate, or on none: they need no transaction of their own, so that a group of them
//! costs as many statements as one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use rpc::{Ctx, Error, Reason, Result};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Aggregate, Decision, Draft, Journal, Receipt, Recorded,
    aggregate::Loads,
    write::{Asked, Job, Promised},
};

impl Journal {
    /// Decides on one aggregate and appends what was decided, in a group with whatever else is waiting; answers once
    /// it is durable.
    ///
    /// `decide` is given the aggregate, or nothing where there is none, and must not block. Within a group it sees
    /// what was decided before it. Answers are stored under idempotency keys as by [`Journal::write`].
    pub async fn decide<A, T, F>(&self, ctx: &Ctx, id: A::Id, decide: F) -> Result<T>
    where
        A: Aggregate,
        T: Serialize + DeserializeOwned + Send + 'static,
        F: FnOnce(Option<&A>) -> Result<Decision<A, T>> + Send + 'static,
    {
        self.writer
            .ask(ctx, |asked| {
                let ctx = ctx.clone();
                Box::new(Deciding {
                    asked,
                    ctx,
                    id,
                    decide: Some(decide),
                    of: std::marker::PhantomData,
                })
            })
            .await
    }

    /// Appends one event and projects it, in a group with whatever else is waiting; answers once it is durable.
    ///
    /// The same event again is answered with where it was recorded; another event under its id is refused.
    pub async fn append(&self, ctx: &Ctx, draft: Draft) -> Result<Receipt> {
        self.writer
            .ask(ctx, |asked| {
                Box::new(Appending { asked, event: Some(Recorded::unplaced(ctx, draft)) })
            })
            .await
    }
}

/// A command in the queue, whatever it answers.
pub(crate) trait Command: Send {
    fn asked(&mut self) -> &mut dyn Promised;
    /// Names the aggregate to load.
    fn want(&self, loads: &mut Loads);
    /// The events to append; an error is the refusal.
    fn decide(&mut self, loads: &mut Loads) -> Result<Vec<Recorded>>;
    /// Told where the events were recorded.
    fn recorded(&mut self, events: &[Recorded]);
    /// Its one event, where it decides on nothing, and nothing is kept but that.
    fn bare(&mut self) -> Option<&mut Recorded> {
        None
    }
    /// Told that this event was recorded.
    fn bare_recorded(&mut self) {}
}

struct Deciding<A: Aggregate, T, F> {
    asked: Asked<T>,
    ctx: Ctx,
    id: A::Id,
    decide: Option<F>,
    of: std::marker::PhantomData<fn() -> A>,
}

impl<A, T, F> Command for Deciding<A, T, F>
where
    A: Aggregate,
    T: Serialize + DeserializeOwned + Send + 'static,
    F: FnOnce(Option<&A>) -> Result<Decision<A, T>> + Send + 'static,
{
    fn asked(&mut self) -> &mut dyn Promised {
        &mut self.asked
    }

    fn want(&self, loads: &mut Loads) {
        if let Some(loaded) = loads.of::<A>()
            && !loaded.wanted.contains(&self.id)
        {
            loaded.wanted.push(self.id);
        }
    }

    fn decide(&mut self, loads: &mut Loads) -> Result<Vec<Recorded>> {
        let loaded = loads.of::<A>().ok_or_else(|| Error::internal("another kind of aggregate"))?;
        let decide = self.decide.take().ok_or_else(|| Error::internal("decided before"))?;
        let found = loaded.found.get(&self.id);
        let decision = catch_unwind(AssertUnwindSafe(|| decide(found)))
            .map_err(|_| Error::internal("the operation panicked"))??;
        loaded.found.insert(self.id, decision.state);
        self.asked.outcome = Some(Ok(decision.answer));
        Ok(decision.drafts.into_iter().map(|it| Recorded::unplaced(&self.ctx, it)).collect())
    }

    fn recorded(&mut self, _: &[Recorded]) {}
}

struct Appending {
    asked: Asked<Receipt>,
    event: Option<Recorded>,
}

impl Command for Appending {
    fn asked(&mut self) -> &mut dyn Promised {
        &mut self.asked
    }

    fn want(&self, _: &mut Loads) {}

    fn bare(&mut self) -> Option<&mut Recorded> {
        self.event.as_mut().filter(|_| self.asked.promise.is_none())
    }

    fn bare_recorded(&mut self) {
        if let Some(event) = self.event.take() {
            self.recorded(&[event]);
        }
    }

    fn decide(&mut self, _: &mut Loads) -> Result<Vec<Recorded>> {
        Ok(self.event.take().into_iter().collect())
    }

    fn recorded(&mut self, events: &[Recorded]) {
        self.asked.outcome = Some(match events {
            [event] => Ok(Receipt {
                position: event.position,
                trust_position: event.trust_position,
                recorded_at: event.recorded_at,
            }),
            _ => Err(Error::new(Reason::Internal, "one event was to be recorded")),
        });
    }
}

macro_rules! job {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> Job for $type
        where
            Self: Command,
        {
            fn as_command(&mut self) -> Option<&mut dyn Command> {
                Some(self)
            }

            fn finish(self: Box<Self>, failure: Option<&Error>) {
                self.asked.finish(failure);
            }
        }
    };
}

job!([A: Aggregate, T: Send + 'static, F: Send + 'static] Deciding<A, T, F>);
job!([] Appending);
