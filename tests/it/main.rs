//! The whole, from outside: the binary as a newcomer runs it, on both databases, together and apart.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test may panic, and tells its figures"
)]

mod access;
mod adversary;
mod browser;
mod confinement;
mod conformance;
mod demonstration;
mod documents;
#[cfg(target_os = "linux")]
mod doors;
#[cfg(target_os = "linux")]
mod durability;
mod events;
mod excess;
mod grants;
mod isolation;
mod limits;
#[cfg(target_os = "linux")]
mod load;
mod logs;
mod order;
mod proofs;
mod refusals;
mod routes;
mod running;
mod secure;
#[cfg(target_os = "linux")]
mod storm;
mod story;
mod supply;
mod threats;
mod tidy;
mod tls;
mod webhooks;
