use contract::registry::JourneyRated;
use futures::future::join_all;
use journal::{Draft, Filter, text::Text};
use rpc::{Ctx, Idempotency, Reason};
use testkit::Database;
use uuid::Uuid;

use crate::notes::{count, draft, open, write};

testkit::both!(
    one_refusal_does_not_touch_its_neighbours,
    a_panic_harms_nobody_else,
    a_retry_gets_the_same_answer_and_does_nothing,
    a_key_reused_for_another_request_is_refused,
    a_caller_who_hangs_up_loses_nothing,
    a_text_can_be_erased_and_is_never_exchanged,
);

fn keyed(key: &str, request: u8) -> Ctx {
    let idempotency = Some(Idempotency { key: key.to_owned(), request: [request; 32] });
    Ctx { idempotency, ..Ctx::system("test") }
}

async fn one_refusal_does_not_touch_its_neighbours(database: Database) {
    let journal = open(&database, "notes").await;
    let writes = (0..40).map(|it| {
        let journal = journal.clone();
        async move {
            let stream = format!("note/{it}");
            // Every fourth one claims a version that its stream has not reached.
            let version = if it % 4 == 0 { 7 } else { 1 };
            write(&journal, &Ctx::system("test"), draft(1, &stream, version, "x")).await
        }
    });
    let outcomes = join_all(writes).await;
    assert_eq!(outcomes.iter().filter(|it| it.is_ok()).count(), 30);
    assert_eq!(count(journal.db()).await, 30);
}

async fn a_panic_harms_nobody_else(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let failed = journal.write::<(), _>(&ctx, |_| Box::pin(async { panic!("on purpose") })).await;
    assert_eq!(failed.unwrap_err().reason, Reason::Internal);
    write(&journal, &ctx, draft(1, "note/1", 1, "x")).await.unwrap();
}

async fn a_retry_gets_the_same_answer_and_does_nothing(database: Database) {
    let journal = open(&database, "notes").await;
    let first = write(&journal, &keyed("k", 1), draft(1, "note/1", 1, "x")).await.unwrap();
    write(&journal, &keyed("other", 1), draft(1, "note/2", 1, "x")).await.unwrap();
    let again = write(&journal, &keyed("k", 1), draft(1, "note/1", 1, "x")).await.unwrap();
    assert_eq!(first, again);
    // A new process over the same tables knows the key too.
    let restarted = open(&database, "notes").await;
    let again = write(&restarted, &keyed("k", 1), draft(1, "note/1", 1, "x")).await.unwrap();
    assert_eq!(first, again);
    assert_eq!(count(journal.db()).await, 2);
}

async fn a_key_reused_for_another_request_is_refused(database: Database) {
    let journal = open(&database, "notes").await;
    write(&journal, &keyed("k", 1), draft(1, "note/1", 1, "x")).await.unwrap();
    let error = write(&journal, &keyed("k", 2), draft(1, "note/2", 1, "x")).await.unwrap_err();
    assert_eq!(error.reason, Reason::IdempotencyKeyReused);
    assert_eq!(count(journal.db()).await, 1);
}

async fn a_caller_who_hangs_up_loses_nothing(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    {
        let write = write(&journal, &ctx, draft(1, "note/1", 1, "x"));
        tokio::pin!(write);
        assert!(futures::poll!(&mut write).is_pending());
    }
    // Operations run in order of arrival: once this one is answered, the abandoned one is done.
    write(&journal, &ctx, draft(1, "note/2", 1, "x")).await.unwrap();
    assert_eq!(count(journal.db()).await, 2);
}

async fn a_text_can_be_erased_and_is_never_exchanged(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let mut commitments = Vec::new();
    for body in ["because", "forget me", "change me"] {
        let text = Text::new(body).unwrap();
        let rated = JourneyRated { rationale: Some(text.commitment()), ..JourneyRated::default() };
        let draft = Draft::new(rpc::new_id(), Uuid::nil(), format!("note/{body}"), 1, &rated);
        journal.append(&ctx, draft.with_texts([text.clone()])).await.unwrap();
        commitments.push(text.commitment());
    }
    let id = |at: usize| Uuid::try_parse(&commitments[at].text_id).unwrap();
    let mut tx = journal.db().begin().await.unwrap();
    db::on!(&mut tx, |c| sqlx::query("DELETE FROM text WHERE text_id = $1")
        .bind(id(1))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    db::on!(&mut tx, |c| sqlx::query("UPDATE text SET body = 'changed' WHERE text_id = $1")
        .bind(id(2))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    tx.commit().await.unwrap();
    let mut tx = journal.db().read().await.unwrap();
    let mut events = journal::events(&mut tx, 0, &Filter::default(), 3).await.unwrap();
    journal::text::load(&mut tx, &mut events).await.unwrap();
    assert_eq!(events[0].text(&commitments[0]).unwrap(), Some("because"));
    assert_eq!(events[1].text(&commitments[1]).unwrap(), None);
    assert!(events[2].text(&commitments[2]).is_err());
    assert_eq!(journal::verify(&journal).await.unwrap().1, []);
}

/// SQLite can be told that its file may not grow, which is what a full disk tells it.
#[tokio::test]
async fn a_full_disk_is_told_and_nothing_stays_half_written() {
    async fn limit_pages(journal: &journal::Journal, pages: &'static str) {
        let mut tx = journal.db().begin().await.unwrap();
        db::on!(&mut tx, |c| sqlx::query(pages).execute(c).await.map(drop)).unwrap();
        tx.commit().await.unwrap();
    }
    let database = Database::sqlite();
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    limit_pages(&journal, "PRAGMA max_page_count = 60").await;
    let name = "x".repeat(20_000);
    let mut written = 0;
    let error = loop {
        let stream = format!("note/{written}");
        match write(&journal, &ctx, draft(1, &stream, 1, &name)).await {
            Ok(position) => written = position,
            Err(error) => break error,
        }
        assert!(written < 100, "the file never filled");
    };
    assert_eq!(error.reason, Reason::StorageFull);
    assert_eq!(count(journal.db()).await, written);
    limit_pages(&journal, "PRAGMA max_page_count = 100000").await;
    let position = write(&journal, &ctx, draft(1, "note/after", 1, "x")).await.unwrap();
    assert_eq!(position, written + 1);
}
