//! Every SQL statement, one file for each table, and the form events take in the journal.

pub(crate) mod event;
pub(crate) mod project;
mod projection;
pub(crate) mod school;
pub(crate) mod signal;
mod text;
pub(crate) mod transition;

pub(crate) use projection::Projects;

/// The tables of this service, beside those of the journal.
pub fn migrations() -> db::Migrations {
    let own = db::Migrations::new(
        &sqlx::migrate!("migrations/sqlite"),
        &sqlx::migrate!("migrations/postgres"),
    )
    .parts(&[("project_transition", "project", "project_id")]);
    journal::migrations().and(own)
}
