//! What runs a service: one port for REST and gRPC, health, metrics, documents, logs and an orderly stop.

mod documents;
mod front;
mod limits;
mod openapi;
mod operate;
mod serve;
pub mod telemetry;

pub use front::{Part, front};
pub use limits::Limits;
pub use openapi::openapi;
pub use serve::serve;
