use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use contract::improvement::{ProjectMoved, ProjectProposed};
use db::on;
use journal::{Difference, Draft, Journal, rebuild, rebuild_in_place};
use rpc::Ctx;
use testkit::Database;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::raw::{Row, ledger, open_ledger, schema};

testkit::both!(tables_are_rebuilt_while_the_service_writes, a_row_that_strayed_is_named_and_mended,);

/// Writers that append to streams of their own until told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    writers: JoinSet<u32>,
}

impl Load {
    fn start(journal: &Journal) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let mut writers = JoinSet::new();
        for writer in 0..4 {
            let (journal, stop) = (journal.clone(), Arc::clone(&stop));
            writers.spawn(async move {
                let mut version = 0;
                while !stop.load(Ordering::Relaxed) {
                    version += 1;
                    append(&journal, &format!("project/{writer}"), version).await;
                }
                version
            });
        }
        Self { stop, writers }
    }

    async fn stop(self) -> u32 {
        self.stop.store(true, Ordering::Relaxed);
        self.writers.join_all().await.iter().sum()
    }
}

async fn append(journal: &Journal, stream: &str, version: u32) {
    let trust = Uuid::from_u128(1);
    let draft = if version == 1 {
        let it = ProjectProposed { school_id: "a".to_owned(), ..ProjectProposed::default() };
        Draft::new(rpc::new_id(), trust, stream, version, &it)
    } else {
        Draft::new(rpc::new_id(), trust, stream, version, &ProjectMoved::default())
    };
    let (inner, ctx) = (journal.clone(), Ctx::system("test"));
    let context = ctx.clone();
    let write = journal.write(&ctx, move |tx| {
        Box::pin(async move { inner.record(tx, &context, vec![draft]).await.map(|it| it.len()) })
    });
    write.await.unwrap();
}

async fn tables_are_rebuilt_while_the_service_writes(database: Database) {
    let journal = open_ledger(&database, "improvement").await;
    let beside = database.open("beside", schema()).await;
    let load = Load::start(&journal);
    let mut replayed = Vec::new();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_millis(60)).await;
        for rebuilt in [
            rebuild(&journal, &beside).await.unwrap(),
            rebuild_in_place(&journal, false).await.unwrap(),
        ] {
            assert!(rebuilt.is_equal(), "{rebuilt:?}");
            replayed.push(rebuilt.events);
        }
    }
    let written = load.stop().await;
    assert!(
        replayed.is_sorted() && replayed[0] < replayed[9],
        "the service wrote on: {replayed:?}"
    );
    let mut tx = journal.db().read().await.unwrap();
    assert_eq!(ledger(&mut tx).await.len(), usize::try_from(written).unwrap());
    let about = "SELECT count(*) FROM event_subject WHERE subject = 'school/a'";
    let about: i64 = on!(&mut tx, |c| sqlx::query_scalar(about).fetch_one(c).await).unwrap();
    assert_eq!(about, i64::from(written), "each is about the school of its project");
}

async fn run(journal: &Journal, sql: &'static str) {
    let mut tx = journal.db().begin().await.unwrap();
    on!(&mut tx, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
}

async fn a_row_that_strayed_is_named_and_mended(database: Database) {
    let journal = open_ledger(&database, "improvement").await;
    let mut tx = journal.db().begin().await.unwrap();
    for position in 1..=30 {
        Row {
            position,
            trust: 1,
            trust_position: position,
            stream: "project/1".to_owned(),
            version: i32::try_from(position).unwrap(),
            kind: "headway.improvement.v1.ProjectMoved",
            data: vec![],
            effective_on: None,
            recorded_at: rpc::now(),
            corrects: None,
        }
        .insert(&mut tx)
        .await;
    }
    tx.commit().await.unwrap();
    // The rows were written past the service: its table is empty, which is as much as lost.
    let rebuilt = rebuild_in_place(&journal, false).await.unwrap();
    let table = &rebuilt.tables[0];
    assert_eq!(
        (table.rows, table.equal, table.differing, table.differences.len()),
        (0, false, 30, 20)
    );
    assert_eq!(
        rebuild_in_place(&journal, false).await.unwrap().tables[0].rows,
        0,
        "left as it was"
    );
    assert!(!rebuild_in_place(&journal, true).await.unwrap().is_equal());
    assert!(rebuild_in_place(&journal, false).await.unwrap().is_equal());

    run(&journal, "UPDATE ledger SET type = 'another' WHERE version = 7").await;
    run(&journal, "DELETE FROM ledger WHERE version = 9").await;
    run(&journal, "UPDATE ledger SET version = 99 WHERE version = 30").await;
    run(&journal, "INSERT INTO event_subject VALUES ('school/nobody', 3)").await;
    let beside = database.open("beside", schema()).await;
    let found = rebuild(&journal, &beside).await.unwrap();
    assert_eq!(found.tables.len(), 1);
    let rebuilt = rebuild_in_place(&journal, true).await.unwrap();
    assert_eq!(found.tables[0], rebuilt.tables[0], "found beside as in place");
    let key = |position| match &database {
        Database::Sqlite(_) => format!("X'{}'", Row::id(position).simple()).to_uppercase(),
        Database::Postgres { .. } => Row::id(position).to_string(),
    };
    let strayed = |position, what| Difference { key: key(position), what };
    assert_eq!(
        rebuilt.tables[0].differences,
        [
            strayed(7, "is not as the log makes it"),
            strayed(9, "is missing"),
            strayed(30, "is not as the log makes it"),
        ]
    );
    let subjects = &rebuilt.tables[1];
    assert_eq!((subjects.table, subjects.differing), ("event_subject", 1));
    assert_eq!(subjects.differences[0].what, "the log does not make it");
    let mended = rebuild_in_place(&journal, false).await.unwrap();
    assert!(mended.is_equal());
    assert_eq!(mended.tables[0].rows, 30);
}
