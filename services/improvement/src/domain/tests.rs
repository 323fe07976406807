use chrono::{DateTime, NaiveDate};
use identity::{SchoolId, TrustId};
use proptest::prelude::*;
use rpc::Reason;
use uuid::Uuid;

use super::*;

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

/// What the gate to `to` still needs of a project, as pointers.
#[track_caller]
fn check_needs(project: &Project, to: State, expected: &[&str]) {
    let needs = project.needs(to, today());
    let pointers: Vec<_> = needs.iter().map(|it| it.pointer.as_str()).collect();
    assert_eq!(pointers, expected, "{to}");
}

#[test]
fn a_bare_project_lacks_everything() {
    let project = proposed();
    let diagnosed = ["/diagnosis/basis", "/diagnosis/finding", "/diagnosis/diagnosedBy"];
    check_needs(&project, State::Diagnosed, &diagnosed);
    let planned = [
        "/goals",
        "/milestones",
        "/plan/owner",
        "/plan/level",
        "/plan/outputs",
        "/plan/deliveryChain",
        "/plan/capacity",
    ];
    check_needs(&project, State::Planned, &planned);
    check_needs(&project, State::Delivering, &["/stocktakes"]);
    check_needs(&project, State::Embedding, &["/stocktakes"]);
    let closed = ["/impact/verdict", "/impact/evaluation", "/impact/worthSpreading"];
    check_needs(&project, State::Closed, &closed);
    check_needs(&project, State::Abandoned, &[]);
}

#[test]
fn a_refused_gate_names_every_need() {
    let error = proposed().decide(to(State::Diagnosed), today()).unwrap_err();
    assert_eq!(error.reason, Reason::GateNotMet);
    let pointers: Vec<_> = error.problems.iter().map(|it| it.pointer.clone()).collect();
    let needs = proposed().next_needs(today());
    assert_eq!(pointers, needs.iter().map(|it| it.pointer.clone()).collect::<Vec<_>>());
}

#[test]
fn two_people_of_different_roles_diagnose() {
    #[track_caller]
    fn check(people: &[(&str, &str)], enough: bool) {
        let diagnosed_by = people.iter().map(|(id, role)| person(id, role)).collect();
        let change = Change::Diagnosed(Diagnosis { diagnosed_by, ..diagnosis() });
        let needs = proposed().apply(change).needs(State::Diagnosed, today());
        assert_eq!(needs.is_empty(), enough, "{people:?}");
    }
    check(&[("a", "head"), ("b", "governor")], true);
    check(&[("a", "head"), ("b", "Head ")], false);
    check(&[("a", "head"), ("a", "governor")], false);
    check(&[("a", "head"), ("b", "head"), ("c", "governor")], true);
    check(&[("a", "head")], false);
    check(&[], false);
}

#[test]
fn a_diagnosis_needs_a_finding_or_a_waiver() {
    #[track_caller]
    fn check(ground: Ground, enough: bool) {
        let change = Change::Diagnosed(Diagnosis { ground, ..diagnosis() });
        let needs = proposed().apply(change).needs(State::Diagnosed, today());
        assert_eq!(needs.is_empty(), enough);
    }
    check(Ground::Missing, false);
    check(Ground::Finding(Some("it holds".to_owned())), true);
    check(Ground::Waiver(Some("too few pupils to tell".to_owned())), true);
    check(Ground::Waiver(None), true);
}

#[test]
fn the_delivery_chain_is_unbroken() {
    use Tier::{Classroom, MiddleLeaders, SchoolLeaders, Trust};
    #[track_caller]
    fn check(tiers: &[Tier], unbroken: bool) {
        let change = Change::Planned(Plan { tiers: tiers.to_vec(), ..plan() });
        let expected: &[_] = if unbroken { &[] } else { &["/plan/deliveryChain"] };
        check_needs(&complete().apply(change), State::Planned, expected);
    }
    check(&[Trust, SchoolLeaders, MiddleLeaders, Classroom], true);
    check(&[Trust, SchoolLeaders, MiddleLeaders, MiddleLeaders, Classroom], true);
    check(&[Trust, SchoolLeaders, Classroom], false);
    check(&[SchoolLeaders, Trust, MiddleLeaders, Classroom], false);
    check(&[Classroom, MiddleLeaders, SchoolLeaders, Trust], false);
    check(&[], false);
}

#[test]
fn the_first_stocktake_lies_within_half_a_term() {
    #[track_caller]
    fn check(due_on: NaiveDate, open: bool) {
        let project = Project { state: State::Planned, stocktakes: Vec::new(), ..complete() };
        let project = after(&project, schedule(9, due_on));
        assert_eq!(project.needs(State::Delivering, today()).is_empty(), open, "{due_on}");
    }
    check(today(), true);
    check(today() + HALF_TERM, true);
    check(days(50), false);
    check(today().pred_opt().unwrap(), false);
}

