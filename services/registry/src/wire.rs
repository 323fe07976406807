//! The contract's words for the domain's: enumerations, evidence and ratings, as requests, answers and events hold them.

use contract::{common, registry as v1};
use rpc::{Error, Result, Twin};

use crate::domain::{
    access::{
        client::{ClientKind, ClientState},
        grant::GrantState,
        provider::{Audience, Role},
    },
    establishment::{EducationPhase, EstablishmentStatus},
    evidence::{Evidence, EvidenceKind},
    import::RegisterFile,
    journey::TransitionKind,
    phase::Phase,
    rubric::{Rating, RubricDomain},
    unit::UnitKind,
    webhook::{DeliveryState, DisabledReason, WebhookState},
};

rpc::twins! {
    Phase = v1::Phase { Stabilise, Repair, Improve, Sustain }
    RubricDomain = v1::RubricDomain { Leadership, Governance, ExternalSupport, Staffing, Attendance, Finance, Outcomes, Teaching, ProfessionalDevelopment, Behaviour, SystemContribution }
    TransitionKind = v1::TransitionKind { Opened, Emerging, Entered, EmergenceAbandoned, FellBack, Corrected }
    EstablishmentStatus = v1::EstablishmentStatus { Open, OpenProposedToClose, Closed, ProposedToOpen }
    EducationPhase = v1::EducationPhase { Nursery, Primary, MiddleDeemedPrimary, Secondary, MiddleDeemedSecondary, AllThrough, SixteenPlus, NotApplicable }
    UnitKind = v1::UnitKind { YearGroup, KeyStage, Subject, Department, Team }
    RegisterFile = v1::RegisterFile { Establishments, Links, Groups, Memberships }
    ClientKind = v1::ClientKind { Application, Operator }
    ClientState = v1::ClientState { Active, Disabled }
    GrantState = v1::GrantState { Active, Withdrawn, Ended }
    Role = v1::Role { Reader, Editor, Administrator, DataProtection }
    Audience = common::Audience { Board, Executive, SchoolLeader, MiddleLeader, Teacher }
    WebhookState = v1::WebhookState { Enabled, Disabled }
    DisabledReason = v1::WebhookDisabledReason { Requested, Gone, Failing, AccessWithdrawn }
    DeliveryState = v1::WebhookDeliveryState { Pending, Delivered, Failed }
    EvidenceKind = common::EvidenceKind { Data, ProfessionalJudgement, Voice, OutsideJudgement }
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
        Ok(Self { kind: Twin::told(it.kind)?, reference: it.reference })
    }
}

impl TryFrom<v1::Rating> for Rating {
    type Error = Error;

    fn try_from(it: v1::Rating) -> Result<Self> {
        Ok(Self {
            domain: Twin::told(it.domain)?,
            phase: Twin::told(it.phase)?,
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
