//! Two processes at the same version, played in a fixed order.

use rpc::{Ctx, Reason};
use testkit::Database;

use crate::notes::{count, draft, open, write};

testkit::both!(the_second_of_two_processes_loses, a_process_behind_catches_up_with_the_other);

/// Both have seen version 1. The second is asked while the first has recorded version 2 but not committed: it waits, and
/// is refused once the first has committed.
async fn the_second_of_two_processes_loses(database: Database) {
    let [first, second] = [open(&database, "notes").await, open(&database, "notes").await];
    let ctx = Ctx::system("test");
    for (process, version) in [(&first, 1), (&second, 2), (&first, 3)] {
        write(process, &ctx, draft(1, "note/1", version, "seen by both")).await.unwrap();
    }
    let (recorded, heard) = tokio::sync::oneshot::channel();
    let (go, gone) = tokio::sync::oneshot::channel::<()>();
    let (journal, context) = (first.clone(), ctx.clone());
    let winner = tokio::spawn(async move {
        let inner = journal.clone();
        journal
            .write(&context.clone(), move |tx| {
                Box::pin(async move {
                    let draft = draft(1, "note/1", 4, "the first");
                    let done = inner.record(tx, &context, vec![draft]).await?;
                    recorded.send(()).unwrap();
                    gone.await.unwrap();
                    Ok(done[0].position)
                })
            })
            .await
    });
    heard.await.unwrap();
    let loser = tokio::spawn({
        let (second, ctx) = (second.clone(), ctx.clone());
        async move { second.append(&ctx, draft(1, "note/1", 4, "the second")).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!loser.is_finished(), "it waits for the other to be done");
    go.send(()).unwrap();
    assert_eq!(winner.await.unwrap().unwrap(), 4);
    assert_eq!(loser.await.unwrap().unwrap_err().reason, Reason::VersionStale);
    assert_eq!(count(first.db()).await, 4);
}

/// What one process remembers of the log's end is not believed once another has appended.
async fn a_process_behind_catches_up_with_the_other(database: Database) {
    let [first, second] = [open(&database, "notes").await, open(&database, "notes").await];
    let ctx = Ctx::system("test");
    let mut positions = Vec::new();
    for (process, stream, version) in [
        (&first, "note/1", 1),
        (&second, "note/1", 2),
        (&first, "note/1", 3),
        (&first, "note/2", 1),
        (&second, "note/2", 2),
        (&second, "note/1", 4),
        (&first, "note/2", 3),
    ] {
        let receipt = process.append(&ctx, draft(1, stream, version, "x")).await.unwrap();
        assert_eq!(receipt.position, receipt.trust_position);
        positions.push(receipt.position);
    }
    assert_eq!(positions, [1, 2, 3, 4, 5, 6, 7]);
}
