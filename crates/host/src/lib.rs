//! What runs a service: one port for REST and gRPC, health, metrics, documents, logs and an orderly stop.

mod asyncapi;
mod catalogue;
mod documents;
mod front;
mod limits;
mod openapi;
mod operate;
mod serve;
pub mod telemetry;

pub use asyncapi::asyncapi;
pub use front::{Part, front};
pub use limits::Limits;
pub use openapi::openapi;
pub use serve::serve;
