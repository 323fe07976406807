//! Records that waited until their deadline: they are rejected, and what still waits is dropped.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use db::Tx;
use identity::SchoolId;
use rpc::{Ctx, Error, Reason, Result};

use super::{
    App,
    book::{self, Wanted},
    facts,
    ingest::gone,
    rekey::Aliases,
};
use crate::{
    domain::{
        Batch, BatchId, Body, Book, Complaint, Facts, From, Hash, Kind, Mark, Outcome, Parked,
        ParkedState, Session, Slot,
    },
    store,
};

/// Records looked at in one step.
const STEP: i64 = 500;

impl App {
    /// Ends the wait of some records whose deadline has passed; says how many.
    pub(super) async fn expire_parked(&self, now: DateTime<Utc>) -> Result<u64> {
        let ctx = Ctx { now, ..Ctx::system(crate::NAME) };
        let (app, context) = (self.clone(), ctx.clone());
        self.journal
            .write(&ctx, move |tx| Box::pin(async move { app.expire(tx, &context).await }))
            .await
    }

    async fn expire(&self, tx: &mut Tx, ctx: &Ctx) -> Result<u64> {
        journal::lock(tx).await?;
        let due = store::parked::due(tx, ctx.now, STEP).await?;
        if due.is_empty() {
            return Ok(0);
        }
        let bodies: Vec<Option<Body<Hash>>> = due.iter().map(taking_back).collect();
        let pairs = due.iter().zip(&bodies).filter_map(|(it, body)| Some((it, body.as_ref()?)));
        let wanted: Vec<Wanted<'_>> = pairs
            .map(|(it, body)| Wanted { trust_id: it.trust_id, school_id: it.school_id, body })
            .collect();
        let mut book = book::open(tx, ctx.today(), &wanted).await?;
        let mut facts = waiting_facts(tx, &due).await?;
        let renewed = renewed(tx, &due).await?;
        let batches: BTreeSet<BatchId> = due.iter().map(|it| it.batch_id).collect();
        let batches: Vec<BatchId> = batches.into_iter().collect();
        let mut ended = BTreeMap::<BatchId, Vec<(&Parked, Vec<Hash>)>>::new();
        for it in &due {
            let waiting = match (slot(it), it.school_id) {
                (Some(slot), _) => it.waiting(|pupil| book.waits(&slot, pupil)),
                (None, Some(school_id)) => it.waiting(|pupil| {
                    !facts.waiting((school_id, it.kind), pupil, it.date).is_empty()
                }),
                (None, None) => unknown(tx, it).await?,
            };
            if waiting.is_empty() {
                store::parked::settle(tx, it, ParkedState::Resolved, ctx.now).await?;
            } else {
                ended.entry(it.batch_id).or_default().push((it, waiting));
            }
        }
        let mut dropped = drop_waiting(&mut book, &batches, &ended, &renewed);
        drop_facts(&mut facts, &batches, &ended, (&renewed, &mut dropped));
        book.settle();
        let mut held = store::batch::any(tx, &batches).await?;
        let mut drafts = Vec::new();
        let mut places = BTreeMap::new();
        for (batch_id, records) in &ended {
            let Some(batch) = held.remove(batch_id) else { continue };
            let count = u32::try_from(records.len()).map_err(Error::internal)?;
            let Some(batch) = batch.expired(count) else { continue };
            reject(tx, &batch, records).await?;
            places.insert(*batch_id, drafts.len());
            let marks = dropped.get(batch_id).copied().unwrap_or_default();
            drafts.push(store::event::batch::parked_expired(&batch, count, marks, ctx.new_id()));
        }
        let events = self.journal.record(tx, ctx, drafts).await?;
        let last = events.last().map_or(0, |it| it.position);
        let position_of = |push: usize| {
            let place = batches.get(push).and_then(|it| places.get(it));
            place.and_then(|it| events.get(*it)).map_or(last, |it| it.position)
        };
        book::save(tx, &book, position_of).await?;
        facts::save(tx, &facts, position_of).await?;
        let gone = gone((&book, &facts), position_of, ctx.now)?;
        store::change::bury(tx, &gone).await?;
        for (it, _) in ended.into_values().flatten() {
            store::parked::settle(tx, it, ParkedState::Expired, ctx.now).await?;
        }
        Ok(due.len() as u64)
    }
}

/// The record that takes back what a parked register left.
fn taking_back(it: &Parked) -> Option<Body<Hash>> {
    let Slot { date, session, .. } = slot(it)?;
    let marks = it.waits.iter().map(|it| Mark { pupil: it.pupil, code: None }).collect();
    Some(Body::Register { urn: String::new(), date, session, marks })
}

/// The pupil of a change of a key, if neither id has been heard of; then the change holds no more.
async fn unknown(tx: &mut Tx, it: &Parked) -> Result<Vec<Hash>> {
    let aliases = store::pupil::aliases(tx, &[it.trust_id]).await?;
    let aliases = Aliases::new(aliases.into_iter().map(|it| (it.1, it.2)));
    let mut unknown = Vec::new();
    for wait in &it.waits {
        let now = aliases.resolve(wait.pupil);
        let facts = store::fact::of_people_anywhere(tx, &[(it.trust_id, now)]).await?;
        if facts.is_empty() && store::roll::naming(tx, it.trust_id, &now).await?.is_empty() {
            store::pupil::forget_alias(tx, it.trust_id, &wait.pupil).await?;
            unknown.push(wait.pupil);
        }
    }
    Ok(unknown)
}

