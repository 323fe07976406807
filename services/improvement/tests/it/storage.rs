//! The journal holds the tables, and both databases hold the same.

use serde_json::json;
use testkit::Database;

use crate::world::{World, change, diagnosis, goal, in_days, plan, stocktake, to};

testkit::both!(
    the_journal_rebuilds_the_tables,
    a_race_has_one_winner,
    an_erased_text_is_absent,
    a_text_is_found_and_erased_everywhere,
);

async fn busy(world: &World) -> serde_json::Value {
    let door = world.rest();
    let mut project = world.project(&door).await;
    let milestone = json!({"description": "The timetable runs", "dueOn": in_days(60)});
    for (name, fields) in [
        ("SetDiagnosis", diagnosis()),
        ("CreateProjectTransition", to("DIAGNOSED")),
        ("CreateGoal", goal()),
        ("CreateMilestone", milestone),
        ("SetPlan", plan()),
        ("CreateProjectTransition", to("PLANNED")),
        ("CreateStocktake", json!({"dueOn": in_days(21)})),
        ("CreateProjectTransition", to("DELIVERING")),
    ] {
        project = door.call(name, change(&project, fields)).await.unwrap();
    }
    let held = change(&project, stocktake(&project, "MET"));
    door.call("HoldStocktake", held).await.unwrap()
}

async fn the_journal_rebuilds_the_tables(database: Database) {
    let world = World::new(&database).await;
    busy(&world).await;
    world.project(&world.rest()).await;
    let empty = match database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres { .. } => Database::postgres().await,
    };
    let empty = empty.open(improvement::NAME, improvement::migrations()).await;
    let comparisons = journal::rebuild(world.app.journal(), &empty).await.unwrap().tables;
    for it in &comparisons {
        assert!(it.equal && it.rows > 0, "{it:?}");
    }
    assert_eq!(comparisons.len(), 2);
    assert_eq!(journal::verify(world.app.journal()).await.unwrap().1, []);
}

/// threat: T-LOST-UPDATE
async fn a_race_has_one_winner(database: Database) {
    let world = World::new(&database).await;
    let project = world.project(&world.rest()).await;
    let door = world.rest();
    let attempts = (0..8).map(|_| door.call("SetDiagnosis", change(&project, diagnosis())));
    let mut won = 0;
    for attempt in futures::future::join_all(attempts).await {
        match attempt {
            Ok(it) => {
                assert_eq!(it["version"], 2);
                won += 1;
            }
            Err(refusal) => assert_eq!(refusal.code, tonic::Code::Aborted),
        }
    }
    assert_eq!(won, 1);
}

/// A text erased from the store is absent from what the journal rebuilds, and no gate asks for it again.
async fn an_erased_text_is_absent(database: Database) {
    let world = World::new(&database).await;
    let project = busy(&world).await;
    let mut tx = world.app.journal().db().begin().await.unwrap();
    db::on!(&mut tx, |c| sqlx::query("DELETE FROM text").execute(c).await.map(drop)).unwrap();
    tx.commit().await.unwrap();
    let mut tx = world.app.journal().db().begin().await.unwrap();
    let events = journal::events(&mut tx, 0, &journal::Filter::default(), 100).await.unwrap();
    for table in world.app.journal().projection().tables() {
        let delete = sqlx::AssertSqlSafe(format!("DELETE FROM {table}"));
        db::on!(&mut tx, |c| sqlx::query(delete).execute(c).await.map(drop)).unwrap();
    }
    world.app.journal().projection().project(&mut tx, &events).await.unwrap();
    tx.commit().await.unwrap();
    let id = json!({"projectId": project["projectId"]});
    let read = world.rest().call("GetProject", id.clone()).await.unwrap();
    assert_eq!(read["version"], project["version"]);
    assert_eq!(read["state"], project["state"]);
    for absent in [
        &read["title"],
        &read["diagnosis"]["finding"],
        &read["milestones"][0]["description"],
        &read["stocktakes"][0]["reviews"][0]["reason"],
    ] {
        assert!(absent.is_null(), "{read:#}");
    }
    assert_eq!(read["plan"]["outputs"], json!([]));
    assert_eq!(read["plan"]["capacity"], "");
    assert_eq!(read["plan"]["deliveryChain"][0]["action"], "");
    assert_eq!(read["stocktakes"][0]["decisions"], json!([]));
    assert_eq!(read["plan"]["deliveryChain"][3]["tier"], "DELIVERY_TIER_CLASSROOM");
    assert_eq!(read["stocktakes"][0]["reviews"][0]["rating"], "GOAL_RATING_MET");
    let moves = world.rest().call("ListProjectTransitions", id).await.unwrap();
    assert!(moves["transitions"].as_array().unwrap().iter().all(|it| it["rationale"].is_null()));
    let embed = change(&read, to("EMBEDDING"));
    assert!(world.rest().call("CreateProjectTransition", embed).await.is_ok());
}

