//! What pupils count as of whom nothing else is kept: those who were erased, and those of long ago.
//!
//! Published figures stay as they are, so what somebody counted as has to stay. It is kept apart for each day, week, term
//! and academic year, as a tally whose numbers mean nothing beyond it: within a period they tell pupils apart, as
//! persistent absence needs; from one period to the next nothing says who is who. On the roll such pupils are steps: one
//! more on a day, one less on another.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};

use crate::domain::{Enrolment, Held, PeriodKind, Register, Standing, Tally, standing_on};

/// The kinds of periods that figures of attendance are given for.
pub const COUNTED: [PeriodKind; 4] =
    [PeriodKind::Day, PeriodKind::Week, PeriodKind::Term, PeriodKind::AcademicYear];

/// What is left of pupils of a school.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Remainder {
    /// By period.
    pub tallies: BTreeMap<(PeriodKind, NaiveDate), Tally>,
    /// How many more pupils count under a standing from a day on, or fewer.
    pub steps: BTreeMap<(NaiveDate, Standing), i64>,
}

impl Remainder {
    /// Counts what a register has of some pupils: of every index for which `counts`.
    pub fn count(
        &mut self,
        date: NaiveDate,
        register: &Register,
        standings: &[Option<Standing>],
        counts: impl Fn(u32) -> bool,
    ) {
        let mut of_them = Register::default();
        for (index, code) in register.marks().filter(|it| counts(it.0)) {
            of_them.put(index, Some(code));
        }
        if of_them.is_empty() {
            return;
        }
        for kind in COUNTED {
            let period = (kind, kind.of(date).starts_on);
            self.tallies.entry(period).or_default().add(&of_them, standings);
        }
    }

    /// Counts a pupil's time on roll, up to a day.
    pub fn enrolled(&mut self, held: &[Held], until: NaiveDate) {
        let enrolments = || held.iter().map(|it| &it.enrolment);
        let Some(end) = until.checked_add_days(Days::new(1)) else { return };
        let mut days: Vec<NaiveDate> =
            enrolments().flat_map(turns).filter(|it| *it < end).collect();
        days.sort_unstable();
        days.dedup();
        let mut before = None;
        let mut step = |day, now: Option<Standing>| {
            if before != now {
                for (standing, by) in [(before, -1), (now, 1)] {
                    if let Some(standing) = standing {
                        *self.steps.entry((day, standing)).or_default() += by;
                    }
                }
                before = now;
            }
        };
        for day in days {
            step(day, standing_on(enrolments(), day));
        }
        step(end, None);
        self.steps.retain(|_, it| *it != 0);
    }

    /// Takes the steps of another away.
    pub fn less(&mut self, other: &Self) {
        for (step, by) in &other.steps {
            *self.steps.entry(*step).or_default() -= by;
        }
        self.steps.retain(|_, it| *it != 0);
    }

    /// Takes the numbers away by which pupils could be followed from one period to another.
    #[must_use]
    pub fn unnamed(mut self) -> Self {
        for it in self.tallies.values_mut() {
            *it = Tally::unnamed([&*it]);
        }
        self.tallies.retain(|_, it| !it.is_empty());
        self
    }
}

/// The days on which an enrolment or a characteristic of it begins, or has ended.
fn turns(it: &Enrolment) -> Vec<NaiveDate> {
    let after = |it: NaiveDate| it.checked_add_days(Days::new(1));
    let mut days = vec![it.starts_on];
    days.extend(it.ends_on.and_then(after));
    for it in &it.characteristics {
        days.extend(it.starts_on);
        days.extend(it.ends_on.and_then(after));
    }
    days
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Changed, Characteristic, Code, Flag};

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn held(year_group: i8, starts: &str, ends: Option<&str>, ehcp_from: Option<&str>) -> Held {
        let flag = Flag::named("ehcp").unwrap();
        let of = |it: &str| Characteristic { flag, starts_on: Some(date(it)), ends_on: None };
        let characteristics = ehcp_from.map(of).into_iter().collect();
        let (starts_on, ends_on) = (date(starts), ends.map(date));
        let enrolment = Enrolment { year_group, starts_on, ends_on, characteristics };
        Held { enrolment, changed: Changed::At(1) }
    }

    /// On every day as many pupils stand on the roll as the steps up to then come to.
    #[test]
    fn steps_come_to_who_was_on_roll() {
        let roll = [
            held(5, "2025-09-01", Some("2026-07-21"), Some("2026-01-12")),
            held(6, "2026-09-01", None, None),
        ];
        let until = date("2026-11-20");
        let mut remainder = Remainder::default();
        remainder.enrolled(&roll, until);
        for day in date("2025-08-30").iter_days().take_while(|it| *it < date("2026-12-01")) {
            let mut counted = BTreeMap::<Standing, i64>::new();
            for ((_, standing), by) in remainder.steps.range(..=(day, top())) {
                *counted.entry(*standing).or_default() += by;
            }
            counted.retain(|_, it| *it != 0);
            let stands = standing_on(roll.iter().map(|it| &it.enrolment), day);
            let expected = stands.filter(|_| day <= until).map(|it| (it, 1)).into_iter().collect();
            assert_eq!(counted, expected, "{day}");
        }
    }

    fn top() -> Standing {
        Standing { year_group: i8::MAX, flags: Flag::all().collect() }
    }

    #[test]
    fn nothing_leads_from_one_period_to_the_next() {
        let code = |it: &str, on| Code::on(it, on).unwrap();
        let standing = Some(Standing { year_group: 5, flags: crate::domain::Flags::default() });
        let mut remainder = Remainder::default();
        let (first, second) = (date("2026-09-07"), date("2026-09-08"));
        for (on, ill) in [(first, 3), (second, 4)] {
            let mut register = Register::default();
            for index in [3, 4] {
                let it = if index == ill { "I" } else { "/" };
                register.put(index, Some(code(it, on)));
            }
            remainder.count(on, &register, &[standing; 5], |_| true);
        }
        let left = remainder.unnamed();
        let day = |on| left.tallies.get(&(PeriodKind::Day, on)).unwrap();
        assert_eq!(day(first), day(second), "one of two was ill, and nobody can say which");
        let week = left.tallies.get(&(PeriodKind::Week, first)).unwrap().summary();
        assert_eq!((week.pupils, week.sessions.absent, week.persistently_absent), (2, 2, 2));
        assert_eq!(left.tallies.len(), 5);
    }
}
