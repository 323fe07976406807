//! The rest of the demonstration as requests, in order: feeds, journeys over three years, and improvement projects.
//!
//! The judgements are made up about synthetic figures; which school gets which story is arbitrary. Ids are left empty:
//! the runner puts in the trust's and those of what each step names by a key of its own.

use chrono::NaiveDate;
use contract::{
    common::{Evidence, EvidenceKind},
    improvement::{
        CreateGoalRequest, CreateMilestoneRequest, CreateProjectRequest,
        CreateProjectTransitionRequest, CreateStocktakeRequest, DeliveryLink, DeliveryTier,
        Diagnosis, Participant, Plan, ProjectLevel, ProjectState, SetDiagnosisRequest,
        SetPlanRequest,
    },
    intelligence::{CreateFeedRequest, RecordKind},
    registry::{
        CreateTransitionRequest, CreateTrustRequest, CreateUnitRequest, OpenJourneyRequest, Phase,
        Rating, RubricDomain, TransitionKind, UnitKind,
    },
};

use super::{Changes, Trend, days::date, days::later};

/// The seed of the demonstration that everybody sees.
pub const SEED: u64 = 2026;
/// The school that goes on under another number, before and since.
pub const CONVERTED: (&str, &str) = ("141361", "999001");
/// The school that merges, and the one its pupils go to.
pub const MERGED: (&str, &str) = ("140408", "144436");
const DECLINING: [&str; 2] = ["144757", "143991"];
const IMPROVING: &str = "145677";

/// One request, and what of it only the runner can know.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    CreateFeed(CreateFeedRequest),
    /// `unit` is the key later steps know the unit by.
    CreateUnit {
        unit: &'static str,
        request: CreateUnitRequest,
    },
    /// `journey` is the key later steps know it by; `unit` the key of the unit it belongs to.
    OpenJourney {
        journey: String,
        unit: Option<&'static str>,
        request: OpenJourneyRequest,
    },
    MoveJourney {
        journey: String,
        request: CreateTransitionRequest,
    },
    /// From the newest open signal of the school the request names by URN, where it has one.
    CreateProject {
        project: &'static str,
        request: CreateProjectRequest,
    },
    SetDiagnosis {
        project: &'static str,
        request: SetDiagnosisRequest,
    },
    SetPlan {
        project: &'static str,
        request: SetPlanRequest,
    },
    CreateGoal {
        project: &'static str,
        request: CreateGoalRequest,
    },
    CreateMilestone {
        project: &'static str,
        request: CreateMilestoneRequest,
    },
    CreateStocktake {
        project: &'static str,
        request: CreateStocktakeRequest,
    },
    MoveProject {
        project: &'static str,
        request: CreateProjectTransitionRequest,
    },
}

/// The trust as the register knows it.
pub fn trust() -> CreateTrustRequest {
    CreateTrustRequest {
        name: "Clevedon Learning Trust".to_owned(),
        group_uid: Some("5453".to_owned()),
        ukprn: Some("10059470".to_owned()),
        companies_house_number: Some("07872799".to_owned()),
    }
}

/// What `register-changes.csv` changes.
pub fn changes() -> Changes {
    let pair = |(one, other): (&str, &str)| (one.to_owned(), other.to_owned());
    Changes {
        on: date(2026, 9, 1),
        conversions: vec![pair(CONVERTED)],
        mergers: vec![pair(MERGED)],
    }
}

/// Where the attendance of a school goes in the last weeks.
pub fn trend(urn: &str) -> Trend {
    match urn {
        it if DECLINING.contains(&it) => Trend::Declining,
        IMPROVING => Trend::Improving,
        _ => Trend::Steady,
    }
}

/// Before the register changes: the feed, two units, and each school's journey up to the summer of 2026.
pub fn before_changes(client_id: &str) -> Vec<Step> {
    let mut steps = vec![Step::CreateFeed(CreateFeedRequest {
        trust_id: String::new(),
        name: "Registers and rolls".to_owned(),
        client_id: client_id.to_owned(),
        kinds: vec![RecordKind::Enrolment.into(), RecordKind::AttendanceRegister.into()],
        urns: Vec::new(),
    })];
    steps.extend(UNITS.into_iter().flat_map(|(key, urn, kind, name, year_group, phase)| {
        let request = CreateUnitRequest {
            trust_id: String::new(),
            urn: urn.to_owned(),
            kind: kind.into(),
            name: name.to_owned(),
            year_group,
        };
        [
            Step::CreateUnit { unit: key, request },
            open(key.to_owned(), Some(key), urn, phase, date(2025, 9, 8)),
        ]
    }));
    steps.extend(JOURNEYS.into_iter().flat_map(|it| it.steps(|on| on < changes().on)));
    steps
}

