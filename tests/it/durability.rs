//! What was acknowledged survives a kill at any moment, once; what was not leaves nothing half-done.

use std::{sync::Arc, time::Duration};

use serde_json::json;
use tokio::sync::Mutex;

use crate::{
    running::command,
    story::{Deployed, URN, feed, found, postgres},
};

const ROUNDS: u64 = 4;

async fn survive(arguments: Vec<String>) {
    let mut deployed = Deployed::together(arguments).await;
    let cast = found(&deployed).await;
    let feed = feed(&deployed, &cast).await;
    let path = format!("/v1/feeds/{feed}/batches");
    let mut acknowledged: Vec<String> = Vec::new();
    for round in 0..ROUNDS {
        let acked = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = tokio::task::JoinSet::new();
        for caller in 0..4 {
            let (vendor, path) = (deployed.client(1, &cast.vendor), path.clone());
            let acked = Arc::clone(&acked);
            tasks.spawn(async move {
                for number in 0.. {
                    let pupil = format!("{round}-{caller}-{number}");
                    let enrolment = json!({"records": [{"externalId": pupil, "enrolment": {
                        "urn": URN, "pupil": pupil, "yearGroup": 2, "startsOn": "2026-09-01"}}]});
                    let batch = vendor.post(&path, &enrolment).await.done();
                    acked.lock().await.push(batch["batchId"].as_str().unwrap().to_owned());
                }
            });
        }
        tokio::time::sleep(Duration::from_millis(150 + 130 * round)).await;
        deployed.kill().await;
        // The callers' connections are gone with it.
        while tasks.join_next().await.is_some() {}
        acknowledged.append(&mut *acked.lock().await);
        deployed.start().await;
    }
    assert!(acknowledged.len() > 20, "the rounds did something: {}", acknowledged.len());
    let vendor = deployed.client(1, &cast.vendor);
    for batch in &acknowledged {
        assert_eq!(vendor.get(&format!("/v1/batches/{batch}")).await.done()["accepted"], 1);
    }
    let mut arguments = vec!["journal", "verify"];
    arguments.extend(deployed.arguments.iter().map(String::as_str));
    let verified = command(deployed.data(), &arguments);
    let said = String::from_utf8_lossy(&verified.stdout).into_owned();
    assert!(verified.status.success(), "{said}");
    deployed.end().await;
}

#[tokio::test]
async fn a_kill_loses_nothing_on_sqlite() {
    survive(vec![]).await;
}

#[tokio::test]
async fn a_kill_loses_nothing_on_postgres() {
    survive(postgres().await).await;
}
