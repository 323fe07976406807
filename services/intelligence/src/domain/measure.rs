use serde::{Deserialize, Serialize};

use crate::domain::{Summary, attendance::percent};

/// The measures computed from registers. Values are percentages, not rounded.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Measure {
    Attendance,
    PersistentAbsence,
    SevereAbsence,
    AuthorisedAbsence,
    UnauthorisedAbsence,
    Lateness,
}

/// What a measure is, in words.
#[derive(Clone, Copy, Debug)]
pub struct Definition {
    pub key: &'static str,
    pub name: &'static str,
    pub numerator: &'static str,
    pub denominator: &'static str,
    pub higher_is_better: bool,
    pub source: &'static str,
}

const SOURCE: &str = "Department for Education, Pupil attendance in schools: methodology; \
                      Working together to improve school attendance (August 2024)";

const POSSIBLE: &str = "possible sessions: attended, authorised absence and unauthorised absence";

impl Measure {
    pub const ALL: [Self; 6] = [
        Self::Attendance,
        Self::PersistentAbsence,
        Self::SevereAbsence,
        Self::AuthorisedAbsence,
        Self::UnauthorisedAbsence,
        Self::Lateness,
    ];
    /// Those a school's standing is told of.
    pub const HEADLINES: [Self; 3] =
        [Self::Attendance, Self::PersistentAbsence, Self::SevereAbsence];

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.definition().key == key)
    }

    pub fn definition(self) -> Definition {
        match self {
            Self::Attendance => Definition {
                key: "attendance",
                name: "Attendance",
                numerator: "sessions attended: present, late before registers closed, or at an approved educational activity",
                denominator: POSSIBLE,
                higher_is_better: true,
                source: SOURCE,
            },
            Self::PersistentAbsence => Definition {
                key: "persistent_absence",
                name: "Persistent absence",
                numerator: "pupils who missed 10 % or more of their own possible sessions",
                denominator: "pupils with at least one possible session",
                higher_is_better: false,
                source: SOURCE,
            },
            Self::SevereAbsence => Definition {
                key: "severe_absence",
                name: "Severe absence",
                numerator: "pupils who missed 50 % or more of their own possible sessions",
                denominator: "pupils with at least one possible session",
                higher_is_better: false,
                source: SOURCE,
            },
            Self::AuthorisedAbsence => Definition {
                key: "authorised_absence",
                name: "Authorised absence",
                numerator: "sessions of authorised absence: codes C, C1, C2, E, I, J1, M, R, S and T",
                denominator: POSSIBLE,
                higher_is_better: false,
                source: SOURCE,
            },
            Self::UnauthorisedAbsence => Definition {
                key: "unauthorised_absence",
                name: "Unauthorised absence",
                numerator: "sessions of unauthorised absence: codes G, N, O and U",
                denominator: POSSIBLE,
                higher_is_better: false,
                source: SOURCE,
            },
            Self::Lateness => Definition {
                key: "lateness",
                name: "Lateness",
                numerator: "sessions late: code L, before the register closed and attended, and code U, after it closed",
                denominator: POSSIBLE,
                higher_is_better: false,
                source: "Codes L and U of Working together to improve school attendance (August 2024); \
                         the rate is Headway's own, for the Department for Education publishes none",
            },
        }
    }

    /// Numerator and denominator.
    pub fn counts(self, summary: &Summary) -> (u64, u64) {
        match self {
            Self::Attendance => (summary.sessions.attended(), summary.sessions.possible),
            Self::PersistentAbsence => (summary.persistently_absent.into(), summary.pupils.into()),
            Self::SevereAbsence => (summary.severely_absent.into(), summary.pupils.into()),
            Self::AuthorisedAbsence => (summary.sessions.authorised(), summary.sessions.possible),
            Self::UnauthorisedAbsence => (summary.sessions.unauthorised, summary.sessions.possible),
            Self::Lateness => (summary.sessions.late, summary.sessions.possible),
        }
    }

    pub fn value(self, summary: &Summary) -> Option<f64> {
        let (numerator, denominator) = self.counts(summary);
        percent(numerator, denominator)
    }
}
