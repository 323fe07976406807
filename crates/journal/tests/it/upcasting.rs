use std::{sync::Arc, time::Duration};

use contract::registry::{SchoolLeft, TrustCreated, UnitCreated};
use db::{Migrations, Tx, on};
use futures::future::BoxFuture;
use journal::{
    AsOf, Follower, Handler, Journal, Journals, Of, Projection, Recorded, Source, Upcast, rebuild,
    rebuild_in_place,
};
use prost::{Message, Name};
use rpc::{Ctx, Error, Result};
use testkit::{Caller, Database};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::raw::{Ledger, Row, day, night, schema};

testkit::both!(
    an_old_event_is_read_as_one_of_today_wherever_it_is_read,
    an_event_nobody_knows_stops_whoever_reads_it,
    upcasts_that_lead_nowhere_keep_the_service_from_starting,
);

// Old types stay in the contract; two that are in use stand for them here.
const FIRST: &str = "headway.registry.v1.SchoolLeft";
const SECOND: &str = "headway.registry.v1.UnitCreated";
const TODAY: &str = "headway.registry.v1.TrustCreated";

const STEPS: &[Upcast] = &[
    Upcast { from: SECOND, into: TODAY, change: second },
    Upcast { from: FIRST, into: SECOND, change: first },
];

fn first(data: &[u8]) -> Result<Vec<u8>> {
    let old = SchoolLeft::decode(data).map_err(Error::internal)?;
    Ok(UnitCreated { name: old.urn, ..UnitCreated::default() }.encode_to_vec())
}

fn second(data: &[u8]) -> Result<Vec<u8>> {
    let old = UnitCreated::decode(data).map_err(Error::internal)?;
    let group_uid = Some(old.school_id);
    Ok(TrustCreated { name: old.name, group_uid, ..TrustCreated::default() }.encode_to_vec())
}

/// A ledger kept by a service with these steps.
struct Stepping(&'static [Upcast]);

impl Projection for Stepping {
    fn tables(&self) -> &'static [&'static str] {
        Ledger.tables()
    }

    fn schema(&self) -> Migrations {
        Ledger.schema()
    }

    fn upcasts(&self) -> &'static [Upcast] {
        self.0
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Ledger.project(tx, events)
    }
}

async fn open(
    database: &Database,
    service: &'static str,
    steps: &'static [Upcast],
    rows: &[(&'static str, &[u8])],
) -> Journal {
    let journal = Journal::open(service, database.open(service, schema()).await, Stepping(steps));
    let mut tx = journal.db().begin().await.unwrap();
    for (position, (kind, data)) in (1..).zip(rows) {
        let row = Row {
            position,
            trust: 1,
            trust_position: position,
            stream: format!("trust/{position}"),
            version: 1,
            kind,
            data: data.to_vec(),
            effective_on: None,
            recorded_at: night(0),
            corrects: None,
        };
        row.insert(&mut tx).await;
    }
    tx.commit().await.unwrap();
    journal
}

/// Keeps what it is handed.
struct Seen(Arc<Mutex<Vec<(String, String)>>>);

impl Handler for Seen {
    fn handle<'t>(
        &'t self,
        _: &'t mut Tx,
        _: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            let it = event.decode::<TrustCreated>()?.unwrap();
            self.0.lock().await.push((it.name, it.group_uid.unwrap_or_default()));
            Ok(())
        })
    }
}

async fn kinds(tx: &mut Tx) -> Vec<String> {
    let kinds = "SELECT type FROM ledger ORDER BY stream";
    on!(tx, |c| sqlx::query_scalar(kinds).fetch_all(c).await).unwrap()
}

