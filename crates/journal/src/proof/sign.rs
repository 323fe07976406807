//! Signing checkpoints: never twice a size, never a tree that does not extend the last one signed.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::{Error, Reason, Result};

use super::{
    Checkpoint, Hash, Keys, Statement, damaged, head, note, store,
    tiles::{HEIGHT, Stored, Tree, signed},
    verify_consistency,
};
use crate::{Journal, read};

/// Leaves one checkpoint adds at the most, so that a long log is signed piece by piece.
const ROUND: u64 = 1 << 16;
/// How long to sleep unwoken: another replica's commits wake nobody here.
const NAP: Duration = Duration::from_secs(5);

/// Signs while there is news, until the journal closes. Trouble is logged and tried again.
pub(crate) async fn run(journal: Journal, interval: Duration) {
    let mut news = journal.news.subscribe();
    loop {
        news.mark_unchanged();
        match journal.sign().await {
            Ok(()) => {}
            Err(error) if error.reason == Reason::JournalDamaged => return,
            // The database closes with the journal.
            Err(_) if journal.closing.is_cancelled() => return,
            Err(error) => {
                metrics::counter!("headway_checkpoint_failures_total", "service" => journal.service())
                    .increment(1);
                tracing::warn!(service = journal.service(), %error, "will sign again");
            }
        }
        tokio::select! {
            () = journal.closing.cancelled() => return,
            () = tokio::time::sleep(interval) => {}
        }
        tokio::select! {
            () = journal.closing.cancelled() => return,
            _ = news.changed() => {}
            () = tokio::time::sleep(NAP) => {}
        }
    }
}

/// A checkpoint about to be signed, and the nodes that go with it.
struct Next {
    after: u64,
    statement: Statement,
    nodes: Vec<(u8, u64, Hash)>,
    marks: Vec<u8>,
    not_before: DateTime<Utc>,
    head: u64,
}

/// Signs one checkpoint, if there is news; says whether there may be more.
pub(crate) async fn round(journal: &Journal) -> Result<bool> {
    journal.proof.intact()?;
    let (keys, started) = (journal.keys()?, Instant::now());
    let prepared = prepare(journal, keys).await.inspect_err(|error| {
        if error.reason == Reason::JournalDamaged {
            journal.condemn(error);
        }
    });
    let Some(next) = prepared? else { return Ok(false) };
    let mut tx = journal.db().begin().await?;
    if !alone(&mut tx).await? {
        // Another process is at it.
        tx.rollback().await?;
        return Ok(false);
    }
    if store::latest(&mut tx).await?.map_or(0, |it| it.size) != next.after {
        tx.rollback().await?;
        return Ok(true);
    }
    let signing = keys.signing().map_err(Error::internal)?;
    let checkpoint = Checkpoint {
        size: next.statement.size,
        root: next.statement.root,
        note: note::sign(&next.statement, &signing),
        marks: next.marks,
        signed_at: rpc::now().max(next.not_before),
    };
    store::add(&mut tx, &checkpoint, &next.nodes).await?;
    tx.commit().await?;
    let service = journal.service();
    metrics::histogram!("headway_checkpoint_seconds", "service" => service)
        .record(started.elapsed().as_secs_f64());
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    metrics::gauge!("headway_checkpoint_size", "service" => service).set(checkpoint.size as f64);
    Ok(checkpoint.size < next.head)
}

/// Reads what is new and computes the tree over it, in one snapshot and without holding any writer up.
async fn prepare(journal: &Journal, keys: &Keys) -> Result<Option<Next>> {
    let mut tx = journal.db().read().await?;
    let last = store::latest(&mut tx).await?;
    let after = last.as_ref().map_or(0, |it| it.size);
    let head = u64::try_from(read::head(&mut tx, None).await?).map_err(Error::internal)?;
    if head < after {
        return Err(damaged(format!("{after} events were signed, but there are {head}")));
    }
    let size = head.min(after + ROUND);
    if size == after {
        return Ok(None);
    }
    let recorded_at = recorded_at(&mut tx, size).await?;
    let not_before = last.as_ref().map_or(recorded_at, |it| it.signed_at.max(recorded_at));
    let mut tree = Tree::new(Stored(&mut tx), HEIGHT);
    let nodes = tree.complete(after, size).await?;
    let root = tree.root(size).await?;
    if let Some(last) = last {
        head::signed(&last, keys, journal.service())?;
        let proof = tree.consistency(after, size).await?;
        verify_consistency(after, &last.root, size, &root, &proof).map_err(|_| {
            damaged(format!("its first {after} events are not those that were signed before"))
        })?;
    }
    let marks = tree.leaves(after..size).await?.iter().flat_map(mark).collect();
    let statement = Statement { origin: keys.origin(journal.service()), size, root };
    Ok(Some(Next { after, statement, nodes, marks, not_before, head }))
}

/// The part of a leaf that is kept to tell it from others.
pub(crate) fn mark(leaf: &Hash) -> [u8; 4] {
    let [a, b, c, d, ..] = *leaf;
    [a, b, c, d]
}

async fn recorded_at(tx: &mut Tx, position: u64) -> Result<DateTime<Utc>> {
    Ok(on!(tx, |c| sqlx::query_scalar("SELECT recorded_at FROM event WHERE position = $1")
        .bind(signed(position)?)
        .fetch_one(c)
        .await)?)
}

/// Whether this process alone may sign in this transaction.
async fn alone(tx: &mut Tx) -> Result<bool> {
    match tx {
        // BEGIN IMMEDIATE holds the only write lock there is.
        Tx::Sqlite(_) => Ok(true),
        Tx::Postgres(tx) => Ok(sqlx::query_scalar(
            "SELECT pg_try_advisory_xact_lock(7312, hashtext(current_schema()))",
        )
        .fetch_one(&mut **tx)
        .await?),
    }
}
