//! How the files that a system already exports are read: saved with a feed, named at a push.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use identity::TrustId;
use rpc::Fault;
use serde::{Deserialize, Serialize};

use crate::domain::{FeedId, Kind};

identity::id! {
    /// A way to read files, saved with a feed.
    MappingId
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    pub mapping_id: MappingId,
    pub feed_id: FeedId,
    pub trust_id: TrustId,
    /// What a push calls it by; unique in the feed.
    pub name: String,
    pub reading: Reading,
    pub version: u32,
    pub saved_at: DateTime<Utc>,
}

impl Mapping {
    /// Its next version, which reads otherwise; none where that is no change. Whoever changes it says which version.
    pub fn changed(&self, reading: Reading, expected: Option<u32>) -> rpc::Result<Option<Self>> {
        if self.reading == reading && expected.is_none_or(|it| it == self.version) {
            return Ok(None);
        }
        rpc::unchanged(self.version, rpc::expected_version(expected)?)?;
        Ok(Some(Self { reading, version: self.version + 1, ..self.clone() }))
    }
}

/// What kind of file it reads, and how.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    Csv(CsvMapping),
    OneRoster(OneRosterMapping),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CsvMapping {
    pub kind: Kind,
    pub columns: Vec<MappedColumn>,
    /// The first that reads a value counts; `YYYY-MM-DD` when there is none.
    pub date_formats: Vec<DateFormat>,
    /// Whether columns that are not mapped are passed over, or refused.
    pub ignore_unmapped: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedColumn {
    /// The record's field, as its own layout names the column.
    pub field: String,
    pub source: Source,
    /// Their codes and what they are here. One that is not listed stands as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The column of the file under this header.
    Header(String),
    /// The same for every row.
    Constant(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OneRosterMapping {
    /// An organisation's `sourcedId`, and the URN of the school it is.
    pub schools: BTreeMap<String, String>,
    pub grades: GradeScheme,
    /// Grade codes of theirs, and the national curriculum year each is; before the scheme.
    pub year_groups: BTreeMap<String, i8>,
    /// Hundredths of full time that staff are taken for; without it they are passed over.
    pub staff_fte_percent: Option<u8>,
    pub line_items: Vec<LineItem>,
}

/// What the results of a line item are here: codes of their lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineItem {
    /// Its `sourcedId` or its title.
    pub line_item: String,
    pub scale: String,
    pub subject: String,
    pub assessment_point: String,
}

/// What the numbers in `grades` count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GradeScheme {
    /// England's national curriculum years.
    #[default]
    NationalCurriculum,
    /// Grades of the United States: one less than the year a pupil of the same age is in.
    UnitedStates,
}

/// How a date is written: `DD/MM/YYYY`, `D MMM YY`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DateFormat(String);

impl DateFormat {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let format = Self(text.to_owned());
        let pattern = format.pattern();
        let has = |parts: [&str; 2]| parts.iter().any(|it| pattern.contains(it));
        let whole = has(["%Y", "%y"]) && has(["%m", "%b"]) && pattern.contains("%d");
        // Three parts of which none is missing: each there once. A sign `%` of theirs would be read as a part.
        let once = pattern.matches('%').count() == 3 && !text.contains('%');
        let parts = ["%Y", "%y", "%m", "%b", "%d"];
        let rest = parts.iter().fold(pattern, |it, part| it.replace(part, ""));
        if whole && once && !rest.contains(char::is_alphanumeric) {
            return Ok(format);
        }
        Err(Fault::invalid(
            "must be made of YYYY or YY, MM or MMM, and DD, once each, and signs between them",
        )
        .accepting(["YYYY-MM-DD", "DD/MM/YYYY", "D MMM YYYY", "YYYYMMDD"]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As chrono spells it.
    fn pattern(&self) -> String {
        let tokens = [
            ("YYYY", "%Y"),
            ("YY", "%y"),
            ("MMM", "%b"),
            ("MM", "%m"),
            ("DD", "%d"),
            ("D", "%d"),
            ("M", "%m"),
        ];
        let (mut pattern, mut rest) = (String::new(), self.0.as_str());
        while let Some(next) = rest.chars().next() {
            let token =
                tokens.iter().find_map(|(ours, theirs)| Some((rest.strip_prefix(ours)?, *theirs)));
            if let Some((after, theirs)) = token {
                pattern.push_str(theirs);
                rest = after;
            } else {
                pattern.push(next);
                rest = rest.split_at(next.len_utf8()).1;
            }
        }
        pattern
    }

    /// The date, if the text is one so written; a time of day may follow.
    pub fn read(&self, text: &str) -> Option<NaiveDate> {
        let (date, rest) = NaiveDate::parse_and_remainder(text.trim(), &self.pattern()).ok()?;
        let time = rest.is_empty()
            || rest.starts_with([' ', 'T'])
                && rest.chars().all(|it| " T:.0123456789Z".contains(it));
        // Two digits where the format has four are not a year of antiquity.
        (time && (1900..2200).contains(&date.year())).then_some(date)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_the_mapping_says() {
        #[track_caller]
        fn check(format: &str, text: &str, expected: Option<&str>) {
            let date = DateFormat::parse(format).unwrap().read(text).map(|it| it.to_string());
            assert_eq!(date.as_deref(), expected, "{text} as {format}");
        }
        check("DD/MM/YYYY", "20/11/2025", Some("2025-11-20"));
        check("DD/MM/YYYY", "1/9/2025", Some("2025-09-01"));
        check("DD/MM/YYYY", "20/11/2025 00:00:00", Some("2025-11-20"));
        check("DD/MM/YYYY", "20/11/25", None);
        check("DD/MM/YYYY", "11/20/2025", None);
        check("DD/MM/YYYY", "20/11/2025x", None);
        check("DD/MM/YY", "20/11/25", Some("2025-11-20"));
        check("MM/DD/YYYY", "11/20/2025", Some("2025-11-20"));
        check("D MMM YYYY", "3 Sep 2025", Some("2025-09-03"));
        check("DD-MMM-YY", "03-SEP-25", Some("2025-09-03"));
        check("YYYYMMDD", "20251120", Some("2025-11-20"));
        check("YYYY-MM-DD", "2025-11-20T09:00:00Z", Some("2025-11-20"));
        check("YYYY-MM-DD", "", None);
    }

    #[test]
    fn a_format_holds_each_part_once() {
        for wrong in [
            "",
            "DD/MM",
            "YYYY",
            "DD/MM/YYYY HH",
            "DD/DD/YYYY",
            "%d/%m/%Y",
            "DDDMMYYYY",
            "DD.MM.YYYY YY",
        ] {
            assert!(DateFormat::parse(wrong).is_err(), "{wrong}");
        }
    }
}
