//! The relay makes no duplicate and no hole, whatever dies in between.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod carrying;
mod notes;
mod relaying;
