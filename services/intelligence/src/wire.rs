//! The closed lists of the contract and of the domain, each the twin of the other.

mod mapping;

use contract::intelligence as pb;

use crate::domain::{
    Absent, BatchState, ChangeOp, Class, Direction, GradeScheme, Kind, Outcome, ParkedState,
    PeriodKind, SignalRule, SignalState, Subject,
};

rpc::twins! {
    Kind = pb::RecordKind {
        Pupil, Enrolment, AttendanceRegister, AssessmentResult, Suspension, BehaviourIncident, StaffMember,
        StaffAbsence, Cover, BudgetLine, Observation, PupilKeyChange,
    }
    Absent = pb::Absent { NotApplicable, NotAvailable, Suppressed, LowReliability, NotYetDue }
    GradeScheme = pb::GradeScheme { NationalCurriculum, UnitedStates }
    BatchState = pb::BatchState { Received, Validating, Applied, PartlyApplied, Rejected, Validated }
    Outcome = pb::RecordOutcome { Accepted, Unchanged, Corrected, Parked, Rejected, Removed }
    ParkedState = pb::ParkedState { Waiting, Resolved, Expired }
    ChangeOp = pb::ChangeOp { Upsert, Delete, KeyChange }
    PeriodKind = pb::PeriodKind { Day, Week, Term, AcademicYear, Other }
    SignalState = pb::SignalState { Raised, Acknowledged, Actioned, Dismissed }
    SignalRule = pb::SignalRule { OutsideLimits, RunOfEight, ThreeOfFour }
    Subject = pb::SubjectKind { Pupil, Staff }
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
