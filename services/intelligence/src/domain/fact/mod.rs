//! Facts: every kind of record but pupils, enrolments and registers. Each says something of a school, and often of a
//! person, under a natural key; the latest under a key holds.

mod assessment;
mod budget;
mod cell;
mod facts;
mod measure;
mod observation;
mod pupil;
mod staff;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

pub use assessment::{AssessmentResult, Graded, Standard};
pub use budget::BudgetLine;
use budget::Part;
pub use cell::{COMBINED, CellKey, Quantity, Sums};
pub use facts::{ChangedFact, FactKey, Facts, KeptFact};
pub use measure::{FactMeasure, Figure, Good, Known, Over, Top, Whose};
pub use observation::{ReportedObservation, Stated};
pub use pupil::{BehaviourIncident, Suspension};
pub use staff::{Cover, StaffAbsence, StaffMember};

use crate::domain::Kind;

/// A fact about a school, and about a person (`P`) where it has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact<P> {
    pub kind: Kind,
    pub person: Option<P>,
    /// The day it speaks of: its first.
    pub on: NaiveDate,
    /// The natural key, but for the school, the kind and the person.
    pub key: String,
    /// None takes back what was said under the key.
    pub content: Option<Content>,
}

/// What a fact says, without whom it says it of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    AssessmentResult(AssessmentResult),
    Suspension(Suspension),
    BehaviourIncident(BehaviourIncident),
    StaffMember(StaffMember),
    StaffAbsence(StaffAbsence),
    Cover(Cover),
    BudgetLine(BudgetLine),
    Observation(ReportedObservation),
}

impl Content {
    /// Whether its person is a pupil, who must be on roll for it to count.
    pub fn is_of_pupil(&self) -> bool {
        matches!(self, Self::AssessmentResult(_) | Self::Suspension(_) | Self::BehaviourIncident(_))
    }
}

impl Kind {
    /// Whether the person is part of the natural key.
    pub fn is_keyed_by_person(self) -> bool {
        matches!(
            self,
            Self::AssessmentResult | Self::Suspension | Self::StaffMember | Self::StaffAbsence
        )
    }
}

impl<P> Fact<P> {
    /// The same with its person named otherwise.
    pub fn renamed<Q>(self, name: impl FnMut(P) -> Q) -> Fact<Q> {
        let Self { kind, person, on, key, content } = self;
        Fact { kind, person: person.map(name), on, key, content }
    }
}
