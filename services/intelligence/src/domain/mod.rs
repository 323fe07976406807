//! What the service knows and decides, without I/O.

mod attendance;
mod batch;
mod book;
mod change;
mod characteristic;
mod code;
pub(crate) mod code_list;
mod enrolment;
mod fact;
mod feed;
mod group;
mod ledger;
mod mapping;
mod measure;
mod observation;
mod outcome;
mod parked;
mod part;
mod period;
mod privacy;
mod published;
mod record;
mod register;
mod remainder;
mod roll;
mod school;
mod series;
mod shown;
mod signal;
mod snapshot;
mod tally;
mod unit;
mod work;

pub use attendance::Sessions;
pub use batch::{Arrival, Batch, BatchId, BatchState, RESULTS_KEPT, Totals, Unconfirmed};
pub use book::{Book, ChangedPupil, From, Slot};
pub use change::{Change, ChangeOp, Changed as ChangedRecord, Cursor, TOMBSTONES_KEPT, hex, unhex};
pub use characteristic::{Characteristic, CharacteristicCode, Flag, Flags};
pub use code::{AttendanceCode, Class, Code};
pub use code_list::{CodeList, Listed};
pub use enrolment::{Enrolment, Standing, Stretch, YEAR_GROUPS, standing_on};
pub use fact::{
    AssessmentResult, BehaviourIncident, BudgetLine, COMBINED, CellKey, ChangedFact, Content,
    Cover, Fact, FactKey, FactMeasure, Facts, Figure, Good, Graded, KeptFact, Known, Over,
    Quantity, ReportedObservation, StaffAbsence, StaffMember, Standard, Stated, Sums, Suspension,
    Top, Whose,
};
pub use feed::{CreateFeed, Feed, FeedId, Kind};
pub use group::{Group, Grouped, groups, hidden, is_alike};
pub use ledger::{Folded, Ledger, Removed};
pub use mapping::{
    CsvMapping, DateFormat, GradeScheme, LineItem, MappedColumn, Mapping, MappingId,
    OneRosterMapping, Reading, Source,
};
pub use measure::{Definition, Measure};
pub use observation::{
    Absent, Observation, Share, THRESHOLD, Value, in_group, in_groups, whole_school, year_groups,
};
pub use outcome::{Complaint, Outcome, RecordResult};
pub use parked::{PARKED_FOR, Parked, ParkedState, Wait};
pub use part::{
    BUNDLE_BYTES, COLUMNS, Format, HEADER_BYTES, NESTING, Part, RECORD_BYTES, Read, Sizes,
};
pub use period::{Period, PeriodKind};
pub use privacy::{
    Erasure, ErasureId, HoldId, LegalHold, Retained, RetainedUnit, RetentionRule, Subject, Went,
    certificate, is_named, retained,
};
pub use published::{
    Cell, Published, PublishedCode, PublishedColumn, PublishedUnit, academic_year,
};
pub use record::{Body, Mark, Record, Session};
pub use register::Register;
pub use remainder::{COUNTED, Remainder};
pub use roll::{Changed, Hash, Held, Roll};
pub use school::{School, Schools};
pub use series::{Direction, Judgement, Point, WEEKS, is_filled, judge, series};
pub use shown::{Place, Report, Shown};
pub use signal::{Signal, SignalEvent, SignalId, SignalRule, SignalState, Transition};
pub use snapshot::{NaturalKey, Snapshot, SnapshotAsked};
pub use tally::{Summary, Tally};
pub use unit::{MeasuredBy, Unit, UnitId, UnitKind};
pub use work::{PARTITIONS, Work};
