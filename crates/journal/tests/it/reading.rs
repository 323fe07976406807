use contract::{
    improvement::{ProjectMoved, ProjectProposed},
    journal::{ListEventsRequest, journal_service_client::JournalServiceClient},
    registry::JourneyMoved,
};
use db::on;
use journal::{Draft, Journal, Journals, Query, Recorded, event_types, explain, list};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use prost::Name;
use prost_reflect::{DescriptorPool, DynamicMessage};
use rpc::Ctx;
use sha2::{Digest, Sha256};
use testkit::{Caller, Database, json};
use uuid::Uuid;

use crate::raw::{Row, day, night, open};

testkit::both!(
    every_question_is_answered_as_by_reading_everything,
    no_question_reads_the_whole_log,
    what_happened_about_a_school_is_read_across_streams,
    a_question_that_contradicts_itself_is_refused_at_its_place,
    the_log_describes_itself,
    both_doors_page_backwards_to_the_first,
);

const STREAMS: [(&str, &str); 4] = [
    ("journey/1", "headway.registry.v1.JourneyMoved"),
    ("journey/2", "headway.registry.v1.JourneyRated"),
    ("unit/3", "headway.registry.v1.UnitCreated"),
    ("register", "headway.registry.v1.RegisterImported"),
];

/// Rows of three trusts over sixty days in which summer time begins; some say when they hold from, most do not.
fn rows(runner: &mut TestRunner, count: i64) -> Vec<Row> {
    let choices = prop::collection::vec((0..3_u128, 0..4_usize, 0..4_i64, 0..60_i64), 1);
    let mut rows: Vec<Row> = Vec::new();
    for position in 1..=count {
        let (trust, stream, dated, effective) = choices.new_tree(runner).unwrap().current()[0];
        let stream_name = format!("{}{trust}", STREAMS[stream].0);
        let of_trust = rows.iter().filter(|it| it.trust == trust).count();
        let of_stream = rows.iter().filter(|it| it.stream == stream_name).count();
        rows.push(Row {
            position,
            trust,
            trust_position: i64::try_from(of_trust).unwrap() + 1,
            stream: stream_name,
            version: i32::try_from(of_stream).unwrap() + 1,
            kind: STREAMS[stream].1,
            data: vec![],
            effective_on: (dated == 0).then(|| day(effective)),
            recorded_at: night(position * 60 / count),
            corrects: None,
        });
    }
    rows
}

/// The same, by looking at each row.
fn brute(rows: &[Row], query: &Query, limit: usize) -> Vec<i64> {
    let own = |it: &Row| if query.trust_id.is_some() { it.trust_position } else { it.position };
    let mut found: Vec<_> = rows
        .iter()
        .filter(|it| query.trust_id.is_none_or(|trust| Uuid::from_u128(it.trust) == trust))
        .filter(|it| own(it) > query.after && own(it) < query.before)
        .filter(|it| query.stream.as_ref().is_none_or(|stream| it.stream == *stream))
        .filter(|it| query.subject.as_ref().is_none_or(|subject| it.stream == *subject))
        .filter(|it| query.types.as_ref().is_none_or(|types| types.iter().any(|of| of == it.kind)))
        .filter(|it| {
            let held = it.effective_on.unwrap_or_else(|| calendar::london_date(it.recorded_at));
            query.effective.0.is_none_or(|from| held >= from)
                && query.effective.1.is_none_or(|to| held <= to)
        })
        .filter(|it| query.recorded.0.is_none_or(|from| it.recorded_at >= from))
        .filter(|it| query.recorded.1.is_none_or(|to| it.recorded_at <= to))
        .map(|it| it.position)
        .collect();
    if query.newest_first {
        found.reverse();
    }
    found.truncate(limit);
    found
}

fn questions() -> impl Strategy<Value = Query> {
    let maybe_day = || prop::option::of(-2..62_i64);
    let names = (
        prop::option::of(0..3_u128),
        prop::option::weighted(0.2, (0..4_usize, 0..3_u128)),
        prop::option::weighted(0.2, (0..4_usize, 0..3_u128)),
        prop::option::weighted(0.5, prop::sample::subsequence(vec![0_usize, 1, 2, 3], 1..4)),
    );
    let places = (0..40_i64, prop::option::of(1..60_i64), any::<bool>());
    let times = (maybe_day(), maybe_day(), maybe_day(), maybe_day());
    (names, places, times).prop_map(|(names, (after, before, newest_first), times)| {
        let name = |(stream, trust): (usize, u128)| format!("{}{trust}", STREAMS[stream].0);
        let stream = names.1.map(name);
        Query {
            trust_id: names.0.map(Uuid::from_u128),
            after: if before.is_some() { 0 } else { after },
            before: before.unwrap_or(i64::MAX),
            newest_first,
            subject: names.2.map(name).filter(|_| stream.is_none()),
            stream,
            types: names.3.map(|it| it.iter().map(|it| STREAMS[*it].1.to_owned()).collect()),
            effective: (times.0.map(day), times.1.map(day)),
            recorded: (times.2.map(night), times.3.map(night)),
        }
    })
}

