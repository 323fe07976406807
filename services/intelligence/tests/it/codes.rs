//! The code lists, as callers read them.

use serde_json::json;
use testkit::Database;

use crate::world::World;

testkit::both!(lists_are_told_with_their_codes);

async fn lists_are_told_with_their_codes(database: Database) {
    let world = World::new(&database).await;
    let get = async |path: &str| world.vendor().get(&world.rest, path).await;
    let lists = get("/v1/code-lists").await.body;
    let lists = lists["lists"].as_array().unwrap().clone();
    assert!(lists.len() >= 14, "{lists:?}");
    for list in &lists {
        let name = list["list"].as_str().unwrap();
        let answer = get(&format!("/v1/code-lists/{name}")).await;
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(json!(answer.body["codes"].as_array().unwrap().len()), list["size"], "{name}");
    }
    let reasons = get("/v1/code-lists/suspension_reasons?on=2020-08-31").await.body;
    assert_eq!(reasons["codes"], json!([]), "none was valid then");
    let scales = get("/v1/code-lists/assessment_scales?on=2026-11-20").await.body;
    assert_eq!(scales["codes"][0]["attributes"]["highest"], "120");
    assert_eq!(get("/v1/code-lists/moods").await.body["errors"][0]["pointer"], "/list");
    let wrong = get("/v1/code-lists/subjects?on=yesterday").await.body;
    assert_eq!(wrong["errors"][0]["pointer"], "/on");
}
