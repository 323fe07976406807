use contract::{common::TextCommitment, improvement as pb};
use identity::TrustId;
use journal::{Draft, text::Text};
use rpc::{Result, Twin};
use serde::Serialize;
use uuid::Uuid;

use super::{DiagnosisText, MilestoneText, MoveText};
use crate::{
    domain::{Change, Diagnosis, Event, Ground, Held, Participant, Plan, ProjectId, Proposed},
    store::text,
};

/// Which event of which project is about to be recorded.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub(crate) event_id: Uuid,
    pub(crate) trust_id: TrustId,
    pub(crate) project_id: ProjectId,
    /// The project's version after the event.
    pub(crate) version: u32,
}

impl Head {
    fn draft<M: prost::Message + prost::Name>(&self, message: &M) -> Draft {
        let stream = format!("project/{}", self.project_id);
        Draft::new(self.event_id, self.trust_id.0, stream, self.version, message)
    }
}

fn keep(text: Option<&impl Serialize>) -> Result<Option<Text>> {
    text.map(text::keep).transpose()
}

fn committed(text: Option<&Text>) -> Option<TextCommitment> {
    text.map(Text::commitment)
}

/// The event as the journal will hold it; keeps its texts.
pub(crate) fn draft(head: Head, event: &Event) -> Result<Draft> {
    match event {
        Event::Proposed(proposed) => propose(head, proposed),
        Event::Changed(change) => change_draft(head, change),
    }
}

fn propose(head: Head, proposed: &Proposed) -> Result<Draft> {
    let text = keep(proposed.text.as_ref())?;
    let draft = head.draft(&pb::ProjectProposed {
        project_id: head.project_id.to_string(),
        school_id: proposed.school_id.to_string(),
        signal_id: proposed.signal.as_ref().map(|it| it.signal_id.to_string()),
        text: committed(text.as_ref()),
        measure: proposed.signal.as_ref().map(|it| it.measure.as_str().to_owned()),
    });
    Ok(draft.with_texts(text))
}

fn change_draft(head: Head, change: &Change) -> Result<Draft> {
    let project_id = head.project_id.to_string();
    Ok(match change {
        Change::Diagnosed(diagnosis) => diagnose(head, diagnosis)?,
        Change::Planned(plan) => self::plan(head, plan)?,
        Change::GoalSet(goal) => head.draft(&pb::GoalSet {
            project_id,
            goal_id: goal.goal_id.to_string(),
            measure: goal.measure.as_str().to_owned(),
            baseline: goal.baseline,
            target: goal.target,
            due_on: goal.due_on.to_string(),
        }),
        Change::MilestoneSet(milestone) => {
            let text =
                milestone.description.clone().map(|description| MilestoneText { description });
            let text = keep(text.as_ref())?;
            head.draft(&pb::MilestoneSet {
                project_id,
                milestone_id: milestone.milestone_id.to_string(),
                due_on: milestone.due_on.to_string(),
                text: committed(text.as_ref()),
            })
            .with_texts(text)
        }
        Change::MilestoneReached { milestone_id, reached_on } => {
            let milestone_id = milestone_id.to_string();
            head.draft(&pb::MilestoneReached { project_id, milestone_id }).effective_on(*reached_on)
        }
        Change::StocktakeScheduled { stocktake_id, due_on } => {
            head.draft(&pb::StocktakeScheduled {
                project_id,
                stocktake_id: stocktake_id.to_string(),
                due_on: due_on.to_string(),
            })
        }
        Change::StocktakeHeld { stocktake_id, held } => hold(head, stocktake_id.to_string(), held)?,
        Change::ImpactJudged(impact) => {
            let text = keep(impact.text.as_ref())?;
            let verdict = impact.verdict.to_wire();
            let message = pb::ImpactJudged { project_id, verdict, text: committed(text.as_ref()) };
            head.draft(&message).with_texts(text)
        }
        Change::Moved { from, to, rationale } => {
            let text = rationale.clone().map(|rationale| MoveText { rationale });
            let text = keep(text.as_ref())?;
            head.draft(&pb::ProjectMoved {
                project_id,
                from: from.to_wire(),
                to: to.to_wire(),
                text: committed(text.as_ref()),
            })
            .with_texts(text)
        }
    })
}

fn diagnose(head: Head, diagnosis: &Diagnosis) -> Result<Draft> {
    let (finding, waiver) = match diagnosis.ground.clone() {
        Ground::Missing => (None, None),
        Ground::Finding(text) => (text, None),
        Ground::Waiver(text) => (None, text),
    };
    let text = keep(Some(&DiagnosisText { finding, waiver }))?;
    let draft = head.draft(&pb::ProjectDiagnosed {
        project_id: head.project_id.to_string(),
        basis: diagnosis.basis.clone(),
        diagnosed_by: diagnosis.diagnosed_by.iter().map(participant).collect(),
        by_finding: matches!(diagnosis.ground, Ground::Finding(_)),
        text: committed(text.as_ref()),
    });
    Ok(draft.with_texts(text))
}

fn plan(head: Head, plan: &Plan) -> Result<Draft> {
    let text = keep(plan.text.as_ref())?;
    let level = plan.level.map_or(pb::ProjectLevel::Unspecified, Twin::contract);
    let draft = head.draft(&pb::ProjectPlanned {
        project_id: head.project_id.to_string(),
        owner: plan.owner.as_ref().map(participant),
        level: level.into(),
        tiers: plan.tiers.iter().copied().map(Twin::to_wire).collect(),
        text: committed(text.as_ref()),
    });
    Ok(draft.with_texts(text))
}

fn hold(to: Head, stocktake_id: String, held: &Held) -> Result<Draft> {
    let text = keep(held.text.as_ref())?;
    let rated = held.ratings.iter().map(|(goal_id, rating)| pb::RatedGoal {
        goal_id: goal_id.to_string(),
        rating: rating.to_wire(),
    });
    let draft = to.draft(&pb::StocktakeHeld {
        project_id: to.project_id.to_string(),
        stocktake_id,
        ratings: rated.collect(),
        likelihood: held.likelihood.to_wire(),
        text: committed(text.as_ref()),
    });
    Ok(draft.effective_on(held.held_on).with_texts(text))
}

fn participant(person: &Participant) -> pb::Participant {
    pb::Participant { person_id: person.person_id.clone(), role: person.role.clone() }
}
