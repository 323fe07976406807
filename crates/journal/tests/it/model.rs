//! The journal against the plainest model of it, a vector: any sequence of appends is answered alike, with the same
//! receipts on both databases.

use std::collections::HashMap;

use contract::registry::TrustCreated;
use journal::{Draft, Filter, Journal, events};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};
use rpc::{Ctx, Reason};
use testkit::{Database, setting};
use uuid::Uuid;

use crate::notes::{count, open};

const TRUSTS: u128 = 3;
const STREAMS: usize = 4;

/// One append that somebody tries.
#[derive(Clone, Copy, Debug)]
enum Try {
    /// The next event of a stream.
    Next { trust: u128, stream: usize },
    /// An event recorded earlier, as it was.
    Again { which: usize },
    /// Another event under the id of one recorded earlier, at the next version of its stream.
    Exchanged { which: usize },
    /// An event for a version that has been or that is not yet.
    Misplaced { trust: u128, stream: usize, by: i64 },
    /// A new event for the version of one recorded earlier.
    Late { which: usize },
    /// The process starts anew, remembering nothing.
    Restart,
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let of = (0..TRUSTS, 0..STREAMS);
    let one = prop_oneof![
        6 => of.clone().prop_map(|(trust, stream)| Try::Next { trust, stream }),
        2 => any::<usize>().prop_map(|which| Try::Again { which }),
        1 => any::<usize>().prop_map(|which| Try::Exchanged { which }),
        1 => any::<usize>().prop_map(|which| Try::Late { which }),
        1 => (of, prop_oneof![Just(-1), Just(1), Just(7)])
            .prop_map(|((trust, stream), by)| Try::Misplaced { trust, stream, by }),
        1 => Just(Try::Restart),
    ];
    vec(one, 1..40)
}

/// What was answered: the place, or the reason of the refusal.
type Answer = Result<(i64, i64), Reason>;

/// The log as anybody would explain it.
#[derive(Default)]
struct Model {
    log: Vec<(Offer, (i64, i64))>,
    trusts: HashMap<u128, i64>,
    versions: HashMap<usize, u32>,
    ids: u128,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Offer {
    id: Uuid,
    trust: u128,
    stream: usize,
    version: u32,
    name: String,
}

impl Offer {
    fn draft(&self) -> Draft {
        let note = TrustCreated { name: self.name.clone(), ..TrustCreated::default() };
        let (trust_id, stream) = (Uuid::from_u128(self.trust), format!("note/{}", self.stream));
        Draft::new(self.id, trust_id, stream, self.version, &note)
    }
}

impl Model {
    /// The event that a try offers; nothing where it needs an earlier one and there is none.
    fn offer(&mut self, it: Try) -> Option<Offer> {
        self.ids += 1;
        let id = Uuid::from_u128(self.ids);
        let name = format!("{id}");
        let earlier = |which: usize| self.log.get(which % self.log.len().max(1)).map(|it| &it.0);
        let next = |stream: &usize| self.versions.get(stream).copied().unwrap_or(0) + 1;
        Some(match it {
            Try::Restart => return None,
            Try::Next { trust, stream } => {
                Offer { id, trust, stream, version: next(&stream), name }
            }
            Try::Again { which } => earlier(which)?.clone(),
            Try::Exchanged { which } => {
                let earlier = earlier(which)?;
                Offer { name, version: next(&earlier.stream), ..earlier.clone() }
            }
            Try::Late { which } => Offer { id, name, ..earlier(which)?.clone() },
            Try::Misplaced { trust, stream, by } => {
                let version =
                    u32::try_from(i64::from(next(&stream)) + by).ok().filter(|it| *it > 0)?;
                Offer { id, trust, stream, version, name }
            }
        })
    }

