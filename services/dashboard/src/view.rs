//! What the page shows: the answers of the peers, each whole or with the reason it is missing.

use chrono::{DateTime, Utc};
use contract::{
    improvement::Project,
    intelligence::{Feed, Measure, Signal, Standing},
    journal::Event,
    registry::{Journey, School, Trust},
};

/// What one peer answered, or why it could not, in words for the reader.
pub type Section<T> = Result<T, String>;

#[derive(Clone, Debug)]
pub struct View {
    /// Whether the figures are synthetic and the page has to say so.
    pub demonstration: bool,
    pub read_at: DateTime<Utc>,
    pub trust: Section<Trust>,
    pub schools: Section<Vec<School>>,
    pub journeys: Section<Vec<Journey>>,
    pub measures: Section<Vec<Measure>>,
    pub standings: Section<Vec<Standing>>,
    pub signals: Section<Vec<Signal>>,
    /// Names of the feeds, for the journal's sentences.
    pub feeds: Section<Vec<Feed>>,
    pub projects: Section<Vec<Project>>,
    pub journals: Vec<Journal>,
}

/// The newest part of one service's journal.
#[derive(Clone, Debug)]
pub struct Journal {
    pub service: &'static str,
    pub tail: Section<Tail>,
}

#[derive(Clone, Debug)]
pub struct Tail {
    /// How many events the journal holds, as the board's credential sees it.
    pub head: u64,
    /// Newest first.
    pub events: Vec<Event>,
}

impl View {
    /// The name of the school with this id, when it is known.
    pub(crate) fn school(&self, school_id: &str) -> Option<&School> {
        self.schools.as_ref().ok()?.iter().find(|it| it.school_id == school_id)
    }

    /// The school that has or had this URN.
    pub(crate) fn school_by_urn(&self, urn: &str) -> Option<&School> {
        let schools = self.schools.as_ref().ok()?;
        schools
            .iter()
            .find(|it| it.urn == urn)
            .or_else(|| schools.iter().find(|it| it.previous_urns.iter().any(|old| old == urn)))
    }

    /// What to call the school with this URN: its name, or the URN itself.
    pub(crate) fn name_of(&self, urn: &str) -> String {
        self.school_by_urn(urn).map_or_else(|| format!("URN {urn}"), |it| it.name.clone())
    }

    /// What to call a measure: its name, or its id made readable.
    pub(crate) fn measure_name(&self, measure: &str) -> String {
        self.measure(measure)
            .map_or_else(|| sentence(&measure.replace(['_', '-'], " ")), |it| it.name.clone())
    }

    pub(crate) fn measure(&self, measure: &str) -> Option<&Measure> {
        self.measures.as_ref().ok()?.iter().find(|it| it.measure == measure)
    }
}

/// The text with a capital first letter.
pub(crate) fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
