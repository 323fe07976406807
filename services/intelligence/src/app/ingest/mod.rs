//! Pushes that queued together are entered together: what they touch is read by a few statements for all, the records
//! are entered in the order they came, and what changed is stored by a few statements for all.

mod admit;
mod enter;
mod life;
mod piece;
mod share;
mod strike;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, MutexGuard, PoisonError},
};

use calendar::Week;
use chrono::NaiveDate;
use db::Tx;
use futures::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, ready},
};
use identity::{SchoolId, TrustId};
use journal::{Gather, Journal};
use rpc::{Ctx, Error, Result};
use tokio::task::spawn_blocking;

use self::{admit::Admitted, enter::Entered};
pub(super) use self::{
    life::gone,
    piece::{NAME, Piece},
};
use super::{
    App, Generations,
    authority::{self, Feeds},
    book, facts,
};
use crate::{
    domain::{
        Arrival, Batch, Body, Book, Facts, Feed, Hash, Outcome, Record, RecordResult, Schools,
        Snapshot, Unconfirmed,
    },
    pupil_key::MasterKeys,
    store,
};

/// Records and marks entered at once at the most.
const LOAD: usize = 250_000;

/// Records on their way into a feed the caller may push into, with pupils by the vendor's id (`String`) or hashed.
#[derive(Debug)]
pub(crate) struct Push<P = String> {
    pub feed: Feed,
    pub dry_run: bool,
    pub arrival: Arrival,
    /// What the records are all of.
    pub snapshot: Option<Snapshot>,
    pub records: Vec<Record<P>>,
    /// With how many keys ids are hashed; 0 where they are not.
    pub generation: u32,
    /// Rows of a file that held no record for the feed.
    pub skipped_rows: u32,
    /// Of which received batch it is a part; none if it is the whole of one.
    pub piece: Option<Piece>,
}

/// How pushes are entered.
#[derive(Debug)]
pub(super) struct Ingest {
    journal: Journal,
    feeds: Arc<Feeds>,
    keys: MasterKeys,
    generations: Generations,
}

/// With how many keys ids of trusts were hashed when that was last read.
fn known(generations: &Generations) -> MutexGuard<'_, HashMap<TrustId, u32>> {
    generations.lock().unwrap_or_else(PoisonError::into_inner)
}

impl App {
    pub(crate) async fn push(&self, ctx: &Ctx, push: Push) -> Result<Batch> {
        let Push { feed, dry_run, arrival, snapshot, records, skipped_rows, piece, .. } = push;
        let trust_id = feed.trust_id;
        let generation = known(&self.generations).get(&trust_id).copied().unwrap_or(1);
        let records = self.keys.of_trust(trust_id, generation)?.hashed(records);
        let push =
            Push { feed, dry_run, arrival, snapshot, records, generation, skipped_rows, piece };
        self.journal.gather(ctx, &self.ingest, push).await
    }
}

impl Push<Hash> {
    /// Whether it is entered by itself: a dry run, for nobody may see what it did, and what looks at more than its
    /// records name.
    fn is_alone(&self) -> bool {
        let is_key_change = |it: &Record<Hash>| matches!(it.body, Ok(Body::KeyChange { .. }));
        self.dry_run || self.snapshot.is_some() || self.records.iter().any(is_key_change)
    }
}

impl Gather for Ingest {
    type Input = Push<Hash>;
    type Answer = Batch;
    const LOAD: usize = LOAD;

    fn weight(&self, push: &Push<Hash>) -> usize {
        if push.is_alone() {
            return LOAD;
        }
        let bodies = push.records.iter().filter_map(|it| it.body.as_ref().ok());
        let pupils: usize = bodies.map(|it| it.pupils().count()).sum();
        push.records.len() + pupils
    }

    fn run<'t>(
        &'t self,
        tx: &'t mut Tx,
        asked: Vec<(&'t Ctx, &'t Push<Hash>)>,
    ) -> BoxFuture<'t, Result<Vec<Result<Batch>>>> {
        Box::pin(async move {
            let mut answers = piece::answered(tx, &asked).await?;
            let changed = self.feeds.changed(tx, asked.iter().map(|it| &it.1.feed)).await?;
            for ((_, push), answer) in asked.iter().zip(&mut answers) {
                if answer.is_none() && changed.contains(&push.feed.feed_id) {
                    *answer = Some(Err(authority::refused()));
                }
            }
            let open = asked.into_iter().zip(&answers).filter(|(_, answer)| answer.is_none());
            let open: Vec<_> = open.map(|(asked, _)| asked).collect();
            let mut batches = self.enter(tx, &open).await?.into_iter();
            for answer in answers.iter_mut().filter(|it| it.is_none()) {
                *answer = batches.next().map(Ok);
            }
            Ok(answers.into_iter().flatten().collect())
        })
    }
}

