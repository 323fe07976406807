use chrono::NaiveDate;
use identity::{Laestab, SchoolId, TrustId, Ukprn, Urn};
use serde::{Deserialize, Serialize};

use super::establishment::{EducationPhase, Establishment, EstablishmentStatus};

/// A school of a trust, the same through every URN it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct School {
    pub school_id: SchoolId,
    pub trust_id: TrustId,
    #[sqlx(flatten)]
    pub details: Details,
    pub joined_on: NaiveDate,
    pub left_on: Option<NaiveDate>,
    /// Where its pupils went, when it merged into another school of the trust.
    pub merged_into_urn: Option<Urn>,
    pub version: i32,
}

/// What a trust needs to know of one of its schools, as the register has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Details {
    pub urn: Urn,
    pub name: String,
    pub phase: EducationPhase,
    pub status: EstablishmentStatus,
    pub la_code: Option<String>,
    pub laestab: Option<Laestab>,
    pub ukprn: Option<Ukprn>,
    pub capacity: Option<i32>,
    pub pupils: Option<i32>,
    pub easting: Option<i32>,
    pub northing: Option<i32>,
    pub lowest_age: Option<i32>,
    pub highest_age: Option<i32>,
}

impl School {
    pub fn urn(&self) -> &Urn {
        &self.details.urn
    }

    pub fn is_here(&self) -> bool {
        self.left_on.is_none()
    }

    /// Whether it closed with nothing known to follow it, so that a link learnt later may still say what did.
    pub fn closed_without_successor(&self) -> bool {
        self.left_on.is_some()
            && self.merged_into_urn.is_none()
            && self.details.status == EstablishmentStatus::Closed
    }
}

impl From<&Establishment> for Details {
    fn from(it: &Establishment) -> Self {
        Self {
            urn: it.urn.clone(),
            name: it.name.clone(),
            phase: it.phase,
            status: it.status,
            la_code: it.la_code.clone(),
            laestab: it.laestab.clone(),
            ukprn: it.ukprn.clone(),
            capacity: it.capacity,
            pupils: it.pupils,
            easting: it.easting,
            northing: it.northing,
            lowest_age: it.lowest_age,
            highest_age: it.highest_age,
        }
    }
}
