//! What a trust does about the personal data it holds.

mod erase;
mod export;
mod hold;
mod person;
mod read;
mod renew;
mod retain;
mod scrub;

pub(crate) use erase::{CreateErasure, NamedErasure};
pub(crate) use export::{Export, HeldAs};
pub(crate) use hold::{CreateHold, NamedHold};
pub(super) use person::Erased;
pub(crate) use person::Person;
