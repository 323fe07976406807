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
mod limits;
mod log;
mod model;
mod notes;
#[cfg(target_os = "linux")]
mod power;
mod race;
mod subscribing;
mod writing;
