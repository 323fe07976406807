//! Operations that are run together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

use db::{Tx, on};
use futures::future::{BoxFuture, join_all};
use journal::{Gather, Journal, verify};
use rpc::{Ctx, Error, Idempotency, Reason, Result};
use testkit::Database;

use crate::notes::{count, draft, open};

testkit::both!(
    those_that_queued_together_run_together_in_their_order,
    a_refusal_leaves_its_neighbours,
    what_fails_together_is_run_alone,
    a_retry_is_answered_and_not_run,
    no_more_is_run_at_once_than_the_load,
);

/// Writes notes, and counts how it was asked to.
struct Notes {
    journal: Journal,
    runs: AtomicUsize,
    most: AtomicUsize,
}

/// A note to write: its stream.
struct Note(&'static str, usize);

impl Gather for Notes {
    type Input = Note;
    type Answer = i64;
    const LOAD: usize = 100;

    fn weight(&self, _: &Note) -> usize {
        5
    }

    fn run<'t>(
        &'t self,
        tx: &'t mut Tx,
        asked: Vec<(&'t Ctx, &'t Note)>,
    ) -> BoxFuture<'t, Result<Vec<Result<i64>>>> {
        self.runs.fetch_add(1, Relaxed);
        self.most.fetch_max(asked.len(), Relaxed);
        Box::pin(async move {
            let refused = |it: &Note| it.0 == "refused";
            let decided = asked
                .iter()
                .filter(|(_, it)| !refused(it))
                .map(|(ctx, it)| (*ctx, vec![draft(1, &format!("note/{}/{}", it.0, it.1), 1, "x")]))
                .collect();
            let mut recorded = self.journal.record_all(tx, decided).await?.into_iter();
            assert!(!asked.iter().any(|it| it.1.0 == "panics"), "on purpose");
            if asked.iter().any(|it| it.1.0 == "broken") {
                on!(tx, |c| sqlx::query("SELECT nothing FROM nowhere").execute(c).await.map(drop))?;
            }
            let answer = |it: &Note| {
                if refused(it) {
                    return Err(Error::new(Reason::NotFound, "refused"));
                }
                let events = recorded.next().unwrap_or_default();
                events.first().map(|it| it.position).ok_or_else(|| Error::internal("none"))
            };
            Ok(asked.iter().map(|it| it.1).map(answer).collect())
        })
    }
}

async fn notes(database: &Database) -> Arc<Notes> {
    let journal = open(database, "notes").await;
    Arc::new(Notes { journal, runs: AtomicUsize::new(0), most: AtomicUsize::new(0) })
}

impl Notes {
    async fn write(self: &Arc<Self>, name: &'static str, number: usize) -> Result<i64> {
        self.journal.gather(&Ctx::system("test"), self, Note(name, number)).await
    }
}

async fn those_that_queued_together_run_together_in_their_order(database: Database) {
    let notes = notes(&database).await;
    let positions = join_all((0..50).map(|it| notes.write("plain", it))).await;
    let positions: Vec<i64> = positions.into_iter().map(|it| it.unwrap()).collect();
    assert_eq!(positions, (1..=50).collect::<Vec<_>>());
    assert!(notes.runs.load(Relaxed) < 10, "{} runs", notes.runs.load(Relaxed));
    assert_eq!(verify(&notes.journal).await.unwrap(), (50, vec![]));
}

async fn a_refusal_leaves_its_neighbours(database: Database) {
    let notes = notes(&database).await;
    let names = ["plain", "refused", "plain", "refused", "plain"];
    let outcomes =
        join_all(names.iter().zip(0..).map(|(it, number)| notes.write(it, number))).await;
    for (name, outcome) in names.iter().zip(&outcomes) {
        assert_eq!(outcome.is_ok(), *name == "plain", "{outcome:?}");
    }
    assert_eq!(count(notes.journal.db()).await, 3);
}

async fn what_fails_together_is_run_alone(database: Database) {
    let notes = notes(&database).await;
    for (culprit, number) in [("broken", 0), ("panics", 10)] {
        let before = count(notes.journal.db()).await;
        let names = ["plain", culprit, "plain", "plain"];
        let writes = names.iter().zip(number..).map(|(it, number)| notes.write(it, number));
        for (name, outcome) in names.iter().zip(join_all(writes).await) {
            let reason = outcome.map_err(|it| it.reason).err();
            assert_eq!(reason, (*name == culprit).then_some(Reason::Internal));
        }
        assert_eq!(count(notes.journal.db()).await, before + 3);
    }
    assert_eq!(verify(&notes.journal).await.unwrap(), (6, vec![]));
}

async fn a_retry_is_answered_and_not_run(database: Database) {
    let notes = notes(&database).await;
    let keyed = |request: u8| {
        let idempotency = Some(Idempotency { key: "k".to_owned(), request: [request; 32] });
        Ctx { idempotency, ..Ctx::system("test") }
    };
    let write = |request| {
        let (notes, ctx) = (Arc::clone(&notes), keyed(request));
        async move { notes.journal.gather(&ctx, &notes, Note("plain", 1)).await }
    };
    assert_eq!(write(1).await.unwrap(), 1);
    notes.write("plain", 2).await.unwrap();
    assert_eq!(write(1).await.unwrap(), 1);
    assert_eq!(write(2).await.unwrap_err().reason, Reason::IdempotencyKeyReused);
    assert_eq!(count(notes.journal.db()).await, 2);
}

async fn no_more_is_run_at_once_than_the_load(database: Database) {
    let notes = notes(&database).await;
    join_all((0..60).map(|it| notes.write("plain", it))).await;
    assert!((2..=20).contains(&notes.most.load(Relaxed)), "{} at once", notes.most.load(Relaxed));
}
