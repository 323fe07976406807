//! Files brought in: the national register into the databases, records over the public API.

mod gias;
mod records;

pub(crate) use gias::{gias, push, refused};
pub(crate) use records::{Plan, records};