/// A text that names somebody is found by the name and erased from wherever it stands; the log and its proofs stay.
async fn a_text_is_found_and_erased_everywhere(database: Database) {
    let world = World::new(&database).await;
    let door = world.rest();
    let mut project = busy(&world).await;
    let leaving =
        change(&project, json!({"to": "PROJECT_STATE_ABANDONED", "rationale": "Canary Jane left"}));
    project = door.call("CreateProjectTransition", leaving).await.unwrap();
    let journals: journal::Journals = [world.app.journal().clone()].into_iter().collect();
    let rest = journals.rest();
    let post = async |path: &str, body: serde_json::Value| {
        world.caller().post(&rest, &format!("/v1/journals/improvement/texts/{path}"), body).await
    };
    let search = json!({"trustId": world.trust_id, "containing": "canary jane"});
    let found = post("searches", search.clone()).await.body;
    let texts = found["texts"].as_array().unwrap();
    assert_eq!(texts.len(), 1, "{found}");
    let stream = format!("project/{}", project["projectId"].as_str().unwrap());
    assert_eq!(texts[0]["stream"], stream.as_str());
    assert!(!found.to_string().contains("Jane"), "what they say is not told");
    let path = format!("{}/erasures", texts[0]["textId"].as_str().unwrap());
    let foreign = testkit::Caller::of(world.other_trust_id);
    let refused = foreign
        .post(&rest, &format!("/v1/journals/improvement/texts/{path}"), json!({"reason": "Mine"}))
        .await;
    assert_eq!(testkit::problem(&refused), "NOT_FOUND");
    let erased = post(&path, json!({"reason": "Request 9"})).await;
    assert_eq!(
        (erased.status.as_u16(), &erased.body["stream"]),
        (200, &json!(stream)),
        "{erased:?}"
    );
    assert!(erased.body["scrubbedHow"].as_str().unwrap().starts_with("VACUUM"), "{erased:?}");
    assert_eq!(post("searches", search).await.body["texts"], json!([]));
    assert_eq!(testkit::problem(&post(&path, json!({"reason": "Again"})).await), "NOT_FOUND");

    let id = json!({"projectId": project["projectId"]});
    let read = door.call("GetProject", id.clone()).await.unwrap();
    assert_eq!((&read["state"], &read["title"]), (&project["state"], &project["title"]));
    let moves = door.call("ListProjectTransitions", id).await.unwrap();
    let said: Vec<_> = moves["transitions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["rationale"].is_null())
        .collect();
    assert_eq!(said.iter().filter(|it| **it).count(), 1, "{moves}");
    if let Database::Sqlite(folder) = &database {
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(11).any(|it| it == b"Canary Jane"));
        }
    }
    let fresh = match database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres { .. } => Database::postgres().await,
    };
    let empty = fresh.open(improvement::NAME, improvement::migrations()).await;
    assert!(journal::rebuild(world.app.journal(), &empty).await.unwrap().is_equal());
    assert_eq!(journal::verify(world.app.journal()).await.unwrap().1, []);
}

#[tokio::test]
async fn both_dialects_have_the_same_columns() {
    let mut columns = Vec::new();
    for database in [Database::sqlite(), Database::postgres().await] {
        let db = database.open(improvement::NAME, improvement::migrations()).await;
        columns.push(testkit::columns(&db).await);
    }
    assert_eq!(columns[0], columns[1]);
    assert!(columns[0].contains("project_transition.rationale?"));
}
