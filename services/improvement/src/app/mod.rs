//! What callers can do: authorise, read, decide, record.

mod project;
mod propose;

use journal::Journal;

use crate::{
    domain::{Need, Project},
    store,
};

pub(crate) use project::{ListProjects, ListTransitions};
pub(crate) use propose::{About, Propose};

/// The improvement service.
#[derive(Clone, Debug)]
pub struct App {
    journal: Journal,
}

/// A project as its readers see it.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct View {
    pub(crate) project: Project,
    /// The school's URN now.
    pub(crate) urn: String,
    /// What the next state still needs.
    pub(crate) next_needs: Vec<Need>,
}

impl App {
    /// Starts the service over its database, opened with [`crate::migrations`].
    pub fn open(db: db::Db) -> Self {
        Self { journal: Journal::open(crate::NAME, db, store::Projects) }
    }

    pub fn journal(&self) -> &Journal {
        &self.journal
    }
}
