//! The whole files of the register, where `HEADWAY_GIAS_DIR` names the folder that holds them.

use std::{fs, path::PathBuf, time::Instant};

use serde_json::json;
use testkit::Database;

use crate::world::{World, text};

#[expect(clippy::disallowed_methods, reason = "tests are told of the files by the environment")]
fn file(name: &str) -> Vec<u8> {
    let folder = std::env::var("HEADWAY_GIAS_DIR").expect("HEADWAY_GIAS_DIR names the folder");
    fs::read(PathBuf::from(folder).join(name)).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the published files: set HEADWAY_GIAS_DIR and run with --ignored"]
async fn sqlite() {
    whole_files(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the published files: set HEADWAY_GIAS_DIR and run with --ignored"]
async fn postgres() {
    whole_files(Database::postgres().await).await;
}

#[expect(clippy::print_stdout, reason = "the time it takes is what one runs it for")]
async fn whole_files(database: Database) {
    let world = World::open(&database).await;
    for (name, rows, added, ignored, quarantined) in [
        ("edubasealldata20220718.csv", 20_188, 20_188, 0, 0),
        ("links_edubasealldata20250422.csv", 33_801, 33_801, 0, 0),
        ("allgroupsdata2022-07.csv", 6_904, 6_904, 0, 0),
        ("alllinksdata_2022-07-04.csv", 20_613, 10_009, 10_604, 0),
    ] {
        let bytes = file(name);
        let started = Instant::now();
        let report = world.import(bytes.clone()).await;
        let first = started.elapsed();
        let counts = ["rows", "added", "ignored", "quarantined"].map(|it| report[it].as_u64());
        let expected = [rows, added, ignored, quarantined].map(Some);
        assert_eq!(counts, expected, "{name}: {}", report["quarantine"]);
        let started = Instant::now();
        let again = world.import(bytes).await;
        println!("{name}: {first:?}, again {:?}", started.elapsed());
        assert_eq!(again["unchanged"], added);
    }
    let trust = json!({"name": "The Kite Academy Trust", "groupUid": "15864"});
    let trust = world.post("/v1/trusts", trust).await;
    let path = format!("/v1/trusts/{}/schools", text(&trust, "trustId"));
    let schools = world.get(&path).await["schools"].as_array().unwrap().len();
    assert_eq!(schools, 10);
    let report = world.import(file("export_20220420_Hampshire_Surrey.csv")).await;
    assert_eq!(report["rows"], 1096);
    assert_eq!(
        report.get("quarantined").and_then(serde_json::Value::as_u64).unwrap_or(0),
        0,
        "{}",
        report["quarantine"]
    );
    crate::schema::rebuilt(&world, &database).await;
}
