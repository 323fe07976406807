//! Which changes a project allows, and when.
//!
//! | change | while |
//! | --- | --- |
//! | diagnosis | proposed, diagnosed |
//! | plan, goals, milestones | diagnosed, planned, delivering |
//! | stocktakes scheduled | diagnosed, planned, delivering, embedding |
//! | milestones reached, stocktakes held, impact | delivering, embedding |
//! | next state | its gate is open |
//! | abandoned | any state but the two final ones |
//!
//! A diagnosis or plan may be incomplete until its gate. Past the gate it may be replaced only by a complete one, so
//! that what let a project in stays true of it.

use chrono::NaiveDate;
use rpc::{Error, Fault, Problem, Reason, Result};

use super::{
    Change, Diagnosis, Goal, Held, Impact, Milestone, MilestoneId, Plan, Project, State,
    StocktakeId,
};

/// The most goals, milestones and stocktakes a project may have, each.
const PARTS_LIMIT: usize = 100;

const PLANNING: &[State] = &[State::Diagnosed, State::Planned, State::Delivering];
const SCHEDULING: &[State] =
    &[State::Diagnosed, State::Planned, State::Delivering, State::Embedding];
const WORKING: &[State] = &[State::Delivering, State::Embedding];

/// What somebody wants to change.
#[derive(Clone, Debug)]
pub enum Command {
    SetDiagnosis(Diagnosis),
    SetPlan(Plan),
    SetGoal(Goal),
    SetMilestone(Milestone),
    ReachMilestone { milestone_id: MilestoneId, reached_on: NaiveDate },
    ScheduleStocktake { stocktake_id: StocktakeId, due_on: NaiveDate },
    HoldStocktake { stocktake_id: StocktakeId, held: Held },
    JudgeImpact(Impact),
    Move { to: State, rationale: String },
}

impl Project {
    /// Decides whether the project allows a change, and states the fact if it does.
    pub fn decide(&self, command: Command, today: NaiveDate) -> Result<Change> {
        match command {
            Command::SetDiagnosis(diagnosis) => {
                self.only_while(&[State::Proposed, State::Diagnosed], "its diagnosis is set")?;
                self.kept(State::Diagnosed, Change::Diagnosed(diagnosis), today)
            }
            Command::SetPlan(plan) => {
                self.only_while(PLANNING, "its plan is set")?;
                self.kept(State::Planned, Change::Planned(plan), today)
            }
            Command::SetGoal(goal) => {
                self.only_while(PLANNING, "goals are added")?;
                room(self.goals.len(), "goals")?;
                Ok(Change::GoalSet(goal))
            }
            Command::SetMilestone(milestone) => {
                self.only_while(PLANNING, "milestones are added")?;
                room(self.milestones.len(), "milestones")?;
                Ok(Change::MilestoneSet(milestone))
            }
            Command::ReachMilestone { milestone_id, reached_on } => {
                self.reach(milestone_id, reached_on)
            }
            Command::ScheduleStocktake { stocktake_id, due_on } => {
                self.only_while(SCHEDULING, "stocktakes are scheduled")?;
                room(self.stocktakes.len(), "stocktakes")?;
                Ok(Change::StocktakeScheduled { stocktake_id, due_on })
            }
            Command::HoldStocktake { stocktake_id, held } => self.take_stock(stocktake_id, held),
            Command::JudgeImpact(impact) => {
                self.only_while(WORKING, "its impact is judged")?;
                Ok(Change::ImpactJudged(impact))
            }
            Command::Move { to, rationale } => {
                self.may_move(to, today)?;
                Ok(Change::Moved { from: self.state, to, rationale: Some(rationale) })
            }
        }
    }

    fn may_move(&self, to: State, today: NaiveDate) -> Result<()> {
        match (self.state.next(), to) {
            (Some(_), State::Abandoned) => Ok(()),
            (Some(next), to) if next == to => self.pass(to, today),
            (Some(next), to) => Err(not_allowed(format!(
                "a project that is {} cannot become {to}: it may become {next}, or be abandoned",
                self.state,
            ))),
            (None, _) => Err(not_allowed(format!("a project that is {} is final", self.state))),
        }
    }

