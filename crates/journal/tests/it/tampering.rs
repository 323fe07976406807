//! Whoever owns the database can take the triggers off; what they change is still seen, and named.

use chrono::NaiveDate;
use db::{Db, on};
use journal::{Journal, audit, proof::Keys};
use rpc::Ctx;
use sqlx::AssertSqlSafe;
use testkit::Database;

use crate::notes::{draft, guarded, keys, open, record, tamper, write_many};

testkit::both!(
    any_byte_of_any_column_is_named,
    nodes_and_checkpoints_that_were_changed_are_named,
    an_event_that_is_gone_is_named,
    an_untouched_log_has_no_flaw,
);

/// The event that is tampered with: in the middle of a checkpoint.
const AT: i64 = 5;

async fn signed_log(database: &Database, keys: &Keys) -> Journal {
    let journal = guarded(database, keys).await;
    write_many(&journal, 1, 1, 4).await;
    journal.sign().await.unwrap();
    let ctx = Ctx { cause: Some(rpc::new_id()), ..Ctx::system("test") };
    let full = draft(2, "note/full", 1, "everything")
        .effective_on(NaiveDate::from_ymd_opt(2026, 9, 1).unwrap())
        .correcting(rpc::new_id());
    record(&journal, &ctx, vec![full]).await;
    write_many(&journal, 1, 5, 4).await;
    journal.sign().await.unwrap();
    write_many(&journal, 2, 1, 3).await;
    journal.sign().await.unwrap();
    journal
}

