//! One line of the list of observations, wherever its value is from.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{
    Absent, FactMeasure, Figure, Measure, Observation, Period, ReportedObservation, Share, Stated,
};

#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub measure: String,
    pub urn: String,
    /// None for the whole school.
    pub year_group: Option<i8>,
    /// A characteristic, or a group a source reported of.
    pub group: Option<String>,
    pub subject: Option<String>,
    pub point: Option<String>,
    pub period: Period,
    pub figure: Result<Figure, Absent>,
    /// None for what was worked out here.
    pub report: Option<Report>,
}

/// Where a reported value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub source: String,
    pub source_code: Option<String>,
    pub revision: u32,
}

/// Where a line stands in the list: oldest first, then by school, measure in the order they are defined, and part.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place {
    pub starts_on: NaiveDate,
    urn: String,
    rank: usize,
    measure: String,
    year_group: Option<i8>,
    group: Option<String>,
    subject: Option<String>,
    point: Option<String>,
    ends_on: NaiveDate,
    source: Option<String>,
}

impl Shown {
    pub fn place(&self) -> Place {
        Place {
            starts_on: self.period.starts_on,
            urn: self.urn.clone(),
            rank: rank(&self.measure),
            measure: self.measure.clone(),
            year_group: self.year_group,
            group: self.group.clone(),
            subject: self.subject.clone(),
            point: self.point.clone(),
            ends_on: self.period.ends_on,
            source: self.report.as_ref().map(|it| it.source.clone()),
        }
    }

    /// What a source reported of a school; nothing where the report was withdrawn.
    pub fn reported(urn: String, it: &ReportedObservation) -> Option<Self> {
        let figure = match it.stated {
            Stated::Value(value) => Ok(Figure { value, numerator: None, denominator: None }),
            Stated::Share { numerator, denominator } => Ok(Figure {
                value: numerator / denominator,
                numerator: Some(numerator),
                denominator: Some(denominator),
            }),
            Stated::Absent(absent) => Err(absent),
            Stated::Withdrawn => return None,
        };
        Some(Self {
            measure: it.measure.clone(),
            urn,
            year_group: it.year_group,
            group: it.group.clone(),
            subject: it.subject.clone(),
            point: None,
            period: Period::exactly(it.starts_on, it.ends_on),
            figure,
            report: Some(Report {
                source: it.source.clone(),
                source_code: it.source_code.clone(),
                revision: it.revision,
            }),
        })
    }
}

impl From<Observation> for Shown {
    fn from(it: Observation) -> Self {
        Self {
            measure: it.measure.definition().key.to_owned(),
            urn: it.urn,
            year_group: it.year_group,
            group: None,
            subject: None,
            point: None,
            period: it.period,
            figure: it.value.map(Into::into),
            report: None,
        }
    }
}

impl From<Share> for Figure {
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
    fn from(it: Share) -> Self {
        let (numerator, denominator) = (Some(it.numerator as f64), Some(it.denominator as f64));
        Self { value: it.value, numerator, denominator }
    }
}

/// Attendance first, then what facts come to, then what only sources know.
fn rank(key: &str) -> usize {
    let attendance = Measure::ALL.iter().map(|it| it.definition().key);
    let facts = FactMeasure::all().iter().map(|it| it.key.as_str());
    attendance.chain(facts).position(|it| it == key).unwrap_or(usize::from(u16::MAX))
}
