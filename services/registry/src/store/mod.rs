//! Every SQL statement of the registry, and the events that change its state.

pub mod establishment;
pub mod event;
pub mod import;
pub mod journey;
pub mod link;
pub mod projection;
pub mod register;
pub mod school;
pub mod trust;
pub mod unit;
