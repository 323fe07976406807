//! The journal's promises, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod commands;
mod consumer;
mod consuming;
mod log;
mod notes;
mod poison;
mod readers;
mod subscribing;
mod writing;
