//! A project and its parts. Wherever a `text` is `None`, it was given once and has been erased since.

use chrono::{DateTime, NaiveDate, Utc};
use identity::{SchoolId, TrustId};
use rpc::Fault;
use serde::{Deserialize, Serialize};

use super::{Change, Level, Likelihood, Proposed, Rating, State, Tier, Verdict};

identity::id! {
    /// An improvement project.
    ProjectId
}
identity::id! {
    /// A goal of a project.
    GoalId
}
identity::id! {
    /// A milestone of a project.
    MilestoneId
}
identity::id! {
    /// A stocktake of a project.
    StocktakeId
}
identity::id! {
    /// A signal of the intelligence service.
    SignalId
}

/// The code of a measure of the intelligence service, for example `attendance`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::Type)]
#[serde(transparent)]
#[sqlx(transparent)]
pub struct MeasureCode(String);

impl MeasureCode {
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let valid = (1..=64).contains(&text.len())
            && text.bytes().all(|it| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'_');
        if valid {
            Ok(Self(text.to_owned()))
        } else {
            Err(Fault::invalid(
                "must be the code of a measure: 1 to 64 lower-case letters, digits or _",
            ))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The signal a project came from, and what it was about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SignalRef {
    pub signal_id: SignalId,
    pub measure: MeasureCode,
}

/// An improvement project as its events leave it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Project {
    pub project_id: ProjectId,
    pub trust_id: TrustId,
    pub school_id: SchoolId,
    pub title: Option<String>,
    pub signal: Option<SignalRef>,
    pub state: State,
    pub diagnosis: Option<Diagnosis>,
    pub plan: Option<Plan>,
    pub goals: Vec<Goal>,
    pub milestones: Vec<Milestone>,
    pub stocktakes: Vec<Stocktake>,
    pub impact: Option<Impact>,
    pub version: u32,
    pub created_at: DateTime<Utc>,
}

/// A person by the trust's own id for them, and the part they play.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub person_id: String,
    pub role: String,
}

/// What a project rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Ids or addresses of signals and observations.
    pub basis: Vec<String>,
    pub ground: Ground,
    pub diagnosed_by: Vec<Participant>,
}

/// What lets a diagnosis stand: a triangulated finding, or the reason for going ahead without one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ground {
    Missing,
    Finding(Option<String>),
    Waiver(Option<String>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    pub owner: Option<Participant>,
    pub level: Option<Level>,
    /// The tiers of the delivery chain as planned, in the planner's order.
    pub tiers: Vec<Tier>,
    pub text: Option<PlanText>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlanText {
    pub outputs: Vec<String>,
    /// One for each tier of the chain.
    pub links: Vec<LinkText>,
    /// Who is lent, or why nobody need be.
    pub capacity: Option<String>,
}

/// Who answers for a link of the delivery chain, and what they do that the next link depends on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkText {
    pub role: String,
    pub action: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Goal {
    pub goal_id: GoalId,
    pub measure: MeasureCode,
    /// In the measure's unit, as is the target.
    pub baseline: f64,
    pub target: f64,
    pub due_on: NaiveDate,
    /// As the last stocktake judged it.
    pub rating: Option<Rating>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Milestone {
    pub milestone_id: MilestoneId,
    pub description: Option<String>,
    pub due_on: NaiveDate,
    pub reached_on: Option<NaiveDate>,
}

/// A scheduled, evidence-based review of progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stocktake {
    pub stocktake_id: StocktakeId,
    pub due_on: NaiveDate,
    pub held: Option<Held>,
}

/// What a stocktake found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    pub held_on: NaiveDate,
    pub ratings: Vec<(GoalId, Rating)>,
    pub likelihood: Likelihood,
    pub text: Option<HeldText>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldText {
    /// Why each goal was rated so, in the order of the ratings.
    pub reasons: Vec<String>,
    pub decisions: Vec<String>,
    pub next_steps: Vec<NextStep>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NextStep {
    pub action: String,
    pub owner_role: String,
    pub due_on: NaiveDate,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Impact {
    pub verdict: Verdict,
    pub text: Option<ImpactText>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ImpactText {
    pub evaluation: Option<String>,
    pub worth_spreading: Option<String>,
}

impl Project {
    /// The project its first event makes.
    pub fn begin(
        project_id: ProjectId,
        trust_id: TrustId,
        created_at: DateTime<Utc>,
        proposed: Proposed,
    ) -> Self {
        Self {
            project_id,
            trust_id,
            school_id: proposed.school_id,
            title: proposed.text.map(|it| it.title),
            signal: proposed.signal,
            state: State::Proposed,
            diagnosis: None,
            plan: None,
            goals: Vec::new(),
            milestones: Vec::new(),
            stocktakes: Vec::new(),
            impact: None,
            version: 1,
            created_at,
        }
    }

    /// The project after a change: the only code that changes one.
    #[must_use]
    pub fn apply(mut self, change: Change) -> Self {
        self.version += 1;
        match change {
            Change::Diagnosed(diagnosis) => self.diagnosis = Some(diagnosis),
            Change::Planned(plan) => self.plan = Some(plan),
            Change::GoalSet(goal) => self.goals.push(goal),
            Change::MilestoneSet(milestone) => self.milestones.push(milestone),
            Change::MilestoneReached { milestone_id, reached_on } => {
                let milestone =
                    self.milestones.iter_mut().find(|it| it.milestone_id == milestone_id);
                if let Some(it) = milestone {
                    it.reached_on = Some(reached_on);
                }
            }
            Change::StocktakeScheduled { stocktake_id, due_on } => {
                self.stocktakes.push(Stocktake { stocktake_id, due_on, held: None });
            }
            Change::StocktakeHeld { stocktake_id, held } => self.hold(stocktake_id, held),
            Change::ImpactJudged(impact) => self.impact = Some(impact),
            Change::Moved { to, .. } => self.state = to,
        }
        self
    }

    fn hold(&mut self, stocktake_id: StocktakeId, held: Held) {
        for goal in &mut self.goals {
            let judged = held.ratings.iter().find(|(goal_id, _)| *goal_id == goal.goal_id);
            goal.rating = judged.map(|(_, rating)| *rating).or(goal.rating);
        }
        let stocktake = self.stocktakes.iter_mut().find(|it| it.stocktake_id == stocktake_id);
        if let Some(it) = stocktake {
            it.held = Some(held);
        }
    }
}
