//! The commands that audit the journal's order and measure beside a long snapshot, for a moment each. How long they take
//! at their full length, `docs/journal/durability.md` says.

use std::process::Command;

use crate::running::binary;

#[track_caller]
fn bench(arguments: &[&str]) -> String {
    let output = Command::new(binary()).arg("bench").args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

async fn postgres() -> String {
    testkit::Database::postgres().await.url("")
}

#[track_caller]
fn holds(said: &str) {
    let found = ", 0 missed, 0 gaps, 0 inverted, 0 duplicated";
    assert!(said.contains(found) && !said.starts_with("0 events"), "{said}");
}

const SECONDS: &str = "3";

#[tokio::test]
async fn sqlite_keeps_its_order() {
    holds(&bench(&["order", "--seconds", SECONDS]));
}

#[tokio::test]
async fn postgres_keeps_its_order() {
    let url = postgres().await;
    holds(&bench(&["order", "--seconds", SECONDS, "--database-url", &url]));
}

/// The same audit, pointed at what most stores do, finds that events are missed.
#[tokio::test]
async fn a_plain_sequence_is_found_out() {
    let url = postgres().await;
    let said = bench(&["order", "--seconds", SECONDS, "--database-url", &url, "--plain"]);
    assert!(said.contains("caught the plain table"), "{said}");
}

#[tokio::test]
async fn the_cost_of_a_snapshot_is_measured() {
    let said = bench(&["snapshot", "--seconds", "1", "--database-url", &postgres().await]);
    assert!(said.contains("a cost of"), "{said}");
}
