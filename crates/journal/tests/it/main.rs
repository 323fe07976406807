//! The journal's promises, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod commands;
mod consumer;
mod consuming;
mod log;
mod long;
mod notes;
mod opening;
mod poison;
mod proving;
mod raw;
mod readers;
mod reading;
mod rebuilding;
mod signing;
mod subscribing;
mod tampering;
mod times;
mod upcasting;
mod writing;
