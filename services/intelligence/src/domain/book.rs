//! The registers and rolls a batch touches, read beforehand, changed record by record, and what must be stored after.
//!
//! The state is a function of the marks and the enrolments that hold, whatever order they came in: a mark whose pupil
//! is not on roll that day is kept in the register without a year group, counts in nothing, and is counted the moment
//! an enrolment covers it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::NaiveDate;
use identity::SchoolId;

use crate::domain::{
    Body, Enrolment, Entry, Mark, Outcome, Register, Session, register::Moved, year_group_on,
};

/// Which register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    pub school_id: SchoolId,
    pub date: NaiveDate,
    pub session: Session,
}

/// A pupil's enrolments at a school.
type Roll = (SchoolId, i32);

#[derive(Debug, Default)]
pub struct Book {
    registers: HashMap<Slot, Register>,
    rolls: HashMap<Roll, Vec<Enrolment>>,
    changed_registers: BTreeSet<Slot>,
    changed_rolls: BTreeSet<Roll>,
    /// What became of enrolments, by roll and first day: the new one, or that there is none.
    changed_enrolments: BTreeMap<(Roll, NaiveDate), Option<Enrolment>>,
    known: BTreeSet<i32>,
    erased: BTreeSet<i32>,
    shifts: BTreeMap<(SchoolId, NaiveDate), Vec<Moved>>,
}

impl Book {
    /// A register as it is stored.
    pub fn open_register(&mut self, slot: Slot, register: Register) {
        self.registers.entry(slot).or_insert(register);
    }

    pub fn has_register(&self, slot: &Slot) -> bool {
        self.registers.contains_key(slot)
    }

    /// An enrolment as it is stored.
    pub fn open_enrolment(&mut self, school_id: SchoolId, pupil: i32, enrolment: Enrolment) {
        self.rolls.entry((school_id, pupil)).or_default().push(enrolment);
    }

    /// A pupil already known.
    pub fn open_pupil(&mut self, pupil: i32) {
        self.known.insert(pupil);
    }

    /// Enters one record, whose school has been found where it names one.
    pub fn apply(&mut self, school_id: Option<SchoolId>, body: &Body<i32>) -> Outcome {
        match (body, school_id) {
            (Body::Pupil { pupil, deleted: false }, _) => self.meet(*pupil),
            (Body::Pupil { pupil, deleted: true }, _) => self.erase(*pupil),
            (Body::Enrolment { pupil, enrolment, deleted, .. }, Some(school_id)) => {
                self.enrol((school_id, *pupil), *enrolment, *deleted)
            }
            (Body::Register { date, session, marks, .. }, Some(school_id)) => {
                self.mark(Slot { school_id, date: *date, session: *session }, marks)
            }
            (Body::Enrolment { .. } | Body::Register { .. }, None) => Outcome::Rejected,
        }
    }

    /// Counts marks again whose pupils' enrolments changed. Once, when every record is in.
    pub fn settle(&mut self) {
        let mut pupils = HashMap::<SchoolId, BTreeSet<i32>>::new();
        for (school_id, pupil) in std::mem::take(&mut self.changed_rolls) {
            pupils.entry(school_id).or_default().insert(pupil);
        }
        for (slot, register) in &mut self.registers {
            let Some(pupils) = pupils.get(&slot.school_id) else { continue };
            let rolls = &self.rolls;
            let moved = register.settle(|pupil| {
                pupils.contains(&pupil).then(|| {
                    rolls.get(&(slot.school_id, pupil)).and_then(|it| year_group_on(it, slot.date))
                })
            });
            if !moved.is_empty() {
                self.changed_registers.insert(*slot);
                self.shifts.entry((slot.school_id, slot.date)).or_default().extend(moved);
            }
        }
    }

    /// Whether a pupil's mark is there and waits for an enrolment.
    pub fn waits(&self, slot: &Slot, pupil: i32) -> bool {
        let entry = self.registers.get(slot).and_then(|it| it.entry(pupil));
        entry.is_some_and(|it| it.year_group.is_none())
    }

