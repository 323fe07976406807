use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use contract::registry as v1;
use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{World, days_ago, establishments, evidence, links, ratings, text};

testkit::both!(
    what_was_answered_then_is_answered_of_then,
    a_journey_of_any_two_times_agrees_with_living_through_the_days,
    a_date_is_one_that_has_been,
);

fn known_at() -> String {
    rpc::now().to_rfc3339().replace('+', "%2B")
}

/// Reads everything there is of a school, by both doors, with the times asked for left out.
async fn everything(world: &World, paths: &[String], query: &str) -> Vec<Value> {
    let mut answers = Vec::new();
    for path in paths {
        let mut answer = world.platform.get(&world.rest, &format!("{path}?{query}")).await.body;
        answer.as_object_mut().unwrap().remove("knownAt");
        answers.push(answer);
    }
    answers
}

async fn what_was_answered_then_is_answered_of_then(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, urn) = world.trust_with_school().await;
    let school = format!("/v1/trusts/{trust_id}/schools/{urn}");
    let unit = json!({"kind": "UNIT_KIND_YEAR_GROUP", "name": "Year 4", "yearGroup": 4});
    let before_unit = known_at();
    let unit = world.post(&format!("{school}/units"), unit).await;
    let journeys = format!("/v1/trusts/{trust_id}/journeys");
    let opening = json!({"urn": urn, "unitId": unit["unitId"], "phase": "PHASE_STABILISE",
        "rationale": "Seen", "evidence": evidence(), "effectiveOn": days_ago(200)});
    let journey = world.post(&journeys, opening).await;
    let journey = format!("/v1/journeys/{}", text(&journey, "journeyId"));
    let unit = format!("/v1/units/{}", text(&unit, "unitId"));
    let paths = [
        format!("/v1/trusts/{trust_id}"),
        school.clone(),
        format!("{school}/spread"),
        unit.clone(),
        journey.clone(),
    ];
    let mut then = vec![(known_at(), everything(&world, &paths, "").await)];
    let entered = json!({"kind": "TRANSITION_KIND_ENTERED", "to": "PHASE_REPAIR", "rationale": "Secure",
        "ratings": ratings("PHASE_REPAIR"), "effectiveOn": days_ago(100), "expectedVersion": 1});
    world.post(&format!("{journey}/transitions"), entered).await;
    then.push((known_at(), everything(&world, &paths, "").await));
    // The school is known by a new number from here on, and by both.
    let files = [
        establishments(&[
            "100000,A Primary,Closed,Primary,,1000,1000|;01-09-2026",
            "100009,An Academy,Open,Primary,,1000,1000|01-09-2026;",
        ]),
        links(&[
            "100009,100000,A Primary,Predecessor,01-09-2026",
            "100000,100009,An Academy,Successor,01-09-2026",
        ]),
    ];
    for file in files {
        world.import(file).await;
    }
    assert_eq!(world.get(&school).await["urn"], "100009");
    let now = everything(&world, &paths, "").await;
    for (at, answers) in then {
        for (was, told) in
            answers.iter().zip(everything(&world, &paths, &format!("knownAt={at}")).await)
        {
            // A journey and a unit name the school as it is called now, and say so.
            let (mut was, mut told) = (was.clone(), told);
            if was.get("journeyId").or(was.get("unitId")).is_some() {
                (was["urn"], told["urn"]) = (Value::Null, Value::Null);
            }
            assert_eq!(told, was, "at {at}");
        }
    }
    assert_eq!(everything(&world, &paths, &format!("knownAt={}", known_at())).await, now);
    let renamed = format!("/v1/trusts/{trust_id}/schools/100009?knownAt={before_unit}");
    assert_eq!(
        world.get(&renamed).await["urn"],
        "100000",
        "found by a number it has had only since"
    );
    for (path, status) in [
        (format!("{unit}?knownAt={before_unit}"), 404),
        (format!("{school}?effectiveOn={}", days_ago(400)), 404),
        (format!("/v1/trusts/{trust_id}?effectiveOn={}", days_ago(400)), 404),
        (format!("{journey}?effectiveOn={}", days_ago(400)), 200),
    ] {
        let answer = world.platform.get(&world.rest, &path).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
    }
    grpc_agrees(&world, &trust_id, &unit, &before_unit).await;
}

async fn grpc_agrees(world: &World, trust_id: &str, unit: &str, before_unit: &str) {
    let at: DateTime<Utc> = before_unit.replace("%2B", "+").parse().unwrap();
    let (known_at, unit_id) = (Some(at.into()), unit.rsplit('/').next().unwrap().to_owned());
    let mut client = world.grpc(&world.platform);
    let request = v1::GetUnitRequest { unit_id: unit_id.clone(), known_at, ..Default::default() };
    let status = client.get_unit(request).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::NotFound, "{status:?}");
    let request = v1::GetUnitRequest { unit_id, ..Default::default() };
    let read = client.get_unit(request).await.unwrap().into_inner();
    assert_eq!(testkit::json(&read), world.get(unit).await);
    let of = |trust_id: &str| v1::GetSchoolRequest {
        trust_id: trust_id.to_owned(),
        urn: "100000".to_owned(),
        known_at,
        ..Default::default()
    };
    let school = client.get_school(of(trust_id)).await.unwrap().into_inner();
    assert_eq!(school.urn, "100000");
    let of = v1::GetSpreadRequest {
        trust_id: trust_id.to_owned(),
        urn: "100000".to_owned(),
        known_at,
        ..Default::default()
    };
    assert_eq!(client.get_spread(of).await.unwrap().into_inner().units_without_journey, 0);
    let of = v1::GetTrustRequest { trust_id: trust_id.to_owned(), known_at, ..Default::default() };
    assert_eq!(client.get_trust(of).await.unwrap().into_inner().version, 1);
}

