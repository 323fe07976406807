//! What the measures say of pupils by characteristic.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{FRIDAY, URN, World, enrolment, enrolments, register, whole, with};

testkit::both!(
    a_group_is_counted_beside_the_rest,
    a_characteristic_counts_on_its_days,
    small_groups_are_hidden_with_the_rest,
    characteristics_are_those_of_the_list,
);

/// Numerator and denominator of each group, or why there are none.
async fn by_group(world: &World, measure: &str, kind: &str) -> BTreeMap<String, Value> {
    let query = format!(
        "measure={measure}&urn={URN}&periodKind=PERIOD_KIND_{kind}&byGroup=true&from=2025-09-01&to=2025-11-21"
    );
    let told = world.observations(&query).await;
    let told = told.into_iter().map(|it| {
        let value = match it.get("absent") {
            Some(absent) => absent.clone(),
            None => json!([it["numerator"], it["denominator"]]),
        };
        (it["group"].as_str().unwrap().to_owned(), value)
    });
    told.collect()
}

async fn a_group_is_counted_beside_the_rest(database: Database) {
    let world = World::new(&database).await;
    let mut records: Vec<_> =
        enrolments(URN, 1..=6, 3).into_iter().map(|it| with(it, &["disadvantaged"])).collect();
    records.extend(enrolments(URN, 7..=16, 4).into_iter().map(|it| with(it, &["eal", "ehcp"])));
    records.extend(enrolments(URN, 17..=26, 4));
    // Pupils 1 to 3 are ill.
    records.push(whole(URN, FRIDAY.parse().unwrap(), "AM", 26, 3));
    world.push(json!(records)).await;
    for kind in ["DAY", "WEEK", "TERM"] {
        let told = by_group(&world, "attendance", kind).await;
        let of = |group: &str| told.get(group).cloned().unwrap_or_default();
        assert_eq!(of("disadvantaged"), json!([3, 6]), "{kind}");
        assert_eq!(of("not_disadvantaged"), json!([20, 20]));
        assert_eq!(
            (of("eal"), of("sen"), of("ehcp")),
            (json!([10, 10]), json!([10, 10]), json!([10, 10]))
        );
        assert_eq!((of("not_sen"), of("not_eal")), (json!([13, 16]), json!([13, 16])));
        assert_eq!((of("sen_support"), of("not_sen_support")), (json!(null), json!([23, 26])));
    }
    let severe = by_group(&world, "severe_absence", "ACADEMIC_YEAR").await;
    assert_eq!((&severe["disadvantaged"], &severe["sen"]), (&json!([3, 6]), &json!([0, 10])));

    let query = format!(
        "measure=severe_absence&urn={URN}&periodKind=PERIOD_KIND_WEEK&group=disadvantaged&from=2025-11-10&to=2025-11-17"
    );
    let weeks = world.observations(&query).await;
    assert_eq!(weeks[0]["absent"], "ABSENT_NOT_AVAILABLE");
    assert_eq!((&weeks[1]["value"], &weeks[1]["group"]), (&json!(50.0), &json!("disadvantaged")));
}

async fn a_characteristic_counts_on_its_days(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=20, 3);
    for it in records.iter_mut().take(8) {
        it["enrolment"]["characteristics"] =
            json!([{"flag": "sen_support", "startsOn": "2025-11-19", "endsOn": "2025-11-20"}]);
    }
    let days = ["2025-11-18", "2025-11-19", "2025-11-20", FRIDAY];
    records.extend(days.iter().map(|it| whole(URN, it.parse().unwrap(), "AM", 20, 2)));
    world.push(json!(records)).await;
    let week = by_group(&world, "attendance", "WEEK").await;
    assert_eq!((&week["sen_support"], &week["not_sen"]), (&json!([12, 16]), &json!([60, 64])));
    // It ends later than was thought: the marks of that day count in the group after all.
    for it in records.iter_mut().take(8) {
        it["enrolment"]["characteristics"][0]["endsOn"] = json!(FRIDAY);
    }
    let batch = world.push(json!(records[..8])).await;
    assert_eq!(batch["corrected"], 8);
    for kind in ["WEEK", "TERM"] {
        let told = by_group(&world, "attendance", kind).await;
        assert_eq!((&told["sen_support"], &told["not_sen"]), (&json!([18, 24]), &json!([54, 56])));
    }
    assert_eq!(world.push(json!(records[..8])).await["unchanged"], 8);
    assert_eq!(world.attendance(FRIDAY).await, (18, 20));
}

