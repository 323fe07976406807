use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a school or unit is on its improvement journey; later phases are greater.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, sqlx::Type,
)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "TEXT", rename_all = "snake_case")]
pub enum Phase {
    Stabilise,
    Repair,
    Improve,
    Sustain,
}

impl Phase {
    pub const ALL: [Self; 4] = [Self::Stabilise, Self::Repair, Self::Improve, Self::Sustain];

    /// The phase that comes next: improvement is sequential.
    pub fn next(self) -> Option<Self> {
        match self {
            Self::Stabilise => Some(Self::Repair),
            Self::Repair => Some(Self::Improve),
            Self::Improve => Some(Self::Sustain),
            Self::Sustain => None,
        }
    }

    /// The phases before this one, earliest first.
    pub fn earlier(self) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |it| *it < self)
    }

    /// Whether a school or unit here needs more help than it can give.
    pub fn is_fragile(self) -> bool {
        matches!(self, Self::Stabilise | Self::Repair)
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Stabilise => "Stabilise",
            Self::Repair => "Repair",
            Self::Improve => "Improve",
            Self::Sustain => "Sustain",
        })
    }
}
