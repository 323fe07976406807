use proptest::prelude::*;
use uuid::Uuid;

use super::*;

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
