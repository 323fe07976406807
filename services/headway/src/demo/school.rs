//! A school as the generator needs to know it.

use contract::registry::Establishment;
use serde::{Deserialize, Serialize};

/// Where a school's attendance goes in the last weeks before today.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Trend {
    #[default]
    Steady,
    Declining,
    Improving,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct School {
    pub(crate) urn: String,
    /// National curriculum years taught, 0 for reception.
    pub(crate) lowest_year: i8,
    pub(crate) highest_year: i8,
    /// Pupils on roll.
    pub(crate) roll: u32,
    pub(crate) trend: Trend,
}

impl School {
    /// A school of the register: year groups from its statutory ages, the roll from its number of pupils. A school too
    /// new to have counted its pupils is taken to be two fifths full.
    pub(crate) fn of(establishment: &Establishment, trend: Trend) -> Self {
        let year = |age: Option<u32>, before: i8, otherwise: i8| {
            age.and_then(|it| i8::try_from(it).ok()).map_or(otherwise, |it| it - before)
        };
        let lowest_year = year(establishment.lowest_age, 4, 0).clamp(0, 12);
        let highest_year = year(establishment.highest_age, 5, 6).clamp(lowest_year, 13);
        let roll = establishment
            .pupils
            .or_else(|| establishment.capacity.map(|it| it * 2 / 5))
            .unwrap_or(200);
        Self { urn: establishment.urn.clone(), lowest_year, highest_year, roll, trend }
    }

    /// Whether most of its pupils are of secondary age.
    pub(super) fn is_secondary(&self) -> bool {
        self.highest_year > 8
    }

    /// Its year groups, each with its part of the roll. Fewer pupils stay on after 16.
    pub(super) fn year_groups(&self) -> Vec<(i8, f64)> {
        let weight = |year: i8| if year > 11 { 0.45 } else { 1.0 };
        let sum: f64 = (self.lowest_year..=self.highest_year).map(weight).sum();
        (self.lowest_year..=self.highest_year).map(|year| (year, weight(year) / sum)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ages: (u32, u32), years: (i8, i8)) {
        let establishment = Establishment {
            lowest_age: Some(ages.0),
            highest_age: Some(ages.1),
            capacity: Some(210),
            ..Establishment::default()
        };
        let school = School::of(&establishment, Trend::Steady);
        assert_eq!((school.lowest_year, school.highest_year), years);
        assert_eq!(school.roll, 84);
    }

    #[test]
    fn ages_give_year_groups() {
        check((2, 11), (0, 6));
        check((4, 11), (0, 6));
        check((5, 7), (1, 2));
        check((11, 16), (7, 11));
        check((11, 18), (7, 13));
    }
}
