//! Improvement projects of a trust's schools: from a signal or a judgement, through diagnosis, plan, delivery and
//! stocktakes, to an evaluated impact. A project enters each state only with everything that state needs.
//!
//! Schools are learnt from the registry's journal and signals from the intelligence service's; both may arrive a moment
//! after they were announced there. Moving a signal to actioned is the caller's to do, at the intelligence service.
#![expect(
    clippy::struct_field_names,
    reason = "ids carry the name of what they identify, in rows as in contracts"
)]

mod api;
mod app;
pub mod domain;
pub mod follow;
mod store;
mod wire;

pub use app::App;
pub use store::migrations;

/// The service's name: of its journal, its schema and its peers' configuration.
pub const NAME: &str = "improvement";
