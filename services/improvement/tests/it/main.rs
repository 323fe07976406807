//! The improvement service through its public doors, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod door;
mod follow;
mod gates;
mod journals;
mod life;
mod refusals;
mod storage;
mod times;
mod world;
