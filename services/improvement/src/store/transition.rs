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

pub(crate) async fn insert(tx: &mut Tx, transitions: &[Transition]) -> Result<()> {
    fn column<'t, T>(from: &'t [Transition], value: impl Fn(&'t Transition) -> T) -> Vec<T> {
        from.iter().map(value).collect()
    }
    match tx {
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO project_transition
                   (transition_id, project_id, from_state, to_state, rationale, recorded_at, actor, version)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[], $5::text[],
                   $6::timestamptz[], $7::text[], $8::bigint[])",
            )
            .bind(column(transitions, |it| it.transition_id))
            .bind(column(transitions, |it| it.project_id.0))
            .bind(column(transitions, |it| it.from_state.map(|it| it.to_string())))
            .bind(column(transitions, |it| it.to_state.to_string()))
            .bind(column(transitions, |it| it.rationale.as_deref()))
            .bind(column(transitions, |it| it.recorded_at))
            .bind(column(transitions, |it| it.actor.as_str()))
            .bind(column(transitions, |it| it.version))
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            for transition in transitions {
                sqlx::query(
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
                .execute(&mut **tx)
                .await?;
            }
        }
    }
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

pub(crate) async fn remove(tx: &mut Tx, project_id: ProjectId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM project_transition WHERE project_id = $1")
        .bind(project_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
