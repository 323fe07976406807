//! A log that does not verify at its head is read, but not written.

use journal::{Filter, Journal, events, proof::Keys};
use rpc::{Ctx, Reason};
use testkit::Database;

use crate::notes::{draft, guarded, keys, tamper, write, write_many};

testkit::both!(
    a_sound_log_goes_on,
    a_log_without_a_checkpoint_goes_on,
    a_head_that_was_changed_refuses_to_grow,
    a_checkpoint_of_another_key_is_refused,
    what_is_changed_under_a_running_server_is_not_signed,
);

async fn a_sound_log_goes_on(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    write_many(&journal, 1, 1, 520).await;
    journal.sign().await.unwrap();
    write_many(&journal, 1, 521, 5).await;
    let again = guarded(&database, &keys).await;
    assert_eq!(*again.damage().borrow(), None);
    write(&again, &Ctx::system("test"), draft(1, "note/1", 526, "x")).await.unwrap();
    again.sign().await.unwrap();
}

async fn a_log_without_a_checkpoint_goes_on(database: Database) {
    let (_folder, keys) = keys();
    let journal = crate::notes::open(&database, "notes").await;
    write_many(&journal, 1, 1, 10).await;
    let again = guarded(&database, &keys).await;
    assert_eq!(*again.damage().borrow(), None);
    again.sign().await.unwrap();
    assert_eq!(journal::audit(&again).await.unwrap().checkpoints, 1);
}

#[track_caller]
fn refused(journal: &Journal, expected: &str) {
    let damage = journal.damage();
    let said = damage.borrow().clone().unwrap_or_default();
    assert!(said.contains(expected), "{said:?} should say {expected:?}");
}

async fn a_head_that_was_changed_refuses_to_grow(database: Database) {
    for (sql, expected) in [
        (
            "UPDATE event SET actor = 'x' WHERE position = 610",
            "not those that a checkpoint was signed over",
        ),
        ("UPDATE event SET data = content_hash WHERE position = 601", "position 601 was changed"),
        ("UPDATE event SET data = content_hash WHERE position = 625", "position 625 was changed"),
        (
            "UPDATE journal_node SET hash = (SELECT root FROM checkpoint) WHERE \"index\" = 1",
            "not those",
        ),
        ("DELETE FROM journal_node", "lacks node"),
        ("DELETE FROM event WHERE position > 615", "620 events, but there are 615"),
        ("DELETE FROM event WHERE position = 600", "position 600 is missing"),
        ("DELETE FROM event", "but there are 0"),
        ("UPDATE checkpoint SET note = 'headway'", "not a signed note"),
        (
            "UPDATE checkpoint SET root = (SELECT hash FROM journal_node LIMIT 1)",
            "not what its note says",
        ),
    ] {
        let database = match &database {
            Database::Sqlite(_) => Database::sqlite(),
            Database::Postgres { .. } => Database::postgres().await,
        };
        let (_folder, keys) = keys();
        let journal = guarded(&database, &keys).await;
        write_many(&journal, 1, 1, 620).await;
        journal.sign().await.unwrap();
        write_many(&journal, 1, 621, 5).await;
        tamper(&database, &[sql]).await;
        journal.db().close().await;
        let again = guarded(&database, &keys).await;
        refused(&again, expected);
        let ctx = Ctx::system("test");
        let error = write(&again, &ctx, draft(1, "note/other", 1, "x")).await.unwrap_err();
        assert_eq!(error.reason, Reason::JournalDamaged, "{sql}");
        let error = again.append(&ctx, draft(1, "note/other", 1, "x")).await.unwrap_err();
        assert_eq!(error.reason, Reason::JournalDamaged, "{sql}");
        assert_eq!(again.sign().await.unwrap_err().reason, Reason::JournalDamaged, "{sql}");
        let mut tx = again.db().read().await.unwrap();
        let filter = Filter { stream: Some("note/other".to_owned()), ..Filter::default() };
        assert_eq!(events(&mut tx, 0, &filter, 10).await.unwrap(), [], "reads go on; nothing came");
        drop(tx);
        again.db().close().await;
    }
}

async fn a_checkpoint_of_another_key_is_refused(database: Database) {
    let (_folder, mine) = keys();
    let (other_folder, other) = keys();
    let journal = guarded(&database, &other).await;
    write_many(&journal, 1, 1, 3).await;
    journal.sign().await.unwrap();
    refused(&guarded(&database, &mine).await, "not signed by a key of this journal");
    let renamed = Keys::open(other_folder.path(), Some("renamed")).unwrap();
    refused(&guarded(&database, &renamed).await, "not signed by a key of this journal");
    assert_eq!(*guarded(&database, &other).await.damage().borrow(), None);
}

async fn what_is_changed_under_a_running_server_is_not_signed(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    write_many(&journal, 1, 1, 300).await;
    journal.sign().await.unwrap();
    let sql = "UPDATE event SET actor = 'x' WHERE position = 290";
    tamper(&database, &[sql]).await;
    write_many(&journal, 1, 301, 3).await;
    assert_eq!(journal.sign().await.unwrap_err().reason, Reason::JournalDamaged);
    refused(&journal, "not those that were signed before");
    let error = write(&journal, &Ctx::system("test"), draft(1, "note/2", 1, "x")).await;
    assert_eq!(error.unwrap_err().reason, Reason::JournalDamaged);
}
