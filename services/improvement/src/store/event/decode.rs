use chrono::NaiveDate;
use contract::improvement as pb;
use db::Tx;
use identity::SchoolId;
use journal::Recorded;
use rpc::{Error, Fault, Result, Twin};

use super::{DiagnosisText, MilestoneText, MoveText};
use crate::{
    domain::{
        Change, Diagnosis, Event, Goal, GoalId, Ground, Held, Impact, Level, MeasureCode,
        Milestone, MilestoneId, Participant, Plan, ProjectId, Proposed, SignalId, SignalRef,
        StocktakeId,
    },
    store::text,
};

/// The project an event is about, and what it says, with the texts that have not been erased.
pub(crate) async fn decode(tx: &mut Tx, event: &Recorded) -> Result<(ProjectId, Event)> {
    let project_id = event
        .stream
        .strip_prefix("project/")
        .ok_or_else(|| Error::internal(format!("not a stream of projects: {}", event.stream)))?;
    let project_id = stored(ProjectId::parse(project_id))?;
    if let Some(it) = event.decode::<pb::ProjectProposed>()? {
        return Ok((project_id, Event::Proposed(proposed(tx, it).await?)));
    }
    Ok((project_id, Event::Changed(change(tx, event).await?)))
}

async fn change(tx: &mut Tx, event: &Recorded) -> Result<Change> {
    if let Some(it) = event.decode::<pb::ProjectDiagnosed>()? {
        return diagnosed(tx, it).await;
    }
    if let Some(it) = event.decode::<pb::ProjectPlanned>()? {
        return planned(tx, it).await;
    }
    if let Some(it) = event.decode::<pb::GoalSet>()? {
        return goal_set(&it);
    }
    if let Some(it) = event.decode::<pb::MilestoneSet>()? {
        return milestone_set(tx, it).await;
    }
    if let Some(it) = event.decode::<pb::MilestoneReached>()? {
        let milestone_id = stored(MilestoneId::parse(&it.milestone_id))?;
        return Ok(Change::MilestoneReached { milestone_id, reached_on: effective_on(event) });
    }
    if let Some(it) = event.decode::<pb::StocktakeScheduled>()? {
        let stocktake_id = stored(StocktakeId::parse(&it.stocktake_id))?;
        let due_on = stored(identity::date(&it.due_on))?;
        return Ok(Change::StocktakeScheduled { stocktake_id, due_on });
    }
    if let Some(it) = event.decode::<pb::StocktakeHeld>()? {
        return held(tx, it, effective_on(event)).await;
    }
    if let Some(it) = event.decode::<pb::ImpactJudged>()? {
        let verdict = Twin::told(it.verdict)?;
        let text = text::read(tx, it.text.as_ref()).await?;
        return Ok(Change::ImpactJudged(Impact { verdict, text }));
    }
    if let Some(it) = event.decode::<pb::ProjectMoved>()? {
        let from = Twin::told(it.from)?;
        let to = Twin::told(it.to)?;
        let text: Option<MoveText> = text::read(tx, it.text.as_ref()).await?;
        return Ok(Change::Moved { from, to, rationale: text.map(|it| it.rationale) });
    }
    Err(Error::internal(format!("no event of projects: {}", event.kind)))
}

async fn proposed(tx: &mut Tx, event: pb::ProjectProposed) -> Result<Proposed> {
    let signal = match (event.signal_id, event.measure) {
        (Some(signal_id), Some(measure)) => Some(SignalRef {
            signal_id: stored(SignalId::parse(&signal_id))?,
            measure: stored(MeasureCode::parse(&measure))?,
        }),
        _ => None,
    };
    Ok(Proposed {
        school_id: stored(SchoolId::parse(&event.school_id))?,
        signal,
        text: text::read(tx, event.text.as_ref()).await?,
    })
}

async fn diagnosed(tx: &mut Tx, event: pb::ProjectDiagnosed) -> Result<Change> {
    let text: Option<DiagnosisText> = text::read(tx, event.text.as_ref()).await?;
    let ground = match text {
        Some(DiagnosisText { finding: None, waiver: None }) => Ground::Missing,
        Some(DiagnosisText { finding: Some(finding), .. }) => Ground::Finding(Some(finding)),
        Some(DiagnosisText { waiver, .. }) => Ground::Waiver(waiver),
        None if event.by_finding => Ground::Finding(None),
        None => Ground::Waiver(None),
    };
    Ok(Change::Diagnosed(Diagnosis {
        basis: event.basis,
        ground,
        diagnosed_by: event.diagnosed_by.into_iter().map(participant).collect(),
    }))
}

async fn planned(tx: &mut Tx, event: pb::ProjectPlanned) -> Result<Change> {
    let level = Level::of(event.level());
    let tiers = event.tiers.into_iter().map(Twin::told).collect::<Result<_>>()?;
    let text = text::read(tx, event.text.as_ref()).await?;
    Ok(Change::Planned(Plan { owner: event.owner.map(participant), level, tiers, text }))
}

fn goal_set(event: &pb::GoalSet) -> Result<Change> {
    Ok(Change::GoalSet(Goal {
        goal_id: stored(GoalId::parse(&event.goal_id))?,
        measure: stored(MeasureCode::parse(&event.measure))?,
        baseline: event.baseline,
        target: event.target,
        due_on: stored(identity::date(&event.due_on))?,
        rating: None,
    }))
}

async fn milestone_set(tx: &mut Tx, event: pb::MilestoneSet) -> Result<Change> {
    let text: Option<MilestoneText> = text::read(tx, event.text.as_ref()).await?;
    Ok(Change::MilestoneSet(Milestone {
        milestone_id: stored(MilestoneId::parse(&event.milestone_id))?,
        description: text.map(|it| it.description),
        due_on: stored(identity::date(&event.due_on))?,
        reached_on: None,
    }))
}

async fn held(tx: &mut Tx, event: pb::StocktakeHeld, held_on: NaiveDate) -> Result<Change> {
    let ratings = event.ratings.iter().map(|it| {
        let rating = Twin::told(it.rating)?;
        Ok((stored(GoalId::parse(&it.goal_id))?, rating))
    });
    let held = Held {
        held_on,
        ratings: ratings.collect::<Result<_>>()?,
        likelihood: Twin::told(event.likelihood)?,
        text: text::read(tx, event.text.as_ref()).await?,
    };
    let stocktake_id = stored(StocktakeId::parse(&event.stocktake_id))?;
    Ok(Change::StocktakeHeld { stocktake_id, held })
}

fn participant(person: pb::Participant) -> Participant {
    Participant { person_id: person.person_id, role: person.role }
}

/// The date it holds from: the day it was recorded, unless it says another.
fn effective_on(event: &Recorded) -> NaiveDate {
    event.effective_on.unwrap_or_else(|| calendar::london_date(event.recorded_at))
}

/// What we wrote, we can read: anything else is our own fault.
fn stored<T>(parsed: Result<T, Fault>) -> Result<T> {
    parsed.map_err(Error::internal)
}
