//! Every kind of record but pupils, enrolments and registers: read, kept by natural key, and counted.

use serde_json::{Value, json};
use testkit::Database;

use crate::world::{FRIDAY, URN, World, enrolment, enrolments};

testkit::both!(
    each_kind_is_kept_by_its_natural_key,
    a_fact_waits_for_its_pupil,
    results_come_to_standards_and_averages,
    staff_cover_and_budgets_are_counted,
    small_groups_are_hidden,
    a_higher_revision_wins,
    views_unpack_what_is_stored,
);

/// A record of a kind, with something of it otherwise.
pub(crate) fn record(kind: &str, base: &Value, other: &Value) -> Value {
    let mut body = base.clone();
    for (name, value) in other.as_object().unwrap() {
        body[name] = value.clone();
    }
    json!({"externalId": kind, kind: body})
}

pub(crate) fn result(pupil: &str, scale: &str, subject: &str, point: &str, result: &str) -> Value {
    json!({"externalId": "a", "assessmentResult": {
        "urn": URN, "pupil": pupil, "scale": scale, "subject": subject, "assessmentPoint": point,
        "takenOn": "2025-05-14", "result": result,
    }})
}

pub(crate) fn suspension(pupil: &str) -> Value {
    json!({"urn": URN, "pupil": pupil, "category": "SUSP", "startsOn": FRIDAY, "session": "AM",
        "sessions": 4, "reasons": ["PP", "DB"]})
}

/// One of each kind, with a value of it that may be corrected.
pub(crate) fn kinds() -> Vec<(&'static str, Value, Value)> {
    vec![
        ("suspension", suspension("p1"), json!({"sessions": 6})),
        (
            "assessmentResult",
            json!({"urn": URN, "pupil": "p1", "scale": "gcse_9_1", "subject": "maths",
                "assessmentPoint": "gcse", "takenOn": "2025-06-04", "result": "7"}),
            json!({"result": "8"}),
        ),
        (
            "behaviourIncident",
            json!({"urn": URN, "incident": "i-1", "on": FRIDAY, "pupil": "p1",
                "category": "disruption", "points": -2}),
            json!({"category": "defiance"}),
        ),
        (
            "staffMember",
            json!({"urn": URN, "person": "s1", "role": "classroom_teacher", "fte": 0.6,
                "startsOn": "2024-09-01"}),
            json!({"endsOn": "2026-08-31"}),
        ),
        (
            "staffAbsence",
            json!({"urn": URN, "person": "s1", "startsOn": FRIDAY, "workingDays": 1.5, "reason": "SIC"}),
            json!({"workingDays": 2}),
        ),
        (
            "cover",
            json!({"urn": URN, "on": FRIDAY, "coveredBy": "supply_teacher", "lessons": 6}),
            json!({"lessons": 7}),
        ),
        (
            "budgetLine",
            json!({"urn": URN, "code": "E01", "kind": "actual", "startsOn": "2025-04-01",
                "endsOn": "2026-03-31", "amountPence": "123456789"}),
            json!({"amountPence": "1"}),
        ),
        (
            "observation",
            json!({"urn": URN, "measure": "pupil_voice", "startsOn": "2024-09-01",
                "endsOn": "2025-08-31", "value": 81.5, "source": "survey"}),
            json!({"value": 82.0}),
        ),
    ]
}

async fn each_kind_is_kept_by_its_natural_key(database: Database) {
    let world = World::new(&database).await;
    world.push(json!([enrolment(URN, "p1", 10)])).await;
    for (kind, base, other) in kinds() {
        let of = |other: &Value| record(kind, &base, other);
        let outcome = async |record: Value| {
            let result = world.one(record).await;
            result["outcome"].as_str().unwrap().replace("RECORD_OUTCOME_", "")
        };
        assert_eq!(outcome(of(&json!({}))).await, "ACCEPTED", "{kind}");
        assert_eq!(outcome(of(&json!({}))).await, "UNCHANGED", "{kind}");
        assert_eq!(outcome(of(&other)).await, "CORRECTED", "{kind}");
        assert_eq!(outcome(of(&json!({"deleted": true}))).await, "CORRECTED", "{kind}");
        assert_eq!(outcome(of(&json!({"deleted": true}))).await, "UNCHANGED", "{kind}");
    }
}

/// Value, numerator and denominator of a measure of the first school in an academic year.
async fn figures(world: &World, measure: &str, more: &str) -> Vec<Value> {
    let query = format!(
        "measure={measure}&urn={URN}&periodKind=PERIOD_KIND_ACADEMIC_YEAR&from=2024-09-01&to=2025-09-01{more}"
    );
    world.observations(&query).await
}

