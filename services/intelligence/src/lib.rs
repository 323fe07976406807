//! Intelligence: takes the records of the systems schools run on, keeps them so that corrections and late arrivals
//! count as if they had always been known, computes measures from them by one definition for every school, and raises
//! a signal when a school's series changes by more than chance.

mod api;
mod app;
pub mod domain;
mod pupil_key;
mod store;
mod wire;

pub use api::privacy::Privacy;
pub use app::{App, RegistryFollower};
pub use pupil_key::MasterKeys;

pub const NAME: &str = "intelligence";

/// The journal's tables and this service's own.
pub fn migrations() -> db::Migrations {
    journal::migrations()
        .and(db::Migrations::new(
            &sqlx::migrate!("migrations/sqlite"),
            &sqlx::migrate!("migrations/postgres"),
        ))
        .parts(&[("feed_school", "feed", "feed_id")])
}
