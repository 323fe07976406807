//! What the measures say.

use serde_json::{Value, json};
use testkit::{Database, problem};

use crate::world::{SECOND_URN, URN, World, days_ago, enrolments, register, told, whole};

testkit::both!(
    absence_is_counted_by_pupil_and_period,
    small_groups_are_hidden_with_what_would_reveal_them,
    missing_values_say_why,
    lists_end_and_lose_nothing,
    the_board_page_says_where_each_school_stands,
    measures_are_defined_and_questions_checked,
);

const WEEK: &str =
    "measure=persistent_absence&periodKind=PERIOD_KIND_WEEK&from=2025-11-17&to=2025-11-17";

/// One value, in percent, of the first school.
async fn value(world: &World, measure: &str, kind: &str) -> f64 {
    let query = format!(
        "measure={measure}&urn={URN}&periodKind=PERIOD_KIND_{kind}&from=2025-09-01&to=2025-11-30"
    );
    let found = world.observations(&query).await;
    found.iter().find_map(|it| it["value"].as_f64()).unwrap()
}

async fn absence_is_counted_by_pupil_and_period(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=10, 3);
    // Ten sessions for each: pupil 1 misses 1 of 10 (persistent, exactly a tenth), pupil 2 five (severe).
    let monday: chrono::NaiveDate = "2025-11-17".parse().unwrap();
    for (number, date) in monday.iter_days().take(5).enumerate() {
        records.push(whole(URN, date, "AM", 10, 0));
        records.push(whole(URN, date, "PM", 10, 0));
        let day = date.to_string();
        if number == 0 {
            records.push(register(URN, &day, "AM", &[("p1", "U"), ("p3", "L")]));
        }
        records.push(register(URN, &day, "PM", &[("p2", "I"), ("p10", "X")]));
    }
    world.push(json!(records)).await;
    for kind in ["WEEK", "TERM", "ACADEMIC_YEAR"] {
        let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-9, "{kind}: {a} {b}");
        close(value(&world, "attendance", kind).await, 8900.0 / 95.0);
        close(value(&world, "persistent_absence", kind).await, 20.0);
        close(value(&world, "severe_absence", kind).await, 10.0);
        close(value(&world, "authorised_absence", kind).await, 500.0 / 95.0);
        close(value(&world, "unauthorised_absence", kind).await, 100.0 / 95.0);
        close(value(&world, "lateness", kind).await, 200.0 / 95.0);
    }
    let query = format!("urn={URN}&periodKind=PERIOD_KIND_DAY&from=2025-11-17&to=2025-11-17");
    let day = world.observations(&query).await;
    let counts: Vec<_> =
        day.iter().map(|it| (it["numerator"].clone(), it["denominator"].clone())).collect();
    let expected = [(17, 19), (2, 10), (2, 10), (1, 19), (1, 19), (2, 19)];
    assert_eq!(counts[..6], expected.map(|it| (json!(it.0), json!(it.1))));
}

async fn small_groups_are_hidden_with_what_would_reveal_them(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=4, 1);
    records.extend(enrolments(URN, 5..=12, 2));
    records.extend(enrolments(URN, 13..=30, 3));
    records.push(whole(URN, "2025-11-17".parse().unwrap(), "AM", 30, 2));
    records.extend(enrolments(SECOND_URN, 1..=4, 1));
    records.push(whole(SECOND_URN, "2025-11-17".parse().unwrap(), "AM", 4, 2));
    world.push(json!(records)).await;
    let groups = world.observations(&format!("{WEEK}&byYearGroup=true&urn={URN}")).await;
    let seen: Vec<_> = groups
        .iter()
        .map(|it| (it["yearGroup"].as_i64().unwrap(), it.get("absent").cloned()))
        .collect();
    let hidden = Some(json!("ABSENT_SUPPRESSED"));
    assert_eq!(seen, [(1, hidden.clone()), (2, hidden.clone()), (3, None)]);
    assert!(groups[0].get("denominator").is_none());
    let whole_schools = world.observations(WEEK).await;
    assert_eq!(whole_schools[0]["denominator"], 30);
    assert_eq!(whole_schools[1].get("absent").cloned(), hidden);
    assert!(whole_schools[1].get("value").is_none());
}

async fn missing_values_say_why(database: Database) {
    let world = World::new(&database).await;
    let ahead = crate::world::today() + chrono::Days::new(14);
    let query = format!(
        "measure=attendance&urn={URN}&periodKind=PERIOD_KIND_WEEK&from={}&to={ahead}",
        days_ago(14)
    );
    let weeks = world.observations(&query).await;
    let why: Vec<_> = weeks.iter().map(|it| it["absent"].as_str().unwrap()).collect();
    assert_eq!(why[..2], ["ABSENT_NOT_AVAILABLE"; 2]);
    assert_eq!(why.last(), Some(&"ABSENT_NOT_YET_DUE"));
    assert!(weeks.iter().all(|it| it.get("value").is_none() && it.get("numerator").is_none()));
}

