//! Every SQL statement of the registry, and the events that change its state.

pub(crate) mod access;
pub(crate) mod delivery;
pub(crate) mod establishment;
pub(crate) mod event;
pub(crate) mod import;
pub(crate) mod journey;
pub(crate) mod link;
pub(crate) mod projection;
pub(crate) mod register;
pub(crate) mod school;
pub(crate) mod trust;
pub(crate) mod unit;
pub(crate) mod webhook;
pub(crate) mod webhook_event;
