//! What the demonstration shows: a small register, synthetic pupils and marks, and a story of three years.
//!
//! Everything here is drawn from a seed or written down: the same seed and day give the same demonstration. Only the
//! names and numbers of establishments are real (see `data/README.md`).

mod days;
mod marks;
mod plan;
mod pupils;
mod random;
mod school;
pub(crate) mod story;

pub(crate) use plan::{Changes, Plan, Push};
pub(crate) use random::Seed;
pub(crate) use school::{School, Trend};

/// The register as the trust finds it.
pub(crate) const REGISTER: &[u8] = include_bytes!("../../data/register.csv");
pub(crate) const LINKS: &[u8] = include_bytes!("../../data/links.csv");
/// The register and its links after a conversion and a merger, both made up.
pub(crate) const REGISTER_CHANGES: &[u8] = include_bytes!("../../data/register-changes.csv");
pub(crate) const LINKS_CHANGES: &[u8] = include_bytes!("../../data/links-changes.csv");
