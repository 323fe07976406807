use contract::{common::TextCommitment, improvement as pb};
use db::Tx;
use identity::TrustId;
use journal::Draft;
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

    async fn keep(
        &self,
        tx: &mut Tx,
        text: Option<&impl Serialize>,
    ) -> Result<Option<TextCommitment>> {
        match text {
            Some(text) => text::keep(tx, self.trust_id, text).await,
            None => Ok(None),
        }
    }
}

/// The event as the journal will hold it; keeps its texts.
pub(crate) async fn draft(tx: &mut Tx, head: Head, event: &Event) -> Result<Draft> {
    match event {
        Event::Proposed(proposed) => propose(tx, head, proposed).await,
        Event::Changed(change) => change_draft(tx, head, change).await,
    }
}

async fn propose(tx: &mut Tx, head: Head, proposed: &Proposed) -> Result<Draft> {
    let text = head.keep(tx, proposed.text.as_ref()).await?;
    Ok(head.draft(&pb::ProjectProposed {
        project_id: head.project_id.to_string(),
        school_id: proposed.school_id.to_string(),
        signal_id: proposed.signal.as_ref().map(|it| it.signal_id.to_string()),
        text,
        measure: proposed.signal.as_ref().map(|it| it.measure.as_str().to_owned()),
    }))
}

async fn change_draft(tx: &mut Tx, head: Head, change: &Change) -> Result<Draft> {
    let project_id = head.project_id.to_string();
    Ok(match change {
        Change::Diagnosed(diagnosis) => diagnose(tx, head, diagnosis).await?,
        Change::Planned(plan) => self::plan(tx, head, plan).await?,
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
            let text = head.keep(tx, text.as_ref()).await?;
            head.draft(&pb::MilestoneSet {
                project_id,
                milestone_id: milestone.milestone_id.to_string(),
                due_on: milestone.due_on.to_string(),
                text,
            })
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
        Change::StocktakeHeld { stocktake_id, held } => {
            hold(tx, head, stocktake_id.to_string(), held).await?
        }
        Change::ImpactJudged(impact) => {
            let text = head.keep(tx, impact.text.as_ref()).await?;
            let verdict = impact.verdict.to_wire();
            head.draft(&pb::ImpactJudged { project_id, verdict, text })
        }
        Change::Moved { from, to, rationale } => {
            let text = rationale.clone().map(|rationale| MoveText { rationale });
            let text = head.keep(tx, text.as_ref()).await?;
            head.draft(&pb::ProjectMoved {
                project_id,
                from: from.to_wire(),
                to: to.to_wire(),
                text,
            })
        }
    })
}

async fn diagnose(tx: &mut Tx, head: Head, diagnosis: &Diagnosis) -> Result<Draft> {
    let (finding, waiver) = match diagnosis.ground.clone() {
        Ground::Missing => (None, None),
        Ground::Finding(text) => (text, None),
        Ground::Waiver(text) => (None, text),
    };
    let text = head.keep(tx, Some(&DiagnosisText { finding, waiver })).await?;
    Ok(head.draft(&pb::ProjectDiagnosed {
        project_id: head.project_id.to_string(),
        basis: diagnosis.basis.clone(),
        diagnosed_by: diagnosis.diagnosed_by.iter().map(participant).collect(),
        by_finding: matches!(diagnosis.ground, Ground::Finding(_)),
        text,
    }))
}

async fn plan(tx: &mut Tx, head: Head, plan: &Plan) -> Result<Draft> {
    let text = head.keep(tx, plan.text.as_ref()).await?;
    let level = plan.level.map_or(pb::ProjectLevel::Unspecified, Twin::contract);
    Ok(head.draft(&pb::ProjectPlanned {
        project_id: head.project_id.to_string(),
        owner: plan.owner.as_ref().map(participant),
        level: level.into(),
        tiers: plan.tiers.iter().copied().map(Twin::to_wire).collect(),
        text,
    }))
}

async fn hold(tx: &mut Tx, to: Head, stocktake_id: String, held: &Held) -> Result<Draft> {
    let text = to.keep(tx, held.text.as_ref()).await?;
    let rated = held.ratings.iter().map(|(goal_id, rating)| pb::RatedGoal {
        goal_id: goal_id.to_string(),
        rating: rating.to_wire(),
    });
    let draft = to.draft(&pb::StocktakeHeld {
        project_id: to.project_id.to_string(),
        stocktake_id,
        ratings: rated.collect(),
        likelihood: held.likelihood.to_wire(),
        text,
    });
    Ok(draft.effective_on(held.held_on))
}

fn participant(person: &Participant) -> pb::Participant {
    pb::Participant { person_id: person.person_id.clone(), role: person.role.clone() }
}
