//! The kit that integrators run, run on what is tested: it passes, and finds each fault of servers made wrong.

use std::process::Output;

use crate::{
    demonstration::python,
    running::{root, token},
    story::{Deployed, URN, feed, found, postgres},
};

/// The school's LAESTAB in the small register of the demonstration.
const LAESTAB: &str = "9332012";

/// Runs a program of the kit.
pub(crate) async fn kit(program: &[&str], arguments: &[String]) -> Output {
    tokio::process::Command::new(python())
        .args(program)
        .args(arguments)
        .current_dir(root().join("tests/conformance"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .await
        .unwrap()
}

async fn tried(arguments: Vec<String>, program: &[&str]) {
    let deployed = Deployed::together(arguments).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let reader = token(deployed.data(), "reader", Some(&cast.trust), &["records:read"]);
    let arguments = [
        ("--url", deployed.url(1)),
        ("--trust", cast.trust.clone()),
        ("--read-token", reader),
        ("--token", cast.vendor.clone()),
        ("--feed", feed),
        ("--urn", URN.to_owned()),
        ("--laestab", LAESTAB.to_owned()),
    ];
    let arguments: Vec<_> =
        arguments.into_iter().flat_map(|(name, value)| [name.to_owned(), value]).collect();
    let output = kit(program, &arguments).await;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains("skip  changes"), "the delta feed is looked at: {said}");
    println!("{said}");
    deployed.end().await;
}

#[tokio::test]
async fn it_passes_us_and_finds_each_fault_of_a_wrong_server() {
    tried(vec![], &["try_kit.py"]).await;
}

#[tokio::test]
async fn it_passes_us_on_postgres() {
    tried(postgres().await, &["-m", "headway_conformance"]).await;
}
