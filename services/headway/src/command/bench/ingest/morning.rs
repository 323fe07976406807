//! The morning itself: every school's register, each a push of its own, by callers who each wait for their answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use calendar::Week;
use hyper::body::Bytes;
use rpc::Scope;
use serde::Deserialize;
use tokio::{task::JoinSet, time::sleep};

use super::{
    england::{England, Truth},
    server::Server,
    setting::{Batch, Door},
};
use crate::command::rest::Rest;

/// Schools whose measure must read as generated before the clock stops.
const SAMPLE: usize = 200;
/// How long a measure may take to follow.
const PATIENCE: Duration = Duration::from_mins(5);
const PAUSE: Duration = Duration::from_millis(20);

/// A register ready to be sent.
struct Letter {
    body: Bytes,
    trust: usize,
    turn: u32,
}

/// Registers in the order they will be sent, and what they amount to.
pub(super) struct Post {
    letters: Vec<Letter>,
    truths: Vec<Truth>,
    pub(super) bytes: usize,
}

impl Post {
    /// Writes every register. They are sent in an order that chance decides: schools do not wait for each other.
    pub(super) fn write(england: &England) -> Result<Self> {
        let mut post = Self { letters: Vec::new(), truths: Vec::new(), bytes: 0 };
        for (trust, schools) in england.trusts.iter().enumerate() {
            for school in england.schools.get(schools.clone()).unwrap_or_default() {
                let (body, truth) = england.register(school)?;
                post.bytes += body.len();
                post.letters.push(Letter { body, trust, turn: england.turn(school) });
                post.truths.push(truth);
            }
        }
        post.letters.sort_unstable_by_key(|it| it.turn);
        Ok(post)
    }
}

/// What came of it.
pub(super) struct Times {
    /// Until the last acknowledgement.
    pub(super) acknowledged: Duration,
    /// Until the measures read as generated.
    pub(super) followed: Duration,
    /// Each register's time to acknowledgement, shortest first.
    pub(super) each: Vec<Duration>,
}

/// Pushes all registers and waits for the measures of a sample of the schools. Where parts of batches travel by NATS, a
/// register is acknowledged before it is applied.
pub(super) async fn push(
    server: &Server,
    england: &England,
    doors: &[Door],
    post: Arc<Post>,
    (callers, queued): (u32, bool),
) -> Result<Times> {
    let mut lines = Vec::new();
    for _ in 0..callers {
        lines.push(Rest::connect(&server.address.to_string(), "").await?);
    }
    let next = Arc::new(AtomicUsize::new(0));
    let doors: Arc<[Door]> = doors.into();
    let mut tasks = JoinSet::new();
    let started = Instant::now();
    for mut rest in lines {
        let (next, doors, post) = (Arc::clone(&next), Arc::clone(&doors), Arc::clone(&post));
        tasks.spawn(async move {
            let mut times = Vec::new();
            while let Some(letter) = post.letters.get(next.fetch_add(1, Ordering::Relaxed)) {
                let door = doors.get(letter.trust).context("a door for every trust")?;
                let sent = Instant::now();
                rest.hold(&door.bearer);
                let answer = rest.post_written(&door.path, letter.body.clone()).await?;
                times.push(sent.elapsed());
                let batch: Batch = serde_json::from_slice(&answer)?;
                let good =
                    queued && !batch.is_settled() || (batch.accepted, batch.parked) == (1, 0);
                ensure!(good && batch.rejected == 0, "a register was not accepted: {batch:?}");
            }
            anyhow::Ok(times)
        });
    }
    let mut each = Vec::new();
    while let Some(done) = tasks.join_next().await {
        each.extend(done??);
    }
    let acknowledged = started.elapsed();
    let mut reader = server.caller(None, &[Scope::IntelligenceRead]).await?;
    let step = (england.schools.len() / SAMPLE).max(1);
    for index in (0..england.schools.len()).step_by(step).take(SAMPLE) {
        follow(&mut reader, england, &doors, &post, index).await?;
    }
    each.sort_unstable();
    Ok(Times { acknowledged, followed: started.elapsed(), each })
}

/// Waits until a school's attendance reads as generated.
async fn follow(
    reader: &mut Rest,
    england: &England,
    doors: &[Door],
    post: &Post,
    index: usize,
) -> Result<()> {
    let (school, truth) = england.schools.get(index).zip(post.truths.get(index)).context("both")?;
    let trust = england.trusts.iter().position(|it| it.contains(&index)).context("a trust")?;
    let door = doors.get(trust).context("a door for every trust")?;
    let path = format!("{}&urn={}", question(england, door), school.urn);
    let started = Instant::now();
    loop {
        let read = observations(reader, &path).await?;
        match read.as_slice() {
            [it] if it.truth() == *truth => return Ok(()),
            _ if started.elapsed() < PATIENCE => sleep(PAUSE).await,
            other => bail!("school {}: {other:?} instead of {truth:?}", school.urn),
        }
    }
}

/// Compares every school, and the sums over all of them, which it gives.
pub(super) async fn check(
    server: &Server,
    england: &England,
    doors: &[Door],
    post: &Post,
) -> Result<Truth> {
    let mut reader = server.caller(None, &[Scope::IntelligenceRead]).await?;
    let mut all = Truth::default();
    for (door, schools) in doors.iter().zip(&england.trusts) {
        let expected = england.schools.iter().zip(&post.truths);
        let expected: Vec<(String, Truth)> = expected
            .skip(schools.start)
            .take(schools.len())
            .map(|(school, truth)| (school.urn.to_string(), *truth))
            .collect();
        let started = Instant::now();
        loop {
            let read = observations(&mut reader, &question(england, door)).await?;
            let read: Vec<_> = read.iter().map(|it| (it.urn.clone(), it.truth())).collect();
            if read == expected {
                break;
            }
            ensure!(started.elapsed() < PATIENCE, "{read:?} instead of {expected:?}");
            sleep(PAUSE).await;
        }
        all.attended += expected.iter().map(|it| it.1.attended).sum::<u64>();
        all.possible += expected.iter().map(|it| it.1.possible).sum::<u64>();
    }
    Ok(all)
}

/// Attendance in the week of the morning, of every school of a trust.
fn question(england: &England, door: &Door) -> String {
    let monday = Week::of(england.date).starts_on();
    format!(
        "/v1/trusts/{}/observations?measure=attendance&periodKind=PERIOD_KIND_WEEK&from={monday}&to={monday}&pageSize=1000",
        door.trust_id
    )
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Observation {
    urn: String,
    numerator: u64,
    denominator: u64,
}

impl Observation {
    fn truth(&self) -> Truth {
        Truth { attended: self.numerator, possible: self.denominator }
    }
}

async fn observations(reader: &mut Rest, path: &str) -> Result<Vec<Observation>> {
    #[derive(Deserialize)]
    struct Listed {
        observations: Vec<Observation>,
    }
    let listed: Listed = serde_json::from_slice(&reader.get_text(path).await?)?;
    Ok(listed.observations)
}
