//! A trust made up to show everything the page can show.

use contract::{
    common::TextCommitment,
    improvement::{GateNeed, Goal, Milestone, Project, ProjectMoved, ProjectState},
    intelligence::{
        Absent, BatchApplied, BatchState, Direction, Feed, GoodDirection, Measure, Observation,
        PeriodKind, Signal, SignalRaised, SignalRule, SignalState, Standing, observation,
    },
    journal::Event,
    registry::{
        EducationPhase, Journey, JourneyMoved, Phase, School, SchoolConverted, SchoolDetails,
        SchoolMerged, Suggestion, TransitionKind, Trust,
    },
};
use dashboard::{Journal, Tail, View};
use prost::{Message, Name};

const TRUST: &str = "0199f000-0000-7000-8000-000000000001";
const NAMES: [(&str, u32); 12] = [
    ("Ashdown Primary School", 412),
    ("Beech Hill Church of England Primary School", 208),
    ("Coombe Valley Primary School", 355),
    ("Eastfield Academy", 1288),
    ("Fernleigh Infant School", 174),
    ("Greenway Primary School", 401),
    ("Harbour View Primary School", 118),
    ("Kingsmead Secondary School", 921),
    ("Longmeadow Community School and Autism Centre", 398),
    ("Northbrook Primary School", 246),
    ("Orchard Lane Primary School", 190),
    ("Priory <Park> & Riverside Primary School", 231),
];

fn urn(index: usize) -> String {
    (990_100 + index).to_string()
}

fn school(index: usize) -> School {
    let (name, pupils) = NAMES[index];
    let secondary = name.contains("Secondary") || name == "Eastfield Academy";
    School {
        school_id: format!("school-{index}"),
        trust_id: TRUST.to_owned(),
        urn: urn(index),
        previous_urns: if index == 9 { vec!["990050".to_owned()] } else { vec![] },
        name: name.to_owned(),
        phase: if secondary { EducationPhase::Secondary } else { EducationPhase::Primary }.into(),
        pupils: Some(pupils),
        joined_on: "2014-01-01".to_owned(),
        version: 1,
        ..School::default()
    }
}

fn merged() -> School {
    School {
        school_id: "school-merged".to_owned(),
        urn: "990060".to_owned(),
        name: "Willow Lane Infant School".to_owned(),
        left_on: Some("2026-08-31".to_owned()),
        merged_into_urn: Some(urn(4)),
        ..School::default()
    }
}

const DIRECTIONS: [Direction; 6] = [
    Direction::NoSignificantChange,
    Direction::Better,
    Direction::NoSignificantChange,
    Direction::Worse,
    Direction::NoSignificantChange,
    Direction::TooLittleData,
];

fn standing(index: usize, measure: &str, base: f64, wave: f64) -> Standing {
    let direction = DIRECTIONS[(index + measure.len()) % DIRECTIONS.len()];
    let slope = match direction {
        Direction::Worse => -wave,
        Direction::Better => wave,
        _ => 0.0,
    } * if measure == "attendance" { 1.0 } else { -1.0 };
    let recent: Vec<f64> = (0..36_u32)
        .map(|week| {
            let week = f64::from(week);
            let turn = (week - 27.0).max(0.0) / 9.0;
            base + wave * 0.35 * (week * 1.7 + base).sin() + slope * turn
        })
        .collect();
    let recent = if direction == Direction::TooLittleData { vec![] } else { recent };
    let limits = !recent.is_empty();
    let value = recent.last().copied().unwrap_or(base);
    let weekly = measure == "attendance";
    let absent = if index == 6 && measure == "severe_absence" {
        Some(Absent::Suppressed)
    } else if index == 10 && weekly {
        Some(Absent::NotAvailable)
    } else {
        None
    };
    let denominator = NAMES[index].1 * if weekly { 10 } else { 1 };
    let (kind, starts_on) = if weekly {
        (PeriodKind::Week, if index == 5 { "2026-11-02" } else { "2026-11-09" })
    } else {
        (PeriodKind::AcademicYear, "2026-09-01")
    };
    Standing {
        measure: measure.to_owned(),
        urn: urn(index),
        latest: Some(Observation {
            measure: measure.to_owned(),
            urn: urn(index),
            period_kind: kind.into(),
            starts_on: starts_on.to_owned(),
            ends_on: "2026-11-15".to_owned(),
            result: Some(absent.map_or(observation::Result::Value(value), |it| {
                observation::Result::Absent(it.into())
            })),
            numerator: absent.is_none().then(|| (value / 100.0 * f64::from(denominator)) as u32),
            denominator: absent.is_none().then_some(denominator),
            ..Observation::default()
        }),
        direction: direction.into(),
        centre: limits.then_some(base),
        lower_limit: limits.then_some(base - wave * 0.6),
        upper_limit: limits.then_some(base + wave * 0.6),
        recent,
    }
}

