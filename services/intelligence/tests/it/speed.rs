//! What a push costs. Run by hand, optimised: `cargo test --release -p intelligence -- --ignored speed --nocapture`.
#![expect(clippy::print_stdout, reason = "a measurement is read on the screen")]

use std::time::Instant;

use chrono::NaiveDate;
use serde_json::json;
use testkit::Database;

use crate::world::{URN, World, enrolments, register, whole};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_on_sqlite() {
    measure(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_on_postgres() {
    measure(Database::postgres().await).await;
}

async fn measure(database: Database) {
    const PUPILS: u32 = 1000;
    let world = World::new(&database).await;
    let started = Instant::now();
    world.push(json!(enrolments(URN, 1..=PUPILS, 3))).await;
    println!("{PUPILS} enrolments: {:?}", started.elapsed());

    let first: NaiveDate = "2025-09-01".parse().unwrap();
    for part in 0..4 {
        let days = first.iter_days().skip(part * 50).take(50);
        let records: Vec<_> = days
            .flat_map(|it| [whole(URN, it, "AM", PUPILS, 50), whole(URN, it, "PM", PUPILS, 55)])
            .collect();
        let body = json!({"records": records}).to_string();
        let started = Instant::now();
        let headers = [("content-type", "application/json")];
        let answer =
            world.vendor().raw(&world.rest, "POST", &world.batches(), &headers, body).await;
        let seconds = started.elapsed().as_secs_f64();
        assert_eq!(answer.body["accepted"], 100, "{answer:?}");
        println!("100000 marks in 100 registers: {:.0} marks/s", 100_000.0 / seconds);
    }

    let names: Vec<_> = (1..=PUPILS).map(|it| format!("p{it}")).collect();
    let mut times = Vec::new();
    let last: NaiveDate = "2026-11-16".parse().unwrap();
    for day in last.iter_days().take(5) {
        for session in ["AM", "PM"] {
            for form in names.chunks(30) {
                let marks: Vec<_> = form.iter().map(|it| (it.as_str(), "/")).collect();
                let record = register(URN, &day.to_string(), session, &marks);
                let started = Instant::now();
                world.push(json!([record])).await;
                times.push(started.elapsed());
            }
        }
    }
    times.sort();
    let at = |share: usize| times[times.len() * share / 100];
    println!("register of 30: p50 {:?} p99 {:?} of {}", at(50), at(99), times.len());

    let started = Instant::now();
    let standings = world.get("standings").await;
    println!(
        "standings: {:?} for {}",
        started.elapsed(),
        standings.body["standings"].as_array().unwrap().len()
    );
    let started = Instant::now();
    let groups = world
        .observations("periodKind=PERIOD_KIND_WEEK&byYearGroup=true&from=2025-09-01&to=2026-08-31")
        .await;
    println!("weeks by year group: {:?} for {}", started.elapsed(), groups.len());
}
