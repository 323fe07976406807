//! What an operator does with the journals.

mod rebuild;
mod verify;

pub(crate) use rebuild::{Way, rebuild};
pub(crate) use verify::verify;
