use chrono::{DateTime, NaiveDate};
use identity::{SchoolId, TrustId};
use rpc::Reason;
use uuid::Uuid;

use super::*;

mod gates;
mod replay;

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
}

fn days(ahead: u64) -> NaiveDate {
    today() + chrono::Days::new(ahead)
}

fn proposed() -> Project {
    let proposed = Proposed { school_id: SchoolId(Uuid::nil()), signal: None, text: None };
    let trust_id = TrustId(Uuid::nil());
    Project::begin(ProjectId(Uuid::nil()), trust_id, DateTime::UNIX_EPOCH, proposed)
}

fn person(person_id: &str, role: &str) -> Participant {
    Participant { person_id: person_id.to_owned(), role: role.to_owned() }
}

fn diagnosis() -> Diagnosis {
    Diagnosis {
        basis: vec!["signal:1".to_owned()],
        ground: Ground::Finding(Some("Year 9 stays away on Fridays".to_owned())),
        diagnosed_by: vec![person("p1", "head teacher"), person("p2", "attendance lead")],
    }
}

fn plan() -> Plan {
    let link = LinkText { role: "lead".to_owned(), action: "does it".to_owned() };
    Plan {
        owner: Some(person("p1", "head teacher")),
        level: Some(Level::School),
        tiers: Tier::CHAIN.to_vec(),
        text: Some(PlanText {
            outputs: vec!["a rota".to_owned()],
            links: vec![link; 4],
            capacity: Some("nobody need be lent".to_owned()),
        }),
    }
}

fn goal(id: u128) -> Goal {
    Goal {
        goal_id: GoalId(Uuid::from_u128(id)),
        measure: MeasureCode::parse("attendance").unwrap(),
        baseline: 91.0,
        target: 94.0,
        due_on: days(200),
        rating: None,
    }
}

fn milestone(id: u128) -> Milestone {
    Milestone {
        milestone_id: MilestoneId(Uuid::from_u128(id)),
        description: Some("the rota runs".to_owned()),
        due_on: days(30),
        reached_on: None,
    }
}

fn schedule(id: u128, due_on: NaiveDate) -> Command {
    Command::ScheduleStocktake { stocktake_id: StocktakeId(Uuid::from_u128(id)), due_on }
}

fn hold(id: u128, held_on: NaiveDate, ratings: &[(u128, Rating)]) -> Command {
    let held = Held {
        held_on,
        ratings: ratings.iter().map(|(id, it)| (GoalId(Uuid::from_u128(*id)), *it)).collect(),
        likelihood: Likelihood::Likely,
        text: None,
    };
    Command::HoldStocktake { stocktake_id: StocktakeId(Uuid::from_u128(id)), held }
}

fn impact() -> Impact {
    let text = ImpactText {
        evaluation: Some("attendance rose".to_owned()),
        worth_spreading: Some("the rota".to_owned()),
    };
    Impact { verdict: Verdict::Achieved, text: Some(text) }
}

fn to(state: State) -> Command {
    Command::Move { to: state, rationale: "agreed".to_owned() }
}

#[track_caller]
fn after(project: &Project, command: Command) -> Project {
    let change = project.decide(command, today()).unwrap();
    project.clone().apply(change)
}

/// A project with the needs of every gate met, wherever it stands.
fn complete() -> Project {
    let mut project = proposed();
    for change in [
        Change::Diagnosed(diagnosis()),
        Change::Planned(plan()),
        Change::GoalSet(goal(1)),
        Change::MilestoneSet(milestone(1)),
        Change::StocktakeScheduled {
            stocktake_id: StocktakeId(Uuid::from_u128(1)),
            due_on: today(),
        },
        Change::StocktakeHeld {
            stocktake_id: StocktakeId(Uuid::from_u128(1)),
            held: Held {
                held_on: today(),
                ratings: vec![(GoalId(Uuid::from_u128(1)), Rating::OnTrack)],
                likelihood: Likelihood::Likely,
                text: None,
            },
        },
        Change::StocktakeScheduled {
            stocktake_id: StocktakeId(Uuid::from_u128(2)),
            due_on: days(40),
        },
        Change::ImpactJudged(impact()),
    ] {
        project = project.apply(change);
    }
    project
}

const STATES: [State; 7] = [
    State::Proposed,
    State::Diagnosed,
    State::Planned,
    State::Delivering,
    State::Embedding,
    State::Closed,
    State::Abandoned,
];

#[test]
fn states_follow_one_another_or_are_abandoned() {
    use State::{Abandoned, Closed, Delivering, Diagnosed, Embedding, Planned, Proposed};
    #[track_caller]
    fn check(from: State, allowed: &[State]) {
        for to in STATES {
            let project = Project { state: from, ..complete() };
            let command = Command::Move { to, rationale: "agreed".to_owned() };
            match project.decide(command, today()) {
                Ok(change) => {
                    assert!(allowed.contains(&to), "{from} to {to}");
                    assert_eq!(project.apply(change).state, to);
                }
                Err(error) => {
                    assert!(!allowed.contains(&to), "{from} to {to}: {error}");
                    assert_eq!(error.reason, Reason::TransitionNotAllowed);
                }
            }
        }
    }
    check(Proposed, &[Diagnosed, Abandoned]);
    check(Diagnosed, &[Planned, Abandoned]);
    check(Planned, &[Delivering, Abandoned]);
    check(Delivering, &[Embedding, Abandoned]);
    check(Embedding, &[Closed, Abandoned]);
    check(Closed, &[]);
    check(Abandoned, &[]);
}

#[test]
fn each_edit_has_its_states() {
    use State::{Delivering, Diagnosed, Embedding, Planned, Proposed};
    #[track_caller]
    fn check(command: &Command, allowed: &[State]) {
        for state in STATES {
            let project = Project { state, ..complete() };
            let outcome = project.decide(command.clone(), today());
            assert_eq!(outcome.is_ok(), allowed.contains(&state), "{state}: {outcome:?}");
            if let Err(error) = outcome {
                assert_eq!(error.reason, Reason::TransitionNotAllowed);
            }
        }
    }
    let planning = [Diagnosed, Planned, Delivering];
    let working = [Delivering, Embedding];
    let reach =
        Command::ReachMilestone { milestone_id: milestone(1).milestone_id, reached_on: today() };
    check(&Command::SetDiagnosis(diagnosis()), &[Proposed, Diagnosed]);
    check(&Command::SetPlan(plan()), &planning);
    check(&Command::SetGoal(goal(2)), &planning);
    check(&Command::SetMilestone(milestone(2)), &planning);
    check(&schedule(3, days(1)), &[Diagnosed, Planned, Delivering, Embedding]);
    check(&reach, &working);
    check(&hold(2, today(), &[(1, Rating::Met)]), &working);
    check(&Command::JudgeImpact(impact()), &working);
}
