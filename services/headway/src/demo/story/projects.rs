//! Improvement projects, each as far as it has come. Made up.

use chrono::NaiveDate;
use contract::improvement::{
    CreateGoalRequest, CreateMilestoneRequest, CreateProjectRequest,
    CreateProjectTransitionRequest, CreateStocktakeRequest, DeliveryLink, DeliveryTier, Diagnosis,
    Participant, Plan, ProjectLevel, ProjectState, SetDiagnosisRequest, SetPlanRequest,
};

use super::Step;
use crate::demo::days::later;

pub(super) fn all(today: NaiveDate) -> Vec<Step> {
    PROJECTS.into_iter().flat_map(|it| it.steps(today)).collect()
}

/// An improvement project and how far it has come.
#[derive(Clone, Copy)]
struct Improvement {
    key: &'static str,
    urn: &'static str,
    title: &'static str,
    baseline: f64,
    target: f64,
    reached: ProjectState,
}

const PROJECTS: [Improvement; 3] = [
    Improvement {
        key: "mornings",
        urn: "144757",
        title: "Every morning counts",
        baseline: 91.0,
        target: 94.5,
        reached: ProjectState::Delivering,
    },
    Improvement {
        key: "welcome-back",
        urn: "143991",
        title: "Welcome back: first days after an absence",
        baseline: 91.5,
        target: 95.0,
        reached: ProjectState::Diagnosed,
    },
    Improvement {
        key: "tutors",
        urn: "145677",
        title: "Tutors who know who is missing",
        baseline: 92.0,
        target: 94.0,
        reached: ProjectState::Planned,
    },
];

impl Improvement {
    fn steps(self, today: NaiveDate) -> Vec<Step> {
        let project = self.key;
        let mut steps = vec![Step::CreateProject {
            project,
            request: CreateProjectRequest {
                trust_id: String::new(),
                signal_id: None,
                urn: Some(self.urn.to_owned()),
                title: self.title.to_owned(),
                rationale: "Attendance has changed beyond chance. Synthetic.".to_owned(),
            },
        }];
        steps.push(Step::SetDiagnosis { project, request: diagnosis() });
        steps.push(moved(project, ProjectState::Diagnosed));
        if self.reached >= ProjectState::Planned {
            steps.extend(self.planned(today));
            steps.push(moved(project, ProjectState::Planned));
        }
        if self.reached >= ProjectState::Delivering {
            steps.push(moved(project, ProjectState::Delivering));
        }
        steps
    }

    /// What the plan needs: goal, milestones, who does what from trust to classroom, and the first stocktakes.
    fn planned(self, today: NaiveDate) -> Vec<Step> {
        let project = self.key;
        let goal = CreateGoalRequest {
            measure: "attendance".to_owned(),
            baseline: self.baseline,
            target: self.target,
            due_on: later(today, 240).to_string(),
            ..CreateGoalRequest::default()
        };
        let milestone = |description: &str, days| Step::CreateMilestone {
            project,
            request: CreateMilestoneRequest {
                description: description.to_owned(),
                due_on: later(today, days).to_string(),
                ..CreateMilestoneRequest::default()
            },
        };
        let stocktake = |days| Step::CreateStocktake {
            project,
            request: CreateStocktakeRequest {
                due_on: later(today, days).to_string(),
                ..CreateStocktakeRequest::default()
            },
        };
        vec![
            Step::CreateGoal { project, request: goal },
            milestone("Every tutor has the list of pupils to greet", 21),
            milestone("Half of the families met at least once", 60),
            Step::SetPlan { project, request: plan() },
            stocktake(28),
            stocktake(70),
        ]
    }
}

fn moved(project: &'static str, to: ProjectState) -> Step {
    Step::MoveProject {
        project,
        request: CreateProjectTransitionRequest {
            to: to.into(),
            rationale: "Agreed with the school's leaders. Synthetic.".to_owned(),
            ..CreateProjectTransitionRequest::default()
        },
    }
}

fn person(person_id: &str, role: &str) -> Participant {
    Participant { person_id: person_id.to_owned(), role: role.to_owned() }
}

fn diagnosis() -> SetDiagnosisRequest {
    SetDiagnosisRequest {
        diagnosis: Some(Diagnosis {
            basis: vec!["demonstration:attendance".to_owned()],
            finding: None,
            waiver: Some(
                "Registers speak for themselves; families are asked next. Synthetic.".to_owned(),
            ),
            diagnosed_by: vec![
                person("person-01", "headteacher"),
                person("person-02", "director_of_school_improvement"),
            ],
        }),
        ..SetDiagnosisRequest::default()
    }
}

fn plan() -> SetPlanRequest {
    let link = |tier: DeliveryTier, role: &str, action: &str| DeliveryLink {
        tier: tier.into(),
        role: role.to_owned(),
        action: action.to_owned(),
    };
    SetPlanRequest {
        plan: Some(Plan {
            owner: Some(person("person-01", "headteacher")),
            level: ProjectLevel::School.into(),
            outputs: vec!["A welcome each morning for pupils who are often away".to_owned()],
            delivery_chain: vec![
                link(
                    DeliveryTier::Trust,
                    "director_of_school_improvement",
                    "Frees an attendance lead for a day a week",
                ),
                link(
                    DeliveryTier::SchoolLeaders,
                    "headteacher",
                    "Looks at the list with tutors each Monday",
                ),
                link(
                    DeliveryTier::MiddleLeaders,
                    "head_of_year",
                    "Meets the families that need it most",
                ),
                link(DeliveryTier::Classroom, "tutor", "Greets each pupil who comes back by name"),
            ],
            capacity: "No one need be lent: the time is found within the school.".to_owned(),
        }),
        ..SetPlanRequest::default()
    }
}
