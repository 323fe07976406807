//! What is wrong with a record of any kind but pupils, enrolments and registers is told by its place.

use serde_json::{Value, json};
use testkit::Database;

use crate::{
    facts::{kinds, record},
    world::{FRIDAY, URN, World},
};

testkit::both!(what_is_wrong_is_told_by_its_place);

/// A kind, what of it is otherwise, and the field, reason and words of what is told.
type Wrong = (&'static str, Value, &'static str, &'static str, &'static str);

fn of_pupils() -> Vec<Wrong> {
    vec![
        ("suspension", json!({"category": "FIXD"}), "category", "CODE_UNKNOWN", "SUSP PERM"),
        (
            "suspension",
            json!({"startsOn": "2020-08-31"}),
            "reasons/0",
            "CODE_UNKNOWN",
            "from 2020-09-01",
        ),
        ("suspension", json!({"reasons": []}), "reasons", "FIELD_REQUIRED", "one to three"),
        (
            "suspension",
            json!({"reasons": ["PP", "PA", "VP", "VA"]}),
            "reasons",
            "FIELD_INVALID",
            "one to three",
        ),
        ("suspension", json!({"reasons": ["PP", "PP"]}), "reasons/1", "FIELD_INVALID", "already"),
        ("suspension", json!({"sessions": 0}), "sessions", "FIELD_INVALID", "1 to 90"),
        (
            "suspension",
            json!({"category": "PERM"}),
            "sessions",
            "FIELD_INVALID",
            "0 for a permanent",
        ),
        ("suspension", json!({"session": "am"}), "session", "FIELD_INVALID", "AM or PM"),
        ("suspension", json!({"pupil": " "}), "pupil", "FIELD_REQUIRED", "must be given"),
        (
            "assessmentResult",
            json!({"result": "A*"}),
            "result",
            "CODE_UNKNOWN",
            "9 8 7 6 5 4 3 2 1 U X",
        ),
        ("assessmentResult", json!({"scale": "sats"}), "scale", "CODE_UNKNOWN", "ks2_scaled_score"),
        ("assessmentResult", json!({"subject": ""}), "subject", "FIELD_REQUIRED", "must be given"),
        (
            "assessmentResult",
            json!({"takenOn": "2999-01-01"}),
            "takenOn",
            "DATE_IN_FUTURE",
            "after today",
        ),
    ]
}

fn of_schools() -> Vec<Wrong> {
    vec![
        (
            "behaviourIncident",
            json!({"incident": ""}),
            "incident",
            "FIELD_REQUIRED",
            "must be given",
        ),
        ("behaviourIncident", json!({"points": 1001}), "points", "FIELD_INVALID", "1000"),
        ("staffMember", json!({"fte": 0}), "fte", "FIELD_INVALID", "0.01 to 1.5"),
        ("staffMember", json!({"fte": "NaN"}), "fte", "FIELD_INVALID", "0.01 to 1.5"),
        (
            "staffMember",
            json!({"endsOn": "2024-08-31"}),
            "endsOn",
            "FIELD_INVALID",
            "before startsOn",
        ),
        ("staffMember", json!({"role": "wizard"}), "role", "CODE_UNKNOWN", "headteacher"),
        ("staffAbsence", json!({"reason": "flu"}), "reason", "CODE_UNKNOWN", "SIC MAT"),
        ("staffAbsence", json!({"workingDays": -1}), "workingDays", "FIELD_INVALID", "0 to 400"),
        ("cover", json!({"coveredBy": "robot"}), "coveredBy", "CODE_UNKNOWN", "own_teacher"),
        ("cover", json!({"lessons": 10_001}), "lessons", "FIELD_INVALID", "10000"),
        ("budgetLine", json!({"code": "E99"}), "code", "CODE_UNKNOWN", "I01"),
        ("budgetLine", json!({"endsOn": "2027-03-31"}), "endsOn", "FIELD_INVALID", "18 months"),
        (
            "budgetLine",
            json!({"amountPence": "9000000000000"}),
            "amountPence",
            "FIELD_INVALID",
            "million",
        ),
        ("observation", json!({"measure": "Mood!"}), "measure", "FIELD_INVALID", "lower case"),
        ("observation", json!({"yearGroup": 15}), "yearGroup", "FIELD_INVALID", "-2 to 14"),
        ("observation", json!({"group": "fsm6"}), "group", "CODE_UNKNOWN", "disadvantaged"),
        ("observation", json!({"value": "Infinity"}), "value", "FIELD_TYPE", "number"),
        ("observation", json!({"source": ""}), "source", "FIELD_REQUIRED", "must be given"),
    ]
}

async fn what_is_wrong_is_told_by_its_place(database: Database) {
    let world = World::new(&database).await;
    let of = kinds();
    for (kind, other, field, reason, detail) in of_pupils().into_iter().chain(of_schools()) {
        let base = &of.iter().find(|it| it.0 == kind).unwrap().1;
        let result = world.one(record(kind, base, &other)).await;
        assert_eq!(result["outcome"], "RECORD_OUTCOME_REJECTED", "{kind} {other}: {result}");
        let problem = &result["problems"][0];
        assert_eq!(problem["pointer"], format!("/{kind}/{field}"), "{other}: {result}");
        assert_eq!(problem["reason"], format!("ERROR_REASON_{reason}"), "{other}: {result}");
        assert!(problem["detail"].as_str().unwrap().contains(detail), "{other}: {result}");
    }
    let share = json!({"externalId": "o", "observation": {"urn": URN, "measure": "m", "source": "s",
        "startsOn": FRIDAY, "endsOn": FRIDAY, "share": {"numerator": 1, "denominator": 0}}});
    let result = world.one(share).await;
    assert_eq!(result["problems"][0]["pointer"], "/observation/share/denominator", "{result}");
    let result = world.one(json!({"externalId": "x"})).await;
    assert!(result["problems"][0]["detail"].as_str().unwrap().contains("budgetLine"), "{result}");
}
