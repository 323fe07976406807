//! Following the other services' journals as they are served, gaps and all.

use std::time::Duration;

use contract::{intelligence, registry};
use db::Tx;
use futures::future::BoxFuture;
use improvement::App;
use journal::{Draft, Journal, Journals, Projection, Recorded, Source};
use rpc::Ctx;
use serde_json::json;
use testkit::{Caller, Database};
use tonic::service::Routes;
use uuid::Uuid;

use crate::{
    door::Door,
    world::{URN, details},
};

testkit::both!(schools_and_signals_arrive_by_themselves);

/// A service that only has a journal.
struct Nothing;

impl Projection for Nothing {
    fn tables(&self) -> &'static [&'static str] {
        &[]
    }

    fn project<'t>(&'t self, _: &'t mut Tx, _: &'t [Recorded]) -> BoxFuture<'t, rpc::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

async fn source(database: &Database, service: &'static str) -> Journal {
    Journal::open(service, database.open(service, journal::migrations()).await, Nothing)
}

async fn record<M: prost::Message + prost::Name>(journal: &Journal, trust_id: Uuid, message: M) {
    let (ctx, own) = (Ctx::system(journal.service()), journal.clone());
    let context = ctx.clone();
    let stream = format!("thing/{}", rpc::new_id());
    let draft = Draft::new(rpc::new_id(), trust_id, stream, 1, &message);
    journal
        .write(&ctx, move |tx| {
            Box::pin(async move { own.record(tx, &context, vec![draft]).await.map(drop) })
        })
        .await
        .unwrap();
}

async fn schools_and_signals_arrive_by_themselves(database: Database) {
    let registry = source(&database, "registry").await;
    let intelligence = source(&database, "intelligence").await;
    let (trust_id, school_id, signal_id) = (rpc::new_id(), rpc::new_id(), rpc::new_id());
    let joined = registry::SchoolJoined {
        school_id: school_id.to_string(),
        details: Some(details(URN).message()),
    };
    let raised = intelligence::SignalRaised {
        signal_id: signal_id.to_string(),
        school_id: school_id.to_string(),
        measure: "attendance".to_owned(),
        ..Default::default()
    };
    record(&registry, trust_id, registry::TrustCreated::default()).await;
    record(&registry, trust_id, joined).await;
    record(&registry, trust_id, registry::JourneyMoved::default()).await;

    let app = App::open(database.open(improvement::NAME, improvement::migrations()).await);
    let peer = |journal: &Journal| {
        let journals: Journals = [journal.clone()].into_iter().collect();
        Caller::platform().peer(Routes::new(journals.grpc()))
    };
    let schools = app.follow_registry(Source::new("registry", peer(&registry)));
    let signals = app.follow_intelligence(Source::new("intelligence", peer(&intelligence)));
    let following = tokio::spawn(futures::future::join(schools.run(), signals.run()));
    record(&intelligence, trust_id, intelligence::FeedCreated::default()).await;
    record(&intelligence, trust_id, raised).await;

    let door = Door::rest(&app, &Caller::of(trust_id));
    let propose = json!({
        "trustId": trust_id, "signalId": signal_id, "title": "Back", "rationale": "Too many away",
    });
    let mut project = door.call("CreateProject", propose.clone()).await;
    for _ in 0..200 {
        if project.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        project = door.call("CreateProject", propose.clone()).await;
    }
    let project = project.unwrap();
    assert_eq!(project["urn"], URN);
    assert_eq!(project["measure"], "attendance");
    app.journal().close();
    following.await.unwrap();
}
