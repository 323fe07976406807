//! Months of a careless vendor: whatever was sent, corrected, taken back and in whatever order, the measures are those
//! of the facts that hold in the end.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use serde_json::{Value, json};
use testkit::Database;

use crate::world::{SECOND_URN, URN, World};

testkit::both!(the_end_is_what_holds_in_the_end);

const PUPILS: u64 = 24;
const BATCHES: usize = 150;
const SEED: u64 = 20_261_121;

/// Numbers that look like chance and come again (Steele, Lea and Flood, splittable generators).
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut it = self.0;
        it = (it ^ (it >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        it = (it ^ (it >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (it ^ (it >> 31)) % limit
    }

    fn day(&mut self) -> NaiveDate {
        let first: NaiveDate = "2025-08-27".parse().unwrap();
        first + chrono::Days::new(self.below(16))
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// The facts that hold.
#[derive(Default)]
struct Facts {
    enrolments: BTreeMap<(String, String, NaiveDate), Value>,
    marks: BTreeMap<(String, NaiveDate, String, String), String>,
}

impl Facts {
    /// A record by chance, entered here as it is sent.
    fn record(&mut self, chance: &mut Chance) -> Value {
        match chance.below(20) {
            0..8 => self.enrolment(chance),
            8..19 => self.register(chance),
            _ => {
                let pupil = format!("p{}", chance.below(PUPILS));
                self.enrolments.retain(|(_, it, _), _| *it != pupil);
                self.marks.retain(|(.., it), _| *it != pupil);
                json!({"externalId": "", "pupil": {"pupil": pupil, "deleted": true}})
            }
        }
    }

    fn enrolment(&mut self, chance: &mut Chance) -> Value {
        let urn = chance.one(&[URN, URN, SECOND_URN]).to_owned();
        let pupil = format!("p{}", chance.below(PUPILS));
        let starts_on = chance.day();
        let mut enrolment = json!({
            "urn": urn, "pupil": pupil, "yearGroup": 3 + chance.below(2), "startsOn": starts_on,
        });
        if chance.below(3) == 0 {
            enrolment["endsOn"] = json!(starts_on + chrono::Days::new(chance.below(9)));
        }
        let held = (0..chance.below(3)).map(|_| {
            let from = chance.day();
            let mut held = json!({"flag": chance.one(&["sen_support", "ehcp", "disadvantaged"])});
            if chance.below(2) == 0 {
                held["startsOn"] = json!(from);
                held["endsOn"] = json!(from + chrono::Days::new(chance.below(9)));
            }
            held
        });
        enrolment["characteristics"] = json!(held.collect::<Vec<_>>());
        let key = (urn, pupil, starts_on);
        if chance.below(6) == 0 {
            self.enrolments.remove(&key);
            enrolment["deleted"] = json!(true);
        } else {
            self.enrolments.insert(key, enrolment.clone());
        }
        json!({"externalId": "", "enrolment": enrolment})
    }

    fn register(&mut self, chance: &mut Chance) -> Value {
        let urn = chance.one(&[URN, URN, SECOND_URN]).to_owned();
        let (date, session) = (chance.day(), chance.one(&["AM", "PM"]).to_owned());
        let first = chance.below(PUPILS);
        let count = 1 + chance.below(PUPILS);
        let mut marks = Vec::new();
        for number in first..first + count {
            let pupil = format!("p{}", number % PUPILS);
            let code = chance.one(&["/", "/", "\\", "I", "O", "B", "X", "L", "U"]);
            let deleted = chance.below(9) == 0;
            let key = (urn.clone(), date, session.clone(), pupil.clone());
            if deleted {
                self.marks.remove(&key);
            } else {
                self.marks.insert(key, code.to_owned());
            }
            marks.push(json!({"pupil": pupil, "code": code, "deleted": deleted}));
        }
        json!({"externalId": "", "attendanceRegister": {
            "urn": urn, "date": date, "session": session, "marks": marks,
        }})
    }

    /// Nothing but what holds, each fact once.
    fn records(&self) -> Vec<Value> {
        let enrolments =
            self.enrolments.values().map(|it| json!({"externalId": "", "enrolment": it}));
        let marks = self.marks.iter().map(|((urn, date, session, pupil), code)| {
            json!({"externalId": "", "attendanceRegister": {
                "urn": urn, "date": date, "session": session, "marks": [{"pupil": pupil, "code": code}],
            }})
        });
        enrolments.chain(marks).collect()
    }
}

async fn picture(world: &World) -> Vec<Value> {
    let mut picture = Vec::new();
    for (kind, from) in [
        ("DAY", "2025-08-25"),
        ("WEEK", "2025-08-25"),
        ("TERM", "2024-09-01"),
        ("ACADEMIC_YEAR", "2024-09-01"),
    ] {
        for parts in ["byYearGroup=false", "byYearGroup=true", "byGroup=true", "group=not_sen"] {
            let query = format!("periodKind=PERIOD_KIND_{kind}&{parts}&from={from}&to=2025-09-30");
            picture.extend(world.observations(&query).await);
        }
    }
    picture.retain(|it| it["absent"] != "ABSENT_NOT_AVAILABLE");
    picture
}

async fn the_end_is_what_holds_in_the_end(database: Database) {
    let world = World::new(&database).await;
    let (mut chance, mut facts) = (Chance(SEED), Facts::default());
    for _ in 0..BATCHES {
        let size = 1 + chance.below(6);
        let records: Vec<_> = (0..size).map(|_| facts.record(&mut chance)).collect();
        let batch = world.push(json!(records)).await;
        assert_eq!(batch["rejected"], 0, "{batch}");
    }
    let another = Database::sqlite();
    let plain = World::new(&another).await;
    plain.push(json!(facts.records())).await;
    let expected = picture(&plain).await;
    assert!(expected.len() > 100, "{}", expected.len());
    assert_eq!(picture(&world).await, expected);
}
