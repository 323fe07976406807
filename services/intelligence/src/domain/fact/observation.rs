use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::Absent;

/// A value of a measure that a source has worked out already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedObservation {
    pub measure: String,
    pub year_group: Option<i8>,
    pub group: Option<String>,
    pub subject: Option<String>,
    pub starts_on: NaiveDate,
    pub ends_on: NaiveDate,
    pub source: String,
    /// The code the source gave instead of a value, as it stood.
    pub source_code: Option<String>,
    pub revision: u32,
    pub stated: Stated,
}

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    Value(f64),
    Share {
        numerator: f64,
        denominator: f64,
    },
    Absent(Absent),
    /// The report was taken back; its revision is kept, so that an older one that comes late stays without effect.
    Withdrawn,
}

/// Numbers are finite: the doors refuse others.
impl Eq for Stated {}

impl ReportedObservation {
    pub fn key(&self) -> String {
        let year_group = self.year_group.map_or(String::new(), |it| it.to_string());
        let text = |it: &Option<String>| it.clone().unwrap_or_default();
        let (group, subject) = (text(&self.group), text(&self.subject));
        let Self { measure, starts_on, ends_on, source, .. } = self;
        format!("{measure}/{year_group}/{group}/{subject}/{starts_on}/{ends_on}/{source}")
    }

    pub fn is_withdrawn(&self) -> bool {
        self.stated == Stated::Withdrawn
    }
}
