//! The measures worked out from facts and rolls: data, of which each row says what is divided by what.

use std::{collections::BTreeMap, sync::LazyLock};

use chrono::{Datelike, NaiveDate, Weekday};
use serde::{Deserialize, Deserializer, de::Error};

use super::{Quantity, Sums};
use crate::domain::{Absent, Flag, Kind, Period, PeriodKind, THRESHOLD};

const TABLE: &str = include_str!("../../../data/measures.csv");

static MEASURES: LazyLock<Vec<FactMeasure>> = LazyLock::new(read);

/// Which way is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Good {
    Higher,
    Lower,
    Neither,
}

/// Whom a measure is of: how many of them there are decides whether it is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    Pupils,
    Staff,
    School,
}

/// What stands above the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Top {
    Sum(Quantity),
    Roll,
    Having(Flag),
}

/// What stands below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Over {
    /// Of how many the sum is.
    Count,
    Roll,
    /// What steps of staff come to on the census day.
    Stock(Quantity),
    One,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct FactMeasure {
    pub key: String,
    pub name: String,
    pub numerator: String,
    pub denominator: String,
    /// `percent`, `per_100_pupils`, `score` and the like.
    pub unit: String,
    pub good: Good,
    pub of: Whose,
    #[serde(deserialize_with = "top")]
    pub top: Top,
    #[serde(deserialize_with = "over")]
    pub over: Over,
    pub factor: f64,
    /// The kind of record of which a feed's silence means that there was none.
    pub kind: Option<Kind>,
    pub source: String,
}

/// A value with what it was worked out from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    pub value: f64,
    pub numerator: Option<f64>,
    pub denominator: Option<f64>,
}

/// What is known of a school, or of some of its pupils, in a period.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// None where nothing was told.
    pub sums: Option<Sums>,
    pub roll: Option<u32>,
    pub having: u32,
    /// Steps of staff on the census day: what is divided by, and how many people there are.
    pub stock: i64,
    pub staff: i64,
}

impl FactMeasure {
    pub fn all() -> &'static [Self] {
        &MEASURES
    }

    pub fn named(key: &str) -> Option<&'static Self> {
        MEASURES.iter().find(|it| it.key == key)
    }

    /// Whether it is told by year group and by group of pupils.
    pub fn is_of_pupils(&self) -> bool {
        self.of == Whose::Pupils
    }

    /// The steps it is divided by.
    pub fn stock(&self) -> Option<Quantity> {
        if let Over::Stock(quantity) = self.over { Some(quantity) } else { None }
    }

    pub fn quantity(&self) -> Option<Quantity> {
        if let Top::Sum(quantity) = self.top { Some(quantity) } else { None }
    }

    /// The value; none where nothing is known. `silence_is_none` where a feed speaks for the school.
    pub fn figure(&self, known: &Known, silence_is_none: bool) -> Option<Figure> {
        let sums = known.sums.or_else(|| silence_is_none.then(Sums::default));
        let top = match self.top {
            Top::Sum(quantity) => scaled(sums?.sum, quantity),
            Top::Roll => known.roll.filter(|it| *it > 0)?.into(),
            Top::Having(_) => known.having.into(),
        };
        let below = match self.over {
            Over::Count => Some(scaled(sums?.count, Quantity::Suspensions)),
            Over::Roll => Some(f64::from(known.roll?)),
            Over::Stock(quantity) => Some(scaled(known.stock, quantity)),
            Over::One => None,
        };
        match below {
            None => {
                let numerator = (self.unit != "pence").then_some(top);
                Some(Figure { value: self.factor * top, numerator, denominator: None })
            }
            Some(below) if below > 0.0 => {
                let value = self.factor * top / below;
                Some(Figure { value, numerator: Some(top), denominator: Some(below) })
            }
            Some(_) => None,
        }
    }

    /// How many it is of, where that decides whether it is shown.
    pub fn people(&self, known: &Known) -> Option<u32> {
        let people = match (self.of, self.over) {
            (Whose::School, _) => return None,
            (Whose::Staff, _) => known.staff,
            (Whose::Pupils, Over::Count) => known.sums.map_or(0, |it| it.count),
            (Whose::Pupils, _) => known.roll.map_or(0, i64::from),
        };
        Some(u32::try_from(people).unwrap_or(0))
    }

    /// The value of a whole school, unless it would be of too few.
    pub fn whole(&self, known: &Known, silence_is_none: bool) -> Option<Result<Figure, Absent>> {
        let figure = self.figure(known, silence_is_none)?;
        let few = self.people(known).is_some_and(|it| it < THRESHOLD);
        Some(if few { Err(Absent::Suppressed) } else { Ok(figure) })
    }

    /// The values of parts that make up a whole; small ones are hidden, and with them what would give them away.
    pub fn parts<K: Copy + Ord>(
        &self,
        parts: &BTreeMap<K, Known>,
        silence_is_none: bool,
    ) -> Vec<(K, Result<Figure, Absent>)> {
        let people: Vec<u32> =
            parts.values().map(|it| self.people(it).unwrap_or(THRESHOLD)).collect();
        let hidden = statistics::suppressed(&people, THRESHOLD);
        let told = parts.iter().zip(hidden).filter_map(|((part, known), hidden)| {
            let figure = self.figure(known, silence_is_none)?;
            Some((*part, if hidden { Err(Absent::Suppressed) } else { Ok(figure) }))
        });
        told.collect()
    }
}

/// Quantities that are kept in hundredths.
#[expect(clippy::cast_precision_loss, reason = "sums stay far below 2^52")]
fn scaled(sum: i64, quantity: Quantity) -> f64 {
    let hundredths = matches!(
        quantity,
        Quantity::ScaledScore
            | Quantity::AdvancedPoints
            | Quantity::TeacherPoints
            | Quantity::ReadingAge
            | Quantity::StaffFte
            | Quantity::TeacherFte
            | Quantity::SicknessDays
    );
    if hundredths { sum as f64 / 100.0 } else { sum as f64 }
}