    fn append(&mut self, offer: Offer) -> Answer {
        let same = |it: &&(Offer, (i64, i64))| it.0.trust == offer.trust && it.0.id == offer.id;
        if let Some((known, place)) = self.log.iter().find(same) {
            return if *known == offer { Ok(*place) } else { Err(Reason::AlreadyExists) };
        }
        let version = self.versions.entry(offer.stream).or_default();
        if offer.version != *version + 1 {
            return Err(Reason::VersionStale);
        }
        *version += 1;
        let trust_position = self.trusts.entry(offer.trust).or_default();
        *trust_position += 1;
        let place = (i64::try_from(self.log.len()).unwrap() + 1, *trust_position);
        self.log.push((offer, place));
        Ok(place)
    }
}

async fn answer(journal: &Journal, offer: &Offer) -> Answer {
    let receipt = journal.append(&Ctx::system("test"), offer.draft()).await;
    receipt.map(|it| (it.position, it.trust_position)).map_err(|it| it.reason)
}

/// What is there at the end is what the model holds, for the platform and for each trust.
async fn compare(journal: &Journal, model: &Model) {
    let mut tx = journal.db().read().await.unwrap();
    let all = events(&mut tx, 0, &Filter::default(), 1000).await.unwrap();
    let found: Vec<_> = all.iter().map(|it| (it.event_id, it.position)).collect();
    let expected: Vec<_> = model.log.iter().map(|(offer, place)| (offer.id, place.0)).collect();
    assert_eq!(found, expected);
    for trust in 0..TRUSTS {
        let trust_id = Some(Uuid::from_u128(trust));
        let mut tx = journal.db().read_as(trust_id.into()).await.unwrap();
        let filter = Filter { trust_id, ..Filter::default() };
        let own = events(&mut tx, 0, &filter, 1000).await.unwrap();
        let found: Vec<_> = own.iter().map(|it| (it.event_id, it.trust_position)).collect();
        let expected: Vec<_> = model.log.iter().filter(|(offer, _)| offer.trust == trust).collect();
        let expected: Vec<_> = expected.iter().map(|(it, place)| (it.id, place.1)).collect();
        assert_eq!(found, expected, "the feed of trust {trust}");
        // Dense from 1, whatever others did: a trust learns nothing of them from its own numbers.
        assert_eq!(found.iter().map(|it| it.1).collect::<Vec<_>>(), dense(found.len()));
    }
    assert_eq!(count(journal.db()).await, i64::try_from(model.log.len()).unwrap());
    assert_eq!(journal::verify(journal).await.unwrap().1, []);
}

fn dense(length: usize) -> Vec<i64> {
    (1..=i64::try_from(length).unwrap()).collect()
}

async fn play(tries: &[Try]) {
    let databases = [Database::sqlite(), Database::postgres().await];
    let mut journals = [open(&databases[0], "notes").await, open(&databases[1], "notes").await];
    let mut model = Model::default();
    for it in tries {
        if let Try::Restart = it {
            for (journal, database) in journals.iter_mut().zip(&databases) {
                journal.db().close().await;
                *journal = open(database, "notes").await;
            }
        }
        let Some(offer) = model.offer(*it) else { continue };
        let expected = model.append(offer.clone());
        for journal in &journals {
            assert_eq!(answer(journal, &offer).await, expected, "{it:?}: {offer:?}");
        }
    }
    for journal in &journals {
        compare(journal, &model).await;
        journal.db().close().await;
    }
}

fn runner(cases: u64) -> TestRunner {
    let cases = u32::try_from(cases).unwrap();
    TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() })
}

/// Sequences played: 200 is the full length.
fn length() -> u64 {
    setting("HEADWAY_MODEL_CASES", 12)
}

#[test]
fn any_sequence_is_answered_as_the_model_does() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let play = |tries: Vec<Try>| {
        runtime.block_on(play(&tries));
        Ok(())
    };
    runner(length()).run(&tries(), play).unwrap();
}

/// Appends of several callers in two processes, let go together: whatever order they end up in, the log is dense, every
/// trust's feed is dense by itself, and each version has one winner, whose receipt is its place.
async fn interleave(writers: &[Vec<(u128, usize)>], database: Database) {
    let processes = [open(&database, "notes").await, open(&database, "notes").await];
    let mut tasks = tokio::task::JoinSet::new();
    for (number, moves) in writers.iter().cloned().enumerate() {
        let journal = processes[number % 2].clone();
        tasks.spawn(async move {
            let mut won = Vec::new();
            let mut guesses: HashMap<usize, u32> = HashMap::new();
            for (step, (trust, stream)) in moves.into_iter().enumerate() {
                let version = guesses.entry(stream).or_insert(1);
                let id = Uuid::from_u128(u128::try_from(number * 1000 + step).unwrap());
                let name = id.to_string();
                let offer = Offer { id, trust, stream, version: *version, name };
                let answer = answer(&journal, &offer).await;
                if let Ok((position, _)) = answer {
                    won.push((position, id));
                }
                // Won or lost, this version is over.
                *version += 1;
            }
            won
        });
    }
    let mut won: Vec<(i64, Uuid)> = tasks.join_all().await.concat();
    won.sort_unstable();
    let journal = &processes[0];
    let mut tx = journal.db().read().await.unwrap();
    let all = events(&mut tx, 0, &Filter::default(), 10_000).await.unwrap();
    assert_eq!(all.iter().map(|it| (it.position, it.event_id)).collect::<Vec<_>>(), won);
    let (mut trusts, mut versions) = (HashMap::<_, i64>::new(), HashMap::<_, u32>::new());
    for (event, position) in all.iter().zip(1..) {
        let trust = trusts.entry(event.trust_id).or_default();
        let version = versions.entry(event.stream.as_str()).or_default();
        (*trust, *version) = (*trust + 1, *version + 1);
        let expected = (position, *trust, *version);
        assert_eq!((event.position, event.trust_position, event.version), expected);
    }
    drop(tx);
    for it in processes {
        it.db().close().await;
    }
}

#[test]
fn any_interleaving_leaves_a_dense_log_and_dense_feeds() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let writers = vec(vec((0..TRUSTS, 0..STREAMS), 1..15), 2..6);
    let play = |writers: Vec<Vec<(u128, usize)>>| {
        runtime.block_on(async {
            interleave(&writers, Database::sqlite()).await;
            interleave(&writers, Database::postgres().await).await;
        });
        Ok(())
    };
    runner(length()).run(&writers, play).unwrap();
}
