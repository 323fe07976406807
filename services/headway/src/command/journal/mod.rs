//! What an operator does with the journals.

mod verify;

pub(crate) use verify::verify;
