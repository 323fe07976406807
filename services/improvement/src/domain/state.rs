//! The closed lists a project speaks in.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How far a project has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum State {
    Proposed,
    Diagnosed,
    Planned,
    Delivering,
    Embedding,
    Closed,
    Abandoned,
}

impl State {
    /// The state that follows when the gate opens; none for the two that are final.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Proposed => Some(Self::Diagnosed),
            Self::Diagnosed => Some(Self::Planned),
            Self::Planned => Some(Self::Delivering),
            Self::Delivering => Some(Self::Embedding),
            Self::Embedding => Some(Self::Closed),
            Self::Closed | Self::Abandoned => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proposed => "proposed",
            Self::Diagnosed => "diagnosed",
            Self::Planned => "planned",
            Self::Delivering => "delivering",
            Self::Embedding => "embedding",
            Self::Closed => "closed",
            Self::Abandoned => "abandoned",
        })
    }
}

/// How far up a project is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Trust,
    Hub,
    School,
}

/// Where in the chain from trust to classroom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    Trust,
    SchoolLeaders,
    MiddleLeaders,
    Classroom,
}

impl Tier {
    /// Every tier, in the order a chain runs through them.
    pub const CHAIN: [Self; 4] =
        [Self::Trust, Self::SchoolLeaders, Self::MiddleLeaders, Self::Classroom];
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trust => "trust",
            Self::SchoolLeaders => "school leaders",
            Self::MiddleLeaders => "middle leaders",
            Self::Classroom => "classroom",
        })
    }
}

/// How a goal stands, as a stocktake judged it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rating {
    Met,
    OnTrack,
    AtRisk,
    OffTrack,
}

/// How likely a project is to deliver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Likelihood {
    HighlyLikely,
    Likely,
    Unlikely,
    HighlyUnlikely,
}

/// Whether a project worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Achieved,
    Partly,
    Not,
}
