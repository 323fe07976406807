//! What stands between the log and whoever reads an event: the one place where an old event becomes one of today.

use std::{borrow::Cow, sync::Arc};

use db::{Scratch, Tx};
use rpc::{Error, Result};

use crate::{Projection, Recorded, described::Described, group::Log, upcast::Upcasts};

pub(crate) struct Reading {
    /// What is wrong with the service's upcasts keeps every event from being read.
    upcasts: Result<Upcasts, String>,
    described: Described,
    /// Replayed into to answer how things stood.
    pub(crate) replica: Scratch,
}

impl Reading {
    pub(crate) fn new(projection: &dyn Projection) -> Arc<Self> {
        Arc::new(Self {
            upcasts: Upcasts::check(projection.upcasts()),
            described: Described::default(),
            replica: Scratch::new(projection.schema()),
        })
    }

    pub(crate) fn check(&self) -> Result<()> {
        self.upcasts().map(drop)
    }

    fn upcasts(&self) -> Result<&Upcasts> {
        self.upcasts.as_ref().map_err(|it| Error::internal(it.as_str()))
    }
}

impl Reading {
    /// Whether the database is known to hold the form of a type.
    pub(crate) fn is_described(&self, kind: &str) -> bool {
        self.described.knows(kind)
    }
}

impl Log {
    /// Makes of events just appended all that is kept beside them, in their transaction.
    pub(crate) async fn take_in(&self, tx: &mut Tx, events: &[Recorded]) -> Result<()> {
        self.reading.described.note(tx, events).await?;
        self.project(tx, events).await
    }

    /// The one way from the log to the tables, live and on every replay. What is about the journal itself makes nothing of
    /// the service's state.
    pub(crate) async fn project(&self, tx: &mut Tx, events: &[Recorded]) -> Result<()> {
        for run in self.current(events)?.chunk_by(|a, b| is_own(a) == is_own(b)) {
            if !run.iter().all(is_own) {
                self.projection.project(tx, run).await?;
            }
        }
        Ok(())
    }

    /// Whether events of that type can be read here.
    pub(crate) fn knows(&self, kind: &str) -> bool {
        self.reading.upcasts().is_ok_and(|it| it.know(kind))
    }

    /// Events as types of today: whatever is made of an event is made of this.
    pub(crate) fn current<'e>(&self, events: &'e [Recorded]) -> Result<Cow<'e, [Recorded]>> {
        self.reading.upcasts()?.current(events)
    }
}

fn is_own(event: &Recorded) -> bool {
    event.kind.starts_with("headway.journal.v1.")
}
