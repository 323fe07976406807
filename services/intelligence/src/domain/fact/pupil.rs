use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::domain::{Session, code_list};

/// A pupil sent home: for some sessions, or for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    pub category: String,
    pub starts_on: NaiveDate,
    pub session: Session,
    /// Half-day sessions; 0 for a permanent exclusion.
    pub sessions: u32,
    /// The main one first.
    pub reasons: Vec<String>,
}

/// Something a pupil did, or that happened in the school.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BehaviourIncident {
    /// The vendor's id for it.
    pub incident: String,
    pub on: NaiveDate,
    pub category: String,
    /// Of the school's own scheme.
    pub points: Option<i32>,
}

impl Suspension {
    pub fn key(starts_on: NaiveDate, session: Session) -> String {
        format!("{starts_on}/{session}")
    }

    pub fn is_permanent(&self) -> bool {
        let found = code_list::list("suspension_categories").get(&self.category);
        found.is_some_and(|it| it.is("permanent"))
    }
}
