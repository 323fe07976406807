//! The whole, from outside: the binary as a newcomer runs it, on both databases, together and apart.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic")]

mod access;
mod demonstration;
mod durability;
mod events;
mod proofs;
mod refusals;
mod running;
mod story;
mod tidy;
