//! No byte of another trust comes back: random requests of every route and RPC, with every scope there is and with ids of
//! the other trust taken from the databases, answered by a running server whose answers are searched.

mod harvest;
mod hunt;
mod invent;
mod send;
mod trust;

pub(crate) use {
    harvest::harvest,
    send::Plain,
    trust::{Trust, import},
};

use std::sync::Arc;

use testkit::setting;

use crate::{
    isolation::hunt::{Found, Hunt, Prey},
    story::{Deployed, postgres},
};

/// Requests of the ordinary suite; `HEADWAY_ISOLATION_REQUESTS=100000` is the whole run.
const REQUESTS: u64 = 2_000;

async fn deployed(arguments: Vec<String>) -> Deployed {
    let mut deployed = Deployed::prepared(arguments);
    let file = deployed.data().join("unlimited.toml");
    let limits =
        "requests_per_second = 4294967295\nburst = 4294967295\nconcurrent_requests = 100000";
    std::fs::write(&file, format!("[limits]\n{limits}\n")).unwrap();
    deployed.arguments.extend(["--config".to_owned(), file.display().to_string()]);
    deployed.start().await.unwrap();
    deployed
}

/// Two trusts with all that a trust may have, and a third with little.
async fn isolated(arguments: Vec<String>) {
    let deployed = deployed(arguments).await;
    import(&deployed).await;
    let own = Trust::settle(&deployed, "5453", "own").await;
    let other = Trust::settle(&deployed, "16431", "Zq7Victim").await;
    let third = Trust::settle(&deployed, "16417", "Zq7Third").await;
    let database = deployed.arguments.iter().find(|it| it.starts_with("postgres")).cloned();
    let place = database.as_deref();
    let mut prey = Prey::of(&harvest(&deployed, place, &own.trust_id).await);
    for it in [&other, &third] {
        prey.add(&harvest(&deployed, place, &it.trust_id).await, &it.marker);
    }
    println!("{} ids and 2 markers of others", prey.secrets());
    let prey = Arc::new(prey);

    // First that the search finds what is there to be found: the same requests, by the other trust itself, and by
    // somebody whom a mistake had let see everything.
    for wrong in [&other.admin, &deployed_platform(&deployed)] {
        let told = Hunt::new(&deployed, Arc::clone(&prey), wrong).run(2_500).await;
        let telling = told.leaky.len();
        println!(
            "with a wrong credential {} answers of {telling} RPCs are found out",
            told.leaks()
        );
        assert!(telling >= 20, "the search finds too little: {:?}", told.leaky);
    }

    let before = other.positions(&deployed).await;
    let requests = setting("HEADWAY_ISOLATION_REQUESTS", REQUESTS);
    let found = Hunt::new(&deployed, Arc::clone(&prey), &own.admin).run(requests).await;
    report(&found, requests);
    assert!(found.leaky.is_empty(), "{:#?}", found.leaky);
    assert!(found.broken.is_empty(), "{:#?}", found.broken);
    assert_eq!(other.positions(&deployed).await, before, "nothing of the other trust was changed");
    let all = rpc::methods().count();
    assert!(requests < 10_000 || found.asked.len() == all, "every RPC was asked");
    deployed.end().await;
}

fn deployed_platform(deployed: &Deployed) -> String {
    let scopes: Vec<String> = rpc::all_scopes().map(rpc::scope_name).collect();
    let scopes: Vec<&str> = scopes.iter().map(String::as_str).collect();
    crate::running::token(deployed.data(), "misled", None, &scopes)
}

fn report(found: &Found, requests: u64) {
    println!("{requests} requests by both doors to {} RPCs", found.asked.len());
    println!("answers: {:?}", found.statuses);
    println!("bytes searched: {}", found.bytes);
}

/// threat: T-TENANT-LEAK
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_trust_comes_back_on_sqlite() {
    isolated(vec![]).await;
}

/// threat: T-TENANT-LEAK
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_of_another_trust_comes_back_on_postgres() {
    isolated(postgres().await).await;
}
