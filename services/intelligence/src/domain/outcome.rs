//! What became of one record.

use serde::{Deserialize, Serialize};

use crate::domain::is_named;

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

impl RecordResult {
    /// Whether it names a person, by a vendor's id or by pseudonyms.
    pub fn names(&self, vendor_id: &str, pseudonyms: &[String]) -> bool {
        let details = self.problems.iter().map(|it| it.detail.as_str());
        let key = self.natural_key.as_deref();
        let mut said = details.chain([self.external_id.as_str()]).chain(key);
        said.any(|it| names(it, vendor_id, pseudonyms))
    }

    /// Takes a person out of it; whether they were in it.
    pub fn forget(&mut self, vendor_id: &str, pseudonyms: &[String]) -> bool {
        if !self.names(vendor_id, pseudonyms) {
            return false;
        }
        let names = |text: &str| names(text, vendor_id, pseudonyms);
        if names(&self.external_id) {
            self.external_id.clear();
        }
        for it in self.problems.iter_mut().filter(|it| names(&it.detail)) {
            "is not told any more: somebody it named was erased".clone_into(&mut it.detail);
        }
        self.natural_key = self.natural_key.take().filter(|it| !names(it));
        true
    }
}

fn names(text: &str, vendor_id: &str, pseudonyms: &[String]) -> bool {
    is_named(text, vendor_id) || pseudonyms.iter().any(|it| text.contains(it.as_str()))
}

impl From<rpc::Problem> for Complaint {
    fn from(it: rpc::Problem) -> Self {
        let detail = it.fault.detail.into_owned();
        Self { pointer: it.pointer, reason: it.fault.reason.into(), detail }
    }
}
