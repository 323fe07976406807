//! The intelligence service through its public doors, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod feeds;
mod formats;
mod measures;
mod records;
mod retries;
mod signals;
mod speed;
mod storage;
mod storm;
mod stream;
mod times;
mod world;
