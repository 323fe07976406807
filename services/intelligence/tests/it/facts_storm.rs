//! Months of careless vendors of every kind of record: whatever was sent, corrected, taken back and in whatever order,
//! the measures are those of the facts that hold in the end.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use rand::{
    RngExt,
    seq::{IndexedRandom, SliceRandom},
};
use serde_json::{Value, json};
use testkit::{Database, StdRng};

use crate::world::{SECOND_URN, URN, World};

testkit::both!(measures_are_those_of_the_facts_that_hold);

const PUPILS: u32 = 20;
const BATCHES: usize = 60;

/// The facts that hold, by natural key.
#[derive(Default)]
struct Facts(BTreeMap<String, (Option<String>, Value)>);

struct Chance(StdRng);

impl Chance {
    fn day(&mut self) -> NaiveDate {
        let first: NaiveDate = "2025-08-27".parse().unwrap();
        first + chrono::Days::new(self.0.random_range(0..16))
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of.choose(&mut self.0).unwrap()
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.0.random_range(0..limit)
    }

    fn pupil(&mut self) -> String {
        format!("p{}", self.below(PUPILS))
    }
}

impl Facts {
    /// A record by chance, entered here as it is sent.
    fn record(&mut self, chance: &mut Chance) -> Value {
        let urn = chance.one(&[URN, URN, SECOND_URN]).to_owned();
        let day = chance.day();
        let pupil = chance.pupil();
        let end = day + chrono::Days::new(chance.below(9).into());
        let (kind, key, pupil, mut body) = match chance.below(20) {
            0..6 => {
                let mut body =
                    json!({"pupil": pupil, "yearGroup": 5 + chance.below(2), "startsOn": day});
                if chance.below(3) == 0 {
                    body["endsOn"] = json!(end);
                }
                if chance.below(2) == 0 {
                    body["characteristics"] = json!([{"flag": chance.one(&["eal", "ehcp"])}]);
                }
                ("enrolment", format!("{pupil}/{day}"), Some(pupil), body)
            }
            6..11 => assessment(chance, pupil, day),
            11 => {
                let session = chance.one(&["AM", "PM"]);
                let body = json!({"pupil": pupil, "category": "SUSP", "startsOn": day,
                    "session": session, "sessions": 2, "reasons": ["DB"]});
                ("suspension", format!("{pupil}/{day}/{session}"), Some(pupil), body)
            }
            12..14 => {
                let incident = format!("i{}", chance.below(8));
                let whose = (chance.below(4) > 0).then_some(pupil);
                let mut body = json!({"incident": incident, "on": day, "category": "bullying"});
                if let Some(pupil) = &whose {
                    body["pupil"] = json!(pupil);
                }
                ("behaviourIncident", incident, whose, body)
            }
            14..16 => contract(chance, day, end),
            16 => {
                let person = format!("s{}", chance.below(8));
                let body = json!({"person": person, "startsOn": day, "workingDays": 0.5,
                    "reason": chance.one(&["SIC", "MAT"])});
                ("staffAbsence", format!("{person}/{day}"), None, body)
            }
            17 => {
                let who = chance.one(&["supply_teacher", "own_teacher"]);
                let body = json!({"on": day, "coveredBy": who, "lessons": chance.below(9)});
                ("cover", format!("{day}/{who}"), None, body)
            }
            18 => {
                let (code, kind) =
                    (chance.one(&["I01", "E01", "E16"]), chance.one(&["actual", "budget"]));
                let body = json!({"code": code, "kind": kind, "startsOn": day, "endsOn": end,
                    "amountPence": (chance.below(900) + 1).to_string()});
                ("budgetLine", format!("{code}/{kind}/{day}/{end}"), None, body)
            }
            _ => {
                self.0.retain(|_, (of, _)| of.as_ref() != Some(&pupil));
                return json!({"externalId": "", "pupil": {"pupil": pupil, "deleted": true}});
            }
        };
        body["urn"] = json!(urn);
        let key = format!("{kind}/{urn}/{key}");
        let record = json!({"externalId": "", kind: body});
        if chance.below(5) == 0 {
            body["deleted"] = json!(true);
            self.0.remove(&key);
            return json!({"externalId": "", kind: body});
        }
        self.0.insert(key, (pupil, record.clone()));
        record
    }
}

