//! Bad input of every kind at every door of the running server, whose memory is watched.

use crate::{
    demonstration::python,
    running::root,
    story::{Deployed, URN, feed, found, postgres},
};

/// What the process may take at its peak, in MiB: built without optimisation, two of the largest bodies at once.
const MEMORY: &str = "300";

async fn attacked(arguments: Vec<String>) {
    let deployed = Deployed::together(arguments).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let seconds = testkit::setting("HEADWAY_FUZZ_SECONDS", 10).to_string();
    let seed = testkit::setting("HEADWAY_SEED", 1).to_string();
    let output = tokio::process::Command::new(python())
        .arg(root().join("tests/outside/fuzz_doors.py"))
        .args(["--url", &deployed.url(1), "--token", &cast.vendor, "--feed", &feed, "--urn", URN])
        .args(["--pid", &deployed.pid().to_string(), "--memory-mib", MEMORY])
        .args(["--seconds", &seconds, "--seed", &seed])
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
    deployed.end().await;
}

/// threat: T-MALFORMED-BODY
#[tokio::test]
async fn nothing_that_is_pushed_breaks_the_server_on_sqlite() {
    attacked(vec![]).await;
}

/// threat: T-MALFORMED-BODY
#[tokio::test]
async fn nothing_that_is_pushed_breaks_the_server_on_postgres() {
    attacked(postgres().await).await;
}
