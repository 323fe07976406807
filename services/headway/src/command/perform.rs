//! Plays the demonstration's story over the network, putting in the ids that only the services give.

use std::collections::HashMap;

use anyhow::{Context, Result};
use contract::{
    improvement::{Project, improvement_service_client::ImprovementServiceClient},
    intelligence::{
        CreateSignalTransitionRequest, ListSignalsRequest, SignalState,
        intelligence_service_client::IntelligenceServiceClient,
    },
    registry::{Journey, registry_service_client::RegistryServiceClient},
};
use rpc::Peer;
use tonic::{Response, Status};

use super::import::refused;
use crate::demo::story::Step;

/// Who plays, and what has been made so far, by the story's own keys.
pub(crate) struct Performer {
    trust_id: String,
    registry: RegistryServiceClient<Peer>,
    intelligence: IntelligenceServiceClient<Peer>,
    improvement: ImprovementServiceClient<Peer>,
    pub(crate) feed_id: Option<String>,
    units: HashMap<&'static str, String>,
    journeys: HashMap<String, Journey>,
    projects: HashMap<&'static str, Project>,
}

impl Performer {
    pub(crate) fn new(trust_id: String, operator: &Peer) -> Self {
        Self {
            trust_id,
            registry: RegistryServiceClient::new(operator.clone()),
            intelligence: IntelligenceServiceClient::new(operator.clone()),
            improvement: ImprovementServiceClient::new(operator.clone()),
            feed_id: None,
            units: HashMap::new(),
            journeys: HashMap::new(),
            projects: HashMap::new(),
        }
    }

    pub(crate) async fn play(&mut self, steps: Vec<Step>) -> Result<()> {
        for step in steps {
            let name = format!("{step:?}");
            let name: String = name.chars().take(160).collect();
            self.step(step).await.context(name)?;
        }
        Ok(())
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        match step {
            Step::CreateFeed(mut request) => {
                request.trust_id.clone_from(&self.trust_id);
                let feed = done(self.intelligence.create_feed(request).await)?;
                self.feed_id = Some(feed.feed_id);
            }
            Step::CreateUnit { unit, mut request } => {
                request.trust_id.clone_from(&self.trust_id);
                let made = done(self.registry.create_unit(request).await)?;
                self.units.insert(unit, made.unit_id);
            }
            Step::OpenJourney { journey, unit, mut request } => {
                request.trust_id.clone_from(&self.trust_id);
                request.unit_id = unit.and_then(|it| self.units.get(it).cloned());
                let opened = done(self.registry.open_journey(request).await)?;
                self.journeys.insert(journey, opened);
            }
            Step::MoveJourney { journey, mut request } => {
                let known = self.journeys.get(&journey).context("its journey was opened")?;
                request.journey_id.clone_from(&known.journey_id);
                request.expected_version = Some(known.version);
                let moved = done(self.registry.create_transition(request).await)?;
                self.journeys.insert(journey, moved);
            }
            Step::CreateProject { project, mut request } => {
                request.trust_id.clone_from(&self.trust_id);
                self.start(project, request).await?;
            }
            other => self.develop(other).await?,
        }
        Ok(())
    }

    /// Starts a project from the newest signal of its school that nobody has taken up, where there is one.
    async fn start(
        &mut self,
        key: &'static str,
        mut request: contract::improvement::CreateProjectRequest,
    ) -> Result<()> {
        let raised = ListSignalsRequest {
            trust_id: self.trust_id.clone(),
            urn: request.urn.clone(),
            state: Some(SignalState::Raised.into()),
            ..ListSignalsRequest::default()
        };
        let signals = done(self.intelligence.list_signals(raised).await)?.signals;
        let signal = signals.into_iter().next();
        request.signal_id = signal.as_ref().map(|it| it.signal_id.clone());
        let project = self.created(request).await?;
        if let Some(signal) = signal {
            let taken_up = CreateSignalTransitionRequest {
                signal_id: signal.signal_id,
                to: SignalState::Actioned.into(),
                project_id: Some(project.project_id.clone()),
                rationale: None,
                expected_version: Some(signal.version),
            };
            done(self.intelligence.create_signal_transition(taken_up).await)?;
        }
        self.projects.insert(key, project);
        Ok(())
    }

    /// The improvement service may hear of a signal a moment after it was raised.
    async fn created(
        &mut self,
        request: contract::improvement::CreateProjectRequest,
    ) -> Result<Project> {
        let mut tries = 0;
        loop {
            match self.improvement.create_project(request.clone()).await {
                Err(status) if status.code() == tonic::Code::NotFound && tries < 200 => {
                    tries += 1;
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
                answer => return done(answer),
            }
        }
    }

    async fn develop(&mut self, step: Step) -> Result<()> {
        macro_rules! change {
            ($project:ident, $request:ident, $rpc:ident) => {{
                let mut request = $request;
                let known = self.projects.get($project).context("its project was created")?;
                request.project_id.clone_from(&known.project_id);
                request.expected_version = Some(known.version);
                ($project, done(self.improvement.$rpc(request).await)?)
            }};
        }
        let (key, project) = match step {
            Step::SetDiagnosis { project, request } => change!(project, request, set_diagnosis),
            Step::SetPlan { project, request } => change!(project, request, set_plan),
            Step::CreateGoal { project, request } => change!(project, request, create_goal),
            Step::CreateMilestone { project, request } => {
                change!(project, request, create_milestone)
            }
            Step::CreateStocktake { project, request } => {
                change!(project, request, create_stocktake)
            }
            Step::MoveProject { project, request } => {
                change!(project, request, create_project_transition)
            }
            other => anyhow::bail!("{other:?} is not a step of a project"),
        };
        self.projects.insert(key, project);
        Ok(())
    }
}

fn done<T>(answer: Result<Response<T>, Status>) -> Result<T> {
    answer.map(Response::into_inner).map_err(refused)
}
