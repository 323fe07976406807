use serde_json::json;
use testkit::Database;

use crate::world::{World, evidence, ratings, text};

testkit::both!(the_journal_holds_the_state);

#[tokio::test]
async fn both_databases_have_the_same_columns() {
    let (sqlite, postgres) = (Database::sqlite(), Database::postgres().await);
    let sqlite = sqlite.open(registry::NAME, registry::migrations()).await;
    let postgres = postgres.open(registry::NAME, registry::migrations()).await;
    assert_eq!(testkit::columns(&sqlite).await, testkit::columns(&postgres).await);
}

async fn the_journal_holds_the_state(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let unit = json!({"kind": "UNIT_KIND_YEAR_GROUP", "name": "Year 6", "yearGroup": 6});
    world.post(&format!("/v1/trusts/{trust_id}/schools/{urn}/units"), unit).await;
    let opened = json!({
        "urn": urn, "phase": "PHASE_REPAIR", "rationale": "Seen", "evidence": evidence(),
        "ratings": ratings("PHASE_REPAIR")
    });
    let journey = world.post(&format!("/v1/trusts/{trust_id}/journeys"), opened).await;
    let journey = format!("/v1/journeys/{}", text(&journey, "journeyId"));
    let rated =
        json!({"ratings": ratings("PHASE_IMPROVE"), "rationale": "r", "expectedVersion": 1});
    world.post(&format!("{journey}/ratings"), rated).await;
    let opening = &world.get(&format!("{journey}/transitions")).await["transitions"][0];
    let corrected = json!({
        "kind": "TRANSITION_KIND_CORRECTED", "corrects": opening["transitionId"], "rationale": "r",
        "expectedVersion": 2
    });
    let emptied = world.post(&format!("{journey}/transitions"), corrected).await;
    assert_eq!(emptied.get("settled"), None);
    let again =
        json!({"urn": urn, "phase": "PHASE_SUSTAIN", "rationale": "r", "evidence": evidence()});
    let journey = world.post(&format!("/v1/trusts/{trust_id}/journeys"), again).await;
    assert_eq!((&journey["settled"], &journey["version"]), (&json!("PHASE_SUSTAIN"), &json!(4)));
    rebuilt(&world, &database).await;
}

/// Replays the journal into an empty database of the same kind and finds the same tables.
pub(crate) async fn rebuilt(world: &World, database: &Database) {
    let empty = match database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres { .. } => Database::postgres().await,
    };
    let empty = empty.open(registry::NAME, registry::migrations()).await;
    let tables = journal::rebuild(world.app.journal(), &empty).await.unwrap().tables;
    assert!(tables.iter().all(|it| it.equal), "{tables:?}");
    assert!(tables.iter().any(|it| it.rows > 0));
    let (_, flaws) = journal::verify(world.app.journal()).await.unwrap();
    assert_eq!(flaws, []);
}
