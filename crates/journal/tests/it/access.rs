//! Who may do what to the log: nobody changes it, whoever they are, and a trust sees its own.

use db::{Options, Tenant, on};
use journal::{Filter, Journal, events};
use rpc::Ctx;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use testkit::{Database, Server};
use uuid::Uuid;

use crate::notes::{draft, migrations, open, write};

testkit::both!(nothing_is_changed_or_removed, a_trust_reads_its_own);

const GAP: &str = "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
        recorded_at, actor, correlation_id, content_hash)
    SELECT position + 5, trust_id, trust_position + 5, correlation_id, stream || '-', version, type, data,
        recorded_at, actor, correlation_id, content_hash FROM event WHERE position = 1";

const CHANGES: [&str; 3] = ["UPDATE event SET actor = 'someone else'", "DELETE FROM event", GAP];

/// As the service, as the owner, and on PostgreSQL also where replication turns ordinary triggers off.
/// threat: T-LOG-CHANGED
async fn nothing_is_changed_or_removed(database: Database) {
    let journal = open(&database, "notes").await;
    for version in 1..=2 {
        write(&journal, &Ctx::system("test"), draft(1, "note/1", version, "x")).await.unwrap();
    }
    let replace = match &database {
        Database::Sqlite(_) => "INSERT OR REPLACE INTO event SELECT * FROM event",
        Database::Postgres { .. } => "TRUNCATE event",
    };
    let postgres = matches!(database, Database::Postgres { .. });
    for sql in CHANGES.into_iter().chain([replace]) {
        let mut tx = journal.db().begin().await.unwrap();
        let result = on!(&mut tx, |c| sqlx::query(sql).execute(c).await.map(drop));
        let error = result.unwrap_err().to_string();
        let why = if postgres { "permission denied" } else { "append-only" };
        assert!(error.contains(why), "as the service: {sql}: {error}");
        drop(tx);

        let error = database.as_owner("notes", &[sql]).await.unwrap_err().to_string();
        assert!(error.contains("append-only"), "as the owner: {sql}: {error}");
        if postgres {
            let replica = "SET LOCAL session_replication_role = replica";
            let error = database.as_owner("notes", &[replica, sql]).await.unwrap_err().to_string();
            assert!(error.contains("append-only"), "in replica mode: {sql}: {error}");
        }
    }
    assert_eq!(journal::verify(&journal).await.unwrap(), (2, vec![]));
}

async fn seen(journal: &Journal, tenant: Tenant, trust_id: Option<Uuid>) -> Vec<i64> {
    let mut tx = journal.db().read_as(tenant).await.unwrap();
    let filter = Filter { trust_id, ..Filter::default() };
    events(&mut tx, 0, &filter, 100).await.unwrap().iter().map(|it| it.position).collect()
}

/// threat: T-TENANT-SQL
async fn a_trust_reads_its_own(database: Database) {
    let journal = open(&database, "notes").await;
    for (trust, stream) in [(1, "note/1"), (2, "note/2"), (1, "note/3")] {
        write(&journal, &Ctx::system("test"), draft(trust, stream, 1, "x")).await.unwrap();
    }
    let [one, two] = [1, 2].map(Uuid::from_u128);
    assert_eq!(seen(&journal, Tenant::Platform, None).await, [1, 2, 3]);
    assert_eq!(seen(&journal, Tenant::Trust(one), Some(one)).await, [1, 3]);
    if let Database::Sqlite(_) = database {
        return;
    }
    // Whatever the statement asks for, the database shows a trust no other's.
    assert_eq!(seen(&journal, Tenant::Trust(one), None).await, [1, 3]);
    assert_eq!(seen(&journal, Tenant::Trust(one), Some(two)).await, Vec::<i64>::new());
    assert_eq!(seen(&journal, Tenant::Trust(two), None).await, [2]);
}

/// A session that says of no tenant sees nothing and adds nothing, also after one that did on the same connection.
/// threat: T-TENANT-SQL
#[tokio::test]
async fn no_tenant_no_rows() {
    let database = Database::postgres().await;
    let journal = open(&database, "notes").await;
    write(&journal, &Ctx::system("test"), draft(1, "note/1", 1, "x")).await.unwrap();
    let Database::Postgres { url } = &database else { unreachable!() };
    let mut session = PgConnection::connect(url).await.unwrap();
    session.execute("SET search_path = notes; SET ROLE headway_notes").await.unwrap();
    let count = "SELECT count(*) FROM event";
    for _ in 0..2 {
        let rows: i64 = sqlx::query_scalar(count).fetch_one(&mut session).await.unwrap();
        assert_eq!(rows, 0);
        let platform = "BEGIN; SET LOCAL headway.tenant = 'platform'";
        let mut tx = session.begin_with(platform).await.unwrap();
        let rows: i64 = sqlx::query_scalar(count).fetch_one(&mut *tx).await.unwrap();
        assert_eq!(rows, 1);
        tx.commit().await.unwrap();
    }
    let next = AssertSqlSafe(GAP.replace("+ 5", "+ 1"));
    let mut tx = session.begin_with(format_trust(Uuid::from_u128(1))).await.unwrap();
    let error = tx.execute(next).await.unwrap_err().to_string();
    assert!(error.contains("permission denied"), "{error}");
}

