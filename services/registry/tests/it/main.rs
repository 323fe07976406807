//! The registry through its public doors, on both databases.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod world;

mod access;
mod files;
mod journeys;
mod refusals;
mod register;
mod schema;
mod schools;
mod times;
mod trusts;