fn journey(index: usize) -> Journey {
    let phases = [Phase::Improve, Phase::Sustain, Phase::Repair, Phase::Improve, Phase::Stabilise];
    let settled = phases[index % phases.len()];
    Journey {
        journey_id: format!("journey-{index}"),
        trust_id: TRUST.to_owned(),
        school_id: format!("school-{index}"),
        urn: urn(index),
        settled: Some(settled.into()),
        emerging: (index == 2).then_some(Phase::Improve.into()),
        since: Some("2025-09-01".to_owned()),
        suggestion: Some(Suggestion {
            phase: Phase::Repair.into(),
            rated_domains: 11,
            supporting_domains: 9,
            differs_from_settled: index == 3,
        }),
        version: 3,
        ..Journey::default()
    }
}

fn measure(id: &str, name: &str, numerator: &str, denominator: &str) -> Measure {
    let good = if id == "attendance" { GoodDirection::Higher } else { GoodDirection::Lower };
    Measure {
        measure: id.to_owned(),
        name: name.to_owned(),
        numerator: numerator.to_owned(),
        denominator: denominator.to_owned(),
        unit: "percent".to_owned(),
        good: good.into(),
        source: "DfE".to_owned(),
    }
}

fn signal(index: usize, state: SignalState, overdue: bool) -> Signal {
    Signal {
        signal_id: format!("signal-{index}"),
        trust_id: TRUST.to_owned(),
        school_id: format!("school-{index}"),
        urn: urn(index),
        measure: "attendance".to_owned(),
        rule: SignalRule::OutsideLimits.into(),
        direction: Direction::Worse.into(),
        week: "2026-11-09".to_owned(),
        value: 88.4,
        centre: 92.0,
        lower_limit: 90.6,
        upper_limit: 93.4,
        state: state.into(),
        owner_role: "director_of_improvement".to_owned(),
        respond_by: "2026-11-20".to_owned(),
        overdue,
        version: 1,
        ..Signal::default()
    }
}

fn project(index: usize, title: &str, state: ProjectState) -> Project {
    Project {
        project_id: format!("project-{index}"),
        trust_id: TRUST.to_owned(),
        school_id: format!("school-{index}"),
        urn: urn(index),
        title: Some(title.to_owned()),
        state: state.into(),
        goals: vec![Goal {
            goal_id: "goal".to_owned(),
            measure: "attendance".to_owned(),
            baseline: 88.4,
            target: 92.0,
            due_on: "2027-07-16".to_owned(),
            rating: None,
        }],
        milestones: vec![
            Milestone { reached_on: Some("2026-10-01".to_owned()), ..Milestone::default() },
            Milestone::default(),
        ],
        next_needs: vec![GateNeed::default()],
        ..Project::default()
    }
}

fn event<M: Message + Name>(position: u64, effective_on: Option<&str>, message: &M) -> Event {
    let seconds = 1_795_261_000 + i64::try_from(position).unwrap_or_default() * 37;
    Event {
        position,
        event_id: format!("event-{position}"),
        trust_id: TRUST.to_owned(),
        stream: "kind/id".to_owned(),
        version: 1,
        r#type: M::full_name(),
        effective_on: effective_on.map(str::to_owned),
        recorded_at: Some(pbjson_types::Timestamp { seconds, nanos: 0 }),
        data: message.encode_to_vec(),
        ..Event::default()
    }
}

