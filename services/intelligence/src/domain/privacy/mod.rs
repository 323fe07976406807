//! What a trust does about the personal data it holds.

mod erasure;
mod hold;
mod retention;

use serde::{Deserialize, Serialize};

pub use erasure::{Erasure, ErasureId, certificate, is_named};
pub use hold::{HoldId, LegalHold};
pub use retention::{Retained, RetentionRule, Unit as RetainedUnit, retained};

use crate::domain::Kind;

/// Whom data is about.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Subject {
    Pupil,
    /// Somebody on the staff.
    Staff,
}

/// How many of something went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Went {
    pub what: String,
    pub rows: u64,
}

impl Went {
    pub fn new(what: impl Into<String>, rows: usize) -> Self {
        Self { what: what.into(), rows: u64::try_from(rows).unwrap_or(u64::MAX) }
    }
}

impl Subject {
    /// The ids of pupils and of staff are hashed in two name spaces only where the kinds of records tell them apart.
    pub fn kinds(self) -> impl Iterator<Item = Kind> {
        Kind::ALL.into_iter().filter(move |it| match self {
            Self::Pupil => it.names_pupils(),
            Self::Staff => it.names_staff(),
        })
    }
}

impl Kind {
    /// Whether its records are about somebody on the staff.
    pub fn names_staff(self) -> bool {
        matches!(self, Self::StaffMember | Self::StaffAbsence)
    }

    /// Whether its records are about single people.
    pub fn is_personal(self) -> bool {
        self.names_pupils() || self.names_staff() || self == Self::PupilKeyChange
    }
}
