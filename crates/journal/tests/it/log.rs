use db::on;
use journal::{Filter, events, rebuild, verify};
use rpc::{Ctx, Reason};
use testkit::Database;

use crate::notes::{draft, open, write};

testkit::both!(
    positions_are_dense_under_concurrent_writers,
    one_version_has_one_winner,
    versions_have_no_holes,
    the_log_rebuilds_the_tables,
    a_table_that_strayed_is_found,
);

/// Two journals over one database stand for two processes.
async fn positions_are_dense_under_concurrent_writers(database: Database) {
    let journals = [open(&database, "notes").await, open(&database, "notes").await];
    let mut tasks = Vec::new();
    for writer in 0..8_u128 {
        let journal = journals[usize::try_from(writer % 2).unwrap()].clone();
        tasks.push(tokio::spawn(async move {
            for version in 1..=20 {
                let stream = format!("note/{writer}");
                let draft = draft(writer % 3, &stream, version, "x");
                write(&journal, &Ctx::system("test"), draft).await.unwrap();
            }
        }));
    }
    let (mut seen, mut versions, mut trusts) = (0, [0; 8], [0; 3]);
    while seen < 160 {
        let mut tx = journals[0].db().read().await.unwrap();
        for event in events(&mut tx, seen, &Filter::default(), 1000).await.unwrap() {
            assert_eq!(event.position, seen + 1, "a position was skipped");
            seen = event.position;
            let writer: usize = event.stream[5..].parse().unwrap();
            versions[writer] += 1;
            assert_eq!(event.version, versions[writer]);
            trusts[writer % 3] += 1;
            assert_eq!(event.trust_position, trusts[writer % 3]);
        }
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(verify(&journals[0]).await.unwrap(), (160, vec![]));
}

async fn one_version_has_one_winner(database: Database) {
    let journal = open(&database, "notes").await;
    let attempts: Vec<_> = (0..8)
        .map(|_| {
            let journal = journal.clone();
            tokio::spawn(async move {
                write(&journal, &Ctx::system("test"), draft(1, "note/1", 1, "mine")).await
            })
        })
        .collect();
    let mut won = 0;
    for attempt in attempts {
        match attempt.await.unwrap() {
            Ok(_) => won += 1,
            Err(error) => assert_eq!(error.reason, Reason::VersionStale),
        }
    }
    assert_eq!(won, 1);
}

async fn versions_have_no_holes(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    let error = write(&journal, &ctx, draft(1, "note/1", 2, "early")).await.unwrap_err();
    assert_eq!(error.reason, Reason::VersionStale);
}

async fn the_log_rebuilds_the_tables(database: Database) {
    let journal = open(&database, "notes").await;
    for version in 1..=5 {
        let draft = draft(1, "note/1", version, "x");
        write(&journal, &Ctx::system("test"), draft).await.unwrap();
    }
    let empty = open(&database, "empty").await;
    let compared = rebuild(&journal, empty.db()).await.unwrap().tables;
    assert_eq!(compared.len(), 1);
    assert_eq!((compared[0].rows, compared[0].equal), (5, true));
}

async fn a_table_that_strayed_is_found(database: Database) {
    let journal = open(&database, "notes").await;
    write(&journal, &Ctx::system("test"), draft(1, "note/1", 1, "x")).await.unwrap();
    let mut tx = journal.db().begin().await.unwrap();
    on!(&mut tx, |c| sqlx::query("UPDATE note SET name = 'y'").execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let empty = open(&database, "empty").await;
    assert!(!rebuild(&journal, empty.db()).await.unwrap().is_equal());
}
