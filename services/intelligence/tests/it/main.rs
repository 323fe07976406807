//! The intelligence service through its public doors, on both databases.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod changes;
mod codes;
mod erasure;
mod facts;
mod facts_life;
mod facts_refused;
mod facts_storm;
mod feeds;
mod formats;
mod groups;
mod keys;
mod life;
mod mappings;
mod measures;
mod parked;
mod privacy;
mod queue;
mod records;
mod retries;
mod signals;
mod snapshots;
mod speed;
mod storage;
mod storm;
mod stream;
mod times;
mod together;
mod units;
mod world;
