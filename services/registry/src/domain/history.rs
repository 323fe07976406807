//! Where a journey is, where it was on a date, and what was known at an instant: one fold over its log.

use calendar::Term;
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use super::{
    journey::{State, Transition, TransitionKind},
    phase::Phase,
    rubric::{Rating, Ratings, Suggestion, suggest},
};

/// Everything recorded of a journey, in the order it was recorded.
#[derive(Clone, Debug, Default)]
pub(crate) struct History {
    pub transitions: Vec<Transition>,
    pub rounds: Vec<RatingRound>,
}

/// Ratings given without moving the journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RatingRound {
    pub version: i32,
    pub ratings: Vec<Rating>,
    pub effective_on: NaiveDate,
    pub recorded_at: DateTime<Utc>,
}

/// A journey as of one effective date and one time of knowing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct View {
    pub state: State,
    /// Since when the settled phase holds.
    pub since: Option<NaiveDate>,
    pub dwells: Vec<Dwell>,
    pub ratings: Ratings,
    pub suggestion: Option<Suggestion>,
    /// The latest effective date of a transition that counts.
    pub last_effective_on: Option<NaiveDate>,
}

/// Time spent in a phase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dwell {
    pub phase: Phase,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
    /// Left for the next phase within a term.
    pub quick: bool,
}

/// Whether the second date comes within one term of the first: sooner than the term that holds the first is long.
pub(crate) fn within_a_term(from: NaiveDate, until: NaiveDate) -> bool {
    let term = Term::of(from);
    until - from <= term.ends_on() - term.starts_on()
}

impl History {
    /// The transitions that count: neither corrections nor corrected.
    pub(crate) fn counted(&self) -> Vec<&Transition> {
        self.known(DateTime::<Utc>::MAX_UTC).collect()
    }

    /// The journey as everything recorded has it.
    pub(crate) fn now(&self) -> View {
        self.at(NaiveDate::MAX, DateTime::<Utc>::MAX_UTC)
    }

    /// The journey on a date, as it was known at an instant.
    pub(crate) fn at(&self, effective_on: NaiveDate, known_at: DateTime<Utc>) -> View {
        let mut view = View::default();
        let mut rated: Vec<(NaiveDate, i32, &[Rating])> = self
            .rounds
            .iter()
            .filter(|it| it.recorded_at <= known_at && it.effective_on <= effective_on)
            .map(|it| (it.effective_on, it.version, it.ratings.as_slice()))
            .collect();
        for it in self.known(known_at).filter(|it| it.effective_on <= effective_on) {
            view.apply(it);
            rated.push((it.effective_on, it.version, &it.ratings));
        }
        rated.sort_by_key(|it| (it.0, it.1));
        view.ratings = rated.iter().flat_map(|it| it.2).map(|it| (it.domain, it.phase)).collect();
        view.suggestion = suggest(&view.ratings);
        view
    }

    /// The transition that corrected this one.
    pub(crate) fn correction_of(&self, transition: &Transition) -> Option<&Transition> {
        self.transitions.iter().find(|it| it.corrects == Some(transition.transition_id))
    }

    /// What counted by an instant. Effective dates never go back among these, so recorded order is their order.
    fn known(&self, known_at: DateTime<Utc>) -> impl Iterator<Item = &Transition> {
        self.transitions.iter().filter(move |it| {
            it.recorded_at <= known_at
                && it.kind != TransitionKind::Corrected
                && self.correction_of(it).is_none_or(|by| by.recorded_at > known_at)
        })
    }
}

