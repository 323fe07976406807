//! The contract's doors: gRPC and REST, each RPC one method of [`Doors`].

mod access;
mod answer;
mod convert;
mod doors;
mod establishments;
mod import;
mod journeys;
mod schools;
mod trusts;
mod webhooks;

pub use access::{AccessDoors, Oauth};
pub use doors::{Doors, SERVICE};
pub use webhooks::WebhookDoors;
