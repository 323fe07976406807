//! What changed since a reader last asked.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde_json::{Value, json};
use testkit::{Caller, Database, problem};

use crate::world::{FRIDAY, SECOND_URN, URN, World, details, enrolment, enrolments, register};

testkit::both!(
    changes_come_in_order_and_end,
    a_deletion_is_told_and_forgotten_after_ninety_days,
    a_converted_school_is_told_of,
    nothing_is_missed_or_told_twice_while_pushes_go_on,
    changes_are_for_those_who_may_read_records,
);

async fn page(world: &World, kind: &str, query: &str, after: Option<&str>) -> Value {
    let after = after.map(|it| format!("&after={it}")).unwrap_or_default();
    let answer = world.get(&format!("changes/{kind}?{query}{after}")).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body
}

fn listed(page: &Value) -> Vec<Value> {
    page["changes"].as_array().cloned().unwrap_or_default()
}

/// Everything after a token, and where to go on.
pub(crate) async fn rest(
    world: &World,
    kind: &str,
    query: &str,
    from: Option<String>,
) -> (Vec<Value>, String) {
    let (mut told, mut after) = (Vec::new(), from);
    loop {
        let it = page(world, kind, query, after.as_deref()).await;
        told.extend(listed(&it));
        after = it["after"].as_str().map(str::to_owned);
        if it["more"] != true {
            return (told, after.unwrap());
        }
    }
}

/// What a reader holds who begins with nothing and does as it is told.
pub(crate) async fn all(world: &World, kind: &str, query: &str) -> Vec<Value> {
    let (told, _) = rest(world, kind, &format!("{query}&pageSize=7"), None).await;
    let mut held = BTreeMap::new();
    for it in told {
        follow(&mut held, &it);
    }
    held.into_values().collect()
}

pub(crate) async fn registers_of(world: &World) -> Vec<Value> {
    let all = all(world, "attendance-registers", "").await;
    all.into_iter().map(|it| it["attendanceRegister"].clone()).collect()
}

/// Does to a copy what a change says.
fn follow(held: &mut BTreeMap<String, Value>, change: &Value) {
    let record = &change["record"];
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let key = if record.get("enrolment").is_some() {
        let it = &record["enrolment"];
        format!("{}/{}/{}", text(&it["urn"]), text(&it["pupil"]), text(&it["startsOn"]))
    } else {
        let it = &record["attendanceRegister"];
        format!("{}/{}/{}", text(&it["urn"]), text(&it["date"]), text(&it["session"]))
    };
    match change["op"].as_str().unwrap() {
        "CHANGE_OP_UPSERT" => drop(held.insert(key, record.clone())),
        "CHANGE_OP_DELETE" => drop(held.remove(&key)),
        _ => {}
    }
}

