//! The closed lists of the contract and of the domain, each the twin of the other.

use contract::intelligence as pb;

use crate::domain::{
    Absent, BatchState, Class, Direction, Kind, Outcome, PeriodKind, SignalRule, SignalState,
};

rpc::twins! {
    Kind = pb::RecordKind { Pupil, Enrolment, AttendanceRegister }
    BatchState = pb::BatchState { Applied, PartlyApplied, Rejected, Validated }
    Outcome = pb::RecordOutcome { Accepted, Unchanged, Corrected, Parked, Rejected }
    PeriodKind = pb::PeriodKind { Day, Week, Term, AcademicYear }
    SignalState = pb::SignalState { Raised, Acknowledged, Actioned, Dismissed }
    SignalRule = pb::SignalRule { OutsideLimits, RunOfEight, ThreeOfFour }
    Direction = pb::Direction { Better, Worse, NoSignificantChange, TooLittleData }
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
