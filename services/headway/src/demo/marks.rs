//! What is entered for a pupil in a session: illness in spells and waves, holidays in term, a Friday dip, and a few
//! pupils who miss much.
//!
//! Each draw has a seed of its own (pupil and day), so any register can be had without those before it.

use chrono::{Datelike, NaiveDate, Weekday};

use super::{
    days::{academic_year, date, earlier, monday},
    pupils::Pupil,
    random::Seed,
    school::{School, Trend},
};

pub(super) const PRESENT: [&str; 2] = ["/", "\\"];

/// Days before today in which some absences still wait for their reason.
const UNEXPLAINED_DAYS: u64 = 4;
/// Longest spell of illness, in days.
const LONGEST_SPELL: usize = 5;

/// Shares of a day's pupils, for a pupil and a week like any other.
struct Rates {
    falls_ill: f64,
    truant: f64,
    /// Falls on the morning only.
    late: f64,
    very_late: f64,
    /// A whole week of holiday, at the height of summer.
    holiday: f64,
}

const PRIMARY: Rates =
    Rates { falls_ill: 0.0165, truant: 0.013, late: 0.013, very_late: 0.0016, holiday: 0.012 };
const SECONDARY: Rates =
    Rates { falls_ill: 0.0175, truant: 0.034, late: 0.028, very_late: 0.0036, holiday: 0.004 };

/// One school on one day.
pub(super) struct Day<'a> {
    date: NaiveDate,
    number: u64,
    rates: &'a Rates,
    /// How much of everything there is: today, yesterday and so on back to the start of the longest spell.
    climate: [f64; LONGEST_SPELL],
    truancy: f64,
    holiday: f64,
    /// Year groups that are out on a visit.
    visits: [bool; 14],
    /// Whether absences may still lack their reason.
    recent: bool,
}

impl<'a> Day<'a> {
    pub(super) fn new(seed: Seed, school: &'a School, date: NaiveDate, today: NaiveDate) -> Self {
        let seed = seed.named(&school.urn);
        let rates = if school.is_secondary() { &SECONDARY } else { &PRIMARY };
        let back = [0, 1, 2, 3, 4].map(|days| earlier(date, days));
        let climate = back.map(|it| climate(seed, school.trend, it, today));
        let weekday = match date.weekday() {
            Weekday::Fri => 1.35,
            Weekday::Mon => 1.12,
            _ => 0.9,
        };
        let number = number(date);
        let visits = std::array::from_fn(|year| {
            seed.of(number).of(u64::try_from(year).unwrap_or(0)).share() < 0.009
        });
        let [now, ..] = climate;
        Self {
            date,
            number,
            rates,
            climate,
            truancy: now * weekday,
            holiday: match date.month() {
                6 | 7 => 1.0,
                9 => 0.8,
                _ => 0.15,
            },
            visits,
            recent: earlier(today, UNEXPLAINED_DAYS) <= date,
        }
    }

    /// The codes of morning and afternoon, as the school has them by today.
    pub(super) fn codes(&self, pupil: &Pupil) -> [&'static str; 2] {
        let unexplained = self.recent && pupil.seed.of(self.number).of(1).share() < 0.4;
        self.settled(pupil).map(|it| if unexplained && matches!(it, "I" | "O") { "N" } else { it })
    }