fn slot(it: &Parked) -> Option<Slot> {
    Some(Slot { school_id: it.school_id?, date: it.date, session: it.session? })
}

/// Where something waits: school, kind, day and session.
type Waited = (Option<SchoolId>, Kind, NaiveDate, Option<Session>);

fn waited(it: &Parked) -> Waited {
    (it.school_id, it.kind, it.date, it.session)
}

/// The facts of the pupils for whom facts wait.
async fn waiting_facts(tx: &mut Tx, due: &[Parked]) -> Result<Facts> {
    let of_facts = due.iter().filter(|it| it.session.is_none());
    let pairs = of_facts.filter_map(|it| Some((it.school_id?, it)));
    let people: BTreeSet<(SchoolId, Hash)> = pairs
        .flat_map(|(school_id, it)| it.waits.iter().map(move |it| (school_id, it.pupil)))
        .collect();
    let people: Vec<_> = people.into_iter().collect();
    let mut facts = Facts::default();
    for (key, fact) in store::fact::of_people(tx, &people).await? {
        facts.open(key, fact);
    }
    Ok(facts)
}

/// Takes back facts that nobody said again.
fn drop_facts(
    facts: &mut Facts,
    batches: &[BatchId],
    ended: &BTreeMap<BatchId, Vec<(&Parked, Vec<Hash>)>>,
    (renewed, dropped): (&BTreeSet<(Waited, Hash)>, &mut BTreeMap<BatchId, u32>),
) {
    for (push, batch_id) in batches.iter().enumerate() {
        for (it, waiting) in ended.get(batch_id).into_iter().flatten() {
            let (Some(school_id), None) = (it.school_id, it.session) else { continue };
            for pupil in waiting.iter().filter(|pupil| !renewed.contains(&(waited(it), **pupil))) {
                for fact in facts.waiting((school_id, it.kind), pupil, it.date) {
                    facts.apply(push, it.trust_id, school_id, &fact);
                    *dropped.entry(*batch_id).or_default() += 1;
                }
            }
        }
    }
}

/// What later pushes said again, which have deadlines of their own.
async fn renewed(tx: &mut Tx, due: &[Parked]) -> Result<BTreeSet<(Waited, Hash)>> {
    let ended: BTreeSet<_> = due.iter().map(|it| (it.batch_id, it.ordinal)).collect();
    let schools: BTreeSet<_> = due.iter().filter_map(|it| it.school_id).collect();
    let schools: Vec<_> = schools.into_iter().collect();
    let waiting = store::parked::waiting(tx, &schools).await?;
    let others = waiting.iter().filter(|it| !ended.contains(&(it.batch_id, it.ordinal)));
    Ok(others.flat_map(|it| it.waits.iter().map(|wait| (waited(it), wait.pupil))).collect())
}

/// Takes back what nobody said again; says how many marks of each batch.
fn drop_waiting(
    book: &mut Book,
    batches: &[BatchId],
    ended: &BTreeMap<BatchId, Vec<(&Parked, Vec<Hash>)>>,
    renewed: &BTreeSet<(Waited, Hash)>,
) -> BTreeMap<BatchId, u32> {
    let mut dropped = BTreeMap::new();
    for (push, batch_id) in batches.iter().enumerate() {
        for (it, waiting) in ended.get(batch_id).into_iter().flatten() {
            let Some(slot) = slot(it) else { continue };
            let pupils = waiting.iter().filter(|pupil| !renewed.contains(&(waited(it), **pupil)));
            let marks: Vec<_> = pupils.map(|it| Mark { pupil: *it, code: None }).collect();
            *dropped.entry(*batch_id).or_default() +=
                u32::try_from(marks.len()).unwrap_or(u32::MAX);
            let from = From { push, trust_id: it.trust_id, school_id: it.school_id };
            let Slot { date, session, .. } = slot;
            book.apply(from, &Body::Register { urn: String::new(), date, session, marks });
        }
    }
    dropped
}

/// Turns the results of records that waited in vain.
async fn reject(tx: &mut Tx, batch: &Batch, records: &[(&Parked, Vec<Hash>)]) -> Result<()> {
    for (it, waiting) in records {
        let Some(mut stretch) = store::batch::results_from(tx, batch.batch_id, it.ordinal).await?
        else {
            continue;
        };
        if let Some(result) = stretch.iter_mut().find(|result| result.ordinal == it.ordinal) {
            result.outcome = Outcome::Rejected;
            let left = it.waits.iter().filter(|it| waiting.contains(&it.pupil));
            result.problems = left
                .map(|wait| Complaint {
                    pointer: it.pointer(wait),
                    reason: Reason::PupilUnknown.into(),
                    detail: it.expiry(),
                })
                .collect();
        }
        store::batch::keep_results(tx, &[(batch, &stretch)]).await?;
    }
    Ok(())
}
