use chrono::NaiveDate;
use rpc::Reason;
use uuid::Uuid;

use super::*;

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
