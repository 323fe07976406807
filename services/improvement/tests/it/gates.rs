//! Each gate, refused with all its needs, and opened by meeting them.

use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{World, change, diagnosis, goal, in_days, plan, stocktake, to};

testkit::both!(each_gate_names_every_need, the_wrong_order_says_what_is_allowed);

struct Walk {
    world: World,
    project: Value,
}

impl Walk {
    async fn new(database: &Database) -> Self {
        let world = World::new(database).await;
        let project = world.project(&world.rest()).await;
        Self { world, project }
    }

    async fn does(&mut self, name: &str, fields: Value) {
        let message = change(&self.project, fields);
        self.project = self.world.rest().call(name, message).await.unwrap();
    }

    /// Refused with exactly these needs, which reading the project also gives.
    async fn refused(&self, state: &str, pointers: &[&str]) {
        let id = self.project["projectId"].as_str().unwrap();
        let path = format!("/v1/projects/{id}/transitions");
        let mut body = to(state);
        body["expectedVersion"] = self.project["version"].clone();
        let answer = self.world.caller().post(&self.world.app.rest(), &path, body).await;
        assert_eq!(answer.status, 409);
        assert_eq!(problem(&answer), "GATE_NOT_MET");
        let errors = answer.body["errors"].as_array().unwrap();
        let found: Vec<_> = errors.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
        assert_eq!(found, pointers);
        assert!(errors.iter().all(|it| it["code"] == "GATE_NOT_MET"));
        let needs = self.project["nextNeeds"].as_array().unwrap();
        let needs: Vec<_> = needs.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
        assert_eq!(needs, pointers);
    }

    async fn enters(&mut self, state: &str) {
        self.does("CreateProjectTransition", to(state)).await;
        assert_eq!(self.project["state"], format!("PROJECT_STATE_{state}"));
    }
}

async fn each_gate_names_every_need(database: Database) {
    let mut walk = Walk::new(&database).await;
    let people = "/diagnosis/diagnosedBy";
    walk.refused("DIAGNOSED", &["/diagnosis/basis", "/diagnosis/finding", people]).await;
    walk.does("SetDiagnosis", json!({"diagnosis": {"basis": ["signal:1"]}})).await;
    walk.refused("DIAGNOSED", &["/diagnosis/finding", people]).await;
    walk.does("SetDiagnosis", diagnosis()).await;
    walk.enters("DIAGNOSED").await;

    let planned = [
        "/goals",
        "/milestones",
        "/plan/owner",
        "/plan/level",
        "/plan/outputs",
        "/plan/deliveryChain",
        "/plan/capacity",
    ];
    walk.refused("PLANNED", &planned).await;
    walk.does("CreateGoal", goal()).await;
    walk.does("CreateMilestone", json!({"description": "Runs", "dueOn": in_days(9)})).await;
    let mut gap = plan();
    gap["plan"]["deliveryChain"].as_array_mut().unwrap().remove(2);
    walk.does("SetPlan", gap).await;
    walk.refused("PLANNED", &["/plan/deliveryChain"]).await;
    walk.does("SetPlan", plan()).await;
    walk.enters("PLANNED").await;

    walk.refused("DELIVERING", &["/stocktakes"]).await;
    walk.does("CreateStocktake", json!({"dueOn": in_days(60)})).await;
    walk.refused("DELIVERING", &["/stocktakes"]).await;
    walk.does("CreateStocktake", json!({"dueOn": in_days(49)})).await;
    walk.enters("DELIVERING").await;

    walk.refused("EMBEDDING", &["/stocktakes"]).await;
    walk.does("HoldStocktake", stocktake(&walk.project, "AT_RISK")).await;
    walk.refused("EMBEDDING", &["/goals/0/rating"]).await;
    let mut second = stocktake(&walk.project, "MET");
    second["stocktakeId"] = walk.project["stocktakes"][1]["stocktakeId"].clone();
    walk.does("HoldStocktake", second).await;
    walk.enters("EMBEDDING").await;

    let closed = ["/impact/verdict", "/impact/evaluation", "/impact/worthSpreading"];
    walk.refused("CLOSED", &closed).await;
    walk.does("SetImpact", json!({"impact": {"verdict": "VERDICT_NOT"}})).await;
    walk.refused("CLOSED", &["/impact/evaluation", "/impact/worthSpreading"]).await;
    let impact = json!({"verdict": "VERDICT_NOT", "evaluation": "No", "worthSpreading": "None"});
    walk.does("SetImpact", json!({"impact": impact})).await;
    walk.enters("CLOSED").await;
    assert_eq!(walk.project["nextNeeds"], json!([]));
}

async fn the_wrong_order_says_what_is_allowed(database: Database) {
    let walk = Walk::new(&database).await;
    let id = walk.project["projectId"].as_str().unwrap();
    let path = format!("/v1/projects/{id}/transitions");
    let mut body = to("EMBEDDING");
    body["expectedVersion"] = json!(1);
    let answer = walk.world.caller().post(&walk.world.app.rest(), &path, body).await;
    assert_eq!(answer.status, 409);
    assert_eq!(problem(&answer), "TRANSITION_NOT_ALLOWED");
    assert_eq!(
        answer.body["detail"],
        "a project that is proposed cannot become embedding: it may become diagnosed, or be abandoned"
    );
    let path = format!("/v1/projects/{id}/goals");
    let mut body = goal();
    body["expectedVersion"] = json!(1);
    let answer = walk.world.caller().post(&walk.world.app.rest(), &path, body).await;
    assert_eq!(problem(&answer), "TRANSITION_NOT_ALLOWED");
    let detail = answer.body["detail"].as_str().unwrap();
    assert!(detail.contains("diagnosed, planned, delivering"), "{detail}");
}
