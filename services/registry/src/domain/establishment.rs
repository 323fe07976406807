//! Rows of the national register, as Headway keeps them.

use chrono::NaiveDate;
use identity::{CompaniesHouseNumber, GroupUid, Laestab, Ukprn, Urn};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum EstablishmentStatus {
    Open,
    OpenProposedToClose,
    Closed,
    ProposedToOpen,
}

impl EstablishmentStatus {
    /// Whether pupils are taught there now.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Open | Self::OpenProposedToClose)
    }
}

/// What a school teaches, as GIAS classes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum EducationPhase {
    Nursery,
    Primary,
    MiddleDeemedPrimary,
    Secondary,
    MiddleDeemedSecondary,
    AllThrough,
    SixteenPlus,
    NotApplicable,
}

impl EducationPhase {
    pub fn is_primary(self) -> bool {
        matches!(self, Self::Primary | Self::MiddleDeemedPrimary | Self::AllThrough)
    }

    pub fn is_secondary(self) -> bool {
        matches!(self, Self::Secondary | Self::MiddleDeemedSecondary | Self::AllThrough)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Establishment {
    pub urn: Urn,
    pub name: String,
    pub status: EstablishmentStatus,
    pub phase: EducationPhase,
    /// As GIAS writes it, for example `Academy converter`.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub la_code: Option<String>,
    pub la_name: Option<String>,
    pub laestab: Option<Laestab>,
    pub ukprn: Option<Ukprn>,
    /// Whether a file with group UIDs has said which trust it is in, or that it is in none.
    pub trust_stated: bool,
    pub trust_group_uid: Option<GroupUid>,
    pub trust_name: Option<String>,
    pub opened_on: Option<NaiveDate>,
    pub closed_on: Option<NaiveDate>,
    pub lowest_age: Option<i32>,
    pub highest_age: Option<i32>,
    pub capacity: Option<i32>,
    pub pupils: Option<i32>,
    /// Metres on the Ordnance Survey grid (EPSG:27700), as is `northing`.
    pub easting: Option<i32>,
    pub northing: Option<i32>,
    pub postcode: Option<String>,
    pub region: Option<String>,
}

/// A tie between two establishments.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Link {
    pub urn: Urn,
    pub link_urn: Urn,
    /// As GIAS writes it, for example `Predecessor - merged`.
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub name: Option<String>,
    pub established_on: Option<NaiveDate>,
}

impl Link {
    /// Whether `link_urn` came after `urn`. An amalgamation is entered on both sides with the same words, so it tells
    /// only together with which of the two has closed.
    pub fn to_successor(&self) -> bool {
        self.kind.starts_with("Successor")
            || self.kind.starts_with("Result of Amalgamation")
            || self.kind.starts_with("Merged")
    }

    /// Whether `link_urn` came before `urn`.
    pub fn to_predecessor(&self) -> bool {
        self.kind.starts_with("Predecessor")
    }
}

/// A group of establishments: a trust, sponsor, federation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Group {
    pub group_uid: GroupUid,
    pub group_id: Option<String>,
    pub name: String,
    #[sqlx(rename = "type")]
    #[serde(rename = "type")]
    pub kind: String,
    pub status: String,
    pub companies_house_number: Option<CompaniesHouseNumber>,
    pub ukprn: Option<Ukprn>,
    pub opened_on: Option<NaiveDate>,
    pub closed_on: Option<NaiveDate>,
}

/// An establishment's place in an academy trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Membership {
    pub urn: Urn,
    pub group_uid: GroupUid,
    pub group_name: String,
    pub joined_on: Option<NaiveDate>,
    /// The trust itself has closed: it holds no schools.
    pub closed: bool,
}

/// An establishment with what all files together say of its trust.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct Registered {
    #[sqlx(flatten)]
    pub establishment: Establishment,
    /// The trust it is in: the establishments' file says so, or else the memberships'.
    pub group_uid: Option<GroupUid>,
    pub group_name: Option<String>,
    /// When it joined that trust, if the memberships say.
    pub joined_on: Option<NaiveDate>,
}