/// The value of a measure in the academic year that starts on a day.
pub(crate) async fn value(world: &World, measure: &str, starts_on: &str) -> Option<f64> {
    let found = figures(world, measure, "").await;
    found.iter().find(|it| it["startsOn"] == starts_on)?["value"].as_f64()
}

async fn a_fact_waits_for_its_pupil(database: Database) {
    let world = World::new(&database).await;
    world.push(json!(enrolments(URN, 1..=49, 10))).await;
    let rate = async || value(&world, "suspension_rate", "2025-09-01").await;
    assert_eq!(rate().await, Some(0.0), "a feed that tells of suspensions told of none");
    let told = record("suspension", &suspension("p50"), &json!({}));
    let parked = world.one(told.clone()).await;
    assert_eq!(parked["outcome"], "RECORD_OUTCOME_PARKED");
    assert_eq!(parked["problems"][0]["pointer"], "/suspension/pupil");
    assert_eq!(parked["problems"][0]["reason"], "ERROR_REASON_PUPIL_UNKNOWN");
    assert_eq!(rate().await, Some(0.0));
    world.push(json!([enrolment(URN, "p50", 10)])).await;
    assert_eq!(rate().await, Some(2.0));
    let mut left = enrolment(URN, "p50", 10);
    left["enrolment"]["endsOn"] = json!("2025-11-20");
    world.push(json!([left])).await;
    assert_eq!(rate().await, Some(0.0));
    world.push(json!([enrolment(URN, "p50", 11)])).await;
    let groups = figures(&world, "suspension_rate", "&byYearGroup=true").await;
    let of = |year_group: i32| {
        let is = |it: &&Value| it["yearGroup"] == year_group && it["startsOn"] == "2025-09-01";
        groups.iter().find(is).unwrap().clone()
    };
    assert_eq!(
        (&of(10)["absent"], &of(11)["absent"]),
        (&json!("ABSENT_SUPPRESSED"), &json!("ABSENT_SUPPRESSED"))
    );
    let forget = json!({"externalId": "f", "pupil": {"pupil": "p50", "deleted": true}});
    assert_eq!(world.one(forget).await["outcome"], "RECORD_OUTCOME_CORRECTED");
    world.push(json!([enrolment(URN, "p50", 10)])).await;
    assert_eq!(rate().await, Some(0.0), "forgotten means forgotten");
}

async fn results_come_to_standards_and_averages(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=10, 6);
    for number in 1..=10 {
        let pupil = format!("p{number}");
        // Scores 98, 100, … 116 in reading; all reach it in maths; writing as told.
        let (score, writing) =
            ((96 + 2 * number).to_string(), if number < 8 { "EXS" } else { "GDS" });
        records.push(result(&pupil, "ks2_scaled_score", "reading", "ks2", &score));
        records.push(result(&pupil, "ks2_scaled_score", "maths", "ks2", "110"));
        records.push(result(&pupil, "ks2_teacher_assessment", "writing", "ks2", writing));
        records.push(result(&pupil, "gcse_9_1", "english_language", "gcse", "4"));
        let literature = if number <= 5 { "5" } else { "U" };
        records.push(result(&pupil, "gcse_9_1", "english_literature", "gcse", literature));
        records.push(result(
            &pupil,
            "gcse_9_1",
            "maths",
            "gcse",
            if number <= 4 { "6" } else { "3" },
        ));
        records.push(result(&pupil, "teacher_points", "history", "autumn", "12.5"));
        records.push(result(&pupil, "reading_age_months", "reading", "summer", "120"));
        records.push(result(&pupil, "a_level", "physics", "a_level", "B"));
    }
    // One who left before the test is out of the count; one was absent, and has not reached it.
    records.push(result("p9", "ks2_scaled_score", "reading", "ks2", "L"));
    records.push(result("p10", "ks2_scaled_score", "reading", "ks2", "A"));
    let batch = world.push(json!(records)).await;
    assert_eq!((&batch["rejected"], &batch["parked"]), (&json!(0), &json!(0)), "{batch}");
    let of = async |measure: &str, subject: &str| {
        let found = figures(&world, measure, &format!("&subject={subject}")).await;
        let found = found.iter().find(|it| it["startsOn"] == "2024-09-01").unwrap().clone();
        (found["value"].as_f64().unwrap(), found["denominator"].as_u64().unwrap())
    };
    assert_eq!(of("ks2_expected_standard", "reading").await, (700.0 / 9.0, 9));
    assert_eq!(of("ks2_higher_standard", "reading").await, (200.0 / 9.0, 9));
    assert_eq!(of("ks2_expected_standard", "writing").await, (100.0, 10));
    assert_eq!(of("ks2_higher_standard", "writing").await, (30.0, 10));
    assert_eq!(of("ks2_expected_standard", "reading_writing_maths").await, (700.0 / 9.0, 9));
    assert_eq!(of("ks2_higher_standard", "reading_writing_maths").await, (100.0 / 9.0, 9));
    assert_eq!(of("ks2_average_scaled_score", "reading").await, (105.0, 8));
    assert_eq!(of("teacher_assessed_points", "history").await, (12.5, 10));
    assert_eq!(of("reading_age", "reading").await, (120.0, 10));
    assert_eq!(of("a_level_points", "physics").await, (40.0, 10));
    assert_eq!(value(&world, "english_maths_grade_5", "2024-09-01").await, Some(40.0));
    let points = figures(&world, "teacher_assessed_points", "").await;
    assert_eq!(
        (&points[0]["assessmentPoint"], &points[0]["subject"]),
        (&json!("autumn"), &json!("history"))
    );
}

