use std::collections::HashMap;

use db::Tx;
use futures::future::BoxFuture;
use identity::{SchoolNumber, TrustId};
use journal::{Aggregate, AsOf, Decision, Of};
use rpc::{Ctx, Error, Page, Result, unchanged};
use uuid::Uuid;

use super::{App, View, propose::school};
use crate::{
    domain::{Command, Event, Project, ProjectId, State},
    store::{
        event::{self, Head},
        project::{self, Filter},
        transition::{self, Transition},
    },
};

#[derive(Debug)]
pub(crate) struct ListProjects {
    pub(crate) trust_id: TrustId,
    pub(crate) school: Option<SchoolNumber>,
    pub(crate) state: Option<State>,
    pub(crate) page: Page<Uuid>,
}

#[derive(Debug)]
pub(crate) struct ListTransitions {
    pub(crate) project_id: ProjectId,
    pub(crate) page: Page<i64>,
}

impl App {
    pub(crate) async fn get(
        &self,
        ctx: &Ctx,
        project_id: ProjectId,
        as_of: Option<AsOf>,
    ) -> Result<View> {
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let (now, urn) = load(&mut tx, ctx, project_id).await?;
        let Some(at) = as_of else { return Ok(view(ctx, now, urn)) };
        drop(tx);
        let of = Of::Stream(format!("project/{project_id}"));
        let mut then = self.journal.as_of(now.trust_id.0, at, of).await?;
        let found = project::find(&mut then, project_id).await?;
        let (project, _) = found.ok_or_else(|| at.absent("project", project_id))?;
        let next_needs = project.next_needs(at.effective_on);
        Ok(View { project, urn, next_needs })
    }

    pub(crate) async fn list(
        &self,
        ctx: &Ctx,
        query: ListProjects,
    ) -> Result<(Vec<View>, Option<String>)> {
        let ListProjects { trust_id, school: number, state, page } = query;
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        let school_id = match number {
            Some(number) => {
                let school = school(&mut tx, trust_id, &number).await?;
                ctx.school(school.school_id.0, school.urn.as_str())?;
                Some(school.school_id)
            }
            None => None,
        };
        let filter = Filter { trust_id, school_id, state };
        let before = page.after.map(ProjectId);
        let found = project::list(&mut tx, &filter, before, page.limit()).await?;
        let (found, next) = page.cut(found, |(project, _)| project.project_id.0)?;
        let seen = found.into_iter().filter(|(project, _)| ctx.sees(project.school_id.0));
        Ok((seen.map(|(project, urn)| view(ctx, project, urn)).collect(), next))
    }

    pub(crate) async fn transitions(
        &self,
        ctx: &Ctx,
        query: ListTransitions,
    ) -> Result<(Vec<Transition>, Option<String>)> {
        let ListTransitions { project_id, page } = query;
        let mut tx = self.journal.db().read_as(ctx.tenant()).await?;
        load(&mut tx, ctx, project_id).await?;
        let after = page.after.unwrap_or(0);
        let found = transition::list(&mut tx, project_id, after, page.limit()).await?;
        page.cut(found, |it| it.version)
    }

    /// Changes a project that is still at the version the caller decided on.
    pub(crate) async fn change(
        &self,
        ctx: &Ctx,
        project_id: ProjectId,
        expected_version: u32,
        command: Command,
    ) -> Result<View> {
        let context = ctx.clone();
        self.journal
            .decide(ctx, project_id, move |case: Option<&Case>| {
                let ctx = &context;
                let Case { project, urn } = case
                    .filter(|it| ctx.within(it.project.trust_id.0).is_ok())
                    .ok_or_else(|| Error::not_found("project", project_id))?;
                ctx.school(project.school_id.0, urn)?;
                unchanged(project.version, expected_version)?;
                let change = project.decide(command, ctx.today())?;
                let head = Head {
                    event_id: ctx.new_id(),
                    trust_id: project.trust_id,
                    project_id,
                    version: project.version + 1,
                };
                let draft = event::draft(head, &Event::Changed(change.clone()))?;
                let project = project.clone().apply(change);
                let answer = view(ctx, project.clone(), urn.clone());
                let state = Case { project, urn: urn.clone() };
                Ok(Decision { drafts: vec![draft], state, answer })
            })
            .await
    }
}

/// A project to decide on, and the URN its school has now.
struct Case {
    project: Project,
    urn: String,
}

impl Aggregate for Case {
    type Id = ProjectId;

    fn load<'t>(
        tx: &'t mut Tx,
        ids: &'t [ProjectId],
    ) -> BoxFuture<'t, Result<HashMap<ProjectId, Self>>> {
        Box::pin(async move {
            let found = project::find_all(tx, ids).await?;
            let cases = found.into_iter().map(|(project, urn)| Self { project, urn });
            Ok(cases.map(|it| (it.project.project_id, it)).collect())
        })
    }
}

/// A project of the caller's; another trust's does not exist.
async fn load(tx: &mut Tx, ctx: &Ctx, project_id: ProjectId) -> Result<(Project, String)> {
    let (project, urn) = project::find(tx, project_id)
        .await?
        .filter(|(project, _)| ctx.within(project.trust_id.0).is_ok())
        .ok_or_else(|| Error::not_found("project", project_id))?;
    ctx.school(project.school_id.0, &urn)?;
    Ok((project, urn))
}

pub(super) fn view(ctx: &Ctx, project: Project, urn: String) -> View {
    let next_needs = project.next_needs(ctx.today());
    View { project, urn, next_needs }
}