impl Period {
    /// The day on which pupils and staff are counted for a period: that of the school census in its term, of the spring
    /// census for an academic year, and the first day of anything shorter. Today where it is yet to come.
    pub fn census_day(&self, today: NaiveDate) -> NaiveDate {
        let (autumn, spring, summer) = (10, 1, 5);
        let thursday = |month, nth| {
            let year = if month == autumn { self.starts_on.year() } else { self.ends_on.year() };
            NaiveDate::from_weekday_of_month_opt(year, month, Weekday::Thu, nth)
        };
        let census = match (self.kind, self.starts_on.month()) {
            (PeriodKind::Term, 9..) => thursday(autumn, 1),
            (PeriodKind::AcademicYear, _) | (PeriodKind::Term, 1..=2) => thursday(spring, 3),
            (PeriodKind::Term, _) => thursday(summer, 3),
            _ => None,
        };
        census.unwrap_or(self.starts_on).min(today).max(self.starts_on)
    }
}

fn top<'de, D: Deserializer<'de>>(text: D) -> Result<Top, D::Error> {
    let text = String::deserialize(text)?;
    if text == "roll" {
        return Ok(Top::Roll);
    }
    if let Some(code) = text.strip_prefix("flag:") {
        let flag = Flag::named(code);
        return flag.map(Top::Having).ok_or_else(|| D::Error::custom("no such characteristic"));
    }
    quantity(&text).map(Top::Sum)
}

fn over<'de, D: Deserializer<'de>>(text: D) -> Result<Over, D::Error> {
    match String::deserialize(text)?.as_str() {
        "count" => Ok(Over::Count),
        "roll" => Ok(Over::Roll),
        "one" => Ok(Over::One),
        stock => quantity(stock).map(Over::Stock),
    }
}

fn quantity<E: Error>(text: &str) -> Result<Quantity, E> {
    Quantity::deserialize(serde::de::value::StrDeserializer::<E>::new(text))
}

#[expect(clippy::expect_used, reason = "the table is part of this code, and a test reads it")]
fn read() -> Vec<FactMeasure> {
    csv::ReaderBuilder::new()
        .comment(Some(b'#'))
        .from_reader(TABLE.as_bytes())
        .deserialize()
        .collect::<Result<_, _>>()
        .expect("the table of measures can be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(sum: i64, count: i64, roll: u32) -> Known {
        Known { sums: Some(Sums { sum, count }), roll: Some(roll), ..Known::default() }
    }

    #[test]
    fn a_value_is_the_factor_times_a_fraction() {
        #[track_caller]
        fn check(key: &str, known: &Known, expected: Option<Result<f64, Absent>>) {
            let told = FactMeasure::named(key).unwrap().whole(known, false);
            assert_eq!(told.map(|it| it.map(|it| it.value)), expected, "{key}");
        }
        check("suspension_rate", &known(3, 3, 300), Some(Ok(1.0)));
        check("suspension_rate", &known(3, 3, 4), Some(Err(Absent::Suppressed)));
        check("suspension_rate", &known(3, 3, 0), None);
        check("suspension_rate", &Known { sums: None, ..known(0, 0, 300) }, None);
        check("ks2_expected_standard", &known(24, 30, 0), Some(Ok(80.0)));
        check("ks2_expected_standard", &known(3, 4, 0), Some(Err(Absent::Suppressed)));
        check("ks2_average_scaled_score", &known(52_500, 5, 0), Some(Ok(105.0)));
        check("in_year_balance", &known(-1_250, 3, 0), Some(Ok(-1250.0)));
        check("roll", &known(0, 0, 210), Some(Ok(210.0)));
        let staffed = |stock, staff| Known { stock, staff, ..known(250, 2, 200) };
        check("pupil_teacher_ratio", &staffed(1_000, 12), Some(Ok(20.0)));
        check("staff_sickness_absence", &staffed(1_000, 12), Some(Ok(0.25)));
        check("staff_sickness_absence", &staffed(350, 4), Some(Err(Absent::Suppressed)));
    }

    #[test]
    fn a_feeds_silence_means_that_there_was_none() {
        let rate = FactMeasure::named("permanent_exclusion_rate").unwrap();
        let silent = Known { roll: Some(200), ..Known::default() };
        assert_eq!(rate.whole(&silent, false), None);
        let figure = rate.whole(&silent, true).unwrap().unwrap();
        assert_eq!((figure.value, figure.denominator), (0.0, Some(200.0)));
    }

    #[test]
    fn pupils_are_counted_on_census_day() {
        #[track_caller]
        fn check(kind: PeriodKind, of: &str, today: &str, expected: &str) {
            let day = kind.of(of.parse().unwrap()).census_day(today.parse().unwrap());
            assert_eq!(day.to_string(), expected, "{kind:?} of {of}");
        }
        use PeriodKind::{AcademicYear, Day, Term, Week};
        check(AcademicYear, "2025-09-01", "2026-11-20", "2026-01-15");
        check(AcademicYear, "2026-09-01", "2026-11-20", "2026-11-20");
        check(Term, "2025-09-01", "2026-11-20", "2025-10-02");
        check(Term, "2026-02-01", "2026-11-20", "2026-01-15");
        check(Term, "2026-06-01", "2026-11-20", "2026-05-21");
        check(Week, "2026-11-18", "2026-11-20", "2026-11-16");
        check(Day, "2026-11-18", "2026-11-20", "2026-11-18");
        check(Day, "2026-11-25", "2026-11-20", "2026-11-25");
    }
}
