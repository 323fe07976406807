//! The arithmetic of attendance, as DfE publishes it.
//!
//! Attending = present + approved educational activity; possible = attending + authorised + unauthorised absence;
//! attendance = attending ÷ possible. A pupil is persistently absent with 10 % or more of their own possible sessions
//! missed, severely with 50 % or more (DfE, *Pupil attendance in schools: methodology*). Rates of several pupils or
//! schools are never averaged: numerators and denominators are summed.

use std::ops::{Add, AddAssign};

use crate::domain::Class;

/// Half-day sessions of a pupil or of many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sessions {
    pub possible: u64,
    pub absent: u64,
}

impl Sessions {
    /// What marks of a class amount to.
    pub fn of(class: Class, marks: u64) -> Self {
        match class {
            Class::Present | Class::ApprovedActivity => Self { possible: marks, absent: 0 },
            Class::Authorised | Class::Unauthorised => Self { possible: marks, absent: marks },
            Class::NotPossible => Self::default(),
        }
    }

    pub fn attended(self) -> u64 {
        self.possible.saturating_sub(self.absent)
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
        Self { possible: self.possible + other.possible, absent: self.absent + other.absent }
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
    use crate::domain::AttendanceCode;

    #[test]
    fn absence_is_persistent_from_a_tenth_and_severe_from_a_half() {
        #[track_caller]
        fn check(absent: u64, possible: u64, persistent: bool, severe: bool) {
            let sessions = Sessions { possible, absent };
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
            let (mut all, mut authorised, mut unauthorised) = (Sessions::default(), 0, 0);
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
                match class {
                    Class::Authorised => authorised += marks,
                    Class::Unauthorised => unauthorised += marks,
                    _ => {}
                }
            }
            for (name, part) in [
                ("attendance_perc", all.attended()),
                ("overall_absence_perc", all.absent),
                ("authorised_absence_perc", authorised),
                ("unauthorised_absence_perc", unauthorised),
            ] {
                let ours = percent(part, all.possible).unwrap();
                assert!((ours - published[name]).abs() < 1e-9, "{name} of {row:?}: {ours}");
            }
            rows += 1;
        }
        assert_eq!(rows, 643);
    }
}
