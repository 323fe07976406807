//! What is answered, as the contract's messages.

use contract::improvement as pb;
use rpc::Twin;

use crate::{
    app::View,
    domain::{
        Diagnosis, Goal, Ground, Held, Impact, Milestone, Need, NextStep, Participant, Plan,
        Stocktake,
    },
    store::transition::Transition,
};

impl From<View> for pb::Project {
    fn from(view: View) -> Self {
        let View { project, urn, next_needs } = view;
        Self {
            project_id: project.project_id.to_string(),
            trust_id: project.trust_id.to_string(),
            school_id: project.school_id.to_string(),
            urn,
            title: project.title,
            signal_id: project.signal.as_ref().map(|it| it.signal_id.to_string()),
            state: project.state.to_wire(),
            diagnosis: project.diagnosis.map(Into::into),
            plan: project.plan.map(Into::into),
            goals: project.goals.into_iter().map(Into::into).collect(),
            milestones: project.milestones.into_iter().map(Into::into).collect(),
            stocktakes: project.stocktakes.into_iter().map(Into::into).collect(),
            impact: project.impact.map(Into::into),
            next_needs: next_needs.into_iter().map(Into::into).collect(),
            version: project.version,
            created_at: Some(project.created_at.into()),
            measure: project.signal.map(|it| it.measure.as_str().to_owned()),
        }
    }
}

impl From<Need> for pb::GateNeed {
    fn from(need: Need) -> Self {
        Self { pointer: need.pointer, need: need.need }
    }
}

impl From<Participant> for pb::Participant {
    fn from(person: Participant) -> Self {
        Self { person_id: person.person_id, role: person.role }
    }
}

impl From<Diagnosis> for pb::Diagnosis {
    fn from(diagnosis: Diagnosis) -> Self {
        let (finding, waiver) = match diagnosis.ground {
            Ground::Missing => (None, None),
            Ground::Finding(text) => (text, None),
            Ground::Waiver(text) => (None, text),
        };
        Self {
            basis: diagnosis.basis,
            finding,
            waiver,
            diagnosed_by: diagnosis.diagnosed_by.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Plan> for pb::Plan {
    /// Where the texts have been erased, the chain keeps its tiers.
    fn from(plan: Plan) -> Self {
        let (outputs, links, capacity) =
            plan.text.map(|it| (it.outputs, it.links, it.capacity)).unwrap_or_default();
        let mut links = links.into_iter();
        let chain = plan.tiers.into_iter().map(|tier| {
            let (role, action) = links.next().map(|it| (it.role, it.action)).unwrap_or_default();
            pb::DeliveryLink { tier: tier.to_wire(), role, action }
        });
        Self {
            owner: plan.owner.map(Into::into),
            level: plan.level.map_or(pb::ProjectLevel::Unspecified, Twin::contract).into(),
            outputs,
            delivery_chain: chain.collect(),
            capacity: capacity.unwrap_or_default(),
        }
    }
}

impl From<Goal> for pb::Goal {
    fn from(goal: Goal) -> Self {
        Self {
            goal_id: goal.goal_id.to_string(),
            measure: goal.measure.as_str().to_owned(),
            baseline: goal.baseline,
            target: goal.target,
            due_on: goal.due_on.to_string(),
            rating: goal.rating.map(Twin::to_wire),
        }
    }
}

impl From<Milestone> for pb::Milestone {
    fn from(milestone: Milestone) -> Self {
        Self {
            milestone_id: milestone.milestone_id.to_string(),
            description: milestone.description,
            due_on: milestone.due_on.to_string(),
            reached_on: milestone.reached_on.map(|it| it.to_string()),
        }
    }
}

impl From<Stocktake> for pb::Stocktake {
    fn from(stocktake: Stocktake) -> Self {
        let mut message = Self {
            stocktake_id: stocktake.stocktake_id.to_string(),
            due_on: stocktake.due_on.to_string(),
            ..Self::default()
        };
        if let Some(Held { held_on, ratings, likelihood, text }) = stocktake.held {
            let (reasons, decisions, next_steps) =
                text.map(|it| (it.reasons, it.decisions, it.next_steps)).unwrap_or_default();
            let mut reasons = reasons.into_iter();
            message.held_on = Some(held_on.to_string());
            message.reviews = ratings
                .into_iter()
                .map(|(goal_id, rating)| pb::GoalReview {
                    goal_id: goal_id.to_string(),
                    rating: rating.to_wire(),
                    reason: reasons.next(),
                })
                .collect();
            message.likelihood = Some(likelihood.to_wire());
            message.decisions = decisions;
            message.next_steps = next_steps.into_iter().map(Into::into).collect();
        }
        message
    }
}

impl From<NextStep> for pb::NextStep {
    fn from(step: NextStep) -> Self {
        Self { action: step.action, owner_role: step.owner_role, due_on: step.due_on.to_string() }
    }
}

impl From<Impact> for pb::Impact {
    fn from(impact: Impact) -> Self {
        let (evaluation, worth_spreading) =
            impact.text.map(|it| (it.evaluation, it.worth_spreading)).unwrap_or_default();
        Self { verdict: impact.verdict.to_wire(), evaluation, worth_spreading }
    }
}

impl From<Transition> for pb::ProjectTransition {
    fn from(transition: Transition) -> Self {
        Self {
            transition_id: transition.transition_id.to_string(),
            project_id: transition.project_id.to_string(),
            from: transition.from_state.map(Twin::to_wire),
            to: transition.to_state.to_wire(),
            rationale: transition.rationale,
            recorded_at: Some(transition.recorded_at.into()),
            actor: transition.actor,
            version: u32::try_from(transition.version).unwrap_or(u32::MAX),
        }
    }
}
