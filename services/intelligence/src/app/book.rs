//! Reads what pushes touch into a book, and stores what they changed: by the same few statements however many pushes,
//! schools and trusts there are.

use std::collections::{BTreeMap, BTreeSet};

use calendar::{Term, Week};
use chrono::NaiveDate;
use db::Tx;
use identity::{SchoolId, TrustId};
use rpc::Result;

use crate::{
    domain::{Body, Book, Enrolment, Hash, PeriodKind, Roll, Slot},
    store::{self, Range},
};

/// A record about to be entered: the trust it came from, and the school it names, if any.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub trust_id: TrustId,
    pub school_id: Option<SchoolId>,
    pub body: &'a Body<Hash>,
}

/// Before everything anybody could tell of.
pub(super) const FIRST: NaiveDate = NaiveDate::from_ymd_opt(1900, 1, 1).unwrap();
/// After everything anybody could tell of.
pub(super) const LAST: NaiveDate = NaiveDate::from_ymd_opt(2999, 12, 31).unwrap();

/// Everything these records can touch, and what is counted from it.
pub(super) async fn open(tx: &mut Tx, today: NaiveDate, wanted: &[Wanted<'_>]) -> Result<Book> {
    let mut book = Book::default();
    let mut reach = Reach { today, terms: BTreeSet::new(), weeks: BTreeSet::new() };
    let mut schools: BTreeMap<SchoolId, TrustId> =
        wanted.iter().filter_map(|it| Some((it.school_id?, it.trust_id))).collect();
    let mut pupils = BTreeSet::new();
    let mut forgotten = BTreeSet::new();
    for it in wanted {
        if let Body::Pupil { pupil, deleted } = it.body {
            pupils.insert((it.trust_id, *pupil));
            if *deleted {
                forgotten.insert((it.trust_id, *pupil));
            }
        }
    }
    for (trust_id, pupil) in forgotten {
        for school_id in store::roll::naming(tx, trust_id, &pupil).await? {
            schools.insert(school_id, trust_id);
            reach.days(school_id, FIRST, None);
        }
    }
    let pupils: Vec<_> = pupils.into_iter().collect();
    for (trust_id, pupil) in store::pupil::told_of(tx, &pupils).await? {
        book.open_pupil(trust_id, pupil);
    }
    let ids: Vec<SchoolId> = schools.keys().copied().collect();
    let mut rolls: BTreeMap<SchoolId, Roll> =
        store::roll::of_schools(tx, &ids).await?.into_iter().collect();
    for (school_id, trust_id) in schools {
        book.open_school(school_id, trust_id, rolls.remove(&school_id).unwrap_or_default());
    }
    for it in wanted {
        let Some(school_id) = it.school_id else { continue };
        match it.body {
            Body::Register { date, .. } => reach.days(school_id, *date, Some(*date)),
            Body::Enrolment { pupil, enrolment, deleted, .. } => {
                if let Some(roll) = book.roll(school_id) {
                    reach.enrolment(school_id, roll, pupil, (enrolment, *deleted));
                }
            }
            Body::Pupil { .. } | Body::KeyChange { .. } | Body::Fact { .. } => {}
        }
    }
    reach.open(tx, &mut book).await?;
    Ok(book)
}

/// What has to be read of schools whose rolls are known.
#[derive(Debug)]
struct Reach {
    today: NaiveDate,
    /// First days of terms whose tallies may move.
    terms: BTreeSet<(SchoolId, NaiveDate, NaiveDate)>,
    /// Days on which marks may count otherwise, in whole weeks.
    weeks: BTreeSet<(SchoolId, NaiveDate, NaiveDate)>,
}

impl Reach {
    /// Days of a school on which anything may change; no registers are of the future.
    fn days(&mut self, school_id: SchoolId, from: NaiveDate, to: Option<NaiveDate>) {
        let to = to.unwrap_or(self.today).min(self.today);
        if from <= to {
            self.terms.insert((school_id, Term::of(from).starts_on(), to));
            let (first, last) = (Week::of(from).starts_on(), Week::of(to).ends_on());
            self.weeks.insert((school_id, first, last));
        }
    }

    /// The days on which an enrolment makes a difference. Who has no place on the roll has no marks stored.
    fn enrolment(
        &mut self,
        school_id: SchoolId,
        roll: &Roll,
        pupil: &Hash,
        (enrolment, deleted): (&Enrolment, bool),
    ) {
        let Some(index) = roll.index(pupil) else { return };
        let held = roll.held(index).iter().map(|it| &it.enrolment);
        let before = held.into_iter().find(|it| it.starts_on == enrolment.starts_on);
        let after = (!deleted).then_some(enrolment);
        if let Some((from, to)) = Enrolment::difference(before, after) {
            self.days(school_id, from, to);
        }
    }

    async fn open(mut self, tx: &mut Tx, book: &mut Book) -> Result<()> {
        let terms = store::tally::within(tx, &merged(&self.terms)).await?;
        for (school_id, term, folded) in terms {
            // When a later week begins, the one left out joins the tally.
            let week = Week::of(folded.to);
            self.weeks.insert((school_id, week.starts_on(), week.ends_on()));
            book.open_tally(school_id, term, folded);
        }
        let weeks = merged(&self.weeks);
        // Only who lost a place on a roll can have left anything.
        let left =
            weeks.iter().filter(|it| book.roll(it.school_id).is_some_and(Roll::has_forgotten));
        let left: Vec<Range> = left.copied().collect();
        for (slot, register) in store::register::within(tx, &weeks).await? {
            book.open_register(slot, register);
        }
        for (school_id, week, tally) in
            store::privacy::remainder::within(tx, PeriodKind::Week, &left).await?
        {
            book.open_left(school_id, week, tally);
        }
        Ok(())
    }
}

/// The same days in stretches that do not overlap.
pub(super) fn merged(days: &BTreeSet<(SchoolId, NaiveDate, NaiveDate)>) -> Vec<Range> {
    let mut ranges = Vec::<Range>::new();
    for (school_id, from, to) in days {
        match ranges.last_mut() {
            Some(last) if last.school_id == *school_id && *from <= last.to => {
                last.to = last.to.max(*to);
            }
            _ => ranges.push(Range { school_id: *school_id, from: *from, to: *to }),
        }
    }
    ranges
}

/// Stores what the book's pushes changed; `position_of` says where in the journal each was recorded.
pub(super) async fn save(
    tx: &mut Tx,
    book: &Book,
    position_of: impl Fn(usize) -> i64,
) -> Result<()> {
    let rolls: Vec<_> = book.changed_rolls().collect();
    store::roll::put_all(tx, &rolls, &position_of).await?;
    let registers: Vec<(Slot, TrustId, _, i64)> = book
        .changed_registers()
        .map(|(slot, trust_id, it, push)| (slot, trust_id, it, position_of(push)))
        .collect();
    store::register::put_all(tx, &registers).await?;
    store::week::put_all(tx, &book.changed_weeks().collect::<Vec<_>>()).await?;
    store::tally::put_all(tx, &book.changed_tallies().collect::<Vec<_>>()).await?;
    let (met, gone): (Vec<_>, Vec<_>) = book.changed_pupils().partition(|it| it.is_known);
    let met: Vec<_> =
        met.into_iter().map(|it| (it.trust_id, it.pupil, position_of(it.push))).collect();
    store::pupil::insert_all(tx, &met).await?;
    for it in gone {
        store::pupil::delete(tx, it.trust_id, &it.pupil).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
