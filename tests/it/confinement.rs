//! Row-level security on `PostgreSQL`: whatever a service might ask by mistake, it is shown one tenant's rows.

use std::collections::BTreeMap;

use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use crate::{
    isolation::{Trust, import},
    story::{Deployed, postgres},
};

const SERVICES: [&str; 3] = ["registry", "intelligence", "improvement"];

/// Tables that hold no trust's rows, and what they hold instead. Every other is confined.
const OPEN: &[(&str, &str)] = &[
    ("_sqlx_migrations", "which migrations were run; the service's role may not even read it"),
    ("assertion", "ids of assertions that clients have used"),
    ("attendance_code", "the national code list"),
    ("checkpoint", "signed roots of the tree over all events: hashes"),
    ("consumer", "positions in other services' journals"),
    ("consumer_worker", "processes that share that work"),
    ("establishment", "the national register"),
    ("establishment_group", "the national register"),
    ("establishment_link", "the national register"),
    ("event_type", "descriptors of event messages"),
    (
        "import_report",
        "imports of the national register; a trust is told what they changed in its own schools",
    ),
    ("journal_node", "the tree over all events: hashes"),
    ("membership", "the national register"),
    ("revoked_token", "ids of tokens that were revoked"),
    ("parked", "streams set aside, for the platform's operators alone"),
];

#[derive(sqlx::FromRow)]
struct Table {
    schema: String,
    name: String,
    has_trust: bool,
    is_forced: bool,
    policies: i64,
}

async fn tables(owner: &mut PgConnection) -> Vec<Table> {
    let schemas = SERVICES.map(str::to_owned).to_vec();
    sqlx::query_as(
        "SELECT nspname::text AS schema, relname::text AS name, relrowsecurity AND relforcerowsecurity AS is_forced,
             EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'trust_id') AS has_trust,
             (SELECT count(*) FROM pg_policy WHERE polrelid = c.oid) AS policies
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = ANY($1) AND relkind IN ('r', 'p') ORDER BY 1, 2",
    )
    .bind(schemas)
    .fetch_all(owner)
    .await
    .unwrap()
}

async fn deployed() -> (Deployed, PgConnection) {
    let arguments = postgres().await;
    let owner = PgConnection::connect(&arguments[1]).await.unwrap();
    (Deployed::together(arguments).await, owner)
}

/// threat: T-TENANT-SQL
#[tokio::test]
async fn every_table_with_rows_of_a_trust_is_confined() {
    let (deployed, mut owner) = deployed().await;
    let mut open: BTreeMap<&str, bool> = OPEN.iter().map(|it| (it.0, false)).collect();
    let tables = tables(&mut owner).await;
    assert!(tables.len() > 50, "the tables are found");
    for Table { schema, name, has_trust, is_forced, policies } in tables {
        if is_forced && policies > 0 {
            assert!(!open.contains_key(name.as_str()), "{schema}.{name} is confined after all");
            continue;
        }
        assert!(!has_trust, "{schema}.{name} holds rows of trusts and shows them to all");
        let known = open.get_mut(name.as_str());
        *known.unwrap_or_else(|| {
            panic!("{schema}.{name} is not confined: name what it is a part of in Migrations::parts, or say in OPEN \
                    why it is open to all")
        }) = true;
    }
    let gone: Vec<_> = open.into_iter().filter(|it| !it.1).map(|it| it.0).collect();
    assert_eq!(gone, Vec::<&str>::new(), "OPEN names tables that are not there");
    let views: Vec<String> = sqlx::query_scalar(
        "SELECT nspname || '.' || relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = ANY($1) AND relkind IN ('v', 'm')
         AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)",
    )
    .bind(SERVICES.map(str::to_owned).to_vec())
    .fetch_all(&mut owner)
    .await
    .unwrap();
    assert_eq!(views, Vec::<String>::new(), "views that read with their owner's rights");
    deployed.end().await;
}

