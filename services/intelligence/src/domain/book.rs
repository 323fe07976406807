//! The schools that pushes touch, of however many trusts: read beforehand, changed record by record, stored after.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use identity::{SchoolId, TrustId};

use crate::domain::{
    Body, Folded, Hash, Ledger, Outcome, Register, Remainder, Removed, Roll, Session, Summary,
    Tally,
};

/// Which register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    pub school_id: SchoolId,
    pub date: NaiveDate,
    pub session: Session,
}

/// Whether a pupil was told of in a record of its own, and is.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    before: bool,
    now: bool,
    by: usize,
}

/// A pupil who was told of for the first time, or forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChangedPupil {
    pub trust_id: TrustId,
    pub pupil: Hash,
    pub is_known: bool,
    /// The push that changed it.
    pub push: usize,
}

/// Where a record speaks of, and in which push it came: a number of the caller's, by which what it changed is told of.
#[derive(Clone, Copy, Debug)]
pub struct From {
    pub push: usize,
    pub trust_id: TrustId,
    /// The school, where the record names one.
    pub school_id: Option<SchoolId>,
}

#[derive(Debug, Default)]
pub struct Book {
    ledgers: BTreeMap<SchoolId, Ledger>,
    pupils: BTreeMap<(TrustId, Hash), Told>,
    forgotten: BTreeMap<(TrustId, Hash), usize>,
}

impl Book {
    /// A school's roll as it is stored. Everything else of a school is opened after it.
    pub fn open_school(&mut self, school_id: SchoolId, trust_id: TrustId, roll: Roll) {
        self.ledgers.entry(school_id).or_insert_with(|| Ledger::new(trust_id, roll));
    }

    /// A register as it is stored. Of a week in which anything changes, all have to be opened.
    pub fn open_register(&mut self, slot: Slot, register: Register) {
        if let Some(ledger) = self.ledgers.get_mut(&slot.school_id) {
            ledger.open_register(slot.date, slot.session, register);
        }
    }

    /// A term's tally as it is stored.
    pub fn open_tally(&mut self, school_id: SchoolId, term: NaiveDate, folded: Folded) {
        if let Some(ledger) = self.ledgers.get_mut(&school_id) {
            ledger.terms.entry(term).or_insert(folded);
        }
    }

    /// What pupils count as in a week who are not known any more.
    pub fn open_left(&mut self, school_id: SchoolId, week: NaiveDate, tally: Tally) {
        if let Some(ledger) = self.ledgers.get_mut(&school_id) {
            ledger.open_left(week, tally);
        }
    }

    /// Erases a pupil of a trust, counted up to a day; gives for each school what figures go on counting, and how many
    /// enrolments and marks went. Whoever deletes a pupil is to have everything opened that this touches.
    pub fn erase(
        &mut self,
        push: usize,
        (trust_id, pupil): (TrustId, &Hash),
        until: NaiveDate,
    ) -> Vec<(SchoolId, Remainder, usize, usize)> {
        let own = self.ledgers.iter_mut().filter(|(_, it)| it.trust_id == trust_id);
        let left = own.filter_map(|(school_id, ledger)| {
            let (remainder, enrolments, marks) = ledger.erase(push, pupil, until)?;
            Some((*school_id, remainder, enrolments, marks))
        });
        let left = left.collect();
        self.forget(push, trust_id, *pupil);
        left
    }

    /// A pupil who was told of in a record of its own.
    pub fn open_pupil(&mut self, trust_id: TrustId, pupil: Hash) {
        let told = Told { before: true, now: true, by: 0 };
        self.pupils.entry((trust_id, pupil)).or_insert(told);
    }

    pub fn roll(&self, school_id: SchoolId) -> Option<&Roll> {
        self.ledgers.get(&school_id).map(|it| &it.roll)
    }

    /// Enters one record.
    pub fn apply(&mut self, from: From, body: &Body<Hash>) -> Outcome {
        let From { push, trust_id, school_id } = from;
        match body {
            Body::Pupil { pupil, deleted: false } => self.meet(push, trust_id, *pupil),
            Body::Pupil { pupil, deleted: true } => self.forget(push, trust_id, *pupil),
            Body::Enrolment { pupil, enrolment, deleted, .. } => {
                let ledger = school_id.and_then(|it| self.ledgers.get_mut(&it));
                ledger.map_or(Outcome::Rejected, |it| it.enrol(push, *pupil, enrolment, *deleted))
            }
            Body::Register { date, session, marks, .. } => {
                let ledger = school_id.and_then(|it| self.ledgers.get_mut(&it));
                ledger.map_or(Outcome::Rejected, |it| it.mark(push, (*date, *session), marks))
            }
            // Entered before, for it changes how all others are read.
            Body::KeyChange { .. } => Outcome::Unchanged,
            Body::Fact { .. } => Outcome::Rejected,
        }
    }

