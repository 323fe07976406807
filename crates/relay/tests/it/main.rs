//! The relay makes no duplicate and no hole, whatever dies in between.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod carrying;
mod lag;
mod notes;
mod relaying;
