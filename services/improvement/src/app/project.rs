use db::Tx;
use identity::{SchoolNumber, TrustId};
use journal::Journal;
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
    pub(crate) async fn get(&self, ctx: &Ctx, project_id: ProjectId) -> Result<View> {
        let mut tx = self.journal.db().read().await?;
        let (project, urn) = load(&mut tx, ctx, project_id).await?;
        Ok(view(ctx, project, urn))
    }

    pub(crate) async fn list(
        &self,
        ctx: &Ctx,
        query: ListProjects,
    ) -> Result<(Vec<View>, Option<String>)> {
        let ListProjects { trust_id, school: number, state, page } = query;
        ctx.within(trust_id.0)?;
        let mut tx = self.journal.db().read().await?;
        let school_id = match number {
            Some(number) => Some(school(&mut tx, trust_id, &number).await?.school_id),
            None => None,
        };
        let filter = Filter { trust_id, school_id, state };
        let before = page.after.map(ProjectId);
        let found = project::list(&mut tx, &filter, before, page.limit()).await?;
        let (found, next) = page.cut(found, |(project, _)| project.project_id.0)?;
        Ok((found.into_iter().map(|(project, urn)| view(ctx, project, urn)).collect(), next))
    }

    pub(crate) async fn transitions(
        &self,
        ctx: &Ctx,
        query: ListTransitions,
    ) -> Result<(Vec<Transition>, Option<String>)> {
        let ListTransitions { project_id, page } = query;
        let mut tx = self.journal.db().read().await?;
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
        let (journal, context) = (self.journal.clone(), ctx.clone());
        self.journal
            .write(ctx, move |tx| {
                Box::pin(async move {
                    let ctx = &context;
                    let (project, urn) = load(tx, ctx, project_id).await?;
                    unchanged(project.version, expected_version)?;
                    let change = project.decide(command, ctx.today())?;
                    let event = Event::Changed(change.clone());
                    record(&journal, tx, ctx, &project, event).await?;
                    Ok(view(ctx, project.apply(change), urn))
                })
            })
            .await
    }
}

/// A project of the caller's; another trust's does not exist.
async fn load(tx: &mut Tx, ctx: &Ctx, project_id: ProjectId) -> Result<(Project, String)> {
    project::find(tx, project_id)
        .await?
        .filter(|(project, _)| ctx.within(project.trust_id.0).is_ok())
        .ok_or_else(|| Error::not_found("project", project_id))
}

async fn record(
    journal: &Journal,
    tx: &mut Tx,
    ctx: &Ctx,
    project: &Project,
    event: Event,
) -> Result<()> {
    let head = Head {
        event_id: ctx.new_id(),
        trust_id: project.trust_id,
        project_id: project.project_id,
        version: project.version + 1,
    };
    let draft = event::draft(head, &event)?;
    journal.record(tx, ctx, vec![draft]).await?;
    Ok(())
}

pub(super) fn view(ctx: &Ctx, project: Project, urn: String) -> View {
    let next_needs = project.next_needs(ctx.today());
    View { project, urn, next_needs }
}