/// The records of one push, and those made beside them.
struct Sheet {
    trust_id: TrustId,
    records: Vec<Admitted>,
    /// Entered before the push: what a change of a key moves.
    before: Vec<(SchoolId, Body<Hash>)>,
    /// Entered after the push: what a snapshot deletes.
    after: Vec<(SchoolId, Body<Hash>)>,
    /// What is told of that.
    removed: Vec<RecordResult>,
    /// What became of records that were dealt with beforehand, by their index.
    decided: BTreeMap<usize, Outcome>,
    /// Changes of keys to be kept.
    renamed: Vec<(Hash, Hash)>,
    /// What a snapshot would have deleted, had that been confirmed.
    unconfirmed: Option<Unconfirmed>,
    /// How many results were told of parts before.
    told: u32,
}

impl Sheet {
    fn new(trust_id: TrustId, records: Vec<Admitted>, told: u32) -> Self {
        Self {
            trust_id,
            records,
            before: Vec::new(),
            after: Vec::new(),
            removed: Vec::new(),
            decided: BTreeMap::new(),
            renamed: Vec::new(),
            unconfirmed: None,
            told,
        }
    }
}

/// What some pushes touch, as it is stored.
struct Opened {
    schools: HashMap<TrustId, Schools>,
    sheets: Vec<Sheet>,
    book: Book,
    facts: Facts,
}

/// What they make of it.
struct Decided {
    opened: Opened,
    entered: Vec<Entered>,
}

impl Opened {
    async fn read(ingest: &Ingest, tx: &mut Tx, asked: &[(&Ctx, &Push<Hash>)]) -> Result<Self> {
        let today = asked.first().map_or(NaiveDate::MIN, |it| it.0.today());
        let mut schools = schools(tx, asked).await?;
        let sheets = ingest.sheets(tx, asked, &mut schools).await?;
        let wanted: Vec<_> = sheets
            .iter()
            .flat_map(|sheet| enter::wanted(sheet).map(|it| (sheet.trust_id, it)))
            .map(|(trust_id, (school_id, body))| book::Wanted { trust_id, school_id, body })
            .collect();
        let book = book::open(tx, today, &wanted).await?;
        let facts = facts::open(tx, &wanted).await?;
        Ok(Self { schools, sheets, book, facts })
    }

    fn decide(mut self) -> Decided {
        let entered = enter::all(&mut self.book, &mut self.facts, &self.sheets);
        Decided { opened: self, entered }
    }
}

fn pick<'t>(
    asked: &[(&'t Ctx, &'t Push<Hash>)],
    share: &[usize],
) -> Vec<(&'t Ctx, &'t Push<Hash>)> {
    share.iter().filter_map(|it| asked.get(*it).copied()).collect()
}

impl Ingest {
    pub(super) fn new(
        journal: Journal,
        feeds: Arc<Feeds>,
        (keys, generations): (MasterKeys, Generations),
    ) -> Arc<Self> {
        Arc::new(Self { journal, feeds, keys, generations })
    }

    /// Enters pushes; gives their batches in the same order.
    async fn enter(&self, tx: &mut Tx, asked: &[(&Ctx, &Push<Hash>)]) -> Result<Vec<Batch>> {
        let weights = asked.iter().map(|(_, push)| (push.feed.trust_id, self.weight(push)));
        let shares = share::shares(weights);
        // By itself, a share has nothing to be decided beside.
        let is_one = shares.len() == 1;
        let mut batches = Vec::with_capacity(asked.len());
        let mut under_way = None;
        for share in shares {
            let opened = Opened::read(self, tx, &pick(asked, &share)).await?;
            let deciding = if is_one {
                ready(Ok(opened.decide())).boxed()
            } else {
                spawn_blocking(|| opened.decide()).map_err(Error::internal).boxed()
            };
            if let Some(before) = under_way.replace((share, deciding)) {
                batches.extend(self.finish(tx, asked, before).await?);
            }
        }
        if let Some(last) = under_way {
            batches.extend(self.finish(tx, asked, last).await?);
        }
        batches.sort_unstable_by_key(|it| it.0);
        Ok(batches.into_iter().map(|it| it.1).collect())
    }

