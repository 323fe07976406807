//! The whole, from outside: the binary as a newcomer runs it, on both databases, together and apart.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and tells its figures"
)]

mod access;
mod conformance;
mod demonstration;
#[cfg(target_os = "linux")]
mod doors;
#[cfg(target_os = "linux")]
mod durability;
mod events;
mod grants;
mod limits;
#[cfg(target_os = "linux")]
mod load;
mod order;
mod proofs;
mod refusals;
mod running;
#[cfg(target_os = "linux")]
mod storm;
mod story;
mod tidy;
