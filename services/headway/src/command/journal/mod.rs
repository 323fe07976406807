//! What an operator does with the journals.

mod export;
pub(crate) mod parked;
mod prove;
mod rebuild;
mod rotate_key;
mod verify;

pub(crate) use export::export;
pub(crate) use prove::prove;
pub(crate) use rebuild::{Way, rebuild};
pub(crate) use rotate_key::rotate_key;
pub(crate) use verify::verify;
