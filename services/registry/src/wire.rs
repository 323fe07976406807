//! The contract's words for the domain's: enumerations, evidence and ratings, as requests, answers and events hold them.

use contract::{common, registry as v1};
use rpc::{Error, Result};

use crate::domain::{
    establishment::{EducationPhase, EstablishmentStatus},
    evidence::{Evidence, EvidenceKind},
    import::RegisterFile,
    journey::TransitionKind,
    phase::Phase,
    rubric::{Rating, RubricDomain},
    unit::UnitKind,
};

/// An enumeration that the contract has under the same names.
pub(crate) trait Wire: Sized + 'static {
    fn to_wire(self) -> i32;
    /// None for a value that is not specified or not known.
    fn from_wire(value: i32) -> Option<Self>;
    /// The names the contract accepts.
    fn names() -> Vec<&'static str>;
}

macro_rules! wire {
    ($domain:ty, $contract:ty, [$($variant:ident),+ $(,)?]) => {
        impl Wire for $domain {
            fn to_wire(self) -> i32 {
                match self { $(Self::$variant => <$contract>::$variant.into(),)+ }
            }

            fn from_wire(value: i32) -> Option<Self> {
                match <$contract>::try_from(value).ok()? {
                    $(<$contract>::$variant => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn names() -> Vec<&'static str> {
                vec![$(<$contract>::$variant.as_str_name(),)+]
            }
        }
    };
}

wire!(Phase, v1::Phase, [Stabilise, Repair, Improve, Sustain]);
wire!(
    RubricDomain,
    v1::RubricDomain,
    [
        Leadership,
        Governance,
        ExternalSupport,
        Staffing,
        Attendance,
        Finance,
        Outcomes,
        Teaching,
        ProfessionalDevelopment,
        Behaviour,
        SystemContribution,
    ]
);
wire!(
    TransitionKind,
    v1::TransitionKind,
    [Opened, Emerging, Entered, EmergenceAbandoned, FellBack, Corrected]
);
wire!(
    EstablishmentStatus,
    v1::EstablishmentStatus,
    [Open, OpenProposedToClose, Closed, ProposedToOpen]
);
wire!(
    EducationPhase,
    v1::EducationPhase,
    [
        Nursery,
        Primary,
        MiddleDeemedPrimary,
        Secondary,
        MiddleDeemedSecondary,
        AllThrough,
        SixteenPlus,
        NotApplicable,
    ]
);
wire!(UnitKind, v1::UnitKind, [YearGroup, KeyStage, Subject, Department, Team]);
wire!(RegisterFile, v1::RegisterFile, [Establishments, Links, Groups, Memberships]);
wire!(EvidenceKind, common::EvidenceKind, [Data, ProfessionalJudgement, Voice, OutsideJudgement]);

/// A value that our own event must hold.
pub(crate) fn told<T: Wire>(value: i32) -> Result<T> {
    T::from_wire(value).ok_or_else(|| Error::internal(format!("an event holds {value} of a list")))
}

pub(crate) fn told_if<T: Wire>(value: Option<i32>) -> Result<Option<T>> {
    value.map(told).transpose()
}

impl From<Evidence> for common::Evidence {
    fn from(it: Evidence) -> Self {
        Self { kind: it.kind.to_wire(), reference: it.reference }
    }
}

impl From<Rating> for v1::Rating {
    fn from(it: Rating) -> Self {
        Self {
            domain: it.domain.to_wire(),
            phase: it.phase.to_wire(),
            evidence: it.evidence.into_iter().map(Into::into).collect(),
        }
    }
}

impl TryFrom<common::Evidence> for Evidence {
    type Error = Error;

    fn try_from(it: common::Evidence) -> Result<Self> {
        Ok(Self { kind: told(it.kind)?, reference: it.reference })
    }
}

impl TryFrom<v1::Rating> for Rating {
    type Error = Error;

    fn try_from(it: v1::Rating) -> Result<Self> {
        Ok(Self {
            domain: told(it.domain)?,
            phase: told(it.phase)?,
            evidence: it.evidence.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        })
    }
}

/// A count or measure that is never negative.
pub(crate) fn count(value: i32) -> u32 {
    u32::try_from(value).unwrap_or(0)
}

pub(crate) fn count_if(value: Option<i32>) -> Option<u32> {
    value.map(count)
}
