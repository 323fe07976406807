use chrono::{Days, TimeZone};
use uuid::Uuid;

use super::{
    Phase::{Improve, Repair, Stabilise, Sustain},
    TransitionKind as K, *,
};

const TODAY: NaiveDate = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();

fn day(days_ago: u64) -> NaiveDate {
    TODAY - Days::new(days_ago)
}

fn ask(kind: K, to: Option<Phase>, days_ago: u64) -> Move {
    Move { kind, to, corrects: None, ratings: Vec::new(), effective_on: day(days_ago) }
}

/// Decides and records; the n-th entry has the id n.
fn record(history: &mut History, asked: Move) -> Result<()> {
    let decision = decide(history, &asked, TODAY)?;
    let number = history.transitions.len() + 1;
    history.transitions.push(Transition {
        transition_id: TransitionId(Uuid::from_u128(number as u128)),
        journey_id: JourneyId(Uuid::nil()),
        version: i32::try_from(number).unwrap(),
        kind: asked.kind,
        from: decision.from,
        to: asked.to,
        rationale: None,
        evidence: Vec::new(),
        ratings: asked.ratings,
        effective_on: asked.effective_on,
        recorded_at: Utc.with_ymd_and_hms(2026, 11, 21, 9, 0, 0).unwrap(),
        actor: "test".to_owned(),
        corrects: asked.corrects,
        suggested: decision.suggested,
        quick: decision.quick,
    });
    Ok(())
}

fn correct(number: u128) -> Move {
    Move { corrects: Some(TransitionId(Uuid::from_u128(number))), ..ask(K::Corrected, None, 0) }
}

fn journey(moves: &[(K, Option<Phase>, u64)]) -> History {
    let mut history = History::default();
    for (kind, to, days_ago) in moves {
        record(&mut history, ask(*kind, *to, *days_ago)).unwrap();
    }
    history
}

#[test]
fn the_transition_table() {
    #[track_caller]
    fn check(from: (Option<Phase>, Option<Phase>), kind: K, to: Option<Phase>, allowed: bool) {
        let from = State { settled: from.0, emerging: from.1 };
        let found = from.after(kind, to);
        assert_eq!(found.is_ok(), allowed, "{found:?}");
    }
    let closed = (None, None);
    for phase in Phase::ALL {
        let settled = (Some(phase), None);
        check(closed, K::Opened, Some(phase), true);
        check(settled, K::Opened, Some(phase), false);
        check(closed, K::Emerging, Some(phase), false);
        check(closed, K::Entered, Some(phase), false);
        check(closed, K::FellBack, Some(phase), false);
        check(settled, K::EmergenceAbandoned, None, false);
        check(settled, K::Corrected, None, false);
        for to in Phase::ALL {
            let overlapping = (Some(phase), phase.next());
            let next = phase.next() == Some(to);
            check(settled, K::Emerging, Some(to), next);
            check(settled, K::Entered, Some(to), next);
            check(settled, K::FellBack, Some(to), to < phase);
            check(overlapping, K::Entered, Some(to), next);
            check(overlapping, K::FellBack, Some(to), to < phase);
        }
    }
    check(closed, K::EmergenceAbandoned, None, false);
    check((Some(Repair), Some(Improve)), K::Emerging, Some(Improve), false);
    check((Some(Repair), Some(Improve)), K::EmergenceAbandoned, None, true);
    check((Some(Repair), Some(Improve)), K::EmergenceAbandoned, Some(Repair), false);
    check((Some(Repair), None), K::Entered, None, false);
    check((Some(Sustain), None), K::Entered, Some(Sustain), false);
}

#[test]
fn entering_or_falling_back_ends_an_overlap() {
    let overlapping = State { settled: Some(Repair), emerging: Some(Improve) };
    for (kind, to) in [(K::Entered, Improve), (K::FellBack, Stabilise)] {
        let after = overlapping.after(kind, Some(to)).unwrap();
        assert_eq!(after, State { settled: Some(to), emerging: None });
    }
}

#[test]
fn a_refusal_says_what_is_allowed() {
    let error = State { settled: Some(Repair), emerging: Some(Improve) }
        .after(K::Entered, Some(Sustain))
        .unwrap_err();
    assert_eq!(error.reason, Reason::TransitionNotAllowed);
    assert_eq!(
        error.detail,
        "the journey is settled in Repair with Improve emerging; allowed: Improve entered, the emergence \
         abandoned, fallen back to Stabilise, an earlier transition corrected"
    );
}