fn format_trust(trust_id: Uuid) -> AssertSqlSafe<String> {
    AssertSqlSafe(format!("BEGIN; SET LOCAL headway.tenant = '{trust_id}'"))
}

/// The owner of the tables, if it is not the server's superuser, is held to the policies too.
/// threat: T-TENANT-SQL
#[tokio::test]
async fn the_owner_is_confined_too() {
    let database = Database::postgres().await;
    let journal = open(&database, "notes").await;
    write(&journal, &Ctx::system("test"), draft(1, "note/1", 1, "x")).await.unwrap();
    let owner = format!("owner_{}", rpc::new_id().simple());
    let Database::Postgres { url } = &database else { unreachable!() };
    let mut session = PgConnection::connect(url).await.unwrap();
    let statements = format!(
        "CREATE ROLE {owner}; GRANT ALL ON SCHEMA notes TO {owner}; ALTER TABLE notes.event OWNER TO {owner};
         SET ROLE {owner}"
    );
    session.execute(AssertSqlSafe(statements)).await.unwrap();
    let count = "SELECT count(*) FROM notes.event";
    let rows: i64 = sqlx::query_scalar(count).fetch_one(&mut session).await.unwrap();
    assert_eq!(rows, 0);
}

async fn refusal(url: &str) -> String {
    let opened = db::Db::open(url, "notes", migrations(), Options::default()).await;
    opened.unwrap_err().to_string()
}

/// A login without the right to make roles is told what an administrator has to run, and works once they have.
/// threat: T-MIGHTY-ROLE
#[tokio::test]
async fn a_missing_role_is_asked_for() {
    let server = Server::start(&[]).await;
    let mut admin = PgConnection::connect(&format!("{}/postgres", server.url())).await.unwrap();
    admin.execute("CREATE ROLE plain LOGIN").await.unwrap();
    admin.execute("CREATE DATABASE plain OWNER plain").await.unwrap();
    let url = format!("{}/plain", server.url().replace("postgres@", "plain@"));
    let error = refusal(&url).await;
    assert!(error.contains("CREATE ROLE \"headway_notes\" NOLOGIN"), "{error}");
    admin.execute("CREATE ROLE headway_notes BYPASSRLS").await.unwrap();
    let error = refusal(&url).await;
    assert!(error.contains("NOBYPASSRLS"), "{error}");
    admin.execute("ALTER ROLE headway_notes NOBYPASSRLS").await.unwrap();
    let error = refusal(&url).await;
    assert!(error.contains("GRANT \"headway_notes\" TO \"plain\""), "{error}");
    admin.execute("GRANT headway_notes TO plain").await.unwrap();
    let db = db::Db::open(&url, "notes", migrations(), Options::default()).await.unwrap();
    db.close().await;
}

/// A server that may lose or tear what it acknowledged is refused by name of the setting.
/// threat: T-LOST-WRITE
#[tokio::test]
async fn a_server_that_promises_less_is_refused() {
    let server = Server::start(&["fsync=off"]).await;
    let mut admin = PgConnection::connect(&format!("{}/postgres", server.url())).await.unwrap();
    let url = format!("{}/postgres", server.url());
    let reload = "SELECT pg_reload_conf()";
    assert!(refusal(&url).await.contains("fsync = off"));
    drop(server);
    drop(admin);

    let server = Server::start(&[]).await;
    let url = format!("{}/postgres", server.url());
    admin = PgConnection::connect(&url).await.unwrap();
    admin.execute("ALTER SYSTEM SET full_page_writes = off").await.unwrap();
    admin.execute(reload).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(refusal(&url).await.contains("full_page_writes = off"));
    admin.execute("ALTER SYSTEM RESET full_page_writes").await.unwrap();
    admin.execute(reload).await.unwrap();
    for level in ["off", "local", "remote_write"] {
        let alter = format!("ALTER DATABASE postgres SET synchronous_commit = {level}");
        admin.execute(AssertSqlSafe(alter)).await.unwrap();
        assert!(refusal(&url).await.contains(&format!("synchronous_commit = {level}")));
    }
    admin.execute("ALTER DATABASE postgres RESET synchronous_commit").await.unwrap();
    db::Db::open(&url, "notes", migrations(), Options::default()).await.unwrap();
}
