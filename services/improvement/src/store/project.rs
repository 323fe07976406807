use db::{Tx, on};
use identity::{SchoolId, TrustId};
use rpc::{Error, Result};

use crate::domain::{Project, ProjectId, State};

/// A project with the URN its school has now.
#[derive(sqlx::FromRow)]
struct Row {
    document: String,
    urn: Option<String>,
}

impl Row {
    fn read(self) -> Result<(Project, String)> {
        let project = serde_json::from_str(&self.document).map_err(Error::internal)?;
        Ok((project, self.urn.unwrap_or_default()))
    }
}

/// Stores what a project has become.
pub(crate) async fn put(tx: &mut Tx, project: &Project) -> Result<()> {
    let document = serde_json::to_string(project).map_err(Error::internal)?;
    on!(tx, |c| sqlx::query(
        "INSERT INTO project (project_id, trust_id, school_id, state, version, document)
         VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (project_id) DO UPDATE
         SET state = excluded.state, version = excluded.version, document = excluded.document",
    )
    .bind(project.project_id)
    .bind(project.trust_id)
    .bind(project.school_id)
    .bind(project.state)
    .bind(i64::from(project.version))
    .bind(document)
    .execute(c)
    .await
    .map(drop)?);
    Ok(())
}

pub(crate) async fn find(tx: &mut Tx, project_id: ProjectId) -> Result<Option<(Project, String)>> {
    let row: Option<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT project.document, school.urn
         FROM project LEFT JOIN school ON school.school_id = project.school_id
         WHERE project.project_id = $1",
    )
    .bind(project_id)
    .fetch_optional(c)
    .await?);
    row.map(Row::read).transpose()
}

/// What narrows a list of projects.
pub(crate) struct Filter {
    pub(crate) trust_id: TrustId,
    pub(crate) school_id: Option<SchoolId>,
    pub(crate) state: Option<State>,
}

/// Newest first: ids are ordered by time.
pub(crate) async fn list(
    tx: &mut Tx,
    filter: &Filter,
    before: Option<ProjectId>,
    limit: i64,
) -> Result<Vec<(Project, String)>> {
    let rows: Vec<Row> = on!(tx, |c| sqlx::query_as(
        "SELECT project.document, school.urn
         FROM project LEFT JOIN school ON school.school_id = project.school_id
         WHERE project.trust_id = $1
           AND ($2 IS NULL OR project.school_id = $2)
           AND ($3 IS NULL OR project.state = $3)
           AND ($4 IS NULL OR project.project_id < $4)
         ORDER BY project.project_id DESC
         LIMIT $5",
    )
    .bind(filter.trust_id)
    .bind(filter.school_id)
    .bind(filter.state)
    .bind(before)
    .bind(limit)
    .fetch_all(c)
    .await?);
    rows.into_iter().map(Row::read).collect()
}