#[test]
fn effective_dates_are_neither_in_the_future_nor_before_the_last() {
    #[track_caller]
    fn check(effective_on: NaiveDate, expected: Option<Reason>) {
        let history =
            journey(&[(K::Opened, Some(Stabilise), 100), (K::Emerging, Some(Repair), 50)]);
        let asked = Move { effective_on, ..ask(K::Entered, Some(Repair), 0) };
        let found = decide(&history, &asked, TODAY).err().map(|it| it.reason);
        assert_eq!(found, expected);
    }
    check(day(0), None);
    check(day(50), None);
    check(day(51), Some(Reason::TransitionNotAllowed));
    check(TODAY + Days::new(1), Some(Reason::RequestInvalid));
}

#[test]
fn a_correction_may_lie_before_the_last_and_frees_the_dates_after_it() {
    let mut history = journey(&[(K::Opened, Some(Stabilise), 100), (K::Entered, Some(Repair), 10)]);
    record(&mut history, Move { effective_on: day(90), ..correct(2) }).unwrap();
    assert_eq!(history.now().state.settled, Some(Stabilise));
    record(&mut history, ask(K::Entered, Some(Repair), 60)).unwrap();
    assert_eq!(history.now().since, Some(day(60)));
}

#[test]
fn a_correction_leaves_a_possible_sequence_or_is_refused() {
    let mut history = journey(&[
        (K::Opened, Some(Stabilise), 100),
        (K::Entered, Some(Repair), 90),
        (K::FellBack, Some(Stabilise), 80),
        (K::Emerging, Some(Repair), 70),
        (K::EmergenceAbandoned, None, 60),
    ]);
    let refusal = |history: &mut History, number| {
        record(history, correct(number)).err().map(|it| it.detail.into_owned())
    };
    let id = |number| Uuid::from_u128(number).to_string();
    let needed = refusal(&mut history, 2).unwrap();
    // Leaving out the fall makes the emergence of Repair after it impossible as well.
    assert!(needed.ends_with(&format!("may be corrected: {}", id(5))), "{needed}");
    assert!(refusal(&mut history, 1).is_some());
    assert!(refusal(&mut history, 9).unwrap().contains("no transition"));
    assert_eq!(refusal(&mut history, 5), None);
    assert!(refusal(&mut history, 5).unwrap().contains("corrected already"));
    assert!(refusal(&mut history, 6).unwrap().contains("itself a correction"));
    assert_eq!(refusal(&mut history, 4), None);
    assert_eq!(history.transitions.len(), 7, "the wrong transitions stay in the log");
}

#[test]
fn a_journey_corrected_away_may_be_opened_again() {
    let mut history = journey(&[(K::Opened, Some(Improve), 10)]);
    record(&mut history, correct(1)).unwrap();
    assert_eq!(history.now().state, State::default());
    assert!(record(&mut history, ask(K::Entered, Some(Repair), 0)).is_err());
    record(&mut history, ask(K::Opened, Some(Repair), 20)).unwrap();
    assert_eq!(history.now().state.settled, Some(Repair));
}

#[test]
fn entering_the_next_phase_within_a_term_is_quick() {
    #[track_caller]
    fn check(opened: u64, entered: u64, quick: bool) {
        let history =
            journey(&[(K::Opened, Some(Stabilise), opened), (K::Entered, Some(Repair), entered)]);
        assert_eq!(history.transitions[1].quick, quick);
        assert_eq!(history.now().dwells[0].quick, quick);
    }
    check(300, 290, true);
    check(300, 100, false);
}

#[test]
fn what_each_transition_must_carry() {
    #[track_caller]
    fn check(kind: K, evidence: &[Evidence], ratings: &[Rating], pointers: &[&str]) {
        let missing = missing(kind, evidence, ratings);
        let found: Vec<_> = missing.iter().map(|it| it.pointer.as_str()).collect();
        assert_eq!(found, pointers);
    }
    let evidence = [Evidence {
        kind: crate::domain::evidence::EvidenceKind::Data,
        reference: "observation/1".to_owned(),
    }];
    let mut ratings: Vec<_> = RubricDomain::ALL
        .into_iter()
        .map(|domain| Rating { domain, phase: Repair, evidence: evidence.to_vec() })
        .collect();
    check(K::Opened, &[], &[], &["/evidence"]);
    check(K::FellBack, &[], &[], &["/evidence"]);
    check(K::FellBack, &evidence, &[], &[]);
    check(K::Emerging, &[], &[], &[]);
    check(K::EmergenceAbandoned, &[], &[], &[]);
    check(K::Corrected, &[], &[], &[]);
    check(K::Entered, &[], &ratings, &[]);
    check(K::Entered, &[], &[], &["/ratings"; 11]);
    ratings[3].evidence.clear();
    check(K::Entered, &[], &ratings, &["/ratings/3/evidence"]);
    check(K::Entered, &[], &ratings[..10], &["/ratings", "/ratings/3/evidence"]);
}
