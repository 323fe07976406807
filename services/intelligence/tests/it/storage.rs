use std::collections::BTreeMap;

use serde_json::json;
use testkit::{Database, columns};
use uuid::Uuid;

use crate::world::{FRIDAY, SECOND_URN, URN, World, enrolments, register};

testkit::both!(marks_can_be_read_by_sql, tables_of_another_layout_are_refused_plainly);

#[tokio::test]
async fn both_dialects_have_the_same_columns() {
    let open = async |database: Database| {
        columns(&database.open(intelligence::NAME, intelligence::migrations()).await).await
    };
    assert_eq!(open(Database::sqlite()).await, open(Database::postgres().await).await);
}

/// No pupil's id is stored anywhere in a form that can be read, nor told by an event.
/// threat: T-STOLEN-FILE
#[tokio::test]
async fn pupils_cannot_be_read_from_the_file() {
    let database = Database::sqlite();
    let world = World::new(&database).await;
    let name = "SecretPupil-4711";
    let mut records = enrolments(URN, 1..=5, 3);
    records.push(json!({"externalId": "e", "enrolment": {"urn": URN, "pupil": name, "yearGroup": 3, "startsOn": "2023-09-01"}}));
    records.push(register(URN, FRIDAY, "AM", &[(name, "/"), ("SecretPupil-9", "I")]));
    let batch = world.push(json!(records)).await;
    assert_eq!(batch["parked"], 1);
    let path = database.url(intelligence::NAME).replace("sqlite:", "");
    let wal = format!("{path}-wal");
    for file in [path, wal] {
        let bytes = std::fs::read(file).unwrap_or_default();
        assert!(!bytes.windows(11).any(|it| it == b"SecretPupil"));
    }
}

/// School, date, session, hash, code.
type Row = (Uuid, chrono::NaiveDate, String, String, String);

async fn rows(world: &World) -> Vec<Row> {
    let mut tx = world.app.journal().db().read().await.unwrap();
    db::on!(&mut tx, |c| sqlx::query_as(
        "SELECT school_id, date, session, pupil, code FROM attendance_mark ORDER BY date, session, school_id"
    )
    .fetch_all(c)
    .await)
    .unwrap()
}

/// The view holds what was pushed, whether it counts or waits, and nothing that was corrected or taken back.
async fn marks_can_be_read_by_sql(database: Database) {
    let world = World::new(&database).await;
    // On a day of its own each pupil shows under which hash it is known.
    let names = ["a", "b", "c", "d"];
    let days: Vec<_> = (3..7).map(|it| format!("2025-11-0{it}")).collect();
    let own = names.iter().zip(&days).map(|(it, day)| register(URN, day, "AM", &[(*it, "/")]));
    world.push(json!(own.collect::<Vec<_>>())).await;
    let hashes: BTreeMap<_, _> =
        rows(&world).await.into_iter().zip(names).map(|(it, name)| (it.3, name)).collect();
    assert_eq!(hashes.len(), 4);
    assert!(hashes.keys().all(|it| it.len() == 32));

    world
        .push(json!([
            register(SECOND_URN, FRIDAY, "PM", &[("d", "Y7")]),
            register(URN, FRIDAY, "PM", &[("d", "I"), ("b", "/"), ("c", "L")]),
            register(URN, FRIDAY, "PM", &[("b", "#")]),
            {"externalId": "", "attendanceRegister": {"urn": URN, "date": FRIDAY, "session": "PM",
                "marks": [{"pupil": "c", "deleted": true}]}},
            {"externalId": "", "pupil": {"pupil": "a", "deleted": true}},
        ]))
        .await;
    let told: Vec<_> = rows(&world)
        .await
        .into_iter()
        .map(|(school, date, session, hash, code)| {
            (school, date.to_string(), session, hashes[&hash], code)
        })
        .collect();
    let (first, second) = (world.school_id, world.second_school_id);
    let mut expected: Vec<_> = names
        .iter()
        .zip(&days)
        .skip(1)
        .map(|(it, day)| (first, day.clone(), "AM".to_owned(), *it, "/".to_owned()))
        .collect();
    for (school, name, code) in [(first, "b", "#"), (first, "d", "I"), (second, "d", "Y7")] {
        expected.push((school, FRIDAY.to_owned(), "PM".to_owned(), name, code.to_owned()));
    }
    let sorted = |mut rows: Vec<_>| {
        rows.sort();
        rows
    };
    assert_eq!(sorted(told), sorted(expected));
}

async fn tables_of_another_layout_are_refused_plainly(database: Database) {
    let open = || {
        let url = database.url(intelligence::NAME);
        let migrations = intelligence::migrations();
        async move { db::Db::open(&url, intelligence::NAME, migrations, db::Options::default()).await }
    };
    open().await.unwrap().close().await;
    let other = "UPDATE _sqlx_migrations SET checksum = substr(checksum, 2) WHERE version = 100";
    database.as_owner(intelligence::NAME, &[other]).await.unwrap();
    let error = open().await.unwrap_err().to_string();
    assert!(error.contains("begin with an empty data directory"), "{error}");
}

#[tokio::test]
async fn sql_knows_the_codes_of_the_list() {
    let database = Database::sqlite();
    let world = World::new(&database).await;
    let mut tx = world.app.journal().db().read().await.unwrap();
    let rows: Vec<(Vec<u8>, String)> = db::on!(&mut tx, |c| sqlx::query_as(
        "SELECT byte, code FROM attendance_code ORDER BY byte"
    )
    .fetch_all(c)
    .await)
    .unwrap();
    let listed = intelligence::domain::AttendanceCode::all().iter().zip(0_u8..);
    let listed: Vec<_> = listed.map(|(it, row)| (vec![row], it.code.clone())).collect();
    assert_eq!(rows, listed);
}