    /// Counts what changed. Once, when every record is in.
    pub fn settle(&mut self) {
        self.ledgers.values_mut().for_each(Ledger::settle);
    }

    /// Whether a pupil's mark is there and waits for an enrolment.
    pub fn waits(&self, slot: &Slot, pupil: &Hash) -> bool {
        let ledger = self.ledgers.get(&slot.school_id);
        ledger.is_some_and(|it| it.waits(slot.date, slot.session, pupil))
    }

    pub fn changed_rolls(&self) -> impl Iterator<Item = (SchoolId, TrustId, &Roll)> {
        let changed = self.ledgers.iter().filter(|(_, it)| it.is_roll_changed);
        changed.map(|(school_id, it)| (*school_id, it.trust_id, &it.roll))
    }

    /// Each with the push that changed it last; one without marks is to be stored no more.
    pub fn changed_registers(&self) -> impl Iterator<Item = (Slot, TrustId, &Register, usize)> {
        self.ledgers.iter().flat_map(|(school_id, ledger)| {
            ledger.changed_registers().map(|(date, session, register, push)| {
                (Slot { school_id: *school_id, date, session }, ledger.trust_id, register, push)
            })
        })
    }

    /// Terms by school and first day.
    pub fn changed_tallies(&self) -> impl Iterator<Item = (SchoolId, TrustId, NaiveDate, &Folded)> {
        self.ledgers.iter().flat_map(|(school_id, ledger)| {
            let terms = ledger.changed_terms.iter();
            terms.filter_map(|term| {
                Some((*school_id, ledger.trust_id, *term, ledger.terms.get(term)?))
            })
        })
    }

    /// Weeks by school and Monday, with what they come to now.
    pub fn changed_weeks(&self) -> impl Iterator<Item = (SchoolId, TrustId, NaiveDate, &Summary)> {
        self.ledgers.iter().flat_map(|(school_id, ledger)| {
            let weeks = ledger.weeks.iter();
            weeks.map(|(week, it)| (*school_id, ledger.trust_id, *week, it))
        })
    }

    /// Pupils whose enrolments at a school changed and who are still known there.
    pub fn changed_enrolments(&self) -> impl Iterator<Item = (SchoolId, &Hash)> {
        self.ledgers
            .iter()
            .flat_map(|(school_id, ledger)| ledger.changed_pupils().map(|it| (*school_id, it)))
    }

    /// Enrolments that were taken away, in the order of the records.
    pub fn removed_enrolments(&self) -> impl Iterator<Item = (SchoolId, TrustId, &Removed)> {
        self.ledgers.iter().flat_map(|(school_id, ledger)| {
            ledger.removed.iter().map(|it| (*school_id, ledger.trust_id, it))
        })
    }

    /// Pupils told of for the first time, and those told of before and forgotten.
    pub fn changed_pupils(&self) -> impl Iterator<Item = ChangedPupil> {
        let changed = self.pupils.iter().filter(|(_, it)| it.before != it.now);
        changed.map(|((trust_id, pupil), it)| ChangedPupil {
            trust_id: *trust_id,
            pupil: *pupil,
            is_known: it.now,
            push: it.by,
        })
    }

    /// Pupils of whom everything known before a push was forgotten, each with the last such push.
    pub fn forgotten(&self) -> impl Iterator<Item = (TrustId, &Hash, usize)> {
        self.forgotten.iter().map(|((trust_id, pupil), push)| (*trust_id, pupil, *push))
    }

    fn meet(&mut self, push: usize, trust_id: TrustId, pupil: Hash) -> Outcome {
        let told = self.pupils.entry((trust_id, pupil)).or_default();
        if told.now {
            return Outcome::Unchanged;
        }
        (told.now, told.by) = (true, push);
        Outcome::Accepted
    }

    fn forget(&mut self, push: usize, trust_id: TrustId, pupil: Hash) -> Outcome {
        let told = self.pupils.entry((trust_id, pupil)).or_default();
        let mut was_known = std::mem::take(&mut told.now);
        told.by = push;
        for ledger in self.ledgers.values_mut().filter(|it| it.trust_id == trust_id) {
            was_known |= ledger.forget(push, &pupil);
        }
        self.forgotten.insert((trust_id, pupil), push);
        if was_known { Outcome::Corrected } else { Outcome::Unchanged }
    }
}

#[cfg(test)]
mod tests;