async fn changes_come_in_order_and_end(database: Database) {
    let world = World::new(&database).await;
    let nothing = page(&world, "enrolments", "", None).await;
    assert!(listed(&nothing).is_empty() && nothing["more"] != true);
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    world.push(json!(enrolments(SECOND_URN, 6..=7, 4))).await;
    world.push(json!([enrolment(URN, "p2", 9)])).await;
    let (told, after) = rest(&world, "enrolments", "pageSize=2", None).await;
    assert_eq!(told.len(), 7, "a record is told of once: {told:?}");
    let positions: Vec<_> =
        told.iter().map(|it| it["position"].as_str().unwrap().parse::<i64>().unwrap()).collect();
    assert!(positions.is_sorted(), "{positions:?}");
    let last = &told[6];
    assert_eq!(last["record"]["enrolment"]["yearGroup"], 9, "what changed again comes last");
    let pseudonym = last["record"]["enrolment"]["pupil"].as_str().unwrap();
    assert!(pseudonym.len() == 32 && pseudonym.bytes().all(|it| it.is_ascii_hexdigit()));
    assert!(last["recordedAt"].is_string() && last["urn"] == URN);
    let (told, after) = rest(&world, "enrolments", "pageSize=2", Some(after)).await;
    assert!(told.is_empty());
    world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/"), ("p2", "I")])])).await;
    let (told, after) = rest(&world, "enrolments", "pageSize=2", Some(after)).await;
    assert!(told.is_empty(), "a register is of another kind");
    world.push(json!(enrolments(URN, 9..=9, 3))).await;
    let (told, _) = rest(&world, "enrolments", "pageSize=2", Some(after)).await;
    assert_eq!(told.len(), 1);
    assert_eq!(all(&world, "enrolments", &format!("urn={SECOND_URN}")).await.len(), 2);

    let told = registers_of(&world).await;
    assert_eq!(
        (told.len(), &told[0]["date"], &told[0]["session"]),
        (1, &json!(FRIDAY), &json!("AM"))
    );
    let codes: Vec<_> = told[0]["marks"].as_array().unwrap().iter().map(|it| &it["code"]).collect();
    assert_eq!(codes, ["/", "I"]);
    // The same pupil has the same pseudonym everywhere.
    assert!(told[0]["marks"].as_array().unwrap().iter().any(|it| it["pupil"] == pseudonym));

    for (kind, query, reason, pointer) in [
        ("marks", "", "REQUEST_INVALID", "/kind"),
        ("enrolments", "after=abc", "PAGE_TOKEN_INVALID", "/after"),
        ("enrolments", "pageSize=5000", "REQUEST_INVALID", "/pageSize"),
    ] {
        let answer = world.get(&format!("changes/{kind}?{query}")).await;
        assert_eq!(problem(&answer), reason);
        assert_eq!(answer.body["errors"][0]["pointer"], pointer);
    }
}

async fn a_deletion_is_told_and_forgotten_after_ninety_days(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=3, 3))).await;
    world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    let (_, enrolled) = rest(&world, "enrolments", "", None).await;
    let (_, registered) = rest(&world, "attendance-registers", "", None).await;
    let mut gone = enrolment(URN, "p2", 3);
    gone["enrolment"]["deleted"] = json!(true);
    let mut mark = register(URN, FRIDAY, "AM", &[("p1", "")]);
    mark["attendanceRegister"]["marks"][0]["deleted"] = json!(true);
    world.push(json!([gone, mark])).await;
    let (told, later) = rest(&world, "enrolments", "", Some(enrolled.clone())).await;
    assert_eq!((told.len(), &told[0]["op"]), (1, &json!("CHANGE_OP_DELETE")));
    let it = &told[0]["record"]["enrolment"];
    assert_eq!(
        (&it["deleted"], &it["startsOn"], &it["urn"]),
        (&json!(true), &json!("2023-09-01"), &json!(URN))
    );
    let (told, _) = rest(&world, "attendance-registers", "", Some(registered)).await;
    assert_eq!(told[0]["op"], "CHANGE_OP_DELETE");
    assert_eq!(told[0]["record"]["attendanceRegister"]["date"], FRIDAY);
    assert_eq!(all(&world, "enrolments", "").await.len(), 2);

    world.app.keep_at(rpc::now() + TimeDelta::days(91)).await.unwrap();
    let answer = world.get(&format!("changes/enrolments?after={enrolled}")).await;
    assert_eq!((answer.status.as_u16(), problem(&answer)), (410, "CHANGES_GONE"));
    assert!(answer.body["detail"].as_str().unwrap().contains("begin again"));
    // Who had been told goes on, and who begins is told of what there is.
    assert!(rest(&world, "enrolments", "", Some(later)).await.0.is_empty());
    assert_eq!(rest(&world, "enrolments", "pageSize=1", None).await.0.len(), 2);
}

