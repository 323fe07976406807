//! The service's doors: the contract's messages in, the contract's messages out.

mod arrive;
mod changes;
mod code;
mod convert;
mod doors;
mod fact;
mod format;
mod intake;
mod mapping;
mod measure;
pub(crate) mod privacy;
mod push;
mod quick;
mod record;
mod results;
mod snapshot;
