//! Turns the events of projects into the tables that are read.

use db::Tx;
use futures::future::BoxFuture;
use identity::TrustId;
use journal::{Projection, Recorded};
use rpc::{Error, Result};

use super::{
    event, project,
    transition::{self, Transition},
};
use crate::domain::{Change, Event, Project, ProjectId, State};

/// The projection of this service's journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Projects;

impl Projection for Projects {
    fn tables(&self) -> &'static [&'static str] {
        &["project_transition", "project"]
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            for event in events {
                project_event(tx, event).await?;
            }
            Ok(())
        })
    }
}

async fn project_event(tx: &mut Tx, recorded: &Recorded) -> Result<()> {
    let (project_id, event) = event::decode(recorded)?;
    let moved = transition_of(project_id, recorded, &event);
    let project = match event {
        Event::Proposed(proposed) => {
            let trust_id = TrustId(recorded.trust_id);
            Project::begin(project_id, trust_id, recorded.recorded_at, proposed)
        }
        Event::Changed(change) => {
            let before = project::find(tx, project_id).await?;
            let (before, _) = before
                .ok_or_else(|| Error::internal(format!("no project {project_id} to change")))?;
            before.apply(change)
        }
    };
    if project.version != recorded.version {
        return Err(Error::internal(format!(
            "project {project_id} would be at version {}, its event at {}",
            project.version, recorded.version
        )));
    }
    project::put(tx, &project).await?;
    match moved {
        Some(moved) => transition::insert(tx, &moved).await,
        None => Ok(()),
    }
}

/// The transition an event makes: a proposal is the first, from no state.
fn transition_of(project_id: ProjectId, recorded: &Recorded, event: &Event) -> Option<Transition> {
    let (from_state, to_state, rationale) = match event {
        Event::Proposed(it) => {
            (None, State::Proposed, it.text.as_ref().map(|it| it.rationale.clone()))
        }
        Event::Changed(Change::Moved { from, to, rationale }) => {
            (Some(*from), *to, rationale.clone())
        }
        Event::Changed(_) => return None,
    };
    Some(Transition {
        transition_id: recorded.event_id,
        project_id,
        from_state,
        to_state,
        rationale,
        recorded_at: recorded.recorded_at,
        actor: recorded.actor.clone(),
        version: i64::from(recorded.version),
    })
}