async fn every_question_is_answered_as_by_reading_everything(database: Database) {
    let journal = open(&database, "registry").await;
    let mut runner = TestRunner::deterministic();
    let rows = rows(&mut runner, 150);
    let mut tx = journal.db().begin().await.unwrap();
    for row in &rows {
        row.insert(&mut tx).await;
    }
    tx.commit().await.unwrap();
    let mut tx = journal.db().read().await.unwrap();
    let mut found_any = 0;
    for _ in 0..600 {
        let query = questions().new_tree(&mut runner).unwrap().current();
        let found = list(&mut tx, &query, 10).await.unwrap();
        let positions: Vec<_> = found.iter().map(|it| it.position).collect();
        assert_eq!(positions, brute(&rows, &query, 10), "{query:?}");
        found_any += usize::from(!found.is_empty());
    }
    assert!(found_any > 100, "the questions find something: {found_any}");
}

/// So many rows that no plan prefers to read them all.
const MANY: i64 = 50_000;

async fn no_question_reads_the_whole_log(database: Database) {
    let journal = open(&database, "registry").await;
    let numbers = match &database {
        Database::Sqlite(_) => "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
            INSERT INTO event SELECT i, unhex(printf('%032x', i / 10000)), (i - 1) % 10000 + 1,
                unhex(printf('%032x', i)), 'journey/' || (i / 5), i % 5 + 1,
                iif(i % 500 = 0, 'headway.registry.v1.UnitCreated', 'headway.registry.v1.JourneyMoved'), x'',
                iif(i % 100 = 0, date('2026-01-01', (i / 100) || ' days'), NULL),
                strftime('%Y-%m-%dT%H:%M:%S.000000+00:00', 1767225600 + i, 'unixepoch'),
                NULL, 'test', x'00', NULL, x'' FROM n",
        Database::Postgres { .. } => "SELECT append_events(0, array_agg(i::bigint), array_agg(lpad(to_hex(i / 10000), 32, '0')::uuid),
                array_agg(((i - 1) % 10000 + 1)::bigint), array_agg(lpad(to_hex(i), 32, '0')::uuid),
                array_agg('journey/' || (i / 5)), array_agg(i::integer % 5 + 1),
                array_agg(CASE i % 500 WHEN 0 THEN 'headway.registry.v1.UnitCreated' ELSE 'headway.registry.v1.JourneyMoved' END),
                array_agg(''::bytea), array_agg(CASE i % 100 WHEN 0 THEN '2026-01-01'::date + (i / 100)::integer END),
                array_agg(to_timestamp(1767225600 + i)), array_agg(NULL::uuid), array_agg('test'::text),
                array_agg(lpad('', 32, '0')::uuid), array_agg(NULL::uuid), array_agg(''::bytea),
                '{}', '{}', '{}', '{}', '{}', '{}') FROM generate_series(1, $1) i",
    };
    let mut tx = journal.db().begin().await.unwrap();
    on!(&mut tx, |c| sqlx::query(numbers).bind(MANY).execute(c).await.map(drop)).unwrap();
    let about =
        "INSERT INTO event_subject SELECT 'school/' || (position % 1000), position FROM event";
    on!(&mut tx, |c| sqlx::query(about).execute(c).await.map(drop)).unwrap();
    if let Database::Postgres { .. } = &database {
        on!(&mut tx, |c| sqlx::query("ANALYZE event, event_subject").execute(c).await.map(drop))
            .unwrap();
    }
    tx.commit().await.unwrap();
    let named = |it: &str| Some(it.to_owned());
    let rare = Some(vec!["headway.registry.v1.UnitCreated".to_owned()]);
    let base = [
        Query { after: MANY / 2, ..Query::default() },
        Query { newest_first: true, ..Query::default() },
        Query { stream: named("journey/77"), ..Query::default() },
        Query { subject: named("school/77"), ..Query::default() },
        Query { types: rare, ..Query::default() },
        Query { effective: (Some(day(0)), Some(day(9))), ..Query::default() },
        Query {
            recorded: (chrono::DateTime::from_timestamp(1_767_225_600 + 35_000, 0), None),
            ..Query::default()
        },
    ];
    let trust_id = Some(Uuid::from_u128(3));
    let of_trust = base.clone().map(|it| Query { after: it.after.min(2_500), trust_id, ..it });
    let mut tx = journal.db().read().await.unwrap();
    for query in base.into_iter().chain(of_trust) {
        let plan = explain(&mut tx, &query, 100).await.unwrap();
        let whole = |it: &&String| {
            it.contains("Seq Scan on event") || it.starts_with("SCAN e") && !it.contains("USING")
        };
        assert!(!plan.is_empty(), "{query:?}");
        assert_eq!(plan.iter().find(whole), None, "{query:?}: {plan:#?}");
    }
    // The check itself can fail: nothing but reading everything answers this.
    let all = "EXPLAIN SELECT * FROM event e WHERE actor = 'nobody'";
    let all = if matches!(&database, Database::Sqlite(_)) {
        all.replace("EXPLAIN", "EXPLAIN QUERY PLAN")
    } else {
        all.to_owned()
    };
    let column = if matches!(&database, Database::Sqlite(_)) { 3 } else { 0 };
    let plan: Vec<String> = on!(&mut tx, |c| {
        let rows = sqlx::query(sqlx::AssertSqlSafe(all)).fetch_all(c).await.unwrap();
        rows.iter().map(|it| sqlx::Row::get(it, column)).collect()
    });
    let whole = |it: &String| it.starts_with("SCAN e") || it.contains("Seq Scan on event");
    assert!(plan.iter().any(whole), "{plan:?}");
}

