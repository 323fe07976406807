//! The whole life of a project, through each door.

use std::collections::HashMap;

use serde_json::{Value, json};
use testkit::Database;
use uuid::Uuid;

use crate::{
    door::Door,
    world::{World, change, diagnosis, goal, in_days, plan, stocktake, to, today},
};

testkit::both!(doors_agree_on_a_whole_life, each_answer_says_what_is_next, a_project_is_abandoned);

/// What to send, given the project as last answered.
type Fields = Box<dyn Fn(&Value) -> Value>;

/// A life from proposal to close, with every RPC in it and some refusals. Gives all that was answered.
async fn live(world: &World, door: &Door) -> Vec<Value> {
    let mut said = Vec::new();
    let mut project = world.project(door).await;
    said.push(project.clone());
    let reach = |project: &Value| json!({"milestoneId": project["milestones"][0]["milestoneId"]});
    let milestone = json!({"description": "The timetable runs", "dueOn": in_days(60)});
    let impact = json!({"impact": {
        "verdict": "VERDICT_PARTLY",
        "evaluation": "Fridays are level with Thursdays; Mondays are not",
        "worthSpreading": "Calls home by ten",
    }});
    let steps: Vec<(&str, Fields)> = vec![
        ("CreateProjectTransition", Box::new(|_| to("DIAGNOSED"))),
        ("CreateGoal", Box::new(|_| goal())),
        ("SetDiagnosis", Box::new(|_| diagnosis())),
        ("CreateProjectTransition", Box::new(|_| to("PLANNED"))),
        ("CreateProjectTransition", Box::new(|_| to("DIAGNOSED"))),
        ("CreateGoal", Box::new(|_| goal())),
        ("CreateMilestone", Box::new(move |_| milestone.clone())),
        ("SetPlan", Box::new(|_| plan())),
        ("CreateProjectTransition", Box::new(|_| to("PLANNED"))),
        ("CreateStocktake", Box::new(|_| json!({"dueOn": in_days(21)}))),
        ("CreateProjectTransition", Box::new(|_| to("DELIVERING"))),
        ("ReachMilestone", Box::new(reach)),
        ("ReachMilestone", Box::new(reach)),
        ("CreateProjectTransition", Box::new(|_| to("EMBEDDING"))),
        ("HoldStocktake", Box::new(|it| stocktake(it, "ON_TRACK"))),
        ("CreateProjectTransition", Box::new(|_| to("EMBEDDING"))),
        ("SetImpact", Box::new(move |_| impact.clone())),
        ("CreateProjectTransition", Box::new(|_| to("CLOSED"))),
        ("CreateGoal", Box::new(|_| goal())),
    ];
    for (name, fields) in steps {
        match door.call(name, change(&project, fields(&project))).await {
            Ok(answer) => {
                said.push(answer.clone());
                project = answer;
            }
            Err(refusal) => said.push(json!(format!("{name}: {refusal:?}"))),
        }
    }
    let id = project["projectId"].clone();
    said.push(door.call("GetProject", json!({"projectId": id})).await.unwrap());
    said.push(door.call("ListProjectTransitions", json!({"projectId": id})).await.unwrap());
    let list = json!({"trustId": world.trust_id, "state": "PROJECT_STATE_CLOSED", "pageSize": 1});
    said.push(door.call("ListProjects", list).await.unwrap());
    said
}

/// The same with ids numbered in order of appearance and instants left out.
fn normal(value: &Value, ids: &mut HashMap<Uuid, usize>) -> Value {
    match value {
        Value::String(text) => match Uuid::try_parse(text) {
            Ok(id) => {
                let next = ids.len();
                json!(format!("id {}", ids.entry(id).or_insert(next)))
            }
            Err(_) => value.clone(),
        },
        Value::Array(items) => items.iter().map(|it| normal(it, ids)).collect(),
        Value::Object(members) => {
            let instant = |name: &str| name == "createdAt" || name == "recordedAt";
            let members = members.iter().filter(|(name, _)| !instant(name));
            members.map(|(name, it)| (name.clone(), normal(it, ids))).collect()
        }
        _ => value.clone(),
    }
}