    /// Pupils of whom something is known now.
    pub fn known(&self) -> &BTreeSet<i32> {
        &self.known
    }

    pub fn changed_registers(&self) -> impl Iterator<Item = (Slot, &Register)> {
        self.changed_registers.iter().filter_map(|it| Some((*it, self.registers.get(it)?)))
    }

    pub fn changed_enrolments(
        &self,
    ) -> impl Iterator<Item = (SchoolId, i32, NaiveDate, Option<Enrolment>)> {
        self.changed_enrolments
            .iter()
            .map(|(((school_id, pupil), starts_on), it)| (*school_id, *pupil, *starts_on, *it))
    }

    /// Pupils whose every record is to be forgotten.
    pub fn erased(&self) -> impl Iterator<Item = i32> {
        self.erased.iter().copied()
    }

    pub fn shifts(&self) -> impl Iterator<Item = (SchoolId, NaiveDate, &[Moved])> {
        self.shifts.iter().map(|((school_id, date), it)| (*school_id, *date, it.as_slice()))
    }

    fn meet(&mut self, pupil: i32) -> Outcome {
        self.erased.remove(&pupil);
        if self.known.insert(pupil) { Outcome::Accepted } else { Outcome::Unchanged }
    }

    fn erase(&mut self, pupil: i32) -> Outcome {
        for (slot, register) in &mut self.registers {
            if let Some(moved) = register.erase(pupil) {
                self.changed_registers.insert(*slot);
                self.shifts.entry((slot.school_id, slot.date)).or_default().push(moved);
            }
        }
        for (roll, enrolments) in self.rolls.iter_mut().filter(|(roll, _)| roll.1 == pupil) {
            for it in enrolments.drain(..) {
                self.changed_enrolments.insert((*roll, it.starts_on), None);
            }
        }
        self.erased.insert(pupil);
        if self.known.remove(&pupil) { Outcome::Corrected } else { Outcome::Unchanged }
    }

    fn enrol(&mut self, roll: Roll, enrolment: Enrolment, deleted: bool) -> Outcome {
        let enrolments = self.rolls.entry(roll).or_default();
        let place = enrolments.iter().position(|it| it.starts_on == enrolment.starts_on);
        let before = place.map(|it| enrolments.swap_remove(it));
        let after = (!deleted).then_some(enrolment);
        enrolments.extend(after);
        if after.is_some() {
            self.erased.remove(&roll.1);
            self.known.insert(roll.1);
        }
        if before == after {
            return Outcome::Unchanged;
        }
        self.changed_rolls.insert(roll);
        self.changed_enrolments.insert((roll, enrolment.starts_on), after);
        if before.is_some() { Outcome::Corrected } else { Outcome::Accepted }
    }

    fn mark(&mut self, slot: Slot, marks: &[Mark<i32>]) -> Outcome {
        let rolls = &self.rolls;
        let register = self.registers.entry(slot).or_default();
        let moved = register.put(marks, |pupil| {
            rolls.get(&(slot.school_id, pupil)).and_then(|it| year_group_on(it, slot.date))
        });
        for it in marks {
            self.erased.remove(&it.pupil);
            self.known.insert(it.pupil);
        }
        if moved.is_empty() {
            return Outcome::Unchanged;
        }
        // A mark may also have moved because the pupil's year group did, earlier in this batch.
        let code = |it: Option<Entry>| it.map(|it| it.code);
        let corrected =
            moved.iter().any(|it| it.before.is_some() && code(it.before) != code(it.after));
        let added = moved.iter().any(|it| it.before.is_none());
        self.changed_registers.insert(slot);
        self.shifts.entry((slot.school_id, slot.date)).or_default().extend(moved);
        match (corrected, added) {
            (true, _) => Outcome::Corrected,
            (false, true) => Outcome::Accepted,
            (false, false) => Outcome::Unchanged,
        }
    }
}

#[cfg(test)]
mod tests;