/// After it: what has moved since, and the projects. Dates to come are counted from today.
pub fn after_changes(today: NaiveDate) -> Vec<Step> {
    let journeys = JOURNEYS.into_iter().flat_map(|it| it.steps(|on| on >= changes().on));
    let recent = journeys.filter(move |it| match it {
        Step::MoveJourney { request, .. } => {
            request.effective_on.as_deref().is_some_and(|it| it <= today.to_string().as_str())
        }
        _ => true,
    });
    recent.chain(PROJECTS.into_iter().flat_map(|it| it.steps(today))).collect()
}

use TransitionKind::{EmergenceAbandoned, Emerging, Entered, FellBack};

type Move = (TransitionKind, Phase, (i32, u32, u32));

/// A school's journey: where it was opened in September 2023, and each move since.
#[derive(Clone, Copy)]
struct Story {
    urn: &'static str,
    opened: Phase,
    moves: &'static [Move],
}

const JOURNEYS: [Story; 13] = {
    const fn story(urn: &'static str, opened: Phase, moves: &'static [Move]) -> Story {
        Story { urn, opened, moves }
    }
    use Phase::{Improve, Repair, Stabilise, Sustain};
    [
        story(
            "137884",
            Improve,
            &[(Emerging, Sustain, (2024, 11, 18)), (Entered, Sustain, (2025, 9, 8))],
        ),
        story(
            "140220",
            Repair,
            &[(Emerging, Improve, (2024, 9, 16)), (Entered, Improve, (2025, 4, 28))],
        ),
        story("140408", Repair, &[(Entered, Improve, (2025, 2, 24))]),
        story("141361", Sustain, &[]),
        story("141362", Improve, &[(Emerging, Sustain, (2026, 3, 2))]),
        story(
            "143991",
            Improve,
            &[(Emerging, Sustain, (2025, 1, 13)), (EmergenceAbandoned, Sustain, (2025, 6, 9))],
        ),
        story("144436", Improve, &[(Entered, Sustain, (2024, 9, 9))]),
        story(
            "144437",
            Repair,
            &[(Entered, Improve, (2024, 6, 10)), (Emerging, Sustain, (2026, 9, 21))],
        ),
        story("144757", Improve, &[(FellBack, Repair, (2026, 10, 5))]),
        story("145443", Sustain, &[]),
        story(
            "145677",
            Stabilise,
            &[
                (Emerging, Repair, (2024, 1, 15)),
                (Entered, Repair, (2024, 9, 9)),
                (Emerging, Improve, (2026, 9, 14)),
            ],
        ),
        story("146912", Improve, &[(Entered, Sustain, (2025, 9, 8))]),
        story(
            "148637",
            Stabilise,
            &[(Entered, Repair, (2024, 4, 22)), (Entered, Improve, (2025, 9, 15))],
        ),
    ]
};

type UnitRow = (&'static str, &'static str, UnitKind, &'static str, Option<u32>, Phase);

const UNITS: [UnitRow; 4] = [
    ("145677/english", "145677", UnitKind::Subject, "English", None, Phase::Improve),
    ("145677/mathematics", "145677", UnitKind::Subject, "Mathematics", None, Phase::Repair),
    ("144757/reception", "144757", UnitKind::YearGroup, "Reception", Some(0), Phase::Repair),
    ("144757/year-6", "144757", UnitKind::YearGroup, "Year 6", Some(6), Phase::Repair),
];

impl Story {
    /// Its steps on the days wanted; it is opened with the first ones.
    fn steps(self, wanted: impl Fn(NaiveDate) -> bool) -> Vec<Step> {
        let opened_on = date(2023, 9, 11);
        let opening = wanted(opened_on)
            .then(|| open(self.urn.to_owned(), None, self.urn, self.opened, opened_on));
        let moves = self
            .moves
            .iter()
            .map(|(kind, to, (year, month, day))| (*kind, *to, date(*year, *month, *day)));
        let moves = moves.filter(|it| wanted(it.2)).map(|(kind, to, on)| Step::MoveJourney {
            journey: self.urn.to_owned(),
            request: CreateTransitionRequest {
                journey_id: String::new(),
                kind: kind.into(),
                to: (kind != EmergenceAbandoned).then_some(to.into()),
                rationale: rationale(kind).to_owned(),
                evidence: evidence(),
                ratings: if kind == Entered { ratings(to) } else { Vec::new() },
                effective_on: Some(on.to_string()),
                corrects: None,
                expected_version: None,
            },
        });
        opening.into_iter().chain(moves).collect()
    }
}

fn open(
    journey: String,
    unit: Option<&'static str>,
    urn: &str,
    phase: Phase,
    on: NaiveDate,
) -> Step {
    let request = OpenJourneyRequest {
        trust_id: String::new(),
        urn: urn.to_owned(),
        unit_id: None,
        phase: phase.into(),
        rationale: "First judgement, made with the school's leaders. Synthetic.".to_owned(),
        evidence: evidence(),
        ratings: ratings(phase),
        effective_on: Some(on.to_string()),
    };
    Step::OpenJourney { journey, unit, request }
}

fn rationale(kind: TransitionKind) -> &'static str {
    match kind {
        Emerging => "What the next phase looks like is seen in some places. Synthetic.",
        Entered => "Seen everywhere for a term, in data, in reviews and by pupils. Synthetic.",
        FellBack => "Attendance and routines have slipped since the summer. Synthetic.",
        EmergenceAbandoned => "What had begun to show did not last the term. Synthetic.",
        _ => "Synthetic.",
    }
}

