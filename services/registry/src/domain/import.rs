//! What an import of a file of the register did.

use chrono::{DateTime, Utc};
use identity::{TrustId, Urn};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Which of the files that GIAS publishes, known by its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RegisterFile {
    Establishments,
    Links,
    Groups,
    Memberships,
}

/// What an import did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    pub import_id: Uuid,
    pub file: RegisterFile,
    /// Of the bytes received, hexadecimal.
    pub sha256: String,
    pub rows: u32,
    pub counts: Counts,
    pub ignored: u32,
    pub quarantined: u32,
    /// At most [`QUARANTINE_SHOWN`] of them.
    pub quarantine: Vec<Quarantined>,
    pub unknown_columns: Vec<String>,
    pub imported_at: DateTime<Utc>,
    pub school_changes: Vec<SchoolChange>,
}

/// Quarantined rows a report lists; the rest are only counted.
pub(crate) const QUARANTINE_SHOWN: usize = 1000;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub added: u32,
    pub changed: u32,
    pub unchanged: u32,
    /// Of those added or changed, how many are closed now and were not before.
    pub closed: u32,
}

/// A row that was left out, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// The header is line 1.
    pub line: u32,
    pub urn: Option<String>,
    pub column: Option<String>,
    pub problem: String,
}

/// A line of the report on what changed in the trusts' schools.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SchoolChange {
    pub trust_id: TrustId,
    pub urn: Urn,
    pub change: String,
    pub previous_urn: Option<Urn>,
}