async fn append(journal: &Journal, trust: u128, stream: &str, version: u32, it: &impl Name) {
    let draft = Draft::new(rpc::new_id(), Uuid::from_u128(trust), stream, version, it);
    journal.append(&Ctx::system("test"), draft).await.unwrap();
}

/// A journey, and a project whose later events do not say whose school it is.
async fn about_two_schools(journal: &Journal) {
    for school in ["a", "b"] {
        let proposed =
            ProjectProposed { school_id: school.to_owned(), ..ProjectProposed::default() };
        append(journal, 1, &format!("project/{school}"), 1, &proposed).await;
        let moved = JourneyMoved { school_id: school.to_owned(), ..JourneyMoved::default() };
        append(journal, 1, &format!("journey/{school}"), 1, &moved).await;
    }
    for version in 2..=3 {
        for school in ["b", "a"] {
            let moved = ProjectMoved::default();
            append(journal, 1, &format!("project/{school}"), version, &moved).await;
        }
    }
}

fn seen(events: &[Recorded]) -> Vec<(i64, &str)> {
    events.iter().map(|it| (it.position, it.stream.as_str())).collect()
}

async fn what_happened_about_a_school_is_read_across_streams(database: Database) {
    let journal = open(&database, "improvement").await;
    about_two_schools(&journal).await;
    let mut tx = journal.db().read().await.unwrap();
    let subject = Some("school/a".to_owned());
    let query = Query { subject, ..Query::default() };
    let found = list(&mut tx, &query, 100).await.unwrap();
    let all = [(1, "project/a"), (2, "journey/a"), (6, "project/a"), (8, "project/a")];
    assert_eq!(seen(&found), all);
    let others = Query { trust_id: Some(Uuid::from_u128(2)), ..query.clone() };
    assert_eq!(list(&mut tx, &others, 100).await.unwrap(), []);
    let page = Query { after: 2, newest_first: true, ..query };
    assert_eq!(seen(&list(&mut tx, &page, 1).await.unwrap()), [(8, "project/a")]);
    drop(tx);
    // Several events of one stream in one slice hand on what they are about among themselves.
    let drafts: Vec<_> = [(1, "c"), (2, ""), (3, "")]
        .map(|(version, school)| {
            let trust = Uuid::from_u128(1);
            if version == 1 {
                let it =
                    ProjectProposed { school_id: school.to_owned(), ..ProjectProposed::default() };
                Draft::new(rpc::new_id(), trust, "project/c", version, &it)
            } else {
                Draft::new(rpc::new_id(), trust, "project/c", version, &ProjectMoved::default())
            }
        })
        .into();
    let (inner, ctx) = (journal.clone(), Ctx::system("test"));
    let context = ctx.clone();
    let record = journal.write(&ctx, move |tx| {
        Box::pin(async move { inner.record(tx, &context, drafts).await.map(|it| it.len()) })
    });
    assert_eq!(record.await.unwrap(), 3);
    let mut tx = journal.db().read().await.unwrap();
    let query = Query { subject: Some("school/c".to_owned()), ..Query::default() };
    assert_eq!(list(&mut tx, &query, 100).await.unwrap().len(), 3);
}