fn evidence() -> Vec<Evidence> {
    [
        (EvidenceKind::Data, "demonstration:attendance"),
        (EvidenceKind::ProfessionalJudgement, "demonstration:review"),
        (EvidenceKind::Voice, "demonstration:pupil-survey"),
    ]
    .map(|(kind, reference)| Evidence { kind: kind.into(), reference: reference.to_owned() })
    .to_vec()
}

/// Every domain at the phase, but two that lag behind it where there is an earlier one.
fn ratings(phase: Phase) -> Vec<Rating> {
    let earlier = Phase::try_from(i32::from(phase) - 1)
        .ok()
        .filter(|it| *it != Phase::Unspecified)
        .unwrap_or(phase);
    (1..)
        .map_while(|it| RubricDomain::try_from(it).ok())
        .map(|domain| {
            let lags = matches!(domain, RubricDomain::Finance | RubricDomain::SystemContribution);
            let phase = if lags { earlier } else { phase };
            Rating { domain: domain.into(), phase: phase.into(), evidence: evidence() }
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journeys_move_one_phase_at_a_time_and_in_order() {
        for story in JOURNEYS {
            let (mut settled, mut emerging, mut last) = (story.opened, None, date(2023, 9, 11));
            for (kind, to, (year, month, day)) in story.moves {
                let on = date(*year, *month, *day);
                assert!(on > last, "{}", story.urn);
                last = on;
                match kind {
                    Emerging | Entered => {
                        assert_eq!(i32::from(*to), i32::from(settled) + 1, "{}", story.urn);
                        assert!(*kind == Entered || emerging.is_none());
                    }
                    FellBack => assert!(*to < settled),
                    EmergenceAbandoned => assert_eq!(emerging, Some(*to)),
                    other => panic!("{other:?}"),
                }
                emerging = (*kind == Emerging).then_some(*to);
                if matches!(kind, Entered | FellBack) {
                    settled = *to;
                }
            }
        }
    }

    #[test]
    fn each_step_is_told_once_and_every_school_of_the_trust_has_a_journey() {
        let today = date(2026, 11, 21);
        let (before, after) = (before_changes("demonstration"), after_changes(today));
        let opened = |steps: &[Step]| {
            steps.iter().filter(|it| matches!(it, Step::OpenJourney { unit: None, .. })).count()
        };
        assert_eq!((opened(&before), opened(&after)), (13, 0));
        let moves = |steps: &[Step]| {
            steps.iter().filter(|it| matches!(it, Step::MoveJourney { .. })).count()
        };
        let told: usize = JOURNEYS.iter().map(|it| it.moves.len()).sum();
        assert_eq!(moves(&before) + moves(&after), told);
        for urn in JOURNEYS.map(|it| it.urn) {
            let row = format!("\r\n{urn},");
            assert!(String::from_utf8_lossy(crate::demo::REGISTER).contains(&row), "{urn}");
        }
    }

    #[test]
    fn an_entered_phase_is_rated_in_all_eleven_domains() {
        assert_eq!(ratings(Phase::Improve).len(), 11);
        assert!(ratings(Phase::Sustain).iter().all(|it| !it.evidence.is_empty()));
    }
}
