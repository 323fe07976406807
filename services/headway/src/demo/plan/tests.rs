use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::*;
use crate::demo::Trend;

const CODES: &str =
    "/ \\ L B K P V W C C1 C2 E I J1 M R S T G N O U D Q X Y1 Y2 Y3 Y4 Y5 Y6 Y7 Z # H J Y";
const WITHDRAWN: [&str; 3] = ["H", "J", "Y"];
const SINCE_2024: [&str; 12] =
    ["K", "C1", "C2", "J1", "Q", "Y1", "Y2", "Y3", "Y4", "Y5", "Y6", "Y7"];

fn today() -> NaiveDate {
    date(2026, 11, 21)
}

fn school(urn: &str, years: (i8, i8), roll: u32, trend: Trend) -> School {
    School { urn: urn.to_owned(), lowest_year: years.0, highest_year: years.1, roll, trend }
}

fn schools() -> Vec<School> {
    vec![
        school("100001", (0, 6), 380, Trend::Steady),
        school("100002", (0, 6), 240, Trend::Declining),
        school("100003", (7, 11), 700, Trend::Improving),
        school("100004", (0, 6), 90, Trend::Steady),
        school("100005", (0, 6), 210, Trend::Steady),
        school("100006", (7, 13), 800, Trend::Steady),
        school("100007", (0, 6), 410, Trend::Steady),
    ]
}

fn plan() -> Plan {
    let changes = Changes {
        on: date(2026, 9, 1),
        conversions: vec![("100001".to_owned(), "999001".to_owned())],
        mergers: vec![("100004".to_owned(), "100005".to_owned())],
    };
    Plan::new(7, schools(), changes, today())
}

fn all(plan: &Plan) -> impl Iterator<Item = Push> + '_ {
    plan.before_changes().chain(plan.after_changes())
}

#[test]
fn the_marks_to_come_are_known_beforehand() {
    let plan = plan();
    assert_eq!(plan.marks(), all(&plan).map(|it| it.marks as u64).sum::<u64>());
}

fn registers(push: &Push) -> impl Iterator<Item = (NaiveDate, &AttendanceRegister)> {
    push.records.iter().filter_map(|it| match &it.kind {
        Some(record::Kind::AttendanceRegister(it)) => Some((it.date.parse().unwrap(), it)),
        _ => None,
    })
}

/// Sessions missed and possible.
fn count(marks: &[Mark]) -> (u32, u32) {
    marks.iter().fold((0, 0), |(missed, possible), mark| match mark.code.as_str() {
        "Y" | "Y1" => (missed, possible),
        "/" | "\\" | "L" | "B" | "P" | "V" | "J" => (missed, possible + 1),
        _ => (missed + 1, possible + 1),
    })
}

#[test]
fn the_same_seed_and_day_give_the_same_records_and_another_seed_others() {
    let one: Vec<_> = plan().after_changes().collect();
    assert!(one == plan().after_changes().collect::<Vec<_>>());
    let changes = Changes { on: date(2026, 9, 1), conversions: vec![], mergers: vec![] };
    let other = Plan::new(8, schools(), changes, today());
    assert!(one != other.after_changes().collect::<Vec<_>>());
}

#[test]
fn only_codes_valid_on_the_day_and_only_school_days_before_today() {
    let valid: BTreeSet<&str> = CODES.split(' ').collect();
    let mut seen = BTreeSet::new();
    for push in all(&plan()) {
        assert!(push.records.len() <= 10_000);
        for (day, register) in registers(&push) {
            assert!(is_school_day(day) && day < today(), "{day}");
            for mark in &register.marks {
                let code = mark.code.as_str();
                assert!(valid.contains(code), "{code}");
                let old = day < date(2024, 8, 19);
                assert!(!(old && SINCE_2024.contains(&code)), "{code} on {day}");
                assert!(old || !WITHDRAWN.contains(&code), "{code} on {day}");
                seen.insert(code.to_owned());
            }
        }
    }
    for code in ["/", "\\", "L", "I", "M", "G", "O", "N", "U", "B", "V", "E", "J", "Y", "C2"] {
        assert!(seen.contains(code), "{code} never occurs");
    }
}

#[test]
fn every_mark_is_of_a_pupil_on_roll_and_pupils_move_up() {
    type Stay = (String, NaiveDate, Option<NaiveDate>, i32);
    let mut stays: HashMap<String, Vec<Stay>> = HashMap::new();
    for push in all(&plan()) {
        for record in &push.records {
            if let Some(record::Kind::Enrolment(it)) = &record.kind {
                let ends_on = it.ends_on.as_ref().map(|it| it.parse().unwrap());
                stays.entry(it.pupil.clone()).or_default().push((
                    it.urn.clone(),
                    it.starts_on.parse().unwrap(),
                    ends_on,
                    it.year_group,
                ));
            }
        }
        for (day, register) in registers(&push) {
            for mark in &register.marks {
                let on_roll = stays[&mark.pupil].iter().any(|(urn, from, to, _)| {
                    *urn == register.urn && *from <= day && to.is_none_or(|to| day <= to)
                });
                assert!(on_roll, "{} at {} on {day}", mark.pupil, register.urn);
            }
        }
    }
    let mut moved_school = 0;
    for stays in stays.values() {
        for pair in stays.windows(2) {
            assert_eq!(pair[0].3 + 1, pair[1].3, "{stays:?}");
            moved_school += usize::from(pair[0].0 == "100004" && pair[1].0 == "100005");
        }
    }
    assert!(moved_school > 50, "the merged school's pupils: {moved_school}");
}

