//! Who is on roll, year by year: pupils move up each September, some leave and some join.

use chrono::NaiveDate;

use super::{
    days::{date, later, year_bounds},
    random::Seed,
    school::School,
};

/// A synthetic pupil on the roll of a school in one academic year.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pupil {
    /// The vendor's id, the same at every school and in every year.
    pub(super) id: String,
    pub(super) seed: Seed,
    pub(super) year_group: i8,
    pub(super) from: NaiveDate,
    /// The last day on roll.
    pub(super) until: NaiveDate,
    /// How often ill, absent without leave, and late, as a multiple of what is usual.
    pub(super) illness: f64,
    pub(super) truancy: f64,
    pub(super) lateness: f64,
}

/// Share of pupils who leave for another school in the summer, and within the year.
const LEAVE_IN_SUMMER: f64 = 0.04;
const LEAVE_WITHIN_YEAR: f64 = 0.02;

impl Pupil {
    /// Whether a pupil of the year before is still there in September.
    fn stays(&self, year: i32) -> bool {
        let (first, _) = year_bounds(year);
        let examined = self.year_group == 11 && self.until == examined_on(year - 1);
        let stayed = examined || later(self.until, 1) >= first;
        stayed && self.seed.of(7).of(year.unsigned_abs().into()).share() >= LEAVE_IN_SUMMER
    }
}

/// Draws pupils, each once.
pub(super) struct Intake {
    seed: Seed,
    count: u32,
}

impl Intake {
    pub(super) fn new(seed: Seed) -> Self {
        Self { seed, count: 0 }
    }

    /// The roll of a school in the first year.
    pub(super) fn first(&mut self, school: &School, year: i32) -> Vec<Pupil> {
        let mut roll = Vec::new();
        for (year_group, share) in school.year_groups() {
            let size = self.size(school, share, year, year_group);
            roll.extend((0..size).map(|_| self.admit(year_group, year)));
        }
        roll
    }

    /// The roll of the next year: those who stay move up, a new lowest year group comes, gaps are filled in part.
    pub(super) fn next(&mut self, school: &School, before: &[Pupil], year: i32) -> Vec<Pupil> {
        let (from, _) = year_bounds(year);
        let mut roll: Vec<Pupil> = before
            .iter()
            .filter(|it| it.stays(year) && it.year_group < school.highest_year)
            .map(|it| {
                let year_group = it.year_group + 1;
                Pupil { year_group, from, until: last_day(it.seed, year_group, year), ..it.clone() }
            })
            .collect();
        // Not everybody stays for the sixth form.
        roll.retain(|it| it.year_group != 12 || it.seed.of(12).share() < 0.5);
        for (year_group, share) in school.year_groups() {
            let present = roll.iter().filter(|it| it.year_group == year_group).count();
            let wanted = usize::try_from(self.size(school, share, year, year_group)).unwrap_or(0);
            let joiners = wanted.saturating_sub(present);
            roll.extend((0..joiners).map(|_| self.admit(year_group, year)));
        }
        roll
    }

    fn size(&self, school: &School, share: f64, year: i32, year_group: i8) -> u32 {
        let seed = self.seed.named(&school.urn).of(year.unsigned_abs().into());
        let wobble = 1.0 + 0.04 * seed.of(u64::from(year_group.unsigned_abs())).bell();
        let size = f64::from(school.roll) * share * wobble;
        (0..=school.roll).take_while(|it| f64::from(*it) <= size).last().unwrap_or(0)
    }

    fn admit(&mut self, year_group: i8, year: i32) -> Pupil {
        self.count += 1;
        let seed = self.seed.of(self.count.into());
        let (first, _) = year_bounds(year);
        // A few arrive within the year.
        let late = seed.of(1).share() < LEAVE_WITHIN_YEAR;
        let from = if late { later(first, (30 + seed.of(2).below(240)).into()) } else { first };
        let until = last_day(seed, year_group, year).max(from);
        let troubled = seed.of(3).share();
        Pupil {
            id: format!("P{:06}", self.count),
            seed,
            year_group,
            from,
            until,
            illness: 0.3 + 2.6 * seed.of(4).share().powi(3),
            truancy: match troubled {
                // Severely absent: fewer of the younger ones.
                it if year_group < 7 && it > 0.993 => 44.0,
                it if year_group >= 7 && it > 0.985 => 19.0,
                it if it > 0.93 => 4.5,
                it if it > 0.75 => 1.4,
                _ => 0.35,
            },
            lateness: 0.2 + 2.4 * seed.of(5).share().powi(2),
        }
    }
}

/// Leavers of year 11 and 13 go after their examinations; a few pupils of any year go at any time.
fn last_day(seed: Seed, year_group: i8, year: i32) -> NaiveDate {
    let (first, last) = year_bounds(year);
    let within = seed.of(6).of(year.unsigned_abs().into());
    if within.share() < LEAVE_WITHIN_YEAR {
        return later(first, (40 + within.of(1).below(260)).into());
    }
    if matches!(year_group, 11 | 13) { examined_on(year) } else { last }
}

/// The last day of those who sit examinations in an academic year.
fn examined_on(year: i32) -> NaiveDate {
    date(year + 1, 6, 26)
}
