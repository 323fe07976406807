use chrono::NaiveDate;
use contract::improvement as pb;
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
pub(crate) fn decode(event: &Recorded) -> Result<(ProjectId, Event)> {
    let project_id = event
        .stream
        .strip_prefix("project/")
        .ok_or_else(|| Error::internal(format!("not a stream of projects: {}", event.stream)))?;
    let project_id = stored(ProjectId::parse(project_id))?;
    if let Some(it) = event.decode::<pb::ProjectProposed>()? {
        return Ok((project_id, Event::Proposed(proposed(event, it)?)));
    }
    Ok((project_id, Event::Changed(change(event)?)))
}

fn change(event: &Recorded) -> Result<Change> {
    if let Some(it) = event.decode::<pb::ProjectDiagnosed>()? {
        return diagnosed(event, it);
    }
    if let Some(it) = event.decode::<pb::ProjectPlanned>()? {
        return planned(event, it);
    }
    if let Some(it) = event.decode::<pb::GoalSet>()? {
        return goal_set(&it);
    }
    if let Some(it) = event.decode::<pb::MilestoneSet>()? {
        return milestone_set(event, &it);
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
        return held(event, &it, effective_on(event));
    }
    if let Some(it) = event.decode::<pb::ImpactJudged>()? {
        let verdict = Twin::told(it.verdict)?;
        let text = text::read(event, it.text.as_ref())?;
        return Ok(Change::ImpactJudged(Impact { verdict, text }));
    }
    if let Some(it) = event.decode::<pb::ProjectMoved>()? {
        let from = Twin::told(it.from)?;
        let to = Twin::told(it.to)?;
        let text: Option<MoveText> = text::read(event, it.text.as_ref())?;
        return Ok(Change::Moved { from, to, rationale: text.map(|it| it.rationale) });
    }
    Err(Error::internal(format!("no event of projects: {}", event.kind)))
}

fn proposed(event: &Recorded, it: pb::ProjectProposed) -> Result<Proposed> {
    let signal = match (it.signal_id, it.measure) {
        (Some(signal_id), Some(measure)) => Some(SignalRef {
            signal_id: stored(SignalId::parse(&signal_id))?,
            measure: stored(MeasureCode::parse(&measure))?,
        }),
        _ => None,
    };
    Ok(Proposed {
        school_id: stored(SchoolId::parse(&it.school_id))?,
        signal,
        text: text::read(event, it.text.as_ref())?,
    })
}

fn diagnosed(event: &Recorded, it: pb::ProjectDiagnosed) -> Result<Change> {
    let text: Option<DiagnosisText> = text::read(event, it.text.as_ref())?;
    let ground = match text {
        Some(DiagnosisText { finding: None, waiver: None }) => Ground::Missing,
        Some(DiagnosisText { finding: Some(finding), .. }) => Ground::Finding(Some(finding)),
        Some(DiagnosisText { waiver, .. }) => Ground::Waiver(waiver),
        None if it.by_finding => Ground::Finding(None),
        None => Ground::Waiver(None),
    };
    Ok(Change::Diagnosed(Diagnosis {
        basis: it.basis,
        ground,
        diagnosed_by: it.diagnosed_by.into_iter().map(participant).collect(),
    }))
}

fn planned(event: &Recorded, it: pb::ProjectPlanned) -> Result<Change> {
    let level = Level::of(it.level());
    let tiers = it.tiers.into_iter().map(Twin::told).collect::<Result<_>>()?;
    let text = text::read(event, it.text.as_ref())?;
    Ok(Change::Planned(Plan { owner: it.owner.map(participant), level, tiers, text }))
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

fn milestone_set(event: &Recorded, it: &pb::MilestoneSet) -> Result<Change> {
    let text: Option<MilestoneText> = text::read(event, it.text.as_ref())?;
    Ok(Change::MilestoneSet(Milestone {
        milestone_id: stored(MilestoneId::parse(&it.milestone_id))?,
        description: text.map(|it| it.description),
        due_on: stored(identity::date(&it.due_on))?,
        reached_on: None,
    }))
}

fn held(event: &Recorded, it: &pb::StocktakeHeld, held_on: NaiveDate) -> Result<Change> {
    let ratings = it.ratings.iter().map(|rated| {
        let rating = Twin::told(rated.rating)?;
        Ok((stored(GoalId::parse(&rated.goal_id))?, rating))
    });
    let held = Held {
        held_on,
        ratings: ratings.collect::<Result<_>>()?,
        likelihood: Twin::told(it.likelihood)?,
        text: text::read(event, it.text.as_ref())?,
    };
    let stocktake_id = stored(StocktakeId::parse(&it.stocktake_id))?;
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