fn number(count: usize) -> f64 {
    u32::try_from(count).unwrap().into()
}

#[test]
fn rates_are_plausible() {
    let mut schools: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    let mut pupils: HashMap<(String, String), (u32, u32)> = HashMap::new();
    for push in all(&plan()) {
        for (day, register) in registers(&push) {
            if academic_year(day) != 2025 {
                continue;
            }
            let (missed, possible) = count(&register.marks);
            let school = schools.entry(register.urn.clone()).or_default();
            *school = (school.0 + missed, school.1 + possible);
            for mark in &register.marks {
                let (missed, possible) = count(std::slice::from_ref(mark));
                let key = (register.urn.clone(), mark.pupil.clone());
                let pupil = pupils.entry(key).or_default();
                *pupil = (pupil.0 + missed, pupil.1 + possible);
            }
        }
    }
    for (urn, (missed, possible)) in schools {
        let attendance = 100.0 - 100.0 * f64::from(missed) / f64::from(possible);
        let own: Vec<_> = pupils.iter().filter(|it| it.0.0 == urn).map(|it| it.1).collect();
        let share = |limit: u32| {
            let over = own.iter().filter(|it| it.0 * 100 >= it.1 * limit).count();
            100.0 * number(over) / number(own.len())
        };
        let (persistent, severe) = (share(10), share(50));
        println!(
            "{urn}: {attendance:.1} % attendance, {persistent:.1} % persistent, {severe:.1} % severe"
        );
        let secondary = ["100003", "100006"].contains(&urn.as_str());
        let (attended, missing) =
            if secondary { (89.5..93.0, 17.0..32.0) } else { (92.5..96.0, 7.0..23.0) };
        assert!(attended.contains(&attendance), "{urn}: {attendance}");
        assert!(missing.contains(&persistent), "{urn}: {persistent}");
        assert!(severe < 4.0, "{urn}: {severe}");
    }
}

/// Attendance by week of each school.
fn weeks(plan: &Plan) -> BTreeMap<String, Vec<f64>> {
    let mut weeks: BTreeMap<String, BTreeMap<NaiveDate, (u32, u32)>> = BTreeMap::new();
    for push in all(plan) {
        let school = weeks.entry(push.urn.clone()).or_default();
        for (day, register) in registers(&push) {
            let (missed, possible) = count(&register.marks);
            let week = school.entry(crate::demo::days::monday(day)).or_default();
            *week = (week.0 + missed, week.1 + possible);
        }
    }
    let percent = |it: &(u32, u32)| 100.0 - 100.0 * f64::from(it.0) / f64::from(it.1);
    weeks.iter().map(|(urn, weeks)| (urn.clone(), weeks.values().map(percent).collect())).collect()
}

/// How far the latest week lies from the centre, in units of the natural process limits of the weeks before the last 8.
fn strain(weeks: &[f64]) -> f64 {
    let window = &weeks[weeks.len() - 40..];
    let baseline = &window[..32];
    let centre = baseline.iter().sum::<f64>() / 32.0;
    let moving = baseline.windows(2).map(|it| (it[1] - it[0]).abs()).sum::<f64>() / 31.0;
    (window[39] - centre) / (2.66 * moving)
}

#[test]
fn a_decline_and_an_improvement_show_and_a_steady_school_stays_within_its_limits() {
    let weeks = weeks(&plan());
    for (urn, expected) in [("100002", -1.0), ("100003", 1.0)] {
        let strain = strain(&weeks[urn]) * expected;
        println!("{urn}: {strain:.2}");
        assert!(strain > 1.0, "{urn}: {strain}");
    }
    for urn in ["100006", "100007"] {
        let strain = strain(&weeks[urn]);
        println!("{urn}: {strain:.2}");
        assert!(strain.abs() < 1.0, "{urn}: {strain}");
    }
}

#[test]
fn after_the_changes_schools_go_by_their_new_numbers() {
    let plan = plan();
    assert!(plan.before_changes().all(|it| it.urn != "999001"));
    let after: BTreeSet<_> = plan.after_changes().map(|it| it.urn).collect();
    assert!(after.contains("999001") && !after.contains("100001") && !after.contains("100004"));
}

#[test]
fn live_registers_come_by_the_form_and_at_weekends_settle_what_was_open() {
    let plan = Plan::new(7, schools(), plan().changes, date(2026, 11, 20));
    let monday = plan.live("2026-11-23T09:05:00Z".parse().unwrap());
    assert!(monday.len() > 60);
    assert!(monday.iter().all(|it| it.marks <= 30 && it.records.len() == 1));
    assert!(monday.iter().flat_map(registers).all(|it| it.0 == date(2026, 11, 23)));
    assert!(monday.iter().flat_map(registers).all(|it| it.1.session == "AM"));
    let saturday = plan.live("2026-11-21T14:00:00Z".parse().unwrap());
    let codes: Vec<_> = saturday
        .iter()
        .flat_map(registers)
        .inspect(|it| assert_eq!((it.0, it.1.session.as_str()), (date(2026, 11, 20), "PM")))
        .flat_map(|it| it.1.marks.iter().map(|it| it.code.as_str()))
        .collect();
    assert!(codes.contains(&"I") && !codes.contains(&"N"));
}

/// Run in release to see the speed: `cargo test --release -p headway speed -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement, not a test"]
fn speed() {
    let plan = plan();
    let start = std::time::Instant::now();
    let marks: usize = all(&plan).map(|it| it.marks).sum();
    println!("{marks} marks, {:.0} a second", number(marks) / start.elapsed().as_secs_f64());
}
