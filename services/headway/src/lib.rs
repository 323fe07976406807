//! The one binary: every service in one process or one in each, the demonstration, and the tools of whoever runs it.

mod channel;
pub mod cli;
mod command;
mod config;
mod demo;
mod deployment;
mod issuer;
mod secrets;

pub use config::{Config, Service};
pub use deployment::Deployment;