async fn staff_cover_and_budgets_are_counted(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=30, 4);
    let of = |kind: &str| kinds().into_iter().find(|it| it.0 == kind).unwrap().1;
    for number in 1..=6 {
        let mut other = json!({"person": format!("s{number}"), "fte": 0.5});
        if number == 6 {
            other["endsOn"] = json!("2025-03-31");
        }
        records.push(record("staffMember", &of("staffMember"), &other));
    }
    // A second role of the same person is not a second person; a contract that goes on is nobody leaving.
    records.push(record(
        "staffMember",
        &of("staffMember"),
        &json!({"role": "support", "fte": 0.5}),
    ));
    let next =
        json!({"person": "s5", "startsOn": "2025-05-01", "role": "assistant_head", "fte": 0.5});
    records.push(record("staffMember", &of("staffMember"), &next));
    let absence = json!({"startsOn": "2024-11-21"});
    records.push(record("staffAbsence", &of("staffAbsence"), &absence));
    let leave = json!({"startsOn": "2024-11-25", "reason": "MAT", "workingDays": 40});
    records.push(record("staffAbsence", &of("staffAbsence"), &leave));
    for (who, lessons) in [("supply_teacher", 10), ("own_teacher", 85), ("not_covered", 5)] {
        let other = json!({"on": "2024-11-21", "coveredBy": who, "lessons": lessons});
        records.push(record("cover", &of("cover"), &other));
    }
    for (code, kind, pence) in [
        ("I01", "actual", 100_000_i64),
        ("E01", "actual", 60_000),
        ("E16", "actual", 45_000),
        ("E01", "budget", 90_000),
        ("BAE030", "actual", 10_000),
    ] {
        let other = json!({"code": code, "kind": kind, "startsOn": "2024-04-01",
            "endsOn": "2025-03-31", "amountPence": pence.to_string()});
        records.push(record("budgetLine", &of("budgetLine"), &other));
    }
    let batch = world.push(json!(records)).await;
    assert_eq!(batch["rejected"], 0, "{batch}");
    let year = async |measure: &str| value(&world, measure, "2024-09-01").await;
    assert_eq!(year("pupil_teacher_ratio").await, Some(10.0));
    assert_eq!(year("staff_sickness_absence").await, Some(1.5 / 3.5));
    assert_eq!(year("staff_turnover").await, Some(100.0 / 6.0));
    assert_eq!(year("temporary_lessons").await, Some(10.0));
    assert_eq!(year("staff_cost_share").await, Some(70.0));
    assert_eq!(year("in_year_balance").await, Some(-15_000.0));
    assert_eq!(year("roll").await, Some(30.0));
    let missing = figures(&world, "in_year_balance", "").await;
    assert_eq!(missing[1]["absent"], "ABSENT_NOT_AVAILABLE");
    let measures = world.get("measures").await.body;
    let measures = measures["measures"].as_array().unwrap();
    let balance = measures.iter().find(|it| it["measure"] == "in_year_balance").unwrap();
    assert_eq!(
        (&balance["unit"], &balance["good"]),
        (&json!("pence"), &json!("GOOD_DIRECTION_HIGHER"))
    );
    assert!(measures.iter().all(|it| it["source"].as_str().is_some_and(|it| it.len() > 5)));
}

