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

impl Measure {
    pub const ALL: [Self; 3] = [Self::Attendance, Self::PersistentAbsence, Self::SevereAbsence];

    pub fn parse(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.definition().key == key)
    }

    pub fn definition(self) -> Definition {
        match self {
            Self::Attendance => Definition {
                key: "attendance",
                name: "Attendance",
                numerator: "sessions attended: present, late before registers closed, or at an approved educational activity",
                denominator: "possible sessions: attended, authorised absence and unauthorised absence",
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
        }
    }

    /// Numerator and denominator.
    pub fn counts(self, summary: &Summary) -> (u64, u64) {
        match self {
            Self::Attendance => (summary.sessions.attended(), summary.sessions.possible),
            Self::PersistentAbsence => (summary.persistently_absent.into(), summary.pupils.into()),
            Self::SevereAbsence => (summary.severely_absent.into(), summary.pupils.into()),
        }
    }

    pub fn value(self, summary: &Summary) -> Option<f64> {
        let (numerator, denominator) = self.counts(summary);
        percent(numerator, denominator)
    }
}
