//! What the service knows and decides, without I/O.

mod attendance;
mod batch;
mod book;
mod code;
mod enrolment;
mod feed;
mod measure;
mod observation;
mod period;
mod record;
mod register;
mod school;
mod series;
mod signal;
mod tally;

pub use attendance::Sessions;
pub use batch::{
    BYTES_LIMIT, Batch, BatchId, BatchState, Complaint, Outcome, RECORDS_LIMIT, RecordResult,
    Totals,
};
pub use book::{Book, Slot};
pub use code::{AttendanceCode, Class, Code};
pub use enrolment::{Enrolment, year_group_on};
pub use feed::{CreateFeed, Feed, FeedId, Kind};
pub use measure::{Definition, Measure};
pub use observation::{Absent, Observation, Share, THRESHOLD, Value, whole_school, year_groups};
pub use period::{Period, PeriodKind};
pub use record::{Body, Mark, Record, Session};
pub use register::{Entry, Moved, Register};
pub use school::{School, Schools};
pub use series::{Direction, Judgement, Point, WEEKS, is_filled, judge, series};
pub use signal::{Signal, SignalEvent, SignalId, SignalRule, SignalState, Transition};
pub use tally::{Summary, Tally};
