//! Three years of a trust's records, in the order a vendor would have pushed them.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Timelike, Utc};
use contract::intelligence::{AttendanceRegister, Enrolment, Mark, Record, record};

use super::{
    days::{
        FIRST_YEAR, academic_year, date, earlier, is_school_day, later, monday, school_days,
        year_bounds,
    },
    marks::Day,
    pupils::{Intake, Pupil},
    random::Seed,
    school::School,
};

/// Days of registers in one push.
const WINDOW_DAYS: u64 = 14;
/// Pupils of a form: what a teacher sends at once.
const FORM: usize = 30;
const SESSIONS: [&str; 2] = ["AM", "PM"];

/// What the register changes on a day: the schools named here are among the plan's.
#[derive(Clone, Debug)]
pub(crate) struct Changes {
    /// From this day on, a first of September, schools go by their new numbers.
    pub(crate) on: NaiveDate,
    /// URN before and since.
    pub(crate) conversions: Vec<(String, String)>,
    /// URN of the school that closed, and of the school its pupils went to.
    pub(crate) mergers: Vec<(String, String)>,
}

/// What one school's system pushes at once.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Push {
    pub(crate) urn: String,
    pub(crate) records: Vec<Record>,
    /// Marks in all of the records.
    pub(crate) marks: usize,
}

/// The records of a trust from September 2023 up to the day before today.
pub(crate) struct Plan {
    seed: Seed,
    today: NaiveDate,
    changes: Changes,
    schools: Vec<School>,
    /// For each academic year the roll of each school, in the order of the schools.
    rolls: BTreeMap<i32, Vec<Vec<Pupil>>>,
}

impl Plan {
    /// The schools are those before the changes, by the URNs they had then.
    pub(crate) fn new(seed: u64, schools: Vec<School>, changes: Changes, today: NaiveDate) -> Self {
        let seed = Seed::new(seed);
        let mut plan = Self { seed, today, changes, schools, rolls: BTreeMap::new() };
        let mut intake = Intake::new(seed);
        let mut before: Vec<Vec<Pupil>> =
            plan.schools.iter().map(|it| intake.first(it, FIRST_YEAR)).collect();
        for year in FIRST_YEAR + 1..=academic_year(today) {
            plan.rolls.insert(year - 1, before.clone());
            if year == academic_year(plan.changes.on) {
                plan.merge(&mut before);
            }
            before = plan
                .schools
                .iter()
                .zip(&before)
                .map(|(school, roll)| intake.next(school, roll, year))
                .collect();
        }
        plan.rolls.insert(academic_year(today), before);
        plan
    }

