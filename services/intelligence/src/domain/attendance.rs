//! The arithmetic of attendance, as DfE publishes it.
//!
//! Attending = present + approved educational activity; possible = attending + authorised + unauthorised absence;
//! attendance = attending ÷ possible. A pupil is persistently absent with 10 % or more of their own possible sessions
//! missed, severely with 50 % or more (DfE, *Pupil attendance in schools: methodology*). Late is a session of code L
//! (arrived before the register closed, and attended) or U (after it closed, an unauthorised absence); DfE counts both
//! codes but publishes no rate of them, so lateness here is both over possible. Rates of several pupils or schools are
//! never averaged: numerators and denominators are summed.

use std::{
    ops::{Add, AddAssign, Sub},
    sync::LazyLock,
};

use crate::domain::{AttendanceCode, Class, Code};

/// Half-day sessions of a pupil or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    pub possible: u64,
    /// Of those possible; so are the others.
    pub absent: u64,
    /// Of those absent.
    pub unauthorised: u64,
    /// Of code L or U.
    pub late: u64,
}

/// What one mark of each code amounts to, by row: asked for every mark of every week that changes.
static OF_CODES: LazyLock<Vec<Sessions>> = LazyLock::new(|| {
    let codes = AttendanceCode::all().iter();
    codes.map(|it| Sessions { late: it.late.into(), ..Sessions::of(it.class, 1) }).collect()
});

impl Sessions {
    /// What marks of a class amount to, none of them late.
    pub fn of(class: Class, marks: u64) -> Self {
        let none = Self::default();
        match class {
            Class::Present | Class::ApprovedActivity => Self { possible: marks, ..none },
            Class::Authorised => Self { possible: marks, absent: marks, ..none },
            Class::Unauthorised => {
                Self { possible: marks, absent: marks, unauthorised: marks, ..none }
            }
            Class::NotPossible => none,
        }
    }

    /// What a mark amounts to.
    pub fn of_mark(code: Code) -> Self {
        OF_CODES.get(usize::from(code.row())).copied().unwrap_or_default()
    }

    pub fn attended(self) -> u64 {
        self.possible.saturating_sub(self.absent)
    }

    pub fn authorised(self) -> u64 {
        self.absent.saturating_sub(self.unauthorised)
    }

    /// At least a tenth of the possible sessions missed; exactly a tenth counts.
    pub fn persistently_absent(self) -> bool {
        self.possible > 0 && self.absent * 10 >= self.possible
    }

    /// At least half of the possible sessions missed.
    pub fn severely_absent(self) -> bool {
        self.possible > 0 && self.absent * 2 >= self.possible
    }
}

impl Add for Sessions {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            possible: self.possible + other.possible,
            absent: self.absent + other.absent,
            unauthorised: self.unauthorised + other.unauthorised,
            late: self.late + other.late,
        }
    }
}

impl Sub for Sessions {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            possible: self.possible.saturating_sub(other.possible),
            absent: self.absent.saturating_sub(other.absent),
            unauthorised: self.unauthorised.saturating_sub(other.unauthorised),
            late: self.late.saturating_sub(other.late),
        }
    }
}

impl AddAssign for Sessions {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

/// A share in percent, not rounded; nothing where the whole is 0.
#[expect(clippy::cast_precision_loss, reason = "counts of sessions stay far below 2^52")]
pub(crate) fn percent(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absence_is_persistent_from_a_tenth_and_severe_from_a_half() {
        #[track_caller]
        fn check(absent: u64, possible: u64, persistent: bool, severe: bool) {
            let sessions = Sessions { possible, absent, ..Sessions::default() };
            assert_eq!(sessions.persistently_absent(), persistent, "{sessions:?}");
            assert_eq!(sessions.severely_absent(), severe, "{sessions:?}");
        }
        check(0, 0, false, false);
        check(0, 1, false, false);
        check(1, 11, false, false);
        check(1, 10, true, false);
        check(10, 100, true, false);
        check(4, 9, true, false);
        check(5, 10, true, true);
        check(1, 1, true, true);
    }

    /// DfE's own counts by code give DfE's own percentages, for every local authority and region of England.
    #[test]
    fn the_arithmetic_is_dfes() {
        let fixture = include_str!("../../tests/data/dfe_sessions_2025-26.csv");
        let text: String = fixture
            .lines()
            .filter(|it| !it.starts_with("##"))
            .fold(String::new(), |text, line| text + line + "\n");
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let header = reader.headers().unwrap().clone();
        let mut rows = 0;
        for row in reader.records() {
            let row = row.unwrap();
            let mut all = Sessions::default();
            let mut published = std::collections::HashMap::new();
            for (name, value) in header.iter().zip(&row).skip(2) {
                if name.ends_with("_perc") {
                    published.insert(name, value.parse::<f64>().unwrap());
                    continue;
                }
                let code = AttendanceCode::all().iter().find(|it| it.code == name);
                let class = code.map_or(Class::Authorised, |it| it.class);
                assert!(code.is_some() || name == "unnamed", "{name}");
                let marks = value.parse().unwrap();
                all += Sessions::of(class, marks);
            }
            for (name, part) in [
                ("attendance_perc", all.attended()),
                ("overall_absence_perc", all.absent),
                ("authorised_absence_perc", all.authorised()),
                ("unauthorised_absence_perc", all.unauthorised),
            ] {
                let ours = percent(part, all.possible).unwrap();
                assert!((ours - published[name]).abs() < 1e-9, "{name} of {row:?}: {ours}");
            }
            rows += 1;
        }
        assert_eq!(rows, 643);
    }
}
