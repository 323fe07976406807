//! What happens to a project.

use chrono::NaiveDate;
use identity::SchoolId;
use serde::{Deserialize, Serialize};

use super::{
    Diagnosis, Goal, Held, Impact, Milestone, MilestoneId, Plan, SignalRef, State, StocktakeId,
};

/// A fact about a project: the first makes it, every other changes it.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    Proposed(Proposed),
    Changed(Change),
}

#[derive(Clone, Debug, PartialEq)]
pub struct Proposed {
    pub school_id: SchoolId,
    pub signal: Option<SignalRef>,
    pub text: Option<ProposalText>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalText {
    pub title: String,
    pub rationale: String,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Replaces the diagnosis there was.
    Diagnosed(Diagnosis),
    /// Replaces the plan there was.
    Planned(Plan),
    GoalSet(Goal),
    MilestoneSet(Milestone),
    MilestoneReached {
        milestone_id: MilestoneId,
        reached_on: NaiveDate,
    },
    StocktakeScheduled {
        stocktake_id: StocktakeId,
        due_on: NaiveDate,
    },
    StocktakeHeld {
        stocktake_id: StocktakeId,
        held: Held,
    },
    /// Replaces the judgement there was.
    ImpactJudged(Impact),
    Moved {
        from: State,
        to: State,
        rationale: Option<String>,
    },
}
