//! One school's roll, registers and tallies: what a push touches of them, read beforehand, changed record by record, and
//! what must be stored after.
//!
//! The state is a function of the marks and the enrolments that hold, whatever order they came in: a mark whose pupil
//! is not on roll that day is kept in the register, counts in nothing, and counts the moment an enrolment covers it.
//!
//! Weeks are counted anew from their registers, which are as compact as any tally of them. A term's tally holds the
//! sessions before a Monday, [`Folded::to`]: the last week a register came for is left out, so that a register changes
//! itself and its week's row, and the week joins the tally when the next begins. What is older moves the tally.

use std::collections::{BTreeMap, BTreeSet};

use calendar::{Term, Week};
use chrono::NaiveDate;
use identity::TrustId;

use crate::domain::{
    Changed, Enrolment, Hash, Held, Mark, Outcome, PeriodKind, Register, Remainder, Roll, Session,
    Sessions, Standing, Summary, Tally, standing_on,
};

/// A school's sessions in a term, but for its last week with registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folded {
    pub tally: Tally,
    /// Registers before this day are in the tally. Those of the term that are not lie within a week from it.
    pub to: NaiveDate,
}

/// A register, and how it was stored if that is otherwise.
#[derive(Debug, Default)]
struct Page {
    register: Register,
    before: Option<Register>,
    /// The push that changed it last.
    by: Option<usize>,
}

/// An enrolment that was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Removed {
    pub push: usize,
    pub pupil: Hash,
    pub starts_on: NaiveDate,
}

#[derive(Debug)]
pub struct Ledger {
    pub(super) trust_id: TrustId,
    pub(super) roll: Roll,
    pub(super) is_roll_changed: bool,
    /// Enrolments as they were, of pupils whose enrolments changed.
    before: BTreeMap<u32, Vec<Held>>,
    pages: BTreeMap<(NaiveDate, Session), Page>,
    pub(super) terms: BTreeMap<NaiveDate, Folded>,
    pub(super) changed_terms: BTreeSet<NaiveDate>,
    /// Weeks counted anew, by their Mondays.
    pub(super) weeks: BTreeMap<NaiveDate, Summary>,
    pub(super) removed: Vec<Removed>,
    /// What pupils count as in a week who are not known any more, by Monday.
    left: BTreeMap<NaiveDate, Tally>,
}

impl Ledger {
    pub(super) fn new(trust_id: TrustId, roll: Roll) -> Self {
        Self {
            trust_id,
            roll,
            is_roll_changed: false,
            before: BTreeMap::new(),
            pages: BTreeMap::new(),
            terms: BTreeMap::new(),
            changed_terms: BTreeSet::new(),
            weeks: BTreeMap::new(),
            removed: Vec::new(),
            left: BTreeMap::new(),
        }
    }

    /// What pupils count as in a week who are not known any more.
    pub(super) fn open_left(&mut self, week: NaiveDate, tally: Tally) {
        self.left.insert(week, tally);
    }

    pub(super) fn open_register(&mut self, date: NaiveDate, session: Session, register: Register) {
        let page = Page { register, ..Page::default() };
        self.pages.entry((date, session)).or_insert(page);
    }

    /// Enters the marks of a register; those it does not name stay.
    pub(super) fn mark(
        &mut self,
        push: usize,
        (date, session): (NaiveDate, Session),
        marks: &[Mark<Hash>],
    ) -> Outcome {
        let page = self.pages.entry((date, session)).or_default();
        let (mut is_corrected, mut is_added) = (false, false);
        for Mark { pupil, code } in marks {
            let index = match self.roll.index(pupil) {
                Some(index) => index,
                None if code.is_none() => continue,
                None => {
                    self.is_roll_changed = true;
                    self.roll.place(*pupil)
                }
            };
            let before = page.register.code(index);
            if before != *code {
                page.put(push, index, *code);
                is_corrected |= before.is_some();
                is_added |= before.is_none();
            }
        }
        match (is_corrected, is_added) {
            (true, _) => Outcome::Corrected,
            (false, true) => Outcome::Accepted,
            (false, false) => Outcome::Unchanged,
        }
    }