/// As the service's own role: with no tenant named nothing is there, and with one its rows alone.
/// threat: T-TENANT-SQL
#[tokio::test]
async fn a_session_sees_the_tenant_it_names_and_nothing_without() {
    let (deployed, mut owner) = deployed().await;
    import(&deployed).await;
    let one = Trust::settle(&deployed, "5453", "one").await.trust_id;
    let two = Trust::settle(&deployed, "16431", "two").await.trust_id;
    let url = &deployed.arguments[1];
    let mut filled = 0;
    for table in tables(&mut owner).await {
        if !table.is_forced {
            continue;
        }
        let Table { schema, name, has_trust, .. } = table;
        let mut session = PgConnection::connect(url).await.unwrap();
        let role = AssertSqlSafe(format!("SET ROLE headway_{schema}"));
        session.execute(role).await.unwrap();
        let mut count = async |tenant: Option<&str>, of: &str| -> i64 {
            let mut tx = session.begin().await.unwrap();
            if let Some(tenant) = tenant {
                let name = AssertSqlSafe(format!("SET LOCAL headway.tenant = '{tenant}'"));
                tx.execute(name).await.unwrap();
            }
            let sql = format!("SELECT count(*) FROM {schema}.\"{name}\" {of}");
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *tx).await.unwrap()
        };
        let all = count(Some("platform"), "").await;
        assert_eq!(count(None, "").await, 0, "{schema}.{name} shows rows to who names nobody");
        assert_eq!(count(Some(""), "").await, 0, "{schema}.{name}");
        let (ones, twos) = (count(Some(&one), "").await, count(Some(&two), "").await);
        assert!(ones + twos <= all, "{schema}.{name}: {ones} and {twos} of {all}");
        if has_trust {
            let of_two = format!("WHERE trust_id = '{two}'");
            assert_eq!(
                count(Some("platform"), &of_two).await,
                twos,
                "{schema}.{name}: all its own"
            );
            assert_eq!(
                count(Some(&one), &of_two).await,
                0,
                "{schema}.{name} shows one the other's"
            );
        }
        filled += i32::from(ones > 0 && twos > 0);
    }
    assert!(filled >= 20, "only {filled} tables had rows to hide");
    deployed.end().await;
}

/// A trust's session can neither give rows to another nor take another's.
/// threat: T-TENANT-SQL
#[tokio::test]
async fn a_session_writes_for_nobody_else() {
    let (deployed, _) = deployed().await;
    import(&deployed).await;
    let one = Trust::settle(&deployed, "5453", "one").await.trust_id;
    let two = Trust::settle(&deployed, "16431", "two").await.trust_id;
    let mut session = PgConnection::connect(&deployed.arguments[1]).await.unwrap();
    session.execute("SET ROLE headway_intelligence; SET search_path = intelligence").await.unwrap();
    let as_one = format!("BEGIN; SET LOCAL headway.tenant = '{one}'");
    for (sql, rows) in [
        (format!("UPDATE feed SET name = 'mine' WHERE trust_id = '{two}'"), Some(0)),
        (format!("DELETE FROM week WHERE trust_id = '{two}'"), Some(0)),
        (format!("UPDATE feed SET trust_id = '{two}'"), None),
        (format!("INSERT INTO changes_gone (trust_id, position) VALUES ('{two}', 1)"), None),
    ] {
        let mut tx = session.begin_with(AssertSqlSafe(as_one.clone())).await.unwrap();
        match (tx.execute(AssertSqlSafe(sql.clone())).await, rows) {
            (Ok(done), Some(rows)) => assert_eq!(done.rows_affected(), rows, "{sql}"),
            (Err(error), None) => {
                assert!(error.to_string().contains("row-level security"), "{sql}: {error}");
            }
            (done, _) => panic!("{sql}: {done:?}"),
        }
        drop(tx);
    }
    deployed.end().await;
}
