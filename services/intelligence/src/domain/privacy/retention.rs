//! How long each kind of data is kept.

use std::sync::LazyLock;

use calendar::AcademicYear;
use chrono::{DateTime, Months, NaiveDate, Utc};
use rpc::Fault;
use serde::Deserialize;

use crate::domain::Kind;

/// By what data is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// By academic years, whole: figures of a year hang together.
    Records,
    /// By its own age.
    Age,
}

/// What holds for one kind of data unless a trust says otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Retained {
    pub what: String,
    pub unit: Unit,
    pub default: u32,
    pub least: u32,
    pub most: u32,
    pub reason: String,
}

/// What holds for one kind of data of a trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetentionRule {
    pub of: &'static Retained,
    /// What the trust has set.
    pub own: Option<u32>,
    /// Of the trust's setting; 0 while it has set nothing.
    pub version: u32,
}

static ALL: LazyLock<Vec<Retained>> = LazyLock::new(|| {
    let text = include_str!("../../../data/retention.csv");
    let mut reader =
        csv::ReaderBuilder::new().comment(Some(b'#')).flexible(true).from_reader(text.as_bytes());
    reader.deserialize().filter_map(Result::ok).collect()
});

/// Every kind of data that is kept for a time.
pub fn retained() -> &'static [Retained] {
    &ALL
}

impl Retained {
    pub fn named(what: &str) -> Option<&'static Self> {
        ALL.iter().find(|it| it.what == what)
    }

    /// The kind of record it is, if it is one.
    pub fn kind(&self) -> Option<Kind> {
        Kind::of_path(&self.what).filter(|_| self.unit == Unit::Records)
    }
}

impl RetentionRule {
    pub fn months(&self) -> u32 {
        self.own.unwrap_or(self.of.default)
    }

    /// Refuses what a trust may not set.
    pub fn admit(&self, months: Option<u32>) -> Result<(), Fault> {
        let Retained { least, most, .. } = self.of;
        match months {
            Some(it) if !(*least..=*most).contains(&it) => {
                Err(Fault::invalid(format!("must be {least} to {most} months")))
            }
            _ => Ok(()),
        }
    }

    /// The first day of which records are kept.
    pub fn kept_from(&self, today: NaiveDate) -> Option<NaiveDate> {
        let day = today.checked_sub_months(Months::new(self.months()))?;
        (self.of.unit == Unit::Records).then(|| AcademicYear::of(day).starts_on())
    }

    /// What is older goes.
    pub fn oldest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        now.checked_sub_months(Months::new(self.months())).filter(|_| self.of.unit == Unit::Age)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_that_is_told_of_is_kept_for_a_time() {
        for kind in Kind::TOLD {
            let rule = Retained::named(kind.path()).unwrap();
            assert_eq!(rule.kind(), Some(kind));
            assert!((rule.least..=rule.most).contains(&rule.default), "{}", rule.what);
        }
        let lines = include_str!("../../../data/retention.csv").lines();
        assert_eq!(retained().len(), lines.filter(|it| !it.starts_with('#')).count() - 1);
        // The database refuses to let younger ones go.
        assert_eq!(Retained::named("read-log").unwrap().least, 12);
    }

    #[test]
    fn records_go_by_whole_academic_years() {
        let of = Retained::named("behaviour-incidents").unwrap();
        let rule = RetentionRule { of, own: Some(36), version: 1 };
        let from = |on: &str| rule.kept_from(on.parse().unwrap()).unwrap().to_string();
        assert_eq!(from("2026-11-22"), "2023-09-01");
        assert_eq!(from("2026-08-31"), "2022-09-01");
        assert!(rule.admit(Some(11)).is_err());
        assert!(rule.admit(None).is_ok());
    }
}