    /// Stores a share once it is decided on; gives its batches by the numbers of their pushes.
    async fn finish(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        (share, deciding): (Vec<usize>, BoxFuture<'_, Result<Decided>>),
    ) -> Result<impl Iterator<Item = (usize, Batch)>> {
        let made = self.store(tx, &pick(asked, &share), &deciding.await?).await?;
        Ok(share.into_iter().zip(made))
    }

    /// Stores what a share of the pushes changed, and what became of them.
    async fn store(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        decided: &Decided,
    ) -> Result<Vec<Batch>> {
        let Decided { opened: Opened { schools, sheets, book, facts }, entered } = decided;
        let (batches, positions) = self.told(tx, asked, (sheets, entered)).await?;
        // Dry runs are run alone.
        if asked.iter().any(|it| it.1.dry_run) {
            return Ok(batches);
        }
        let last = positions.last().copied().unwrap_or_default();
        let position_of = |push: usize| positions.get(push).copied().unwrap_or(last);
        book::save(tx, book, position_of).await?;
        facts::save(tx, facts, position_of).await?;
        life::keep(tx, (book, facts), &batches, (sheets, entered), position_of).await?;
        self.signal(tx, asked, (book, schools)).await?;
        Ok(batches)
    }

    /// Records what became of every push, and keeps what became of its records; gives the position of each.
    async fn told(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        (sheets, entered): (&[Sheet], &[Entered]),
    ) -> Result<(Vec<Batch>, Vec<i64>)> {
        let mut batches = Vec::with_capacity(asked.len());
        let mut decided = Vec::with_capacity(asked.len());
        for (((ctx, push), sheet), entered) in asked.iter().zip(sheets).zip(entered) {
            let (batch, drafts) = piece::told(tx, ctx, push, (sheet, &entered.results)).await?;
            decided.push((*ctx, drafts));
            batches.push(batch);
        }
        let recorded = self.journal.record_all(tx, decided).await?;
        let mut positions = Vec::with_capacity(asked.len());
        for ((batch, events), (_, push)) in batches.iter_mut().zip(recorded).zip(asked) {
            let (Some(first), Some(last)) = (events.first(), events.last()) else {
                return Err(Error::internal("nothing was recorded of a push"));
            };
            if push.piece.is_none() {
                batch.received_at = first.recorded_at;
            }
            batch.applied_at = batch.applied_at.map(|_| last.recorded_at);
            positions.push(last.position);
        }
        let kept = batches.iter().zip(entered).map(|(batch, it)| (batch, it.results.as_slice()));
        store::batch::keep_results(tx, &kept.collect::<Vec<_>>()).await?;
        piece::advance(tx, asked, entered).await?;
        Ok((batches, positions))
    }

    /// Raises signals for the schools of which a complete week has changed.
    async fn signal(
        &self,
        tx: &mut Tx,
        asked: &[(&Ctx, &Push<Hash>)],
        (book, schools): (&Book, &HashMap<TrustId, Schools>),
    ) -> Result<()> {
        let by_trust: HashMap<TrustId, &Ctx> =
            asked.iter().map(|(ctx, push)| (push.feed.trust_id, *ctx)).collect();
        let mut changed = BTreeSet::new();
        for (school_id, trust_id, week, _) in book.changed_weeks() {
            let Some(ctx) = by_trust.get(&trust_id) else { continue };
            if week < Week::of(ctx.today()).starts_on() {
                changed.insert((trust_id, school_id));
            }
        }
        let mut decided = Vec::new();
        for (trust_id, school_id) in changed {
            let Some(ctx) = by_trust.get(&trust_id) else { continue };
            let known = schools.get(&trust_id).and_then(|it| it.get(school_id));
            let school = match known {
                Some(school) => Some(school.clone()),
                None => store::school::get(tx, school_id).await?,
            };
            let Some(school) = school else { continue };
            let draft = super::signal::raise(tx, ctx, &school).await?;
            decided.extend(draft.map(|it| (*ctx, vec![it])));
        }
        if !decided.is_empty() {
            self.journal.record_all(tx, decided).await?;
        }
        Ok(())
    }
}

/// The schools that records of any push name.
async fn schools(tx: &mut Tx, asked: &[(&Ctx, &Push<Hash>)]) -> Result<HashMap<TrustId, Schools>> {
    let mut named = BTreeSet::new();
    for (_, push) in asked {
        let bodies = push.records.iter().filter_map(|it| it.body.as_ref().ok());
        let schools = bodies.filter_map(|it| it.school());
        named.extend(schools.map(|(it, _)| (push.feed.trust_id, Schools::plain(it))));
    }
    store::school::named(tx, &named.into_iter().collect::<Vec<_>>()).await
}