fn contract(
    chance: &mut Chance,
    day: NaiveDate,
    end: NaiveDate,
) -> (&'static str, String, Option<String>, Value) {
    let person = format!("s{}", chance.below(8));
    let role = chance.one(&["classroom_teacher", "premises"]);
    let fte = f64::from(chance.below(4) + 1) / 4.0;
    let mut body = json!({"person": person, "role": role, "fte": fte, "startsOn": day});
    if chance.below(2) == 0 {
        body["endsOn"] = json!(end);
    }
    ("staffMember", format!("{person}/{role}/{day}"), None, body)
}

fn assessment(
    chance: &mut Chance,
    pupil: String,
    day: NaiveDate,
) -> (&'static str, String, Option<String>, Value) {
    let (scale, subject, point, results): (_, _, _, &[&str]) = match chance.below(6) {
        0 => ("ks2_scaled_score", "reading", "ks2", &["99", "100", "110", "L"]),
        1 => ("ks2_scaled_score", "maths", "ks2", &["99", "100", "110", "A"]),
        2 => ("ks2_teacher_assessment", "writing", "ks2", &["WTS", "EXS", "GDS"]),
        3 => ("gcse_9_1", "english_language", "gcse", &["4", "5"]),
        4 => ("gcse_9_1", "maths", "gcse", &["3", "7"]),
        _ => ("teacher_points", "history", "autumn", &["1", "2.5"]),
    };
    let year = if day < "2025-09-01".parse().unwrap() { 2024 } else { 2025 };
    let body = json!({"pupil": pupil, "scale": scale, "subject": subject, "assessmentPoint": point,
        "takenOn": day, "result": chance.one(results)});
    ("assessmentResult", format!("{pupil}/{scale}/{subject}/{point}/{year}"), Some(pupil), body)
}

async fn picture(world: &World) -> Vec<Value> {
    let mut picture = Vec::new();
    for (kind, from) in [
        ("DAY", "2025-08-25"),
        ("WEEK", "2025-08-25"),
        ("TERM", "2024-09-01"),
        ("ACADEMIC_YEAR", "2024-09-01"),
    ] {
        for split in ["", "&byYearGroup=true", "&byGroup=true"] {
            let query = format!("periodKind=PERIOD_KIND_{kind}&from={from}&to=2025-09-12{split}");
            picture.extend(world.observations(&query).await);
        }
    }
    picture.retain(|it| it["absent"] != "ABSENT_NOT_AVAILABLE");
    picture
}

async fn measures_are_those_of_the_facts_that_hold(database: Database) {
    let world = World::new(&database).await;
    let (mut chance, mut facts) = (Chance(testkit::chance()), Facts::default());
    for _ in 0..BATCHES {
        let size = 1 + chance.below(12);
        let records: Vec<_> = (0..size).map(|_| facts.record(&mut chance)).collect();
        let batch = world.push(json!(records)).await;
        assert_eq!(batch["rejected"], 0, "{batch}");
    }
    let mut held: Vec<Value> = facts.0.values().map(|it| it.1.clone()).collect();
    held.shuffle(&mut chance.0);
    let another = Database::sqlite();
    let plain = World::new(&another).await;
    plain.push(json!(held)).await;
    let expected = picture(&plain).await;
    assert!(expected.len() > 100, "{}", expected.len());
    for (told, expected) in picture(&world).await.iter().zip(&expected) {
        assert_eq!(told, expected);
    }
    assert_eq!(picture(&world).await.len(), expected.len());
}
