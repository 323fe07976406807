//! The journal's promises, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod commands;
mod log;
mod notes;
mod raw;
mod reading;
mod rebuilding;
mod subscribing;
mod times;
mod upcasting;
mod writing;