    /// Enters an enrolment, or takes it away.
    pub(super) fn enrol(
        &mut self,
        push: usize,
        pupil: Hash,
        enrolment: &Enrolment,
        deleted: bool,
    ) -> Outcome {
        let starts_on = enrolment.starts_on;
        let held = self.roll.index(&pupil).map_or(&[][..], |it| self.roll.held(it));
        let before = held.iter().map(|it| &it.enrolment).find(|it| it.starts_on == starts_on);
        let after = (!deleted).then_some(enrolment);
        if before == after {
            return Outcome::Unchanged;
        }
        let outcome = if before.is_some() { Outcome::Corrected } else { Outcome::Accepted };
        if after.is_none() {
            self.removed.push(Removed { push, pupil, starts_on });
        }
        let index = self.roll.place(pupil);
        self.remember(index);
        let changed = Changed::By(push);
        let after = after.cloned().map(|enrolment| Held { enrolment, changed });
        self.roll.put(index, starts_on, after);
        outcome
    }

    /// Forgets a pupil, if there is one.
    pub(super) fn forget(&mut self, push: usize, pupil: &Hash) -> bool {
        let Some(index) = self.roll.index(pupil) else { return false };
        self.remember(index);
        for page in self.pages.values_mut().filter(|it| it.register.code(index).is_some()) {
            page.put(push, index, None);
        }
        self.roll.forget(index);
        true
    }

    /// Erases a pupil; gives what figures go on counting, and how many enrolments and marks went.
    pub(super) fn erase(
        &mut self,
        push: usize,
        pupil: &Hash,
        until: NaiveDate,
    ) -> Option<(Remainder, usize, usize)> {
        let index = self.roll.index(pupil)?;
        let mut remainder = Remainder::default();
        let mut marks = 0;
        for ((date, _), page) in &self.pages {
            if page.register.code(index).is_some() {
                marks += 1;
                let standings = self.roll.on(*date);
                remainder.count(*date, &page.register, &standings, |it| it == index);
            }
        }
        let enrolments = self.roll.held(index);
        remainder.enrolled(enrolments, until);
        let enrolments = enrolments.len();
        self.forget(push, pupil);
        let remainder = remainder.unnamed();
        for ((kind, starts_on), tally) in &remainder.tallies {
            if *kind == PeriodKind::Week {
                let week = self.left.entry(*starts_on).or_default();
                *week = Tally::unnamed([&*week, tally]);
            }
        }
        Some((remainder, enrolments, marks))
    }

    fn remember(&mut self, index: u32) {
        self.is_roll_changed = true;
        self.before.entry(index).or_insert_with(|| self.roll.held(index).to_vec());
    }

    /// Whether a pupil's mark is there and waits for an enrolment.
    pub(super) fn waits(&self, date: NaiveDate, session: Session, pupil: &Hash) -> bool {
        let (Some(page), Some(index)) = (self.pages.get(&(date, session)), self.roll.index(pupil))
        else {
            return false;
        };
        page.register.code(index).is_some() && self.roll.standing_at(index, date).is_none()
    }

    /// Registers that changed, each with the push that changed it last.
    pub(super) fn changed_registers(
        &self,
    ) -> impl Iterator<Item = (NaiveDate, Session, &Register, usize)> {
        self.pages
            .iter()
            .filter_map(|((date, session), page)| Some((*date, *session, &page.register, page.by?)))
    }

    /// Pupils whose enrolments changed.
    pub(super) fn changed_pupils(&self) -> impl Iterator<Item = &Hash> {
        self.before.keys().filter_map(|it| self.roll.pupil(*it))
    }

