//! The registry: trusts and their schools, the national register they are drawn from, and the journey of each school
//! and unit from Stabilise to Sustain.
//!
//! State changes only by events, which the journal keeps and from which the tables can be made again. The national
//! register is reference data: its files are imported as GIAS publishes them, and what they change in the trusts'
//! schools is recorded as events of those schools.
#![expect(
    clippy::struct_field_names,
    reason = "ids carry the name of what they identify, in rows as in contracts"
)]

mod api;
mod app;
mod domain;
mod gias;
mod store;
mod wire;

use app::Telling;
use axum::Router;
use contract::registry::{
    access_service_server::AccessServiceServer, registry_service_server::RegistryServiceServer,
    webhook_service_server::WebhookServiceServer,
};
use db::{Db, Migrations};
use journal::Journal;

pub use api::{AccessDoors, Doors, Oauth, SERVICE, WebhookDoors};
pub use app::{
    App, Channels, Standing,
    access::{ADMINISTRATOR, Made, NewClient},
};
pub use store::projection::Tables;

/// The service's name: of its journal, its schema, its part of the configuration.
pub const NAME: &str = "registry";

/// The largest file of the register taken, in bytes: ten times what GIAS publishes.
pub const FILE_LIMIT: usize = 128 << 20;

/// The journal's tables and our own.
pub fn migrations() -> Migrations {
    journal::migrations()
        .and(Migrations::new(
            &sqlx::migrate!("migrations/sqlite"),
            &sqlx::migrate!("migrations/postgres"),
        ))
        .parts(&[
            ("previous_urn", "school", "school_id"),
            ("transition", "journey", "journey_id"),
            ("rating_round", "journey", "journey_id"),
        ])
}

impl App {
    /// Starts the service over a database opened with [`migrations`].
    pub fn open(db: Db) -> Self {
        Self { journal: Journal::open(NAME, db, Tables), loopback_issuers: false, telling: None }
    }

    /// Lets trusts name issuers on this machine, over plain HTTP: for development.
    #[must_use]
    pub fn with_loopback_issuers(self, loopback_issuers: bool) -> Self {
        Self { loopback_issuers, ..self }
    }

    /// Offers webhooks, signed with these keys.
    #[must_use]
    pub fn with_webhooks(self, keys: webhook::Keys, sender: webhook::Sender) -> Self {
        Self { telling: Some(Telling::new(keys, sender)), ..self }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    pub fn rest(&self) -> Router {
        Doors(self.clone())
            .routes()
            .merge(AccessDoors(self.clone()).rest_routes())
            .merge(WebhookDoors(self.clone()).rest_routes())
    }

    pub fn grpc_of_webhooks(&self) -> WebhookServiceServer<WebhookDoors> {
        WebhookServiceServer::new(WebhookDoors(self.clone()))
    }

    pub fn grpc(&self) -> RegistryServiceServer<Doors> {
        RegistryServiceServer::new(Doors(self.clone())).max_decoding_message_size(2 * (1 << 20))
    }

    /// The door of access over gRPC.
    pub fn access(&self) -> AccessServiceServer<AccessDoors> {
        AccessServiceServer::new(AccessDoors(self.clone()))
    }
}
