//! The rules: what may happen to a journey, a school, a trust. No I/O, no clock, no contract types.

pub mod establishment;
pub mod evidence;
pub mod history;
pub mod journey;
pub mod phase;
pub mod register;
pub mod rubric;
mod rubric_text;
pub mod school;
pub mod spread;
pub mod trust;
pub mod unit;
