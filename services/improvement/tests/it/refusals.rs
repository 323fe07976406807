//! What callers may not do, and what they are told.

use rpc::Reach;
use serde_json::{Value, json};
use testkit::{Answer, Caller, Database, problem};
use tonic::Code;

use crate::{
    door::Door,
    world::{URN, World, change, diagnosis, goal, in_days, plan, to},
};

testkit::both!(
    every_call_needs_its_scope,
    a_version_is_asked_for_and_checked,
    another_trust_sees_nothing,
    a_retry_gets_the_first_answer,
    everything_wrong_is_named_at_once,
    lists_end_and_keep_their_filters,
);

fn path(project: &Value, part: &str) -> String {
    format!("/v1/projects/{}/{part}", project["projectId"].as_str().unwrap())
}

/// threat: T-WRONG-SCOPE
async fn every_call_needs_its_scope(database: Database) {
    const SERVICE: &str = "headway.improvement.v1.ImprovementService";
    let world = World::new(&database).await;
    let reach = Reach::Trust(world.trust_id);
    let mut count = 0;
    for method in rpc::methods().filter(|it| it.descriptor.parent_service().full_name() == SERVICE)
    {
        let others = rpc::all_scopes().filter(|it| *it != method.scope);
        let caller = Caller::new("lacking", reach, others);
        let mut message = json!({});
        for field in method.descriptor.input().fields() {
            if method.path.contains(&format!("{{{}}}", field.name())) {
                message[field.json_name()] = json!(world.trust_id);
            }
        }
        for door in [Door::rest(&world.app, &caller), Door::grpc(&world.app, &caller)] {
            let refusal = door.call(method.descriptor.name(), message.clone()).await.unwrap_err();
            assert_eq!(refusal.code, Code::PermissionDenied, "{}", method.path);
        }
        count += 1;
    }
    assert_eq!(count, 13);
}

/// threat: T-LOST-UPDATE
async fn a_version_is_asked_for_and_checked(database: Database) {
    let world = World::new(&database).await;
    let (rest, caller) = (world.app.rest(), world.caller());
    let project = world.project(&world.rest()).await;
    let path = path(&project, "diagnosis");
    let answer = caller.post(&rest, &path, diagnosis()).await;
    assert_eq!(answer.status, 428);
    assert_eq!(problem(&answer), "VERSION_MISSING");
    let stale = [("if-match", "\"7\"")];
    let answer = caller.send_with(&rest, "POST", &path, &stale, diagnosis()).await;
    assert_eq!(answer.status, 412);
    assert_eq!(problem(&answer), "VERSION_STALE");
    let read = caller.get(&rest, &format!("/v1/projects/{}", id(&project))).await;
    let tag = read.headers["etag"].to_str().unwrap();
    assert_eq!(tag, "\"1\"");
    let answer = caller.send_with(&rest, "POST", &path, &[("if-match", tag)], diagnosis()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["etag"], "\"2\"");

    let missing = json!({"projectId": id(&project), "diagnosis": diagnosis()["diagnosis"]});
    let refusal = world.grpc().call("SetDiagnosis", missing).await.unwrap_err();
    assert_eq!(refusal.code, Code::FailedPrecondition);
    let refusal =
        world.grpc().call("SetDiagnosis", change(&project, diagnosis())).await.unwrap_err();
    assert_eq!(refusal.code, Code::Aborted);
}

fn id(project: &Value) -> &str {
    project["projectId"].as_str().unwrap()
}

/// threat: T-OTHER-TRUST
async fn another_trust_sees_nothing(database: Database) {
    let world = World::new(&database).await;
    let project = world.project(&world.rest()).await;
    let stranger = Caller::of(world.other_trust_id);
    let calls = [
        ("GetProject", json!({"projectId": id(&project)})),
        ("ListProjectTransitions", json!({"projectId": id(&project)})),
        ("SetDiagnosis", change(&project, diagnosis())),
        ("SetPlan", change(&project, plan())),
        ("CreateGoal", change(&project, goal())),
        ("CreateProjectTransition", change(&project, to("ABANDONED"))),
    ];
    for door in [Door::rest(&world.app, &stranger), Door::grpc(&world.app, &stranger)] {
        for (name, message) in &calls {
            let refusal = door.call(name, message.clone()).await.unwrap_err();
            assert_eq!(refusal.code, Code::NotFound, "{name}");
            assert_eq!(refusal.detail, format!("no project {}", id(&project)));
        }
        let list = json!({"trustId": world.trust_id});
        assert_eq!(door.call("ListProjects", list).await.unwrap_err().code, Code::NotFound);
        let signal = json!({
            "trustId": world.other_trust_id,
            "signalId": world.signal_id,
            "title": "Mine",
            "rationale": "It is not",
        });
        let refusal = door.call("CreateProject", signal).await.unwrap_err();
        assert_eq!(refusal.code, Code::NotFound);
        let school = json!({
            "trustId": world.other_trust_id, "urn": URN, "title": "Mine", "rationale": "It is not",
        });
        assert_eq!(door.call("CreateProject", school).await.unwrap_err().code, Code::NotFound);
    }
    let unchanged = world.rest().call("GetProject", json!({"projectId": id(&project)})).await;
    assert_eq!(unchanged.unwrap(), project);
}