async fn small_groups_are_hidden(database: Database) {
    let world = World::new(&database).await;
    let mut records = enrolments(URN, 1..=20, 6);
    for (number, it) in (1..).zip(&mut records) {
        if number <= 8 {
            it["enrolment"]["characteristics"] = json!([{"flag": "eal"}]);
        } else if number > 17 {
            it["enrolment"]["characteristics"] = json!([{"flag": "ehcp"}]);
        }
    }
    for number in 1..=20 {
        let score = (99 + number).to_string();
        records.push(result(&format!("p{number}"), "ks2_scaled_score", "reading", "ks2", &score));
    }
    let batch = world.push(json!(records)).await;
    assert_eq!(batch["rejected"], 0, "{batch}");
    let groups = figures(&world, "ks2_average_scaled_score", "&byGroup=true").await;
    let of = |code: &str| groups.iter().find(|it| it["group"] == code).cloned();
    assert_eq!(of("eal").unwrap()["value"], 103.5);
    assert_eq!(of("ehcp").unwrap()["absent"], "ABSENT_SUPPRESSED");
    assert_eq!(of("looked_after"), None);
    assert_eq!(value(&world, "ehcp_share", "2024-09-01").await, Some(15.0));
    let both = "observations?periodKind=PERIOD_KIND_WEEK&byGroup=true&byYearGroup=true";
    assert_eq!(world.get(both).await.body["errors"][0]["pointer"], "/byYearGroup");
}

async fn a_higher_revision_wins(database: Database) {
    let world = World::new(&database).await;
    let told = |revision: u32, other: Value| {
        let base = json!({"urn": URN, "measure": "progress_8", "startsOn": "2024-09-01",
            "endsOn": "2025-08-31", "source": "dfe", "revision": revision});
        record("observation", &base, &other)
    };
    let ask = async |kind: &str| {
        let query = format!(
            "measure=progress_8&urn={URN}&periodKind=PERIOD_KIND_{kind}&from=2024-04-01&to=2025-09-01"
        );
        world.observations(&query).await
    };
    let unknown = world.get("observations?periodKind=PERIOD_KIND_WEEK&measure=progress_8").await;
    assert_eq!(unknown.body["errors"][0]["pointer"], "/measure");
    world.one(told(2, json!({"value": 0.25}))).await;
    let late = world.one(told(1, json!({"value": 0.5}))).await;
    assert_eq!(late["outcome"], "RECORD_OUTCOME_UNCHANGED");
    assert_eq!(late["problems"][0]["pointer"], "/observation/revision");
    let year = ask("ACADEMIC_YEAR").await;
    assert_eq!(year.len(), 1);
    assert_eq!(
        (&year[0]["value"], &year[0]["source"], &year[0]["revision"]),
        (&json!(0.25), &json!("dfe"), &json!(2))
    );
    let hidden = json!({"absent": "ABSENT_SUPPRESSED", "sourceCode": "SUPP"});
    assert_eq!(world.one(told(3, hidden)).await["outcome"], "RECORD_OUTCOME_CORRECTED");
    let year = ask("ACADEMIC_YEAR").await;
    assert_eq!(
        (&year[0]["absent"], &year[0]["sourceCode"]),
        (&json!("ABSENT_SUPPRESSED"), &json!("SUPP"))
    );
    world.one(told(4, json!({"deleted": true}))).await;
    assert_eq!(ask("ACADEMIC_YEAR").await, Vec::<Value>::new());
    let late = world.one(told(3, json!({"value": 1.0}))).await;
    assert_eq!(late["outcome"], "RECORD_OUTCOME_UNCHANGED", "an older one does not bring it back");
    let financial = json!({"startsOn": "2024-04-01", "endsOn": "2025-03-31",
        "share": {"numerator": 3, "denominator": 4}});
    world.one(told(0, financial)).await;
    let other = ask("OTHER").await;
    assert_eq!((&other[0]["value"], &other[0]["numerator"]), (&json!(0.75), &json!(3)));
    assert_eq!(other[0]["periodKind"], "PERIOD_KIND_OTHER");
}

/// The views of each kind can be read, and hold what was told.
async fn views_unpack_what_is_stored(database: Database) {
    let world = World::new(&database).await;
    world.push(json!([enrolment(URN, "p1", 10)])).await;
    let records: Vec<_> = kinds().iter().map(|it| record(it.0, &it.1, &json!({}))).collect();
    world.push(json!(records)).await;
    let mut tx = world.app.journal().db().read().await.unwrap();
    for (view, column, expected) in [
        ("assessment_result", "result", "7"),
        ("suspension", "category", "SUSP"),
        ("behaviour_incident", "points", "-2"),
        ("staff_member", "fte_hundredths", "60"),
        ("staff_absence", "working_days_hundredths", "150"),
        ("cover", "lessons", "6"),
        ("budget_line", "amount_pence", "123456789"),
        ("observation", "measure", "pupil_voice"),
    ] {
        let sql = format!("SELECT CAST({column} AS TEXT) FROM {view}");
        let found: Vec<String> = db::on!(&mut tx, |c| {
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_all(c).await
        })
        .unwrap();
        assert_eq!(found, [expected], "{view}");
    }
}