async fn small_groups_are_hidden_with_the_rest(database: Database) {
    let world = World::new(&database).await;
    let mut records = Vec::new();
    for (number, codes) in (1..).zip([
        &["ehcp"][..],
        &["ehcp"],
        &["sen_support"],
        &["sen_support"],
        &["sen_support"],
        &["sen_support"],
        &["sen_support"],
    ]) {
        records.push(with(enrolment(URN, &format!("p{number}"), 3), codes));
    }
    records.extend(enrolments(URN, 8..=40, 3));
    records.push(whole(URN, FRIDAY.parse().unwrap(), "AM", 40, 1));
    world.push(json!(records)).await;
    let told = by_group(&world, "attendance", "WEEK").await;
    let hidden: Vec<_> =
        told.iter().filter(|(_, it)| *it == "ABSENT_SUPPRESSED").map(|it| it.0.as_str()).collect();
    assert_eq!(hidden, ["ehcp", "not_ehcp", "not_sen_support", "sen_support"]);
    assert_eq!((&told["sen"], &told["not_sen"]), (&json!([6, 7]), &json!([33, 33])));
    let query = format!(
        "measure=attendance&urn={URN}&periodKind=PERIOD_KIND_WEEK&group=ehcp&from=2025-11-17&to=2025-11-17"
    );
    assert_eq!(world.observations(&query).await[0]["absent"], "ABSENT_SUPPRESSED");
}

async fn characteristics_are_those_of_the_list(database: Database) {
    let world = World::new(&database).await;
    let result = world.one(with(enrolment(URN, "p1", 3), &["eal", "gifted"])).await;
    assert_eq!(result["outcome"], "RECORD_OUTCOME_REJECTED");
    assert_eq!(result["problems"][0]["pointer"], "/enrolment/characteristics/1/flag");
    assert_eq!(result["problems"][0]["reason"], "ERROR_REASON_CODE_UNKNOWN");
    let detail = result["problems"][0]["detail"].as_str().unwrap();
    assert!(detail.contains("disadvantaged, free_school_meals, sen_support, ehcp"), "{detail}");
    let mut backwards = with(enrolment(URN, "p1", 3), &["eal"]);
    backwards["enrolment"]["characteristics"][0]["endsOn"] = json!("2023-08-31");
    let result = world.one(backwards).await;
    assert_eq!(result["problems"][0]["pointer"], "/enrolment/characteristics/0/endsOn");
    // In another order, or twice, it is the same list.
    let outcome = async |codes: &[&str]| {
        world.one(with(enrolment(URN, "p1", 3), codes)).await["outcome"].clone()
    };
    assert_eq!(outcome(&["eal", "ehcp"]).await, "RECORD_OUTCOME_ACCEPTED");
    assert_eq!(outcome(&["ehcp", "eal", "ehcp"]).await, "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(outcome(&["eal"]).await, "RECORD_OUTCOME_CORRECTED");

    let ask = async |query: &str| {
        let path = format!("observations?periodKind=PERIOD_KIND_DAY&{query}");
        let answer = world.get(&path).await;
        assert_eq!(problem(&answer), "REQUEST_INVALID", "{answer:?}");
        answer.body["errors"][0]["pointer"].clone()
    };
    assert_eq!(ask("group=boys").await, "/group");
    assert_eq!(ask("group=sen&byYearGroup=true").await, "/byYearGroup");
    assert_eq!(ask("byGroup=true&byYearGroup=true").await, "/byYearGroup");
    world.push(json!([register(URN, FRIDAY, "AM", &[("p1", "/")])])).await;
    assert!(
        by_group(&world, "attendance", "DAY").await.values().all(|it| *it == "ABSENT_SUPPRESSED")
    );
}
