use serde_json::json;
use testkit::{Database, columns};

use crate::world::{FRIDAY, URN, World, enrolments, register};

#[tokio::test]
async fn both_dialects_have_the_same_columns() {
    let open = async |database: Database| {
        columns(&database.open(intelligence::NAME, intelligence::migrations()).await).await
    };
    assert_eq!(open(Database::sqlite()).await, open(Database::postgres().await).await);
}

/// No pupil's id is stored anywhere in a form that can be read, nor told by an event.
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