impl View {
    fn apply(&mut self, transition: &Transition) {
        let date = transition.effective_on;
        self.last_effective_on = Some(date);
        match (transition.kind, transition.to) {
            (TransitionKind::Emerging, emerging) => self.state.emerging = emerging,
            (TransitionKind::EmergenceAbandoned, _) => self.state.emerging = None,
            (kind, Some(phase)) => {
                if let Some(last) = self.dwells.last_mut() {
                    last.until = Some(date);
                    last.quick = kind == TransitionKind::Entered && within_a_term(last.from, date);
                }
                self.state = State { settled: Some(phase), emerging: None };
                self.since = Some(date);
                self.dwells.push(Dwell { phase, from: date, until: None, quick: false });
            }
            (_, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::{Duration, TimeZone};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{
        journey::{JourneyId, Move, TransitionId, decide},
        rubric::RubricDomain,
    };

    const START: NaiveDate = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    const KINDS: [TransitionKind; 6] = [
        TransitionKind::Opened,
        TransitionKind::Emerging,
        TransitionKind::Entered,
        TransitionKind::EmergenceAbandoned,
        TransitionKind::FellBack,
        TransitionKind::Corrected,
    ];

    fn day(days: i64) -> NaiveDate {
        START + Duration::days(days)
    }

    fn hour(hours: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 6, 1, 0, 0, 0).unwrap() + Duration::hours(hours)
    }

    /// Records each wish the rules allow: kind, phase, days since the start, hours since the first, what to correct.
    fn build(wishes: &[(usize, usize, i64, i64, usize)]) -> History {
        let mut history = History::default();
        let mut clock = 0;
        for (kind, phase, days, hours, target) in wishes {
            let kind = KINDS[*kind];
            let moves = matches!(
                kind,
                TransitionKind::Opened
                    | TransitionKind::Emerging
                    | TransitionKind::Entered
                    | TransitionKind::FellBack
            );
            let asked = Move {
                kind,
                to: moves.then(|| Phase::ALL[*phase]),
                corrects: (kind == TransitionKind::Corrected)
                    .then(|| TransitionId(Uuid::from_u128(*target as u128))),
                ratings: vec![Rating {
                    domain: RubricDomain::ALL[*target % 11],
                    phase: Phase::ALL[*phase],
                    evidence: Vec::new(),
                }],
                effective_on: day(*days),
            };
            let Ok(decision) = decide(&history, &asked, day(200)) else { continue };
            clock += hours;
            let number = history.transitions.len();
            history.transitions.push(Transition {
                transition_id: TransitionId(Uuid::from_u128(number as u128)),
                journey_id: JourneyId(Uuid::nil()),
                version: i32::try_from(number).unwrap(),
                kind,
                from: decision.from,
                to: asked.to,
                rationale: None,
                evidence: Vec::new(),
                ratings: asked.ratings,
                effective_on: asked.effective_on,
                recorded_at: hour(clock),
                actor: String::new(),
                corrects: asked.corrects,
                suggested: decision.suggested,
                quick: decision.quick,
            });
        }
        history
    }

    /// The same questions, answered by living through every day.
    fn brute(history: &History, on: NaiveDate, known_at: DateTime<Utc>) -> (State, Ratings) {
        let known: Vec<_> =
            history.transitions.iter().filter(|it| it.recorded_at <= known_at).collect();
        let mut state = State::default();
        let mut ratings = Ratings::new();
        let mut today = START;
        while today <= on {
            for it in known.iter().filter(|it| it.effective_on == today) {
                let wrong = known.iter().any(|by| by.corrects == Some(it.transition_id));
                if wrong || it.corrects.is_some() {
                    continue;
                }
                match it.kind {
                    TransitionKind::Emerging => state.emerging = it.to,
                    TransitionKind::EmergenceAbandoned => state.emerging = None,
                    _ => state = State { settled: it.to, emerging: None },
                }
                for rating in &it.ratings {
                    ratings.insert(rating.domain, rating.phase);
                }
            }
            today = today.succ_opt().unwrap();
        }
        (state, ratings)
    }

    proptest! {
        #[test]
        fn any_date_and_any_instant_agree_with_living_through_the_days(
            wishes in prop::collection::vec((0..6_usize, 0..4_usize, 0..200_i64, 0..3_i64, 0..30_usize), 0..120),
            days in -1..201_i64,
            hours in -1..100_i64,
        ) {
            // Dates mostly rise, or nothing would be allowed after the first few.
            let mut wishes = wishes;
            for (index, wish) in wishes.iter_mut().enumerate() {
                wish.2 = (wish.2 / 8 + i64::try_from(index).unwrap()).min(200);
            }
            let history = build(&wishes);
            let view = history.at(day(days), hour(hours));
            prop_assert_eq!((view.state, view.ratings), brute(&history, day(days), hour(hours)));
            for pair in history.counted().windows(2) {
                prop_assert!(pair[0].effective_on <= pair[1].effective_on);
            }
        }
    }

    #[test]
    fn a_term_is_as_long_as_the_one_it_began_in() {
        #[track_caller]
        fn check(from: &str, last_quick: &str) {
            let (from, last): (NaiveDate, NaiveDate) =
                (from.parse().unwrap(), last_quick.parse().unwrap());
            assert!(within_a_term(from, last));
            assert!(!within_a_term(from, last.succ_opt().unwrap()));
        }
        // Autumn has 122 days, spring 2026 has 95, summer 2026 has 148.
        check("2025-09-01", "2025-12-31");
        check("2025-12-31", "2026-05-01");
        check("2026-01-01", "2026-04-05");
        check("2026-04-06", "2026-08-31");
    }

    #[test]
    fn effective_and_recorded_time_are_asked_apart_and_together() {
        #[track_caller]
        fn check(history: &History, days: i64, hours: i64, settled: Option<Phase>) {
            assert_eq!(history.at(day(days), hour(hours)).state.settled, settled);
        }
        use TransitionKind::{Corrected, Entered, FellBack, Opened};
        let kind = |kind| KINDS.iter().position(|it| *it == kind).unwrap();
        // Opened in Stabilise; entered Repair, wrongly; corrected; entered Repair later than first said.
        let history = build(&[
            (kind(Opened), 0, 0, 0, 0),
            (kind(Entered), 1, 20, 10, 0),
            (kind(Corrected), 0, 30, 10, 1),
            (kind(Entered), 1, 40, 10, 0),
            (kind(FellBack), 0, 90, 10, 0),
        ]);
        check(&history, 25, 10, Some(Phase::Repair));
        check(&history, 25, 20, Some(Phase::Stabilise));
        check(&history, 45, 20, Some(Phase::Stabilise));
        check(&history, 45, 30, Some(Phase::Repair));
        check(&history, 95, 30, Some(Phase::Repair));
        check(&history, 95, 40, Some(Phase::Stabilise));
        check(&history, -1, 40, None);
        check(&history, 95, -1, None);
        let dwells: Vec<_> = history
            .now()
            .dwells
            .iter()
            .map(|it| (it.phase, (it.from - START).num_days(), it.until.is_some(), it.quick))
            .collect();
        assert_eq!(
            dwells,
            [
                (Phase::Stabilise, 0, true, true),
                (Phase::Repair, 40, true, false),
                (Phase::Stabilise, 90, false, false)
            ]
        );
    }
}
