//! What each state needs of a project before it may be entered.

use chrono::{Days, NaiveDate};
use rpc::{Error, Fault, Problem, Reason};
use serde::{Deserialize, Serialize};

use super::{Diagnosis, Ground, Participant, Plan, Project, Rating, State, Tier};

/// Seven weeks: as long as half-terms in England commonly run.
pub const HALF_TERM: Days = Days::new(49);

/// Something a gate waits for, and where in the project it belongs (JSON Pointer into the contract's `Project`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    pub pointer: String,
    pub need: String,
}

fn need(pointer: impl Into<String>, need: impl Into<String>) -> Need {
    Need { pointer: pointer.into(), need: need.into() }
}

impl Project {
    /// What the next state still needs; empty when the gate is open or no state follows.
    pub fn next_needs(&self, today: NaiveDate) -> Vec<Need> {
        self.state.next().map(|it| self.needs(it, today)).unwrap_or_default()
    }

    /// What this project lacks for a state. A text that was erased counts as given: it was there when it counted.
    pub fn needs(&self, to: State, today: NaiveDate) -> Vec<Need> {
        match to {
            State::Diagnosed => diagnosis_needs(self.diagnosis.as_ref()),
            State::Planned => {
                let mut needs = self.goal_needs();
                needs.extend(plan_needs(self.plan.as_ref()));
                needs
            }
            State::Delivering => self.stocktake_needs(today),
            State::Embedding => self.rating_needs(),
            State::Closed => self.impact_needs(),
            State::Proposed | State::Abandoned => Vec::new(),
        }
    }

    /// Lets a project through to a state it has all the needs of.
    pub(super) fn pass(&self, to: State, today: NaiveDate) -> Result<(), Error> {
        let needs = self.needs(to, today);
        if needs.is_empty() {
            return Ok(());
        }
        let detail = match needs.as_slice() {
            [only] => format!("{to} still needs this: {}", only.need),
            many => format!("{to} still needs {} things", many.len()),
        };
        let problems = needs.into_iter().map(|it| Problem {
            pointer: it.pointer,
            fault: Fault::new(Reason::GateNotMet, it.need),
        });
        let mut error = Error::new(Reason::GateNotMet, detail);
        error.problems = problems.collect();
        Err(error)
    }

    fn goal_needs(&self) -> Vec<Need> {
        let mut needs = Vec::new();
        if self.goals.is_empty() {
            needs.push(need("/goals", "at least one goal with measure, baseline, target and date"));
        }
        if self.milestones.is_empty() {
            needs.push(need("/milestones", "at least one milestone"));
        }
        needs
    }

    /// A stocktake belongs in each half-term until the last goal is due. At the start only the first can be asked
    /// for: one not yet held, dated from today to half a term ahead.
    fn stocktake_needs(&self, today: NaiveDate) -> Vec<Need> {
        let last = today + HALF_TERM;
        let dated = self
            .stocktakes
            .iter()
            .any(|it| it.held.is_none() && (today..=last).contains(&it.due_on));
        if dated {
            return Vec::new();
        }
        vec![need("/stocktakes", format!("a first stocktake dated from {today} to {last}"))]
    }

    fn rating_needs(&self) -> Vec<Need> {
        if self.stocktakes.iter().all(|it| it.held.is_none()) {
            return vec![need("/stocktakes", "a stocktake that was held and rated every goal")];
        }
        let falls_short = |rating| !matches!(rating, Some(Rating::Met | Rating::OnTrack));
        self.goals
            .iter()
            .enumerate()
            .filter(|(_, goal)| falls_short(goal.rating))
            .map(|(index, goal)| {
                let measure = goal.measure.as_str();
                let text = format!("the goal on {measure} met or on track at the last stocktake");
                need(format!("/goals/{index}/rating"), text)
            })
            .collect()
    }

    fn impact_needs(&self) -> Vec<Need> {
        let text = self.impact.as_ref().map(|it| it.text.as_ref());
        let lacks = |given: fn(&super::ImpactText) -> bool| match text {
            None => true,
            Some(text) => text.is_some_and(|it| !given(it)),
        };
        let mut needs = Vec::new();
        if self.impact.is_none() {
            needs.push(need("/impact/verdict", "a verdict: achieved, partly or not"));
        }
        if lacks(|it| it.evaluation.is_some()) {
            needs.push(need("/impact/evaluation", "an evaluation of the impact"));
        }
        if lacks(|it| it.worth_spreading.is_some()) {
            needs.push(need(
                "/impact/worthSpreading",
                "what is worth spreading, or that nothing is",
            ));
        }
        needs
    }
}

fn diagnosis_needs(diagnosis: Option<&Diagnosis>) -> Vec<Need> {
    let mut needs = Vec::new();
    if diagnosis.is_none_or(|it| it.basis.is_empty()) {
        needs.push(need("/diagnosis/basis", "at least one observation or signal it rests on"));
    }
    if diagnosis.is_none_or(|it| it.ground == Ground::Missing) {
        needs.push(need("/diagnosis/finding", "a triangulated finding, or a reasoned waiver"));
    }
    if !diagnosis.is_some_and(|it| two_sided(&it.diagnosed_by)) {
        needs.push(need("/diagnosis/diagnosedBy", "at least two people of different roles"));
    }
    needs
}

/// Whether some two of them are different people in different roles.
fn two_sided(people: &[Participant]) -> bool {
    let role = |it: &Participant| it.role.trim().to_lowercase();
    people.iter().enumerate().any(|(index, one)| {
        people
            .iter()
            .skip(index + 1)
            .any(|other| one.person_id != other.person_id && role(one) != role(other))
    })
}

fn plan_needs(plan: Option<&Plan>) -> Vec<Need> {
    let text = plan.map(|it| it.text.as_ref());
    let mut needs = Vec::new();
    if plan.is_none_or(|it| it.owner.is_none()) {
        needs.push(need("/plan/owner", "an owner"));
    }
    if plan.is_none_or(|it| it.level.is_none()) {
        needs.push(need("/plan/level", "the level it is run at: trust, hub or school"));
    }
    if text.is_none_or(|it| it.is_some_and(|it| it.outputs.is_empty())) {
        needs.push(need("/plan/outputs", "at least one output"));
    }
    if let Some(gap) = gap(plan.map_or(&[], |it| &it.tiers)) {
        needs.push(need("/plan/deliveryChain", gap));
    }
    if text.is_none_or(|it| it.is_some_and(|it| it.capacity.is_none())) {
        let text = "who is deployed to it, or a statement that nobody need be";
        needs.push(need("/plan/capacity", text));
    }
    needs
}

/// Where a delivery chain breaks. A tier may have several links, side by side.
fn gap(tiers: &[Tier]) -> Option<String> {
    let missing: Vec<_> =
        Tier::CHAIN.iter().filter(|it| !tiers.contains(it)).map(ToString::to_string).collect();
    if !missing.is_empty() {
        let missing = missing.join(", ");
        return Some(format!("a delivery chain from trust to classroom; it lacks {missing}"));
    }
    let place = |tier: &Tier| Tier::CHAIN.iter().position(|it| it == tier);
    (!tiers.is_sorted_by_key(place)).then(|| {
        "a delivery chain in order: trust, school leaders, middle leaders, classroom".to_owned()
    })
}