/// A move as its log has it.
struct Moved {
    id: String,
    kind: String,
    to: Option<String>,
    on: NaiveDate,
    at: DateTime<Utc>,
    corrects: Option<String>,
}

fn moved(it: &Value) -> Moved {
    let maybe = |name: &str| it[name].as_str().map(str::to_owned);
    Moved {
        id: text(it, "transitionId"),
        kind: text(it, "kind"),
        to: maybe("to"),
        on: text(it, "effectiveOn").parse().unwrap(),
        at: text(it, "recordedAt").parse().unwrap(),
        corrects: maybe("corrects"),
    }
}

/// Settled and emerging, found by living through the days.
fn lived(moves: &[Moved], on: NaiveDate, at: DateTime<Utc>) -> (Option<String>, Option<String>) {
    let known: Vec<&Moved> = moves.iter().filter(|it| it.at <= at).collect();
    let days: BTreeSet<NaiveDate> = known.iter().map(|it| it.on).filter(|it| *it <= on).collect();
    let (mut settled, mut emerging) = (None, None);
    for day in days {
        for it in known.iter().filter(|it| it.on == day && it.corrects.is_none()) {
            if known.iter().any(|by| by.corrects.as_ref() == Some(&it.id)) {
                continue;
            }
            match it.kind.as_str() {
                "TRANSITION_KIND_EMERGING" => emerging.clone_from(&it.to),
                "TRANSITION_KIND_EMERGENCE_ABANDONED" => emerging = None,
                _ => (settled, emerging) = (it.to.clone(), None),
            }
        }
    }
    (settled, emerging)
}

/// Opened wrongly, corrected, opened again earlier; moved on, corrected, moved on otherwise.
async fn a_life(world: &World) -> String {
    let (trust_id, urn) = world.trust_with_school().await;
    let open = async |days| {
        let opening = json!({"urn": urn, "phase": "PHASE_STABILISE", "rationale": "Seen",
            "evidence": evidence(), "effectiveOn": days_ago(days)});
        world.post(&format!("/v1/trusts/{trust_id}/journeys"), opening).await
    };
    let path = format!("/v1/journeys/{}", text(&open(200).await, "journeyId"));
    let transitions = format!("{path}/transitions");
    let step = async |mut body: Value, days| {
        body["rationale"] = json!("So it was");
        body["effectiveOn"] = json!(days_ago(days));
        body["expectedVersion"] = world.get(&path).await["version"].clone();
        world.post(&transitions, body).await;
        text(
            world.get(&transitions).await["transitions"].as_array().unwrap().last().unwrap(),
            "transitionId",
        )
    };
    let first = text(&world.get(&transitions).await["transitions"][0], "transitionId");
    let correct = |id: &str| json!({"kind": "TRANSITION_KIND_CORRECTED", "corrects": id});
    let emerging = || json!({"kind": "TRANSITION_KIND_EMERGING", "to": "PHASE_REPAIR"});
    let entered =
        |to: &str| json!({"kind": "TRANSITION_KIND_ENTERED", "to": to, "ratings": ratings(to)});
    step(correct(&first), 190).await;
    open(250).await;
    step(emerging(), 180).await;
    let wrong = step(entered("PHASE_REPAIR"), 150).await;
    step(correct(&wrong), 90).await;
    step(json!({"kind": "TRANSITION_KIND_EMERGENCE_ABANDONED"}), 120).await;
    step(emerging(), 110).await;
    step(entered("PHASE_REPAIR"), 60).await;
    step(json!({"kind": "TRANSITION_KIND_FELL_BACK", "to": "PHASE_STABILISE", "evidence": evidence()}), 20).await;
    path
}

async fn a_journey_of_any_two_times_agrees_with_living_through_the_days(database: Database) {
    let world = World::open(&database).await;
    let path = a_life(&world).await;
    let list = world.get(&format!("{path}/transitions?pageSize=100")).await;
    let moves: Vec<Moved> = list["transitions"].as_array().unwrap().iter().map(moved).collect();
    assert_eq!(moves.len(), 10);
    let mut answers = BTreeSet::new();
    for days in (0..=260).step_by(10) {
        for known in moves.iter().map(|it| it.at).chain([rpc::now()]) {
            let on = days_ago(days);
            let query =
                format!("effectiveOn={on}&knownAt={}", known.to_rfc3339().replace('+', "%2B"));
            let told = world.get(&format!("{path}?{query}")).await;
            let told = (told["settled"].as_str(), told["emerging"].as_str());
            let lived = lived(&moves, on.parse().unwrap(), known);
            assert_eq!(told, (lived.0.as_deref(), lived.1.as_deref()), "{query}");
            answers.insert(lived);
        }
    }
    assert_eq!(answers.len(), 4, "{answers:?}");
}

async fn a_date_is_one_that_has_been(database: Database) {
    let world = World::open(&database).await;
    let (trust_id, _) = world.trust_with_school().await;
    let tomorrow = crate::world::today().succ_opt().unwrap();
    for (query, pointer) in [
        (format!("effectiveOn={tomorrow}"), "/effectiveOn"),
        (format!("knownAt={tomorrow}T23:00:00Z"), "/knownAt"),
        ("effectiveOn=2026-02-30".to_owned(), "/effectiveOn"),
    ] {
        let path = format!("/v1/trusts/{trust_id}?{query}");
        let answer = world.platform.get(&world.rest, &path).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{answer:?}");
    }
}