async fn an_old_event_is_read_as_one_of_today_wherever_it_is_read(database: Database) {
    let today = TrustCreated { name: "c".to_owned(), ..TrustCreated::default() }.encode_to_vec();
    let one = SchoolLeft { urn: "a".to_owned(), ..SchoolLeft::default() }.encode_to_vec();
    let two =
        UnitCreated { name: "b".to_owned(), school_id: "9".to_owned(), ..UnitCreated::default() };
    let two = two.encode_to_vec();
    let rows: [(&str, &[u8]); 3] = [(FIRST, &one), (SECOND, &two), (TODAY, &today)];
    let journal = open(&database, "registry", STEPS, &rows).await;
    journal.check().unwrap();
    rebuild_in_place(&journal, true).await.unwrap();
    let mut tx = journal.db().read().await.unwrap();
    assert_eq!(kinds(&mut tx).await, [TODAY; 3]);
    drop(tx);
    let beside = database.open("beside", schema()).await;
    assert!(rebuild(&journal, &beside).await.unwrap().is_equal());
    let at = AsOf { effective_on: day(9), known_at: night(9) };
    let of = Of::Stream("trust/2".to_owned());
    let mut then = journal.as_of(Uuid::from_u128(1), at, of).await.unwrap();
    assert_eq!(kinds(&mut then).await, [TODAY]);
    let told = followed(&database, journal, STEPS, 3).await;
    let [a, b, c] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!([a.0.as_str(), b.0.as_str(), c.0.as_str()], ["a", "b", "c"]);
    assert_eq!([a.1.as_str(), b.1.as_str(), c.1.as_str()], ["", "9", ""]);
}

/// What a follower with these steps has been handed, once it is so much or two seconds have gone by.
async fn followed(
    database: &Database,
    of: Journal,
    steps: &'static [Upcast],
    count: usize,
) -> Vec<(String, String)> {
    let follower = open(database, "follower", steps, &[]).await;
    let journals: Journals = [of].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let handler = Seen(Arc::clone(&seen));
    let source = Source::new("registry", peer);
    let task = tokio::spawn(Follower::new(follower.clone(), source, handler).run());
    for _ in 0..100 {
        if seen.lock().await.len() >= count {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    follower.close();
    task.await.unwrap();
    seen.lock().await.clone()
}

async fn an_event_nobody_knows_stops_whoever_reads_it(database: Database) {
    let rows: [(&str, &[u8]); 2] = [("headway.registry.v2.FromTheFuture", b""), (TODAY, b"")];
    let journal = open(&database, "registry", &[], &rows).await;
    let error = rebuild_in_place(&journal, true).await.unwrap_err();
    assert!(format!("{error:?}").contains("FromTheFuture"), "{error:?}");
    let told = followed(&database, journal, &[], 1).await;
    assert_eq!(told, [], "nothing after it is taken as if it had not been there");
}

async fn upcasts_that_lead_nowhere_keep_the_service_from_starting(database: Database) {
    const FORK: &[Upcast] = &[
        Upcast { from: FIRST, into: TODAY, change: second },
        Upcast { from: FIRST, into: SECOND, change: first },
    ];
    const CIRCLE: &[Upcast] = &[
        Upcast { from: FIRST, into: SECOND, change: first },
        Upcast { from: SECOND, into: FIRST, change: first },
    ];
    const GAP: &[Upcast] =
        &[Upcast { from: FIRST, into: "headway.registry.v1.Nobody", change: first }];
    for (service, steps, said) in [
        ("fork", FORK, "two upcasts begin at"),
        ("circle", CIRCLE, "run in a circle"),
        ("gap", GAP, "leads to no event: headway.registry.v1.Nobody"),
    ] {
        let journal = open(&database, service, steps, &[(TODAY, b"")]).await;
        let error = format!("{:?}", journal.check().unwrap_err());
        assert!(error.contains(said), "{error}");
        let refused = rebuild_in_place(&journal, true).await.unwrap_err();
        assert!(format!("{refused:?}").contains(said), "{refused:?}");
    }
    assert_eq!(TrustCreated::full_name(), TODAY);
}
