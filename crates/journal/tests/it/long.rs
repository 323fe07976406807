//! A log long enough to fill tiles on two tiers: what a proof of it costs. `HEADWAY_LONG_LOG` makes it longer.

use std::time::{Duration, Instant};

use contract::journal::{
    GetConsistencyProofRequest, GetInclusionProofRequest,
    journal_service_client::JournalServiceClient,
};
use journal::{Journal, Journals, Recorded, audit, text::Texts};
use prost::{Message, Name};
use sqlx::{Connection, Executor, PgConnection, QueryBuilder};
use testkit::{Caller, Database};
use uuid::Uuid;

use crate::notes::{guarded, keys};

testkit::both!(proofs_of_a_long_log_are_short);

/// Beyond 65,536 events a subtree of level 16 is complete.
const SHORT: i64 = 66_000;
const GROUP: i64 = 1000;
const ASKED: u32 = 300;

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement takes its length from the environment"
)]
fn length() -> i64 {
    std::env::var("HEADWAY_LONG_LOG").map_or(SHORT, |it| it.parse().unwrap())
}

fn event(position: i64) -> Recorded {
    let data =
        contract::registry::TrustCreated { name: format!("note {position}"), ..Default::default() };
    Recorded {
        position,
        trust_position: position,
        trust_id: Uuid::from_u128(1),
        event_id: rpc::new_id(),
        stream: format!("note/{position}"),
        version: 1,
        kind: contract::registry::TrustCreated::full_name(),
        data: data.encode_to_vec(),
        effective_on: None,
        recorded_at: rpc::now(),
        corrects: None,
        actor: "test".to_owned(),
        correlation_id: rpc::new_id(),
        causation_id: None,
        texts: Texts::default(),
    }
}

/// Fills the table as the writer would, without projecting.
macro_rules! fill {
    ($pool:expr, $count:expr) => {
        for first in (1..=$count).step_by(usize::try_from(GROUP).unwrap()) {
            let events: Vec<_> = (first..first + GROUP).take_while(|it| *it <= $count).map(event).collect();
            let mut query = QueryBuilder::new(
                "INSERT INTO event (position, trust_id, trust_position, event_id, stream, version, type, data,
                     recorded_at, actor, correlation_id, content_hash) ",
            );
            query.push_values(&events, |mut row, it| {
                row.push_bind(it.position).push_bind(it.trust_id).push_bind(it.trust_position);
                row.push_bind(it.event_id).push_bind(&it.stream).push_bind(1_i32).push_bind(&it.kind);
                row.push_bind(&it.data).push_bind(it.recorded_at).push_bind(&it.actor);
                row.push_bind(it.correlation_id).push_bind(it.content_hash().to_vec());
            });
            query.build().execute($pool).await.unwrap();
        }
    };
}

async fn proofs_of_a_long_log_are_short(database: Database) {
    let (_folder, keys) = keys();
    let journal = guarded(&database, &keys).await;
    let count = length();
    match (journal.db(), &database) {
        (db::Db::Sqlite { writer, .. }, _) => fill!(writer, count),
        (_, Database::Postgres { url }) => {
            let mut owner = PgConnection::connect(url).await.unwrap();
            let settings = "SET search_path = notes; SET headway.tenant = 'platform'; SET headway.append = 'on'";
            owner.execute(settings).await.unwrap();
            fill!(&mut owner, count);
        }
        _ => unreachable!(),
    }
    let started = Instant::now();
    journal.sign().await.unwrap();
    let signed = started.elapsed();
    measure(&journal, u64::try_from(count).unwrap()).await;
    let started = Instant::now();
    let audited = audit(&journal).await.unwrap();
    eprintln!(
        "{count} events: signed in {signed:.1?}, audited in {:.1?}, {} nodes",
        started.elapsed(),
        audited.nodes
    );
    let size = u64::try_from(count).unwrap();
    assert_eq!((audited.events, audited.flaws), (count, vec![]));
    assert_eq!(
        (audited.nodes, audited.checkpoints),
        ((size >> 8) + (size >> 16) + (size >> 24), size.div_ceil(1 << 16))
    );
    let started = Instant::now();
    let again = guarded(&database, &keys).await;
    assert_eq!(*again.damage().borrow(), None);
    eprintln!("head checked at opening in {:.1?}", started.elapsed());
}

/// Asks for proofs all over the log, as a caller would.
async fn measure(journal: &Journal, count: u64) {
    let journals: Journals = [journal.clone()].into_iter().collect();
    let peer = Caller::platform().peer(tonic::service::Routes::new(journals.grpc()));
    let mut client = JournalServiceClient::new(peer);
    let (mut inclusion, mut consistency) = (Vec::new(), Vec::new());
    for number in 0..u64::from(ASKED) {
        // An odd step visits every part of the log.
        let position = number * 7_654_321 % count + 1;
        let request = GetInclusionProofRequest {
            service: "notes".to_owned(),
            position: Some(position),
            ..GetInclusionProofRequest::default()
        };
        let started = Instant::now();
        let proof = client.get_inclusion_proof(request).await.unwrap().into_inner();
        inclusion.push(started.elapsed());
        assert_eq!(proof.log_position, position);
        let request = GetConsistencyProofRequest {
            service: "notes".to_owned(),
            first: position,
            second: None,
        };
        let started = Instant::now();
        client.get_consistency_proof(request).await.unwrap();
        consistency.push(started.elapsed());
    }
    for (what, mut times) in [("inclusion", inclusion), ("consistency", consistency)] {
        times.sort_unstable();
        let (median, p99) = (times[times.len() / 2], times[times.len() * 99 / 100]);
        eprintln!("{count} events: {what} proof {median:.1?} median, {p99:.1?} p99");
        // Generous: tests run unoptimised beside others. Work that grew with the log would be far beyond it.
        assert!(median < Duration::from_millis(100), "{what}: {median:?}");
    }
}
