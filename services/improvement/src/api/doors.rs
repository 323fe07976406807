//! Each RPC once, for both doors.

use axum::Router;
use contract::improvement::{
    self as pb,
    improvement_service_server::{ImprovementService, ImprovementServiceServer},
};
use journal::AsOf;
use rpc::{Ctx, Result, expected_version};

use super::request;
use crate::{App, domain::Command};

rpc::doors! {
    impl ImprovementService as "headway.improvement.v1.ImprovementService" for App {
        CreateProject => create_project(pb::CreateProjectRequest) -> pb::Project;
        GetProject => get_project(pb::GetProjectRequest) -> pb::Project;
        ListProjects => list_projects(pb::ListProjectsRequest) -> pb::ListProjectsResponse;
        SetDiagnosis => set_diagnosis(pb::SetDiagnosisRequest) -> pb::Project;
        SetPlan => set_plan(pb::SetPlanRequest) -> pb::Project;
        CreateGoal => create_goal(pb::CreateGoalRequest) -> pb::Project;
        CreateMilestone => create_milestone(pb::CreateMilestoneRequest) -> pb::Project;
        ReachMilestone => reach_milestone(pb::ReachMilestoneRequest) -> pb::Project;
        CreateStocktake => create_stocktake(pb::CreateStocktakeRequest) -> pb::Project;
        HoldStocktake => hold_stocktake(pb::HoldStocktakeRequest) -> pb::Project;
        SetImpact => set_impact(pb::SetImpactRequest) -> pb::Project;
        CreateProjectTransition =>
            create_project_transition(pb::CreateProjectTransitionRequest) -> pb::Project;
        ListProjectTransitions =>
            list_project_transitions(pb::ListProjectTransitionsRequest)
            -> pb::ListProjectTransitionsResponse;
    }
    also {}
}

impl App {
    pub fn rest(&self) -> Router {
        self.rest_routes()
    }

    pub fn grpc(&self) -> ImprovementServiceServer<Self> {
        ImprovementServiceServer::new(self.clone())
    }

    async fn create_project(
        &self,
        ctx: &Ctx,
        request: pb::CreateProjectRequest,
    ) -> Result<pb::Project> {
        Ok(self.propose(ctx, request::propose(request)?).await?.into())
    }

    async fn get_project(&self, ctx: &Ctx, request: pb::GetProjectRequest) -> Result<pb::Project> {
        let as_of = AsOf::read(ctx, request.effective_on.as_deref(), request.known_at)?;
        Ok(self.get(ctx, request::project_id(&request.project_id)?, as_of).await?.into())
    }

    async fn list_projects(
        &self,
        ctx: &Ctx,
        request: pb::ListProjectsRequest,
    ) -> Result<pb::ListProjectsResponse> {
        let (found, next_page_token) = self.list(ctx, request::list_projects(&request)?).await?;
        let projects = found.into_iter().map(Into::into).collect();
        Ok(pb::ListProjectsResponse { projects, next_page_token })
    }

    async fn list_project_transitions(
        &self,
        ctx: &Ctx,
        request: pb::ListProjectTransitionsRequest,
    ) -> Result<pb::ListProjectTransitionsResponse> {
        let query = request::list_transitions(&request)?;
        let (found, next_page_token) = self.transitions(ctx, query).await?;
        let transitions = found.into_iter().map(Into::into).collect();
        Ok(pb::ListProjectTransitionsResponse { transitions, next_page_token })
    }

    /// Every change of a project: by its id, at the version the caller decided on.
    async fn changed(
        &self,
        ctx: &Ctx,
        project_id: &str,
        version: Option<u32>,
        command: Result<Command>,
    ) -> Result<pb::Project> {
        let project_id = request::project_id(project_id)?;
        let command = command?;
        Ok(self.change(ctx, project_id, expected_version(version)?, command).await?.into())
    }
}

/// The RPCs that each change a project by one command.
macro_rules! changes {
    ($($method:ident($request:ty) => |$ctx:ident, $it:ident| $command:expr;)*) => {
        impl App {
            $(
                async fn $method(&self, $ctx: &Ctx, $it: $request) -> Result<pb::Project> {
                    let (project_id, version) = ($it.project_id.clone(), $it.expected_version);
                    self.changed($ctx, &project_id, version, $command).await
                }
            )*
        }
    };
}

changes! {
    set_diagnosis(pb::SetDiagnosisRequest) => |ctx, it| request::diagnosis(it.diagnosis);
    set_plan(pb::SetPlanRequest) => |ctx, it| request::plan(it.plan);
    create_goal(pb::CreateGoalRequest) => |ctx, it| request::goal(ctx, &it);
    create_milestone(pb::CreateMilestoneRequest) => |ctx, it| request::milestone(ctx, it);
    reach_milestone(pb::ReachMilestoneRequest) => |ctx, it| request::reach(ctx, &it);
    create_stocktake(pb::CreateStocktakeRequest) => |ctx, it| request::stocktake(ctx, &it);
    hold_stocktake(pb::HoldStocktakeRequest) => |ctx, it| request::hold(ctx, it);
    set_impact(pb::SetImpactRequest) => |ctx, it| request::impact(it.impact);
    create_project_transition(pb::CreateProjectTransitionRequest) =>
        |ctx, it| request::transition(it);
}
