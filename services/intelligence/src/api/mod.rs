//! The service's doors: the contract's messages in, the contract's messages out.

mod convert;
mod csv;
mod doors;
mod push;
mod record;
