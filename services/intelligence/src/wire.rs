//! The contract's enumerations and ours. From the contract `None` is a value this version does not know.

use contract::intelligence as pb;

use crate::domain::{
    Absent, BatchState, Class, Direction, Kind, Outcome, PeriodKind, SignalRule, SignalState,
};

/// Pairs each of our variants with the contract's, both ways.
macro_rules! pairs {
    ($(pub(crate) fn $name:ident: $theirs:ident <=> $ours:ident { $($variant:ident),+ $(,)? })+) => {
        $(
            pub(crate) fn $name(it: pb::$theirs) -> Option<$ours> {
                match it {
                    $(pb::$theirs::$variant => Some($ours::$variant),)+
                    _ => None,
                }
            }

            impl From<$ours> for pb::$theirs {
                fn from(it: $ours) -> Self {
                    match it {
                        $($ours::$variant => Self::$variant,)+
                    }
                }
            }
        )+
    };
}

pairs! {
    pub(crate) fn kind: RecordKind <=> Kind { Pupil, Enrolment, AttendanceRegister }
    pub(crate) fn batch_state: BatchState <=> BatchState { Applied, PartlyApplied, Rejected, Validated }
    pub(crate) fn outcome: RecordOutcome <=> Outcome { Accepted, Unchanged, Corrected, Parked, Rejected }
    pub(crate) fn period: PeriodKind <=> PeriodKind { Day, Week, Term, AcademicYear }
    pub(crate) fn signal_state: SignalState <=> SignalState { Raised, Acknowledged, Actioned, Dismissed }
    pub(crate) fn signal_rule: SignalRule <=> SignalRule { OutsideLimits, RunOfEight, ThreeOfFour }
    pub(crate) fn direction: Direction <=> Direction {
        Better, Worse, NoSignificantChange, TooLittleData,
    }
}

impl From<Class> for pb::StatisticalClass {
    fn from(it: Class) -> Self {
        match it {
            Class::Present => Self::Present,
            Class::ApprovedActivity => Self::ApprovedActivity,
            Class::Authorised => Self::AuthorisedAbsence,
            Class::Unauthorised => Self::UnauthorisedAbsence,
            Class::NotPossible => Self::NotPossible,
        }
    }
}

impl From<Absent> for pb::Absent {
    fn from(it: Absent) -> Self {
        match it {
            Absent::NotAvailable => Self::NotAvailable,
            Absent::Suppressed => Self::Suppressed,
            Absent::NotYetDue => Self::NotYetDue,
        }
    }
}
