//! The rules: what may happen to a journey, a school, a trust. No I/O, no clock, no contract types.

pub(crate) mod access;
pub(crate) mod establishment;
pub(crate) mod evidence;
pub(crate) mod history;
pub(crate) mod import;
pub(crate) mod journey;
pub(crate) mod phase;
pub(crate) mod register;
pub(crate) mod rubric;
mod rubric_text;
pub(crate) mod school;
pub(crate) mod spread;
pub(crate) mod trust;
pub(crate) mod unit;
pub(crate) mod webhook;
