//! Turns the events of projects into the tables that are read.

use std::collections::HashMap;

use db::{Migrations, Tx};
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

    fn schema(&self) -> Migrations {
        super::migrations()
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(project_all(tx, events))
    }

    fn clear<'t>(&'t self, tx: &'t mut Tx, stream: &'t str) -> BoxFuture<'t, Result<bool>> {
        Box::pin(async move {
            let Some(id) = stream.strip_prefix("project/") else { return Ok(false) };
            let project_id = ProjectId::parse(id).map_err(Error::internal)?;
            transition::remove(tx, project_id).await?;
            project::remove(tx, project_id).await?;
            Ok(true)
        })
    }
}

/// Loads what the events change, changes it, and stores each project once.
async fn project_all(tx: &mut Tx, events: &[Recorded]) -> Result<()> {
    let decoded: Vec<(ProjectId, Event)> =
        events.iter().map(event::decode).collect::<Result<_>>()?;
    let mut changed: Vec<ProjectId> = decoded
        .iter()
        .filter(|(_, event)| matches!(event, Event::Changed(_)))
        .map(|(project_id, _)| *project_id)
        .collect();
    changed.sort_unstable();
    changed.dedup();
    let mut projects: HashMap<ProjectId, Project> = project::find_all(tx, &changed)
        .await?
        .into_iter()
        .map(|(project, _)| (project.project_id, project))
        .collect();
    let mut moves = Vec::new();
    for ((project_id, event), recorded) in decoded.into_iter().zip(events) {
        moves.extend(transition_of(project_id, recorded, &event));
        let before = projects.remove(&project_id);
        projects.insert(project_id, after(project_id, before, recorded, event)?);
    }
    project::put(tx, &projects.values().collect::<Vec<_>>()).await?;
    transition::insert(tx, &moves).await
}

/// The project as an event leaves it.
fn after(
    project_id: ProjectId,
    before: Option<Project>,
    recorded: &Recorded,
    event: Event,
) -> Result<Project> {
    let project = match event {
        Event::Proposed(proposed) => {
            let trust_id = TrustId(recorded.trust_id);
            Project::begin(project_id, trust_id, recorded.recorded_at, proposed)
        }
        Event::Changed(change) => before
            .ok_or_else(|| Error::internal(format!("no project {project_id} to change")))?
            .apply(change),
    };
    if project.version == recorded.version {
        return Ok(project);
    }
    Err(Error::internal(format!(
        "project {project_id} would be at version {}, its event at {}",
        project.version, recorded.version
    )))
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
