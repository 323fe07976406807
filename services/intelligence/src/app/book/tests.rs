//! What it costs to enter a school's register of 400 marks, beside a layout of one row for each mark. Run by hand:
//!
//! ```text
//! cargo test -p intelligence --lib --config profile.dev.package.intelligence.opt-level=3 \
//!     -- --ignored --nocapture --test-threads 1 cost_of_a_register
//! ```

use std::time::{Duration, Instant};

use chrono::Days;
use db::Db;
use testkit::Database;
use uuid::Uuid;

use super::*;
use crate::{
    domain::{Code, From, Mark, Outcome, Session},
    store::plain,
};

const PUPILS: u128 = 400;
const SCHOOLS: u128 = 64;
const WEEKS: u64 = 4;

#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_a_register_on_sqlite() {
    measure(Database::sqlite()).await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn cost_of_a_register_on_postgres() {
    measure(Database::postgres().await).await;
}

async fn measure(database: Database) {
    let db = database.open(crate::NAME, crate::migrations()).await;
    plain::prepare(&database, &db).await;
    enrol(&db).await;
    let empty = plain::bytes(&db).await;
    for together in [1, 8, 64] {
        let monday = first() + Days::new(7 * WEEKS * together);
        let (mut times, before) = (Vec::new(), cpu(&db).await);
        for (date, session) in sessions(monday) {
            for schools in schools().chunks(usize::try_from(together).unwrap()) {
                times.push(packed(&db, date, session, schools).await);
            }
        }
        let spent = cpu(&db).await.saturating_sub(before);
        tell(&format!("packed, {together} schools together"), &times, together, spent);
    }
    let after = plain::bytes(&db).await;
    let registers = 3 * 10 * WEEKS * u64::try_from(SCHOOLS).unwrap();
    println!("packed: {} bytes stored for a register", (after - empty) / registers);
    let monday = first();
    let (mut times, before) = (Vec::new(), cpu(&db).await);
    for (date, session) in sessions(monday) {
        for school in schools() {
            let Body::Register { marks, .. } = register(school, date, session) else { continue };
            let started = Instant::now();
            let mut tx = db.begin().await.unwrap();
            plain::put(&mut tx, Slot { school_id: school, date, session }, &marks).await;
            tx.commit().await.unwrap();
            times.push(started.elapsed());
        }
    }
    let spent = cpu(&db).await.saturating_sub(before);
    tell("a row for each mark, nothing counted", &times, 1, spent);
    println!(
        "a row for each mark: {} bytes stored for a register",
        (plain::bytes(&db).await - after) * 3 / registers
    );
}

fn tell(what: &str, times: &[Duration], together: u64, spent: Duration) {
    let each = |it: &Duration| it.as_micros() / u128::from(together);
    let mut sorted: Vec<_> = times.iter().map(each).collect();
    sorted.sort_unstable();
    let cpu = spent.as_micros() / (sorted.len() as u128 * u128::from(together));
    println!("{what}: {cpu} µs of CPU, median {} µs for a register", sorted[sorted.len() / 2]);
}

/// What this process and the database's backends have spent, on Linux: hundredths of a second, user and system.
async fn cpu(db: &Db) -> Duration {
    let mut processes = vec!["self".to_owned()];
    if let Db::Postgres(_) = db {
        processes.extend(plain::backends(db).await);
    }
    let ticks = processes.iter().map(|it| {
        let stat = std::fs::read_to_string(format!("/proc/{it}/stat")).unwrap_or_default();
        let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        fields.skip(11).take(2).filter_map(|it| it.parse::<u64>().ok()).sum::<u64>()
    });
    Duration::from_millis(10 * ticks.sum::<u64>())
}

fn first() -> NaiveDate {
    "2023-09-04".parse().unwrap()
}

/// Mondays to Fridays, morning and afternoon.
fn sessions(monday: NaiveDate) -> Vec<(NaiveDate, Session)> {
    let days =
        (0..WEEKS).flat_map(|week| (0..5).map(move |day| monday + Days::new(7 * week + day)));
    days.flat_map(|it| [(it, Session::Am), (it, Session::Pm)]).collect()
}

fn schools() -> Vec<SchoolId> {
    (1..=SCHOOLS).map(|it| SchoolId(Uuid::from_u128(it << 64))).collect()
}

fn pupil(school: SchoolId, number: u128) -> Hash {
    (school
        .0
        .as_u128()
        .wrapping_add(number)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
    .to_be_bytes()
}

fn register(school: SchoolId, date: NaiveDate, session: Session) -> Body<Hash> {
    let codes = ["/", "I", "L", "O"].map(|it| Code::on(it, date).unwrap());
    let code = |number: u128| match number % 40 {
        0..37 => codes[0],
        it => codes[usize::try_from(it - 36).unwrap()],
    };
    let marks = (0..PUPILS).map(|it| Mark { pupil: pupil(school, it), code: Some(code(it)) });
    Body::Register { urn: String::new(), date, session, marks: marks.collect() }
}

async fn enrol(db: &Db) {
    for school in schools() {
        let bodies: Vec<_> = (0..PUPILS)
            .map(|it| Body::Enrolment {
                urn: String::new(),
                pupil: pupil(school, it),
                enrolment: Enrolment {
                    year_group: i8::try_from(it % 7).unwrap(),
                    starts_on: first(),
                    ends_on: None,
                    characteristics: Vec::new(),
                },
                deleted: false,
            })
            .collect();
        apply(db, &bodies.iter().map(|it| (school, it)).collect::<Vec<_>>()).await;
    }
}

/// Reads, enters, counts, stores and commits.
async fn apply(db: &Db, records: &[(SchoolId, &Body<Hash>)]) -> Duration {
    let trust_id = TrustId(Uuid::nil());
    let wanted: Vec<_> = records
        .iter()
        .map(|(school_id, body)| Wanted { trust_id, school_id: Some(*school_id), body })
        .collect();
    let started = Instant::now();
    let mut tx = db.begin().await.unwrap();
    let mut book = open(&mut tx, "2026-11-20".parse().unwrap(), &wanted).await.unwrap();
    for (school_id, body) in records {
        let from = From { push: 0, trust_id, school_id: Some(*school_id) };
        assert_eq!(book.apply(from, body), Outcome::Accepted);
    }
    book.settle();
    save(&mut tx, &book, |_| 1).await.unwrap();
    tx.commit().await.unwrap();
    started.elapsed()
}

async fn packed(db: &Db, date: NaiveDate, session: Session, schools: &[SchoolId]) -> Duration {
    let bodies: Vec<_> = schools.iter().map(|it| (*it, register(*it, date, session))).collect();
    apply(db, &bodies.iter().map(|(school, body)| (*school, body)).collect::<Vec<_>>()).await
}
