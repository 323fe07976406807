use std::{sync::Arc, time::Duration};

use contract::journal::journal_service_client::JournalServiceClient;
use contract::journal::{ListEventsRequest, SubscribeRequest};
use db::{Tx, on};
use futures::{StreamExt, future::BoxFuture};
use journal::{Follower, Handler, Journals, Recorded, Source};
use rpc::{Ctx, Error, Result};
use testkit::{Caller, Database, json};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::notes::{draft, open, write};

testkit::both!(
    a_subscriber_sees_what_was_and_what_comes,
    a_trust_sees_its_own_and_counts_its_own,
    rest_and_grpc_agree,
    a_follower_misses_nothing_through_failures,
);

async fn a_subscriber_sees_what_was_and_what_comes(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    write(&journal, &ctx, draft(1, "note/1", 1, "was")).await.unwrap();
    let journals: Journals = [journal.clone()].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let request = SubscribeRequest { service: "notes".to_owned(), after: 0 };
    let stream = JournalServiceClient::new(peer).subscribe(request).await.unwrap();
    let mut stream = stream.into_inner();
    assert_eq!(stream.next().await.unwrap().unwrap().position, 1);
    write(&journal, &ctx, draft(1, "note/1", 2, "comes")).await.unwrap();
    assert_eq!(stream.next().await.unwrap().unwrap().position, 2);
    journal.close();
    assert!(stream.next().await.is_none());
}

async fn a_trust_sees_its_own_and_counts_its_own(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    for (trust, stream) in [(1, "note/1"), (2, "note/2"), (1, "note/3"), (2, "note/4")] {
        write(&journal, &ctx, draft(trust, stream, 1, "x")).await.unwrap();
    }
    let journals: Journals = [journal].into_iter().collect();
    let peer = Caller::of(Uuid::from_u128(2)).peer(tonic::service::Routes::new(journals.grpc()));
    let request = ListEventsRequest { service: "notes".to_owned(), ..ListEventsRequest::default() };
    let listed = JournalServiceClient::new(peer).list_events(request).await.unwrap().into_inner();
    let seen: Vec<_> = listed.events.iter().map(|it| (it.position, it.stream.as_str())).collect();
    assert_eq!(seen, [(1, "note/2"), (2, "note/4")]);
    assert_eq!(listed.head, 2);
}

async fn rest_and_grpc_agree(database: Database) {
    let journal = open(&database, "notes").await;
    let ctx = Ctx::system("test");
    for version in 1..=3 {
        write(&journal, &ctx, draft(1, "note/1", version, "x")).await.unwrap();
    }
    let journals: Journals = [journal].into_iter().collect();
    let caller = Caller::platform();
    let mut client =
        JournalServiceClient::new(caller.peer(tonic::service::Routes::new(journals.grpc())));
    let request = ListEventsRequest {
        service: "notes".to_owned(),
        after: 1,
        page_size: Some(1),
        ..ListEventsRequest::default()
    };
    let over_grpc = client.list_events(request).await.unwrap().into_inner();
    let path = "/v1/journals/notes/events?after=1&pageSize=1";
    let over_rest = caller.get(&journals.rest(), path).await;
    assert_eq!(over_rest.body, json(&over_grpc));
    assert_eq!(over_rest.body["events"][0]["rendered"]["name"], "x");
    assert_eq!(over_rest.body["nextAfter"], "2");
    for (path, status) in [
        ("/v1/journals/others/events", 404),
        ("/v1/journals/notes/events?after=9", 400),
        ("/v1/journals/notes/events?pageSize=1001", 400),
    ] {
        assert_eq!(caller.get(&journals.rest(), path).await.status, status, "{path}");
    }
}

/// Counts into its own table, and fails the first time it meets an event.
struct Flaky(Arc<Mutex<Vec<i64>>>);

impl Handler for Flaky {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        _: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            on!(tx, |c| sqlx::query("INSERT INTO note (position, name) VALUES ($1, 'seen')")
                .bind(event.position)
                .execute(c)
                .await
                .map(drop))?;
            let mut failed = self.0.lock().await;
            if event.position % 3 == 0 && !failed.contains(&event.position) {
                failed.push(event.position);
                return Err(Error::internal("on purpose"));
            }
            Ok(())
        })
    }
}

async fn a_follower_misses_nothing_through_failures(database: Database) {
    let source = open(&database, "notes").await;
    let follower = open(&database, "follower").await;
    let journals: Journals = [source.clone()].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let failed = Arc::new(Mutex::new(Vec::new()));
    let handler = Flaky(Arc::clone(&failed));
    let task =
        tokio::spawn(Follower::new(follower.clone(), Source::new("notes", peer), handler).run());
    for version in 1..=7 {
        let draft = draft(1, "note/1", version, "x");
        write(&source, &Ctx::system("test"), draft).await.unwrap();
    }
    tokio::time::timeout(Duration::from_secs(20), async {
        while crate::notes::count(follower.db()).await < 7 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    // The primary key of `note` would have refused an event handled twice.
    assert_eq!(failed.lock().await.len(), 2);
    follower.close();
    task.await.unwrap();
}
