//! Stretches of days of many schools at once, which each dialect has its own way to ask for.

use chrono::NaiveDate;
use identity::SchoolId;
use rpc::{Error, Result};
use uuid::Uuid;

/// Days of a school, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub school_id: SchoolId,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

/// For `SQLite`: rows of `json_each`, of which `value ->> 0` is the school in hexadecimal digits.
pub(super) fn json(ranges: &[Range]) -> Result<String> {
    let rows: Vec<_> =
        ranges.iter().map(|it| (it.school_id.0.simple().to_string(), it.from, it.to)).collect();
    serde_json::to_string(&rows).map_err(Error::internal)
}

/// For `PostgreSQL`: the three arrays that `unnest` takes. What is asked for is joined by `LATERAL (… OFFSET 0)`, by which
/// each range is looked up by the key: a plain join, planned while the table was small, would read all of it later on.
pub(super) fn arrays(ranges: &[Range]) -> (Vec<Uuid>, Vec<NaiveDate>, Vec<NaiveDate>) {
    (
        ranges.iter().map(|it| it.school_id.0).collect(),
        ranges.iter().map(|it| it.from).collect(),
        ranges.iter().map(|it| it.to).collect(),
    )
}
