//! What an improvement project is, which moves it allows and what each of them needs.

mod decide;
mod event;
mod gate;
mod project;
mod state;

pub use decide::Command;
pub use event::{Change, Event, ProposalText, Proposed};
pub use gate::{HALF_TERM, Need};
pub use project::{
    Diagnosis, Goal, GoalId, Ground, Held, HeldText, Impact, ImpactText, LinkText, MeasureCode,
    Milestone, MilestoneId, NextStep, Participant, Plan, PlanText, Project, ProjectId, SignalId,
    SignalRef, Stocktake, StocktakeId,
};
pub use state::{Level, Likelihood, Rating, State, Tier, Verdict};

#[cfg(test)]
mod tests;