async fn lists_end_and_lose_nothing(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=20, 3);
    records.extend(enrolments(SECOND_URN, 21..=30, 4));
    let monday: chrono::NaiveDate = "2025-09-15".parse().unwrap();
    for date in monday.iter_days().step_by(7).take(6) {
        records.push(whole(URN, date, "AM", 20, 2));
    }
    world.push(json!(records)).await;
    for groups in ["false", "true"] {
        let query = format!(
            "periodKind=PERIOD_KIND_WEEK&from=2025-09-01&to=2025-11-01&byYearGroup={groups}"
        );
        let all = world.observations(&query).await;
        let mut seen = Vec::new();
        let mut token = String::new();
        loop {
            let page = world.get(&format!("observations?{query}&pageSize=7{token}")).await.body;
            seen.extend(page["observations"].as_array().cloned().unwrap_or_default());
            let Some(next) = page["nextPageToken"].as_str() else { break };
            token = format!("&pageToken={next}");
        }
        assert!(seen.len() > 7);
        assert_eq!(seen, all, "by year group: {groups}");
    }
    let request = contract::intelligence::ListObservationsRequest {
        trust_id: world.trust_id.to_string(),
        period_kind: contract::intelligence::PeriodKind::Week.into(),
        from: Some("2025-09-01".to_owned()),
        to: Some("2025-11-01".to_owned()),
        ..Default::default()
    };
    let over_grpc =
        world.client(&world.admin()).list_observations(request).await.unwrap().into_inner();
    let over_rest =
        world.get("observations?periodKind=PERIOD_KIND_WEEK&from=2025-09-01&to=2025-11-01").await;
    assert_eq!(told(&over_grpc), over_rest.body);
}

async fn the_board_page_says_where_each_school_stands(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=20, 3);
    for week in 1..=9 {
        // Steady around 5 % for eight weeks, then 40 % in the latest.
        let ill = if week == 1 { 8 } else { 1 + week % 2 };
        records.push(whole(URN, days_ago(7 * u64::from(week)), "AM", 20, ill));
    }
    world.push(json!(records)).await;
    let standings = world.get("standings").await.body;
    let standings = standings["standings"].as_array().unwrap().clone();
    assert_eq!(standings.len(), 6);
    let first = &standings[0];
    assert_eq!((&first["urn"], &first["measure"]), (&json!(URN), &json!("attendance")));
    assert_eq!(first["direction"], "DIRECTION_WORSE");
    assert_eq!(first["latest"]["value"], 60.0);
    assert_eq!(first["recent"].as_array().unwrap().len(), 9);
    assert_eq!(first["recent"][8], 60.0);
    assert!(first["lowerLimit"].as_f64().unwrap() > 60.0);
    let year = &standings[1]["latest"];
    assert_eq!(year["periodKind"], "PERIOD_KIND_ACADEMIC_YEAR");
    let silent: Vec<&Value> = standings.iter().filter(|it| it["urn"] == SECOND_URN).collect();
    assert!(silent.iter().all(|it| it["direction"] == "DIRECTION_TOO_LITTLE_DATA"
        && it["latest"]["absent"] == "ABSENT_NOT_AVAILABLE"));

    let request =
        contract::intelligence::ListStandingsRequest { trust_id: world.trust_id.to_string() };
    let over_grpc =
        world.client(&world.admin()).list_standings(request).await.unwrap().into_inner();
    assert_eq!(told(&over_grpc)["standings"], json!(standings));
}

#[track_caller]
fn wrong(answer: &testkit::Answer, pointer: &str) {
    assert_eq!(problem(answer), "REQUEST_INVALID", "{answer:?}");
    assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{answer:?}");
}

async fn measures_are_defined_and_questions_checked(database: Database) {
    let world = World::new(&database).await;
    let measures = world.get("measures").await.body;
    let keys: Vec<_> =
        measures["measures"].as_array().unwrap().iter().map(|it| it["measure"].clone()).collect();
    let expected = [
        "attendance",
        "persistent_absence",
        "severe_absence",
        "authorised_absence",
        "unauthorised_absence",
        "lateness",
    ];
    assert_eq!(keys[..6], expected);
    wrong(&world.get("observations").await, "/periodKind");
    let ask = "observations?periodKind=PERIOD_KIND_DAY";
    wrong(&world.get(&format!("{ask}&measure=mood")).await, "/measure");
    wrong(&world.get(&format!("{ask}&urn=1")).await, "/urn");
    wrong(&world.get(&format!("{ask}&from=2020-01-01&to=2025-01-01")).await, "/to");
    wrong(&world.get(&format!("{ask}&from=2025-01-02&to=2025-01-01")).await, "/to");
    wrong(&world.get(&format!("{ask}&pageSize=1001")).await, "/pageSize");
    assert_eq!(problem(&world.get(&format!("{ask}&urn=999999")).await), "SCHOOL_UNKNOWN");
}