fn registry_events() -> Vec<Event> {
    let moved = |index: usize, kind: TransitionKind, to: Phase| JourneyMoved {
        journey_id: format!("journey-{index}"),
        school_id: format!("school-{index}"),
        kind: kind.into(),
        to: Some(to.into()),
        rationale: Some(TextCommitment::default()),
        ..JourneyMoved::default()
    };
    vec![
        event(60, Some("2026-10-05"), &moved(2, TransitionKind::Emerging, Phase::Improve)),
        event(59, Some("2025-09-01"), &moved(3, TransitionKind::Entered, Phase::Improve)),
        event(58, Some("2026-01-05"), &moved(4, TransitionKind::FellBack, Phase::Stabilise)),
        event(
            57,
            Some("2026-09-01"),
            &SchoolMerged {
                school_id: "school-merged".to_owned(),
                urn: "990060".to_owned(),
                into_school_id: "school-4".to_owned(),
                into_urn: urn(4),
            },
        ),
        event(
            56,
            Some("2026-09-01"),
            &SchoolConverted {
                school_id: "school-9".to_owned(),
                previous_urn: "990050".to_owned(),
                details: Some(SchoolDetails {
                    urn: urn(9),
                    name: NAMES[9].0.to_owned(),
                    ..SchoolDetails::default()
                }),
            },
        ),
    ]
}

fn intelligence_events() -> Vec<Event> {
    let mut events = vec![event(
        1840,
        None,
        &SignalRaised {
            signal_id: "signal-3".to_owned(),
            school_id: "school-3".to_owned(),
            urn: urn(3),
            measure: "attendance".to_owned(),
            rule: SignalRule::OutsideLimits.into(),
            direction: Direction::Worse.into(),
            week: "2026-11-09".to_owned(),
            value: 88.4,
            ..SignalRaised::default()
        },
    )];
    events.extend((1833..1840).rev().map(|position| {
        event(
            position,
            None,
            &BatchApplied {
                batch_id: format!("batch-{position}"),
                feed_id: "feed-1".to_owned(),
                state: BatchState::Applied.into(),
                records: 24,
                accepted: 22,
                corrected: 2,
                ..BatchApplied::default()
            },
        )
    }));
    events
}

fn journal(service: &'static str, head: u64, events: Vec<Event>) -> Journal {
    Journal { service, tail: Ok(Tail { head, events }) }
}

fn improvement_events() -> Vec<Event> {
    vec![event(
        31,
        None,
        &ProjectMoved {
            project_id: "project-3".to_owned(),
            to: ProjectState::Delivering.into(),
            ..ProjectMoved::default()
        },
    )]
}

pub fn view() -> View {
    let measures = [
        measure("attendance", "Attendance", "sessions attended", "possible sessions"),
        measure("persistent_absence", "Persistent absence", "pupils absent for 10 %", "pupils"),
        measure("severe_absence", "Severe absence", "pupils absent for 50 %", "pupils"),
    ];
    let standings = (0..NAMES.len()).flat_map(|index| {
        let tilt = (index as f64 * 2.3).sin();
        [
            standing(index, "attendance", 93.2 + tilt, 2.5),
            standing(index, "persistent_absence", 17.0 - 3.0 * tilt, 4.0),
            standing(index, "severe_absence", 2.2 - 0.5 * tilt, 0.9),
        ]
    });
    View {
        demonstration: true,
        read_at: "2026-11-21T21:14:05Z".parse().unwrap(),
        trust: Ok(Trust { name: "Levels & Moor Learning Trust".to_owned(), ..Trust::default() }),
        schools: Ok((0..NAMES.len()).map(school).chain([merged()]).collect()),
        journeys: Ok((0..NAMES.len()).filter(|it| *it != 11).map(journey).collect()),
        measures: Ok(measures.to_vec()),
        standings: Ok(standings.collect()),
        signals: Ok(vec![
            signal(3, SignalState::Raised, true),
            signal(7, SignalState::Raised, false),
            signal(1, SignalState::Acknowledged, false),
        ]),
        feeds: Ok(vec![Feed {
            feed_id: "feed-1".to_owned(),
            name: "Registers".to_owned(),
            ..Feed::default()
        }]),
        projects: Ok(vec![
            project(3, "Every morning counts", ProjectState::Delivering),
            project(7, "Reading across the curriculum", ProjectState::Planned),
            project(2, "An old one", ProjectState::Closed),
        ]),
        journals: vec![
            journal("registry", 60, registry_events()),
            journal("intelligence", 1840, intelligence_events()),
            journal("improvement", 31, improvement_events()),
        ],
    }
}