    /// Counts what changed. Once, when every record is in.
    pub(super) fn settle(&mut self) {
        let mut days = Days::new(&self.roll);
        let mut weeks = BTreeSet::new();
        let mut latest = BTreeMap::<NaiveDate, NaiveDate>::new();
        for ((date, _), page) in &self.pages {
            let is_moved = page.by.is_some() || self.is_moved(*date, page);
            if !is_moved {
                continue;
            }
            let (term, week) = (Term::of(*date).starts_on(), Week::of(*date).starts_on());
            weeks.insert(week);
            if page.by.is_some() {
                let last = latest.entry(term).or_insert(term);
                *last = week.max(*last);
            }
            if let Some(folded) = self.terms.get_mut(&term).filter(|it| *date < it.to) {
                self.changed_terms.insert(term);
                move_one(&mut folded.tally, page, days.of(*date), |index| {
                    let held = self.before.get(&index)?;
                    Some(standing_on(held.iter().map(|it| &it.enrolment), *date))
                });
            }
        }
        for (term, to) in latest {
            let is_kept = self.terms.get(&term).is_some_and(|it| it.to >= to);
            if is_kept {
                continue;
            }
            let fresh = Folded { tally: Tally::default(), to: term };
            let folded = self.terms.entry(term).or_insert(fresh);
            self.changed_terms.insert(term);
            for ((date, _), page) in self.pages.range((folded.to, Session::Am)..(to, Session::Am)) {
                folded.tally.add(&page.register, days.of(*date));
            }
            folded.to = to;
        }
        for week in weeks {
            let mut tally = Tally::default();
            let next = Week::of(week).next().starts_on();
            for ((date, _), page) in self.pages.range((week, Session::Am)..(next, Session::Am)) {
                tally.add(&page.register, days.of(*date));
            }
            if let Some(left) = self.left.get(&week) {
                tally.merge(left);
            }
            self.weeks.insert(week, tally.summary());
        }
    }

    /// Whether enrolments changed so that marks of a day count otherwise.
    fn is_moved(&self, date: NaiveDate, page: &Page) -> bool {
        self.before.iter().any(|(index, held)| {
            page.register.code(*index).is_some()
                && standing_on(held.iter().map(|it| &it.enrolment), date)
                    != self.roll.standing_at(*index, date)
        })
    }
}

impl Page {
    fn put(&mut self, push: usize, index: u32, code: Option<crate::domain::Code>) {
        if self.before.is_none() {
            self.before = Some(self.register.clone());
        }
        self.register.put(index, code);
        self.by = Some(push);
    }
}

/// What everyone on a roll counts under, day by day; AM and PM ask the same.
struct Days<'a> {
    roll: &'a Roll,
    days: BTreeMap<NaiveDate, Vec<Option<Standing>>>,
}

impl<'a> Days<'a> {
    fn new(roll: &'a Roll) -> Self {
        Self { roll, days: BTreeMap::new() }
    }

    fn of(&mut self, date: NaiveDate) -> &[Option<Standing>] {
        self.days.entry(date).or_insert_with(|| self.roll.on(date))
    }
}

/// Moves a tally from what a register counted as before to what it counts as now. `before` says what a pupil counted
/// under whose enrolments have changed.
fn move_one(
    tally: &mut Tally,
    page: &Page,
    standings: &[Option<Standing>],
    before: impl Fn(u32) -> Option<Option<Standing>>,
) {
    let old = page.before.as_ref().unwrap_or(&page.register);
    for (standing, index) in standings.iter().zip(0_u32..) {
        let sessions = |it: &Register| it.code(index).map(Sessions::of_mark);
        let was = before(index).unwrap_or(*standing).zip(sessions(old));
        let is = standing.zip(sessions(&page.register));
        if was != is {
            if let Some((standing, it)) = was {
                tally.take(index, standing, it);
            }
            if let Some((standing, it)) = is {
                tally.put(index, standing, it);
            }
        }
    }
}