    /// Everything until the register changes.
    pub(crate) fn before_changes(&self) -> impl Iterator<Item = Push> + '_ {
        let last = earlier(self.changes.on.min(self.today), 1);
        self.between(date(FIRST_YEAR, 9, 1), last)
    }

    /// Everything since the register changed, up to yesterday.
    pub(crate) fn after_changes(&self) -> impl Iterator<Item = Push> + '_ {
        self.between(self.changes.on, earlier(self.today, 1))
    }

    /// Marks in all the pushes up to yesterday.
    pub(crate) fn marks(&self) -> u64 {
        let of_year = |(year, rolls): (&i32, &Vec<Vec<Pupil>>)| {
            let (first, last) = year_bounds(*year);
            let days: Vec<_> = school_days(first, last.min(earlier(self.today, 1))).collect();
            let sessions =
                |pupil: &Pupil| days.iter().filter(|it| pupil.is_on_roll(**it)).count() * 2;
            rolls.iter().flatten().map(|it| sessions(it) as u64).sum::<u64>()
        };
        self.rolls.iter().map(of_year).sum()
    }

    /// The registers of the session that is on, form by form, schools in turn. On a day without school, those of the
    /// last school day with the reasons that have been found since.
    pub(crate) fn live(&self, now: DateTime<Utc>) -> Vec<Push> {
        let now_on = calendar::london_date(now);
        let day = (0..60).map(|it| earlier(now_on, it)).find(|it| is_school_day(*it));
        let day = day.unwrap_or(now_on);
        let session = usize::from(now.hour() >= 12);
        let Some(rolls) = self.rolls.get(&academic_year(day)) else { return Vec::new() };
        let mut pushes: Vec<(usize, Push)> = Vec::new();
        for (school, roll) in self.schools.iter().zip(rolls) {
            let climate = Day::new(self.seed, school, day, now_on);
            let pupils: Vec<&Pupil> = roll.iter().filter(|it| it.is_on_roll(day)).collect();
            for (number, form) in pupils.chunks(FORM).enumerate() {
                let marks = form.iter().map(|pupil| {
                    let settled = climate.settled(pupil);
                    let codes = if day == now_on { climate.codes(pupil) } else { settled };
                    mark(pupil, codes, session)
                });
                let (urn, part) = (self.urn(school, day), format!("-{number}"));
                pushes.push((number, push(urn, vec![register(urn, day, session, &part, marks)])));
            }
        }
        pushes.sort_by_key(|(number, _)| *number);
        pushes.into_iter().map(|(_, push)| push).collect()
    }

    fn between(&self, from: NaiveDate, to: NaiveDate) -> impl Iterator<Item = Push> + '_ {
        let years = self.rolls.range(academic_year(from)..=academic_year(to));
        years.filter(move |_| from <= to).flat_map(move |(year, rolls)| {
            let (first, last) = year_bounds(*year);
            let (first, last) = (first.max(from), last.min(to));
            // Whole weeks: half a week pushed by itself would look like a fall.
            let next = |it: &NaiveDate| Some(later(monday(*it), WINDOW_DAYS));
            let windows =
                std::iter::successors(Some(first), next).take_while(move |it| *it <= last);
            let enrolled =
                self.schools.iter().zip(rolls).map(|it| self.enrolments(it.0, it.1, *year));
            let registers = windows.flat_map(move |start| {
                let end = later(monday(start), WINDOW_DAYS - 1).min(last);
                self.schools.iter().zip(rolls).map(move |it| self.registers(it.0, it.1, start, end))
            });
            enrolled.chain(registers).filter(|it| !it.records.is_empty())
        })
    }

    fn enrolments(&self, school: &School, roll: &[Pupil], year: i32) -> Push {
        let (first, _) = year_bounds(year);
        let urn = self.urn(school, first);
        let known = roll.iter().filter(|it| it.from < self.today).enumerate();
        let records = known.map(|(number, pupil)| {
            let enrolment = Enrolment {
                urn: urn.to_owned(),
                pupil: pupil.id.clone(),
                year_group: pupil.year_group.into(),
                starts_on: pupil.from.to_string(),
                // Nobody knows yet who will leave.
                ends_on: (pupil.until < self.today).then(|| pupil.until.to_string()),
                deleted: false,
                characteristics: Vec::new(),
            };
            Record {
                external_id: format!("roll-{urn}-{year}-{number}"),
                kind: Some(record::Kind::Enrolment(enrolment)),
            }
        });
        push(urn, records.collect())
    }

    fn registers(&self, school: &School, roll: &[Pupil], from: NaiveDate, to: NaiveDate) -> Push {
        let urn = self.urn(school, from);
        let mut records = Vec::new();
        for day in school_days(from, to) {
            let climate = Day::new(self.seed, school, day, self.today);
            let coded: Vec<_> = roll
                .iter()
                .filter(|it| it.is_on_roll(day))
                .map(|it| (it, climate.codes(it)))
                .collect();
            if coded.is_empty() {
                continue;
            }
            for session in [0, 1] {
                let marks = coded.iter().map(|(pupil, codes)| mark(pupil, *codes, session));
                records.push(register(urn, day, session, "", marks));
            }
        }
        push(urn, records)
    }

    /// The URN a school has on a day.
    fn urn<'a>(&'a self, school: &'a School, on: NaiveDate) -> &'a str {
        let converted = self.changes.conversions.iter().find(|(before, _)| *before == school.urn);
        match converted {
            Some((_, since)) if on >= self.changes.on => since,
            _ => &school.urn,
        }
    }

    /// The pupils of a school that merged go to the other, which grows by them.
    fn merge(&mut self, rolls: &mut [Vec<Pupil>]) {
        let place = |urn: &str| self.schools.iter().position(|it| it.urn == urn);
        let pairs: Vec<(usize, usize)> = self
            .changes
            .mergers
            .iter()
            .filter_map(|(closed, into)| Some((place(closed)?, place(into)?)))
            .collect();
        for (closed, into) in pairs {
            let moved = rolls.get_mut(closed).map(std::mem::take).unwrap_or_default();
            let places = self.schools.get_mut(closed).map(|it| std::mem::take(&mut it.roll));
            if let (Some(roll), Some(school)) = (rolls.get_mut(into), self.schools.get_mut(into)) {
                roll.extend(moved);
                school.roll += places.unwrap_or(0);
            }
        }
    }
}

impl Pupil {
    fn is_on_roll(&self, day: NaiveDate) -> bool {
        (self.from..=self.until).contains(&day)
    }
}

fn mark(pupil: &Pupil, codes: [&'static str; 2], session: usize) -> Mark {
    let code = codes.get(session).copied().unwrap_or_default();
    Mark { pupil: pupil.id.clone(), code: code.to_owned(), deleted: false }
}

fn register(
    urn: &str,
    day: NaiveDate,
    session: usize,
    part: &str,
    marks: impl Iterator<Item = Mark>,
) -> Record {
    let session = SESSIONS.get(session).copied().unwrap_or_default();
    let register = AttendanceRegister {
        urn: urn.to_owned(),
        date: day.to_string(),
        session: session.to_owned(),
        marks: marks.collect(),
    };
    Record {
        external_id: format!("register-{urn}-{day}-{session}{part}"),
        kind: Some(record::Kind::AttendanceRegister(register)),
    }
}

fn push(urn: &str, records: Vec<Record>) -> Push {
    let marks = records.iter().map(|it| match &it.kind {
        Some(record::Kind::AttendanceRegister(register)) => register.marks.len(),
        _ => 0,
    });
    let marks = marks.sum();
    Push { urn: urn.to_owned(), records, marks }
}

#[cfg(test)]
mod tests;
