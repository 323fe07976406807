//! The journal's promises, on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and tells its figures"
)]

mod access;
mod commands;
mod consumer;
mod consuming;
mod gathering;
mod limits;
mod log;
mod long;
mod model;
mod notes;
mod opening;
mod poison;
#[cfg(target_os = "linux")]
mod power;
mod proving;
mod race;
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
