//! The doors of what a trust does about the personal data it holds.

mod doors;
mod processing;
mod show;

pub use doors::Privacy;
