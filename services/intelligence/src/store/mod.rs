//! Every SQL statement of this service, one file per table.

pub(crate) mod batch;
pub(crate) mod enrolment;
pub(crate) mod event;
pub(crate) mod feed;
pub(crate) mod pupil;
pub(crate) mod register;
pub(crate) mod school;
pub(crate) mod signal;
pub(crate) mod tally;