    fn reach(&self, milestone_id: MilestoneId, reached_on: NaiveDate) -> Result<Change> {
        self.only_while(WORKING, "milestones are reached")?;
        let milestone = self
            .milestones
            .iter()
            .find(|it| it.milestone_id == milestone_id)
            .ok_or_else(|| Error::not_found("milestone", milestone_id))?;
        match milestone.reached_on {
            None => Ok(Change::MilestoneReached { milestone_id, reached_on }),
            Some(on) => Err(not_allowed(format!("the milestone was reached on {on}"))),
        }
    }

    fn take_stock(&self, stocktake_id: StocktakeId, held: Held) -> Result<Change> {
        self.only_while(WORKING, "stocktakes are held")?;
        let stocktake = self
            .stocktakes
            .iter()
            .find(|it| it.stocktake_id == stocktake_id)
            .ok_or_else(|| Error::not_found("stocktake", stocktake_id))?;
        if let Some(before) = &stocktake.held {
            let on = before.held_on;
            return Err(not_allowed(format!("the stocktake was held on {on}")));
        }
        let mut problems = self.review_problems(&held);
        let last = self.stocktakes.iter().filter_map(|it| Some(it.held.as_ref()?.held_on)).max();
        if let Some(last) = last.filter(|it| *it > held.held_on) {
            let fault = format!("must not be before the last stocktake, held on {last}");
            problems.push(Problem { pointer: "/heldOn".to_owned(), fault: Fault::invalid(fault) });
        }
        if problems.is_empty() {
            Ok(Change::StocktakeHeld { stocktake_id, held })
        } else {
            Err(Error::fields(problems))
        }
    }

    /// Every goal is to be reviewed, once.
    fn review_problems(&self, held: &Held) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (index, (goal_id, _)) in held.ratings.iter().enumerate() {
            let fault = if !self.goals.iter().any(|it| it.goal_id == *goal_id) {
                "is not a goal of this project"
            } else if held.ratings.iter().take(index).any(|(before, _)| before == goal_id) {
                "is reviewed twice"
            } else {
                continue;
            };
            let pointer = format!("/reviews/{index}/goalId");
            problems.push(Problem { pointer, fault: Fault::invalid(fault) });
        }
        let missing: Vec<_> = self
            .goals
            .iter()
            .map(|it| it.goal_id)
            .filter(|it| !held.ratings.iter().any(|(reviewed, _)| reviewed == it))
            .collect();
        if !missing.is_empty() {
            let fault = Fault::new(Reason::FieldRequired, "must review every goal of the project");
            let fault = fault.accepting(missing);
            problems.push(Problem { pointer: "/reviews".to_owned(), fault });
        }
        problems
    }

    fn only_while(&self, states: &[State], what: &str) -> Result<()> {
        if states.contains(&self.state) {
            return Ok(());
        }
        let names: Vec<_> = states.iter().map(ToString::to_string).collect();
        let names = names.join(", ");
        Err(not_allowed(format!("{what} only while a project is {names}; it is {}", self.state)))
    }

    /// A change to a project past a gate must leave that gate's needs met.
    fn kept(&self, gate: State, change: Change, today: NaiveDate) -> Result<Change> {
        let before_gate = self.state.next() == Some(gate);
        if !before_gate {
            self.clone().apply(change.clone()).pass(gate, today)?;
        }
        Ok(change)
    }
}

fn room(parts: usize, what: &str) -> Result<()> {
    if parts < PARTS_LIMIT {
        return Ok(());
    }
    Err(not_allowed(format!("a project may have at most {PARTS_LIMIT} {what}")))
}

fn not_allowed(detail: String) -> Error {
    Error::new(Reason::TransitionNotAllowed, detail)
}