    /// The codes of morning and afternoon once every reason is known.
    pub(super) fn settled(&self, pupil: &Pupil) -> [&'static str; 2] {
        let seed = pupil.seed.of(self.number);
        if self.is_ill(pupil) {
            return ["I"; 2];
        }
        let week = pupil.seed.of(number(monday(self.date)));
        if week.of(2).share() < self.rates.holiday * self.holiday {
            return ["G"; 2];
        }
        if seed.of(3).share() < self.rates.truant * pupil.truancy * self.truancy {
            return match seed.of(4).below(20) {
                0..13 => ["O"; 2],
                13..18 => [PRESENT[0], "O"],
                _ if pupil.truancy > 4.0 && pupil.year_group > 2 => ["E"; 2],
                _ => ["M", PRESENT[1]],
            };
        }
        if self.visits.get(usize::from(pupil.year_group.unsigned_abs())).is_some_and(|it| *it) {
            return ["V"; 2];
        }
        let odd = seed.of(5).share();
        if odd < 0.009 {
            return self.unusual(odd / 0.009, seed);
        }
        let late = seed.of(6).share() / pupil.lateness;
        if late < self.rates.very_late {
            ["U", PRESENT[1]]
        } else if late < self.rates.very_late + self.rates.late {
            ["L", PRESENT[1]]
        } else {
            PRESENT
        }
    }

    fn is_ill(&self, pupil: &Pupil) -> bool {
        let rate = self.rates.falls_ill * pupil.illness;
        (0..).zip(&self.climate).any(|(days, climate)| {
            let start = pupil.seed.of(self.number - days).of(7);
            start.share() < rate * climate && spell(start) > days
        })
    }

    /// Appointments and what else happens now and then. `share` says which; some codes came in August 2024, some went.
    fn unusual(&self, share: f64, seed: Seed) -> [&'static str; 2] {
        let new_codes = self.date >= date(2024, 8, 19);
        let half_day = |code| {
            if seed.of(8).share() < 0.5 { [code, PRESENT[1]] } else { [PRESENT[0], code] }
        };
        match share {
            it if it < 0.78 => half_day("M"),
            it if it < 0.84 => ["C"; 2],
            it if it < 0.90 => ["B"; 2],
            it if it < 0.93 => ["R"; 2],
            it if it < 0.95 => half_day("P"),
            it if it < 0.97 => [if new_codes { "C2" } else { "H" }; 2],
            it if it < 0.99 => half_day(if new_codes { "J1" } else { "J" }),
            _ => [if new_codes { "Y1" } else { "Y" }; 2],
        }
    }
}

fn number(date: NaiveDate) -> u64 {
    u64::from(date.num_days_from_ce().unsigned_abs())
}

/// Length of a spell of illness in days: two on average.
fn spell(start: Seed) -> u64 {
    match start.of(9).below(100) {
        0..42 => 1,
        42..68 => 2,
        68..84 => 3,
        84..93 => 4,
        _ => 5,
    }
}

/// How much absence there is at a school on a day, 1 being usual: the school's own level, the season, the week's luck,
/// and where the school is going.
fn climate(seed: Seed, trend: Trend, day: NaiveDate, today: NaiveDate) -> f64 {
    let level = 1.0 + 0.09 * seed.bell().clamp(-2.0, 2.0);
    let week = seed.of(number(monday(day))).bell();
    let luck = (0.12 * week).exp();
    let since = f64::from(u32::try_from((day - earlier(today, 63)).num_days()).unwrap_or(0));
    let ramp = (since / 42.0).min(1.0);
    let drift = match trend {
        Trend::Steady => 1.0,
        Trend::Declining => 1.0 + 0.95 * ramp,
        Trend::Improving => 1.0 - 0.55 * ramp,
    };
    level * luck * season(day) * drift
}

/// A mild winter, and each winter one wave of three weeks at a time of its own.
fn season(day: NaiveDate) -> f64 {
    let year = academic_year(day);
    let turn = f64::from(day.ordinal()) / 365.25 * std::f64::consts::TAU;
    let winter = 1.0 + 0.05 * (turn - 0.1).cos();
    let peak = date(year, 12, 1)
        + chrono::Days::new(Seed::new(u64::from(year.unsigned_abs())).below(60).into());
    let away = (day - peak).num_days().unsigned_abs();
    let wave = f64::from(u32::try_from(10_u64.saturating_sub(away)).unwrap_or(0)) / 10.0;
    winter * (1.0 + 0.35 * wave)
}
