use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use journal::{AsOf, Of};
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use testkit::Database;
use uuid::Uuid;

use crate::raw::{Row, day, ledger, night, open_ledger};

testkit::both!(
    any_two_times_agree_with_judging_each_event_by_itself,
    a_stream_begun_wrongly_begins_where_it_was_put_right,
);

const MOVED: &str = "headway.registry.v1.JourneyMoved";
const RATED: &str = "headway.registry.v1.JourneyRated";

/// Three streams of one trust, written over twelve nights, with corrections of earlier events.
fn history(runner: &mut TestRunner) -> Vec<Row> {
    let choice = (0..3_usize, any::<bool>(), prop::option::of(-3..14_i64), 0..3_i64, 0..40_usize);
    let mut rows: Vec<Row> = Vec::new();
    for position in 1..=24_i64 {
        let (stream, moved, effective, wrong, target) = choice.new_tree(runner).unwrap().current();
        let stream = format!("journey/{stream}");
        let own: Vec<&Row> = rows.iter().filter(|it| it.stream == stream).collect();
        let open: Vec<i64> = own
            .iter()
            .filter(|it| it.corrects.is_none())
            .map(|it| it.position)
            .filter(|it| own.iter().all(|by| by.corrects != Some(*it)))
            .collect();
        let corrects = (wrong == 0 && !open.is_empty()).then(|| open[target % open.len()]);
        rows.push(Row {
            position,
            trust: 1,
            trust_position: position,
            version: i32::try_from(own.len()).unwrap() + 1,
            stream,
            kind: if moved || corrects.is_some() { MOVED } else { RATED },
            data: vec![],
            effective_on: effective.map(day),
            recorded_at: night(position / 2),
            corrects,
        });
    }
    rows
}

fn said(row: &Row) -> NaiveDate {
    row.effective_on.unwrap_or_else(|| calendar::london_date(row.recorded_at))
}

/// Whether one event was in effect, found out for that event alone.
fn holds(rows: &[Row], row: &Row, on: NaiveDate, at: DateTime<Utc>) -> bool {
    let stream: Vec<&Row> =
        rows.iter().filter(|it| it.stream == row.stream && it.recorded_at <= at).collect();
    let counts = |it: &&&Row| {
        it.corrects.is_none() && stream.iter().all(|by| by.corrects != Some(it.position))
    };
    let first = stream[0];
    let begins = stream
        .iter()
        .filter(|it| it.kind == first.kind)
        .find(counts)
        .map_or(said(first), |it| said(it));
    if row.position == first.position {
        return begins <= on;
    }
    let speaks_of = match row.corrects {
        Some(wrong) => stream.iter().find(|it| it.position == wrong).unwrap(),
        None => row,
    };
    let day = if speaks_of.position == first.position { begins } else { said(speaks_of) };
    begins <= on && day <= on
}

async fn any_two_times_agree_with_judging_each_event_by_itself(database: Database) {
    let mut runner = TestRunner::deterministic();
    let (mut trees, mut pairs) = (Vec::new(), 0);
    for round in 0..4 {
        let name: &'static str = ["one", "two", "three", "four"][round];
        let journal = open_ledger(&database, name).await;
        let rows = history(&mut runner);
        let mut tx = journal.db().begin().await.unwrap();
        for row in &rows {
            row.insert(&mut tx).await;
        }
        tx.commit().await.unwrap();
        for days in -4..15 {
            for nights in -1..13 {
                let at = AsOf { effective_on: day(days), known_at: night(nights) };
                let of = Of::Kinds(&["journey"]);
                let mut then = journal.as_of(Uuid::from_u128(1), at, of).await.unwrap();
                let found: Vec<Uuid> = ledger(&mut then).await.iter().map(|it| it.0).collect();
                let mut held: Vec<&Row> = rows
                    .iter()
                    .filter(|it| it.recorded_at <= at.known_at)
                    .filter(|it| holds(&rows, it, at.effective_on, at.known_at))
                    .collect();
                held.sort_by_key(|it| (it.stream.clone(), it.position));
                let held: Vec<Uuid> = held.iter().map(|it| Row::id(it.position)).collect();
                assert_eq!(found, held, "{at:?} of {rows:#?}");
                pairs += 1;
                trees.push(held);
            }
        }
    }
    trees.sort();
    trees.dedup();
    assert!(trees.len() > 60, "{pairs} pairs of times told {} states apart", trees.len());
}

fn row(position: i64, kind: &'static str, effective: i64, corrects: Option<i64>) -> Row {
    Row {
        position,
        trust: 1,
        trust_position: position,
        stream: "journey/1".to_owned(),
        version: i32::try_from(position).unwrap(),
        kind,
        data: vec![],
        effective_on: Some(day(effective)),
        recorded_at: night(0) + TimeDelta::hours(position),
        corrects,
    }
}

async fn a_stream_begun_wrongly_begins_where_it_was_put_right(database: Database) {
    let journal = open_ledger(&database, "registry").await;
    let mut tx = journal.db().begin().await.unwrap();
    // Opened on day 20, which was wrong; opened on day 10.
    for row in [row(1, MOVED, 20, None), row(2, MOVED, 30, Some(1)), row(3, MOVED, 10, None)] {
        row.insert(&mut tx).await;
    }
    tx.commit().await.unwrap();
    let journal = &journal;
    let held = async |days, hours| {
        let known_at = night(0) + TimeDelta::hours(hours);
        let at = AsOf { effective_on: day(days), known_at };
        let of = Of::Stream("journey/1".to_owned());
        let mut then = journal.as_of(Uuid::from_u128(1), at, of).await.unwrap();
        ledger(&mut then).await.len()
    };
    assert_eq!(held(15, 1).await, 0);
    assert_eq!(held(25, 1).await, 1);
    assert_eq!(held(25, 2).await, 2);
    assert_eq!(held(15, 2).await, 0);
    assert_eq!(held(15, 3).await, 3);
    assert_eq!(held(9, 3).await, 0);
    // Another trust's events are no part of any answer.
    let at = AsOf { effective_on: day(99), known_at: night(9) };
    let mut then = journal.as_of(Uuid::from_u128(2), at, Of::Kinds(&["journey"])).await.unwrap();
    assert_eq!(ledger(&mut then).await, []);
}
