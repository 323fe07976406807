use chrono::{DateTime, Utc};
use db::{Tx, on};
use rpc::Result;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::domain::{ProjectId, State};

/// A move of a project from one state to the next; the first, from none, is its proposal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub(crate) struct Transition {
    /// The event's id.
    pub(crate) transition_id: Uuid,
    pub(crate) project_id: ProjectId,
    pub(crate) from_state: Option<State>,
    pub(crate) to_state: State,
    pub(crate) rationale: Option<String>,
    pub(crate) recorded_at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) version: i64,
}

pub(crate) async fn insert(tx: &mut Tx, transition: &Transition) -> Result<()> {
    on!(tx, |c| sqlx::query(
        "INSERT INTO project_transition
           (transition_id, project_id, from_state, to_state, rationale, recorded_at, actor, version)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(transition.transition_id)
    .bind(transition.project_id)
    .bind(transition.from_state)
    .bind(transition.to_state)
    .bind(&transition.rationale)
    .bind(transition.recorded_at)
    .bind(&transition.actor)
    .bind(transition.version)
    .execute(c)
    .await
    .map(drop)?);
    Ok(())
}

/// Oldest first, after a version.
pub(crate) async fn list(
    tx: &mut Tx,
    project_id: ProjectId,
    after: i64,
    limit: i64,
) -> Result<Vec<Transition>> {
    Ok(on!(tx, |c| sqlx::query_as(
        "SELECT transition_id, project_id, from_state, to_state, rationale, recorded_at, actor,
                version
         FROM project_transition
         WHERE project_id = $1 AND version > $2
         ORDER BY version
         LIMIT $3",
    )
    .bind(project_id)
    .bind(after)
    .bind(limit)
    .fetch_all(c)
    .await?))
}