/// The bytes of a column, in hexadecimal.
async fn bytes(database: &Database, db: &Db, column: &str) -> Vec<u8> {
    let hex = match (database, column) {
        (Database::Sqlite(_), _) => format!("hex({column})"),
        (_, "data" | "content_hash") => format!("encode({column}, 'hex')"),
        (_, "stream" | "type" | "actor") => format!("encode(convert_to({column}, 'UTF8'), 'hex')"),
        _ => format!("encode(uuid_send({column}), 'hex')"),
    };
    let sql = AssertSqlSafe(format!("SELECT {hex} FROM event WHERE position = {AT}"));
    let mut tx = db.read().await.unwrap();
    let hex: String = on!(&mut tx, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap();
    (0..hex.len()).step_by(2).map(|it| u8::from_str_radix(&hex[it..it + 2], 16).unwrap()).collect()
}

/// Bytes as an expression of the column's type.
fn literal(database: &Database, column: &str, bytes: &[u8]) -> String {
    let hex = bytes.iter().map(|it| format!("{it:02x}")).collect::<Vec<_>>().concat();
    let text = ["stream", "type", "actor", "effective_on", "recorded_at"].contains(&column);
    match database {
        Database::Sqlite(_) if text => format!("CAST(x'{hex}' AS TEXT)"),
        Database::Sqlite(_) => format!("x'{hex}'"),
        Database::Postgres { .. } if text => format!("convert_from('\\x{hex}', 'UTF8')"),
        Database::Postgres { .. } if column == "data" || column == "content_hash" => {
            format!("'\\x{hex}'::bytea")
        }
        Database::Postgres { .. } => format!("'{hex}'::uuid"),
    }
}

/// Every way of changing a column that is tried: each byte of it, where it is made of bytes.
async fn changes(database: &Database, db: &Db, column: &str) -> Vec<String> {
    let postgres = matches!(database, Database::Postgres { .. });
    match column {
        "position" | "trust_position" | "version" => vec![format!("{column} + 1000")],
        "effective_on" if postgres => vec!["effective_on + 1".to_owned()],
        "recorded_at" if postgres => vec!["recorded_at + interval '1 microsecond'".to_owned()],
        _ => {
            let was = bytes(database, db, column).await;
            assert!(!was.is_empty(), "{column}");
            let mut all: Vec<String> = (0..was.len())
                .map(|at| {
                    let mut now = was.clone();
                    now[at] ^= 1;
                    literal(database, column, &now)
                })
                .collect();
            if ["effective_on", "corrects", "causation_id"].contains(&column) {
                all.push("NULL".to_owned());
            }
            all
        }
    }
}

/// threat: T-LOG-REWRITTEN
async fn any_byte_of_any_column_is_named(database: Database) {
    let (_folder, keys) = keys();
    let journal = signed_log(&database, &keys).await;
    let db = journal.db();
    tamper(&database, &["CREATE TABLE kept AS SELECT * FROM event"]).await;
    let columns = [
        "position",
        "trust_id",
        "trust_position",
        "event_id",
        "stream",
        "version",
        "type",
        "data",
        "effective_on",
        "recorded_at",
        "corrects",
        "actor",
        "correlation_id",
        "causation_id",
        "content_hash",
    ];
    let known = testkit::columns(db).await;
    let known = known.iter().filter(|it| it.starts_with("event.")).count();
    assert_eq!(known, columns.len(), "every column is tried");
    for column in columns {
        for change in changes(&database, db, column).await {
            let set = format!("UPDATE event SET {column} = {change} WHERE position = {AT}");
            tamper(&database, &[&set]).await;
            let flaws = audit(&journal).await.unwrap().flaws;
            assert!(flaws.iter().any(|it| it.position == AT), "{column} = {change}: {flaws:?}");
            let named = flaws.iter().filter(|it| it.what.starts_with("is not what"));
            assert!(named.clone().all(|it| it.position == AT), "{column} = {change}: {flaws:?}");
            let reopened = open(&database, "notes").await;
            reopened.guard(keys.clone()).await.unwrap();
            assert!(reopened.damage().borrow().is_some(), "{column} = {change}");
            reopened.db().close().await;
            let back = "DELETE FROM event WHERE position NOT IN (SELECT position FROM kept)";
            let set = format!(
                "UPDATE event SET {column} = (SELECT {column} FROM kept WHERE position = {AT})
                 WHERE position = {AT}"
            );
            let insert = "INSERT INTO event SELECT * FROM kept WHERE position NOT IN (SELECT position FROM event)";
            tamper(&database, &[back, &set, insert]).await;
        }
    }
    assert_eq!(audit(&journal).await.unwrap().flaws, []);
}

/// Tries a change of the evidence itself, and gives what is said of it.
async fn said(sql: &str, postgres: bool) -> Vec<(i64, String)> {
    let database = if postgres { Database::postgres().await } else { Database::sqlite() };
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    write_many(&journal, 1, 1, 300).await;
    journal.sign().await.unwrap();
    write_many(&journal, 1, 301, 300).await;
    journal.sign().await.unwrap();
    let audited = audit(&journal).await.unwrap();
    assert_eq!((audited.events, audited.checkpoints, audited.nodes), (600, 2, 2));
    tamper(&database, &[sql]).await;
    let flaws = audit(&journal).await.unwrap().flaws;
    journal.db().close().await;
    flaws.into_iter().map(|it| (it.position, it.what.into_owned())).collect()
}

/// threat: T-LOG-REWRITTEN
async fn nodes_and_checkpoints_that_were_changed_are_named(database: Database) {
    let postgres = matches!(database, Database::Postgres { .. });
    let zeros = if postgres { "decode(repeat('00', 32), 'hex')" } else { "zeroblob(32)" };
    let marks = if postgres {
        "set_byte(marks, 9, get_byte(marks, 9) # 1)"
    } else {
        "CAST(substr(marks, 1, 9) || x'ff' || substr(marks, 11) AS BLOB)"
    };
    for (sql, position, expected) in [
        (
            &*format!("UPDATE journal_node SET hash = {zeros} WHERE \"index\" = 0"),
            256,
            "node 0 of level 8",
        ),
        ("DELETE FROM journal_node WHERE \"index\" = 1", 512, "node 1 of level 8"),
        ("UPDATE journal_node SET level = 16 WHERE \"index\" = 1", 512, "node 1 of level 8"),
        (
            &format!("INSERT INTO journal_node VALUES (8, 7, {zeros})"),
            600,
            "2 nodes belong; there are 3",
        ),
        (
            &format!("UPDATE checkpoint SET root = {zeros} WHERE size = 300"),
            300,
            "its row is not what its note says",
        ),
        (
            "UPDATE checkpoint SET note = replace(note, 'headway', 'Headway') WHERE size = 300",
            300,
            "not signed",
        ),
        (
            "UPDATE checkpoint SET size = 299 WHERE size = 300",
            299,
            "its row is not what its note says",
        ),
        ("UPDATE checkpoint SET size = 700 WHERE size = 600", 601, "700 is missing"),
        (
            &format!("UPDATE checkpoint SET marks = {marks} WHERE size = 600"),
            600,
            "marks were changed",
        ),
        (
            "UPDATE checkpoint SET signed_at = '2001-01-01T00:00:00.000000+00:00' WHERE size = 600",
            600,
            "was signed before",
        ),
        ("UPDATE checkpoint SET marks = root WHERE size = 600", 600, "marks were changed"),
    ] {
        let flaws = said(sql, postgres).await;
        let named = flaws.iter().any(|it| it.0 == position && it.1.contains(expected));
        assert!(named, "{sql}: {flaws:?}");
    }
}

/// threat: T-LOG-REWRITTEN
async fn an_event_that_is_gone_is_named(database: Database) {
    let (_folder, keys) = keys();
    let journal = signed_log(&database, &keys).await;
    tamper(&database, &["DELETE FROM event WHERE position = 7"]).await;
    let flaws = audit(&journal).await.unwrap().flaws;
    assert!(flaws.iter().any(|it| it.position == 7 && it.what == "is missing"), "{flaws:?}");
}

async fn an_untouched_log_has_no_flaw(database: Database) {
    let (_folder, keys) = keys();
    let journal = signed_log(&database, &keys).await;
    write_many(&journal, 3, 1, 2).await;
    let audited = audit(&journal).await.unwrap();
    assert_eq!((audited.events, audited.checkpoints, audited.flaws), (14, 3, vec![]));
}