#[test]
fn every_goal_is_met_or_on_track_before_embedding() {
    #[track_caller]
    fn check(ratings: &[(u128, Rating)], lacking: &[&str]) {
        let mut project = Project { state: State::Delivering, ..complete() };
        project = after(&project, Command::SetGoal(goal(2)));
        check_needs(&project, State::Embedding, &["/goals/1/rating"]);
        check_needs(&after(&project, hold(2, today(), ratings)), State::Embedding, lacking);
    }
    check(&[(1, Rating::Met), (2, Rating::OnTrack)], &[]);
    check(&[(2, Rating::Met), (1, Rating::AtRisk)], &["/goals/0/rating"]);
    check(&[(1, Rating::OffTrack), (2, Rating::AtRisk)], &["/goals/0/rating", "/goals/1/rating"]);
}

#[test]
fn a_stocktake_reviews_every_goal_once_and_in_order_of_time() {
    #[track_caller]
    fn check(command: Command, pointers: &[&str]) {
        let project = Project { state: State::Delivering, ..complete() };
        let error = project.decide(command, today()).unwrap_err();
        assert_eq!(error.reason, Reason::RequestInvalid);
        let found: Vec<_> = error.problems.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(found, pointers);
    }
    let met = Rating::Met;
    check(hold(2, today(), &[]), &["/reviews"]);
    check(hold(2, today(), &[(7, met)]), &["/reviews/0/goalId", "/reviews"]);
    check(hold(2, today(), &[(1, met), (1, met)]), &["/reviews/1/goalId"]);
    check(hold(2, today().pred_opt().unwrap(), &[(1, met)]), &["/heldOn"]);
}

#[test]
fn what_let_a_project_in_stays_true_of_it() {
    let thin = Diagnosis { basis: Vec::new(), ..diagnosis() };
    let gaps = Plan { owner: None, ..plan() };
    after(&proposed(), Command::SetDiagnosis(thin.clone()));
    let diagnosed = Project { state: State::Diagnosed, ..complete() };
    let error = diagnosed.decide(Command::SetDiagnosis(thin), today()).unwrap_err();
    assert_eq!(error.reason, Reason::GateNotMet);
    after(&diagnosed, Command::SetPlan(gaps.clone()));
    let planned = Project { state: State::Planned, ..complete() };
    let error = planned.decide(Command::SetPlan(gaps), today()).unwrap_err();
    assert_eq!(error.reason, Reason::GateNotMet);
}

#[test]
fn milestones_and_stocktakes_happen_once_and_must_exist() {
    #[track_caller]
    fn check(project: &Project, command: Command, reason: Reason) {
        assert_eq!(project.decide(command, today()).unwrap_err().reason, reason);
    }
    let project = Project { state: State::Delivering, ..complete() };
    let reach = |it: u128| Command::ReachMilestone {
        milestone_id: MilestoneId(Uuid::from_u128(it)),
        reached_on: today(),
    };
    check(&project, reach(9), Reason::NotFound);
    check(&after(&project, reach(1)), reach(1), Reason::TransitionNotAllowed);
    check(&project, hold(9, today(), &[]), Reason::NotFound);
    check(&project, hold(1, today(), &[(1, Rating::Met)]), Reason::TransitionNotAllowed);
}

/// Commands drawn from few ids, so that most find something to act on.
fn any_command() -> impl Strategy<Value = Command> {
    let state = prop::sample::select(STATES.to_vec());
    let rating = prop::sample::select(vec![Rating::Met, Rating::OnTrack, Rating::OffTrack]);
    prop_oneof![
        Just(Command::SetDiagnosis(diagnosis())),
        Just(Command::SetPlan(plan())),
        (1..4_u128).prop_map(|it| Command::SetGoal(goal(it))),
        (1..4_u128).prop_map(|it| Command::SetMilestone(milestone(it))),
        (1..4_u128).prop_map(|it| Command::ReachMilestone {
            milestone_id: MilestoneId(Uuid::from_u128(it)),
            reached_on: today(),
        }),
        (1..4_u128, 0..60_u64).prop_map(|(it, ahead)| schedule(it, days(ahead))),
        (1..4_u128, 0..3_u128, rating).prop_map(|(it, goals, rating)| {
            let ratings: Vec<_> = (1..=goals).map(|it| (it, rating)).collect();
            hold(it, today(), &ratings)
        }),
        Just(Command::JudgeImpact(impact())),
        state.prop_map(to),
    ]
}

proptest! {
    #[test]
    fn replaying_the_events_gives_the_same_project(
        commands in prop::collection::vec(any_command(), 0..60),
    ) {
        let mut project = proposed();
        let mut changes = Vec::new();
        for command in commands {
            if let Ok(change) = project.decide(command, today()) {
                project = project.apply(change.clone());
                changes.push(change);
            }
        }
        let replayed = changes.iter().cloned().fold(proposed(), Project::apply);
        prop_assert_eq!(&replayed, &project);
        prop_assert_eq!(usize::try_from(project.version).unwrap(), changes.len() + 1);
        let document = serde_json::to_string(&project).unwrap();
        prop_assert_eq!(serde_json::from_str::<Project>(&document).unwrap(), project);
    }

    #[test]
    fn the_next_state_opens_exactly_when_nothing_is_needed(
        commands in prop::collection::vec(any_command(), 0..60),
    ) {
        let mut project = proposed();
        for command in commands {
            if let Ok(change) = project.decide(command, today()) {
                project = project.apply(change);
            }
            if let Some(next) = project.state.next() {
                let open = project.decide(to(next), today()).is_ok();
                prop_assert_eq!(open, project.next_needs(today()).is_empty());
            }
        }
    }
}
