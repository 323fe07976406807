//! Journeys of three years, by school and for some units. Made up.

use chrono::NaiveDate;
use contract::{
    common::{Evidence, EvidenceKind},
    registry::{
        CreateTransitionRequest, CreateUnitRequest, OpenJourneyRequest, Phase, Rating,
        RubricDomain, TransitionKind, UnitKind,
    },
};

use super::Step;
use crate::demo::days::date;

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

/// Units with journeys of their own.
pub(super) fn units() -> Vec<Step> {
    let units = UNITS.into_iter().flat_map(|(key, urn, kind, name, year_group, phase)| {
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
    });
    units.collect()
}

/// What happened to the schools on the days wanted.
pub(super) fn schools(wanted: impl Fn(NaiveDate) -> bool) -> Vec<Step> {
    JOURNEYS.into_iter().flat_map(|it| it.steps(&wanted)).collect()
}

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
    fn an_entered_phase_is_rated_in_all_eleven_domains() {
        assert_eq!(ratings(Phase::Improve).len(), 11);
        assert!(ratings(Phase::Sustain).iter().all(|it| !it.evidence.is_empty()));
    }
}
