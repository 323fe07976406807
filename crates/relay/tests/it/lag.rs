//! Whoever runs this sees who is behind, by how much and for how long.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    time::Duration,
};

use db::Tx;
use futures::future::BoxFuture;
use journal::{Follower, Handler, Journals, Recorded, Source};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use relay::Nats;
use rpc::{Ctx, Error, Reason, Result};
use testkit::{Caller, Database};

use crate::notes::{connect, last, name, open, say, until};

testkit::both!(the_metrics_move,);

static METRICS: LazyLock<PrometheusHandle> =
    LazyLock::new(|| PrometheusBuilder::new().install_recorder().unwrap());

/// A gauge's value as it is shown; empty while it has none.
fn gauge(name: &str, service: &str) -> String {
    let (start, label) = (format!("{name}{{"), format!("service=\"{service}\""));
    let text = METRICS.render();
    let line = text.lines().find(|it| it.starts_with(&start) && it.contains(&label));
    line.and_then(|it| it.rsplit(' ').next()).unwrap_or_default().to_owned()
}

/// Whether a gauge of seconds has passed one and a half.
fn ages(name: &str, service: &str) -> bool {
    gauge(name, service).parse().is_ok_and(|it: f64| it > 1.5)
}

/// Cannot just now, or cannot ever.
#[derive(Clone, Default)]
struct Moody {
    unavailable: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
}

impl Handler for Moody {
    fn handle<'t>(
        &'t self,
        _: &'t mut Tx,
        _: &'t Ctx,
        _: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        let outcome = if self.unavailable.load(SeqCst) {
            Err(Error::new(Reason::Unavailable, "just now"))
        } else if self.broken.load(SeqCst) {
            Err(Error::internal("for good"))
        } else {
            Ok(())
        };
        Box::pin(async { outcome })
    }
}

async fn the_metrics_move(database: Database) {
    LazyLock::force(&METRICS);
    let mut server = testkit::Nats::start();
    let (journal, own) = (open(&database, name()).await, open(&database, name()).await);
    let (follower, relayed) = (own.service(), journal.service());
    let nats = Nats::connect(&server.url()).await.unwrap();
    let journals: Journals = [journal.clone()].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let moody = Moody::default();
    let source = Source::new(relayed, peer);
    tokio::spawn(Follower::new(own.clone(), source, moody.clone()).run());
    tokio::spawn(nats.relay(journal.clone()));
    say(&journal, 5).await;
    let jetstream = connect(&server.url()).await;
    until("relayed", async || last(&jetstream, relayed).await == 5).await;
    until("nobody is behind", async || {
        gauge("headway_consumer_lag_positions", follower) == "0"
            && gauge("headway_consumer_lag_seconds", follower) == "0"
            && gauge("headway_relay_lag_positions", relayed) == "0"
            && gauge("headway_relay_lag_seconds", relayed) == "0"
    })
    .await;

    assert_eq!(gauge("headway_relay_publishing", relayed), "1");

    moody.unavailable.store(true, SeqCst);
    server.kill();
    say(&journal, 7).await;
    until("both are behind", async || {
        gauge("headway_consumer_lag_positions", follower) == "7"
            && ages("headway_consumer_lag_seconds", follower)
            && gauge("headway_relay_lag_positions", relayed) == "7"
            && ages("headway_relay_lag_seconds", relayed)
    })
    .await;

    until("it does not publish", async || gauge("headway_relay_publishing", relayed) == "0").await;
    moody.broken.store(true, SeqCst);
    moody.unavailable.store(false, SeqCst);
    server.restart();
    until("parked", async || {
        own.parked().await.unwrap().len() == 7 && gauge("headway_parked_streams", follower) == "7"
    })
    .await;
    moody.broken.store(false, SeqCst);
    until("nobody is behind again", async || {
        gauge("headway_consumer_lag_positions", follower) == "0"
            && gauge("headway_relay_lag_positions", relayed) == "0"
            && gauge("headway_relay_lag_seconds", relayed) == "0"
    })
    .await;
    for it in own.parked().await.unwrap() {
        own.replay_parked(&Ctx::system("operator"), relayed, &it.stream, "mended").await.unwrap();
    }
    until("nothing is parked", async || gauge("headway_parked_streams", follower) == "0").await;
    assert_eq!(gauge("headway_consumer_stopped", follower), "0");
    assert_eq!(gauge("headway_consumer_partitions", follower), "1");
    journal.close();
    own.close();
    tokio::time::sleep(Duration::from_millis(100)).await;
}
