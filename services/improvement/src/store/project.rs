use db::{Tx, fetch_any, on};
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

/// Stores what projects have become.
pub(crate) async fn put(tx: &mut Tx, projects: &[&Project]) -> Result<()> {
    let documents: Vec<String> = projects
        .iter()
        .map(|it| serde_json::to_string(it).map_err(Error::internal))
        .collect::<Result<_>>()?;
    match tx {
        // One statement for all: a round trip costs more than a row.
        Tx::Postgres(tx) => {
            sqlx::query(
                "INSERT INTO project (project_id, trust_id, school_id, state, version, document)
                 SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::bigint[], $6::text[])
                 ON CONFLICT (project_id) DO UPDATE
                 SET state = excluded.state, version = excluded.version, document = excluded.document",
            )
            .bind(projects.iter().map(|it| it.project_id.0).collect::<Vec<_>>())
            .bind(projects.iter().map(|it| it.trust_id.0).collect::<Vec<_>>())
            .bind(projects.iter().map(|it| it.school_id.0).collect::<Vec<_>>())
            .bind(projects.iter().map(|it| it.state.to_string()).collect::<Vec<_>>())
            .bind(projects.iter().map(|it| i64::from(it.version)).collect::<Vec<_>>())
            .bind(documents)
            .execute(&mut **tx)
            .await?;
        }
        Tx::Sqlite(tx) => {
            for (project, document) in projects.iter().zip(documents) {
                sqlx::query(
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
                .execute(&mut **tx)
                .await?;
            }
        }
    }
    Ok(())
}

/// A project, with the URN its school has now.
pub(crate) async fn find(tx: &mut Tx, project_id: ProjectId) -> Result<Option<(Project, String)>> {
    Ok(find_all(tx, &[project_id]).await?.pop())
}

/// Those of the projects that exist, each with the URN its school has now.
pub(crate) async fn find_all(tx: &mut Tx, ids: &[ProjectId]) -> Result<Vec<(Project, String)>> {
    let ids: Vec<_> = ids.iter().map(|it| it.0).collect();
    let sql = "SELECT project.document, school.urn
               FROM project LEFT JOIN school ON school.school_id = project.school_id
               WHERE project.project_id = ANY($1)";
    let rows: Vec<Row> = fetch_any(tx, sql, &ids).await?;
    rows.into_iter().map(Row::read).collect()
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

/// Removes a project, whose transitions are gone.
pub(crate) async fn remove(tx: &mut Tx, project_id: ProjectId) -> Result<()> {
    on!(tx, |c| sqlx::query("DELETE FROM project WHERE project_id = $1")
        .bind(project_id)
        .execute(c)
        .await
        .map(drop))?;
    Ok(())
}