async fn a_converted_school_is_told_of(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=5, 3))).await;
    let marks = [("p1", "/"), ("p2", "/"), ("p3", "/"), ("p4", "/"), ("p5", "I")];
    world.push(json!([register(URN, FRIDAY, "AM", &marks)])).await;
    let (_, after) = rest(&world, "enrolments", "", None).await;
    let converted = contract::registry::SchoolConverted {
        school_id: world.school_id.to_string(),
        previous_urn: URN.to_owned(),
        details: Some(details("150001")),
    };
    world.tell(world.trust_id, None, converted).await;
    let (told, _) = rest(&world, "enrolments", "", Some(after)).await;
    assert_eq!((told.len(), &told[0]["op"]), (1, &json!("CHANGE_OP_KEY_CHANGE")));
    assert_eq!((&told[0]["previousUrn"], &told[0]["urn"]), (&json!(URN), &json!("150001")));
    // Its history stays, under the URN of today.
    let held = all(&world, "enrolments", "urn=150001").await;
    assert_eq!(held.len(), 5);
    assert!(held.iter().all(|it| it["enrolment"]["urn"] == "150001"));
    let query = format!(
        "measure=attendance&urn=150001&periodKind=PERIOD_KIND_DAY&from={FRIDAY}&to={FRIDAY}"
    );
    assert_eq!(world.observations(&query).await[0]["denominator"], 5);
}

/// Readers follow while writers write; in the end every copy is what there is, and nobody was told a state twice.
async fn nothing_is_missed_or_told_twice_while_pushes_go_on(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=20, 3))).await;
    let writer = async |number: u32| {
        for round in 0..15_u32 {
            let pupil = format!("p{}", (number * 7 + round * 3) % 20 + 1);
            let mut changed = enrolment(URN, &pupil, i32::try_from(round % 10).unwrap());
            changed["enrolment"]["deleted"] = json!((number + round).is_multiple_of(5));
            let session = if round % 2 == 0 { "AM" } else { "PM" };
            let day = format!("2025-11-{:02}", 3 + (number + round) % 5);
            let code = if round % 3 == 0 { "/" } else { "I" };
            world.push(json!([changed, register(URN, &day, session, &[(&pupil, code)])])).await;
        }
    };
    let reader = async |kind: &'static str| {
        let (mut held, mut seen) = (BTreeMap::new(), BTreeSet::new());
        let (mut after, mut idle) = (None, 0);
        while idle < 3 {
            let (told, next) = rest(&world, kind, "pageSize=3", after).await;
            idle = if told.is_empty() { idle + 1 } else { 0 };
            for it in &told {
                assert!(seen.insert(it.to_string()), "told twice: {it}");
                follow(&mut held, it);
            }
            after = Some(next);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        // The writers may have paused for longer than that.
        (held, after)
    };
    let (enrolled, registered, ..) = tokio::join!(
        reader("enrolments"),
        reader("attendance-registers"),
        writer(1),
        writer(2),
        writer(3),
        writer(4),
    );
    for (kind, (mut held, after)) in
        [("enrolments", enrolled), ("attendance-registers", registered)]
    {
        for it in rest(&world, kind, "", after).await.0 {
            follow(&mut held, &it);
        }
        let held: Vec<Value> = held.into_values().collect();
        assert_eq!(held, all(&world, kind, "").await, "{kind}");
    }
    assert!(!registers_of(&world).await.is_empty());
}

async fn changes_are_for_those_who_may_read_records(database: Database) {
    let world = World::new(&database).await;
    let path = format!("/v1/trusts/{}/changes/enrolments", world.trust_id);
    let vendor = Caller::new("mis", rpc::Reach::Trust(world.trust_id), [rpc::Scope::RecordsWrite]);
    assert_eq!(problem(&vendor.get(&world.rest, &path).await), "SCOPE_MISSING");
    let stranger = Caller::of(world.other_trust_id);
    assert_eq!(problem(&stranger.get(&world.rest, &path).await), "NOT_FOUND");
}
