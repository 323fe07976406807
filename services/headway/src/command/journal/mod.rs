//! What an operator does with the journals.

pub(crate) mod parked;
mod verify;

pub(crate) use verify::verify;
