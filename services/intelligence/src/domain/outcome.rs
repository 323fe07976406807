//! What became of one record.

use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Stored as something new.
    Accepted,
    /// What it says was already so.
    Unchanged,
    /// It changed or took back what was stored.
    Corrected,
    /// Stored, but some of its pupils are not on roll as far as we know: it counts when they are.
    Parked,
    /// Not stored.
    Rejected,
    /// Deleted, because a snapshot of its scope did not name it.
    Removed,
}

/// What became of one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordResult {
    /// Its number among the results of the batch, from 1: a line may hold many records, and the files of a bundle begin
    /// anew. Kept beside it.
    #[serde(skip)]
    pub ordinal: u32,
    pub line: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub external_id: String,
    pub outcome: Outcome,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Complaint>,
    /// The URN it was stored under, when the one it named has been superseded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_by_urn: Option<String>,
    /// Of a record a snapshot removed: what it was, with pupils by pseudonym.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub natural_key: Option<String>,
}

/// A problem of a record, as it is kept with the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Complaint {
    pub pointer: String,
    /// Number of the contract's error reason.
    pub reason: i32,
    pub detail: String,
}

impl RecordResult {
    /// Of a record without problems, not yet numbered.
    pub fn new(line: u32, external_id: String, outcome: Outcome) -> Self {
        let (problems, superseded_by_urn, natural_key) = (Vec::new(), None, None);
        Self { ordinal: 0, line, external_id, outcome, problems, superseded_by_urn, natural_key }
    }
}

impl From<rpc::Problem> for Complaint {
    fn from(it: rpc::Problem) -> Self {
        let detail = it.fault.detail.into_owned();
        Self { pointer: it.pointer, reason: it.fault.reason.into(), detail }
    }
}