async fn doors_agree_on_a_whole_life(database: Database) {
    let world = World::new(&database).await;
    let rest = live(&world, &world.rest()).await;
    let grpc = live(&world, &world.grpc()).await;
    let normal = |said: &[Value]| {
        let mut ids = HashMap::new();
        said.iter().map(|it| normal(it, &mut ids)).collect::<Vec<_>>()
    };
    // The second life's list has another page behind it; everything else is the same to the letter.
    let (rest_list, rest) = rest.split_last().unwrap();
    let (grpc_list, grpc) = grpc.split_last().unwrap();
    assert_eq!(normal(rest), normal(grpc));
    assert!(rest_list.get("nextPageToken").is_none());
    assert!(grpc_list["nextPageToken"].is_string());
    assert_eq!(rest_list["projects"][0], rest[rest.len() - 2]);
    assert_eq!(grpc_list["projects"][0], grpc[grpc.len() - 2]);
    let refused = rest.iter().filter(|it| it.is_string()).count();
    assert_eq!(refused, 6, "{rest:#?}");

    let closed = &rest[rest.len() - 2];
    assert_eq!(closed["state"], "PROJECT_STATE_CLOSED");
    assert_eq!(closed["goals"][0]["rating"], "GOAL_RATING_ON_TRACK");
    assert_eq!(closed["milestones"][0]["reachedOn"], today().to_string());
    assert_eq!(closed["stocktakes"][0]["heldOn"], today().to_string());
    assert_eq!(closed["stocktakes"][0]["reviews"][0]["reason"], "The last four weeks say so");
    assert_eq!(closed["stocktakes"][0]["nextSteps"][0]["action"], "Ring home by ten");
    assert_eq!(closed["plan"], plan()["plan"]);
    assert_eq!(closed["diagnosis"], diagnosis()["diagnosis"]);
    let moves = rest.last().unwrap()["transitions"].as_array().unwrap();
    let states: Vec<_> = moves.iter().map(|it| it["to"].as_str().unwrap()).collect();
    let expected = ["PROPOSED", "DIAGNOSED", "PLANNED", "DELIVERING", "EMBEDDING", "CLOSED"];
    assert_eq!(states, expected.map(|it| format!("PROJECT_STATE_{it}")));
    assert!(moves[0].get("from").is_none());
    assert_eq!(moves[0]["rationale"], "A quarter of Year 9 misses a day a week");
    assert_eq!(moves[1]["actor"], "trust");
}

async fn each_answer_says_what_is_next(database: Database) {
    let world = World::new(&database).await;
    let door = world.rest();
    let project = world.project(&door).await;
    assert_eq!(project["state"], "PROJECT_STATE_PROPOSED");
    assert_eq!(project["version"], 1);
    assert_eq!(project["urn"], crate::world::URN);
    assert_eq!(project["nextNeeds"].as_array().unwrap().len(), 3);
    let project = door.call("SetDiagnosis", change(&project, diagnosis())).await.unwrap();
    assert_eq!(project["nextNeeds"], json!([]));
    assert_eq!(project["version"], 2);
}

async fn a_project_is_abandoned(database: Database) {
    let world = World::new(&database).await;
    for door in [world.rest(), world.grpc()] {
        let project = world.project(&door).await;
        let abandon = change(&project, to("ABANDONED"));
        let project = door.call("CreateProjectTransition", abandon).await.unwrap();
        assert_eq!(project["state"], "PROJECT_STATE_ABANDONED");
        let again = change(&project, to("DIAGNOSED"));
        let refusal = door.call("CreateProjectTransition", again).await.unwrap_err();
        assert_eq!(refusal.code, tonic::Code::FailedPrecondition);
        assert_eq!(refusal.detail, "a project that is abandoned is final");
    }
}