/// threat: T-REPLAY
async fn a_retry_gets_the_first_answer(database: Database) {
    let world = World::new(&database).await;
    for (door, key) in [(world.rest(), "a"), (world.grpc(), "b")] {
        let propose = json!({
            "trustId": world.trust_id, "urn": URN, "title": "Once", "rationale": "Only once",
        });
        let first = door.call_with("CreateProject", propose.clone(), Some(key)).await.unwrap();
        let second = door.call_with("CreateProject", propose.clone(), Some(key)).await.unwrap();
        assert_eq!(first, second);
        let mut other = propose;
        other["title"] = json!("Twice");
        let refusal = door.call_with("CreateProject", other, Some(key)).await.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidArgument);
        let set = change(&first, diagnosis());
        let key = format!("{key}2");
        let once = door.call_with("SetDiagnosis", set.clone(), Some(&key)).await.unwrap();
        assert_eq!(once, door.call_with("SetDiagnosis", set, Some(&key)).await.unwrap());
    }
    let list = world.rest().call("ListProjects", json!({"trustId": world.trust_id})).await.unwrap();
    assert_eq!(list["projects"].as_array().unwrap().len(), 2);
}

#[track_caller]
fn check_pointers(answer: &Answer, expected: &[&str]) {
    assert_eq!(problem(answer), "REQUEST_INVALID", "{answer:?}");
    let errors = answer.body["errors"].as_array().unwrap();
    let found: Vec<_> = errors.iter().map(|it| it["pointer"].as_str().unwrap()).collect();
    assert_eq!(found, expected);
}

async fn everything_wrong_is_named_at_once(database: Database) {
    let world = World::new(&database).await;
    let (rest, caller) = (world.app.rest(), world.caller());
    let project = world.project(&world.rest()).await;
    let projects = format!("/v1/trusts/{}/projects", world.trust_id);
    let answer = caller.post(&rest, &projects, json!({"title": " "})).await;
    check_pointers(&answer, &["/urn", "/title", "/rationale"]);
    let body = json!({"measure": "Attendance!", "baseline": 3, "target": 3, "dueOn": "2020-01-01"});
    let answer = caller.post(&rest, &path(&project, "goals"), body).await;
    check_pointers(&answer, &["/measure", "/target", "/dueOn"]);
    let body = json!({"diagnosis": {
        "basis": ["what a teacher said"],
        "finding": "One",
        "waiver": "Other",
        "diagnosedBy": [{"role": "head"}],
    }});
    let answer = caller.post(&rest, &path(&project, "diagnosis"), body).await;
    let expected = ["/diagnosis/basis/0", "/diagnosis/diagnosedBy/0/personId", "/diagnosis/waiver"];
    check_pointers(&answer, &expected);
    let body = json!({"plan": {"deliveryChain": [{}], "owner": {"personId": "p 1", "role": "x"}}});
    let answer = caller.post(&rest, &path(&project, "plan"), body).await;
    let link = "/plan/deliveryChain/0";
    let (tier, role, action) =
        (format!("{link}/tier"), format!("{link}/role"), format!("{link}/action"));
    check_pointers(&answer, &["/plan/owner/personId", &tier, &role, &action]);
    let body = json!({"heldOn": in_days(1), "reviews": [{}], "nextSteps": [{"dueOn": "soon"}]});
    let stocktake = format!("stocktakes/{}/held", rpc::new_id());
    let answer = caller.post(&rest, &path(&project, &stocktake), body).await;
    let expected = [
        "/heldOn",
        "/likelihood",
        "/reviews/0/goalId",
        "/reviews/0/rating",
        "/reviews/0/reason",
        "/nextSteps/0/action",
        "/nextSteps/0/ownerRole",
        "/nextSteps/0/dueOn",
    ];
    check_pointers(&answer, &expected);
}

async fn lists_end_and_keep_their_filters(database: Database) {
    let world = World::new(&database).await;
    let door = world.rest();
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(world.project(&door).await);
    }
    let abandon = change(&made[2], to("ABANDONED"));
    door.call("CreateProjectTransition", abandon).await.unwrap();
    let (mut seen, mut token) = (Vec::new(), Value::Null);
    loop {
        let mut query = json!({
            "trustId": world.trust_id, "urn": URN, "state": "PROJECT_STATE_PROPOSED", "pageSize": 2,
        });
        if token.is_string() {
            query["pageToken"] = token;
        }
        let page = door.call("ListProjects", query).await.unwrap();
        seen.extend(page["projects"].as_array().unwrap().iter().map(|it| it["projectId"].clone()));
        token = page["nextPageToken"].clone();
        if token.is_null() {
            break;
        }
        let other = json!({"trustId": world.trust_id, "pageToken": token, "pageSize": 2});
        assert_eq!(door.call("ListProjects", other).await.unwrap_err().code, Code::InvalidArgument);
    }
    let expected: Vec<_> =
        [4, 3, 1, 0].into_iter().map(|it: usize| made[it]["projectId"].clone()).collect();
    assert_eq!(seen, expected);
    let none = json!({"trustId": world.trust_id, "urn": crate::world::SECOND_URN});
    let none = door.call("ListProjects", none).await.unwrap();
    assert_eq!(none["projects"], json!([]));
    let unknown = json!({"trustId": world.trust_id, "urn": "999999"});
    assert_eq!(door.call("ListProjects", unknown).await.unwrap_err().code, Code::NotFound);
}
