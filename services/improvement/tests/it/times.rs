use chrono::{Days, SecondsFormat};
use serde_json::{Value, json};
use testkit::Database;
use tonic::Code;

use crate::world::{World, change, diagnosis, goal, in_days, plan, to, today};

testkit::both!(what_was_answered_then_is_answered_of_then);

fn now() -> String {
    rpc::now().to_rfc3339_opts(SecondsFormat::Micros, true)
}

async fn what_was_answered_then_is_answered_of_then(database: Database) {
    let world = World::new(&database).await;
    let (rest, grpc) = (world.rest(), world.grpc());
    let before = now();
    let mut project = world.project(&rest).await;
    let mut then = vec![(now(), project.clone())];
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
        project = rest.call(name, change(&project, fields)).await.unwrap();
        then.push((now(), project.clone()));
    }
    // Reached before anybody told of the project: it counts from the day the project was there.
    let week_ago = today().checked_sub_days(Days::new(7)).unwrap().to_string();
    let milestone_id = project["milestones"][0]["milestoneId"].clone();
    let reached = json!({"milestoneId": milestone_id, "reachedOn": week_ago});
    project = rest.call("ReachMilestone", change(&project, reached)).await.unwrap();
    then.push((now(), project.clone()));
    let id = project["projectId"].clone();
    let ask = |name: &str, value: &str| json!({"projectId": id, name: value});
    for (at, was) in then {
        for door in [&rest, &grpc] {
            assert_eq!(door.call("GetProject", ask("knownAt", &at)).await.unwrap(), was, "{at}");
        }
    }
    for door in [&rest, &grpc] {
        let on_today = ask("effectiveOn", &today().to_string());
        assert_eq!(door.call("GetProject", on_today).await.unwrap(), project);
        for question in [ask("effectiveOn", &week_ago), ask("knownAt", &before)] {
            let refusal = door.call("GetProject", question).await.unwrap_err();
            assert_eq!(refusal.code, Code::NotFound);
            assert!(refusal.detail.contains("in effect on"), "{refusal:?}");
        }
    }
    assert_ne!(project["milestones"][0]["reachedOn"], Value::Null);
}