async fn a_question_that_contradicts_itself_is_refused_at_its_place(database: Database) {
    let journal = open(&database, "improvement").await;
    about_two_schools(&journal).await;
    let journals: Journals = [journal].into_iter().collect();
    for (question, pointer) in [
        ("after=9", "/after"),
        ("before=10", "/before"),
        ("before=0", "/before"),
        ("after=5&before=5", "/before"),
        ("pageSize=0", "/pageSize"),
        ("type=headway.Nothing", "/type"),
        ("streamKind=journey", "/streamKind"),
        ("streamKind=project&stream=project/a", "/streamKind"),
        ("streamKind=project&type=headway.registry.v1.JourneyMoved", "/type"),
        ("subject=school/a&stream=project/a", "/subject"),
        ("subject=", "/subject"),
        ("effectiveFrom=2026-13-01", "/effectiveFrom"),
        ("effectiveFrom=2026-02-01&effectiveTo=2026-01-31", "/effectiveTo"),
        ("recordedFrom=2026-02-01T00:00:00Z&recordedTo=2026-01-31T00:00:00Z", "/recordedTo"),
    ] {
        let path = format!("/v1/journals/improvement/events?{question}");
        let answer = Caller::platform().get(&journals.rest(), &path).await;
        assert_eq!(answer.status, 400, "{question}: {answer:?}");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{question}: {answer:?}");
    }
}

async fn both_doors_page_backwards_to_the_first(database: Database) {
    let journal = open(&database, "improvement").await;
    about_two_schools(&journal).await;
    append(&journal, 2, "project/elsewhere", 1, &ProjectProposed::default()).await;
    let journals: Journals = [journal].into_iter().collect();
    let caller = Caller::of(Uuid::from_u128(1));
    let peer = caller.peer(tonic::service::Routes::new(journals.grpc()));
    let mut client = JournalServiceClient::new(peer);
    let (mut before, mut positions) = (None, Vec::new());
    loop {
        let request = ListEventsRequest {
            service: "improvement".to_owned(),
            stream_kind: Some("project".to_owned()),
            newest_first: true,
            page_size: Some(4),
            before,
            ..ListEventsRequest::default()
        };
        let page = client.list_events(request).await.unwrap().into_inner();
        let path = "/v1/journals/improvement/events?streamKind=project&newestFirst=true&pageSize=4";
        let path = before.map_or(path.to_owned(), |it| format!("{path}&before={it}"));
        assert_eq!(caller.get(&journals.rest(), &path).await.body, json(&page));
        positions.extend(page.events.iter().map(|it| it.position));
        before = page.next_before;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(positions, [8, 7, 6, 5, 3, 1]);
}

/// The form in the database is enough to read the event by, without this program's contract.
async fn the_log_describes_itself(database: Database) {
    let journal = open(&database, "improvement").await;
    about_two_schools(&journal).await;
    let mut tx = journal.db().read().await.unwrap();
    let types: Vec<(String, Vec<u8>, Vec<u8>, i64)> =
        on!(&mut tx, |c| sqlx::query_as("SELECT * FROM event_type ORDER BY type")
            .fetch_all(c)
            .await)
        .unwrap();
    let named: Vec<_> = types.iter().map(|it| (it.0.rsplit('.').next().unwrap(), it.3)).collect();
    assert_eq!(named, [("ProjectMoved", 5), ("ProjectProposed", 1), ("JourneyMoved", 2)]);
    for (name, sha256, descriptors, _) in types {
        assert_eq!(sha256, Sha256::digest(&descriptors).as_slice());
        let pool = DescriptorPool::decode(descriptors.as_slice()).unwrap();
        let query = Query { types: Some(vec![name.clone()]), ..Query::default() };
        let event = list(&mut tx, &query, 1).await.unwrap().remove(0);
        let message = pool.get_message_by_name(&name).unwrap();
        let read = DynamicMessage::decode(message, event.data.as_slice()).unwrap();
        assert!(read.unknown_fields().next().is_none());
        assert!(pool.services().next().is_none(), "only what the event is made of");
    }
}

/// What the contract marks as an event is named after its stream, and only ids say what an event is about.
#[test]
fn every_event_says_its_stream() {
    /// Of which there is one, for all or for each trust, or which happened once: `{kind}/{trust}` and `{kind}/{event}`.
    const UNNUMBERED: [&str; 5] =
        ["register", "identity_provider", "retention", "retention-run", "pseudonyms"];
    assert!(event_types().len() >= 24, "{}", event_types().len());
    for (name, it) in event_types() {
        assert!(name.starts_with("headway."), "{name}");
        // A legal-hold has a hold_id.
        let id = format!("{}_id", it.stream_kind.rsplit('-').next().unwrap());
        let names_it = it.message.fields().any(|field| field.name() == id);
        // The journal's own events are in streams of what was done, not of a thing.
        let names_it = names_it || name.starts_with("headway.journal.");
        assert!(
            names_it || UNNUMBERED.contains(&it.stream_kind.as_str()),
            "{name} does not say whose stream it is in"
        );
        assert!(!it.descriptors.is_empty());
    }
}
