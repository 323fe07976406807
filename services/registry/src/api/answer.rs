//! What the operations give, as the contract's messages.

use contract::registry as v1;
use identity::Urn;
use rpc::Twin;

use crate::{
    app::{JourneyView, SchoolView, TransitionView},
    domain::{
        establishment::{EstablishmentStatus, Link, Registered},
        history::Dwell,
        import::{ImportReport, Quarantined, SchoolChange},
        spread::Spread,
        trust::Trust,
        unit::Unit,
    },
    wire::{count, count_if},
};

fn text(it: Option<impl ToString>) -> Option<String> {
    it.map(|it| it.to_string())
}

impl From<Trust> for v1::Trust {
    fn from(it: Trust) -> Self {
        Self {
            trust_id: it.trust_id.to_string(),
            name: it.name,
            group_uid: text(it.group_uid),
            ukprn: text(it.ukprn),
            companies_house_number: text(it.companies_house_number),
            version: count(it.version),
            created_at: Some(it.created_at.into()),
        }
    }
}

impl From<SchoolView> for v1::School {
    fn from(it: SchoolView) -> Self {
        let details = it.school.details;
        Self {
            school_id: it.school.school_id.to_string(),
            trust_id: it.school.trust_id.to_string(),
            urn: details.urn.to_string(),
            previous_urns: it.previous_urns.iter().map(ToString::to_string).collect(),
            name: details.name,
            phase: details.phase.to_wire(),
            status: details.status.to_wire(),
            la_code: details.la_code,
            laestab: text(details.laestab),
            ukprn: text(details.ukprn),
            capacity: count_if(details.capacity),
            pupils: count_if(details.pupils),
            easting: count_if(details.easting),
            northing: count_if(details.northing),
            joined_on: it.school.joined_on.to_string(),
            left_on: text(it.school.left_on),
            merged_into_urn: text(it.school.merged_into_urn),
            version: count(it.school.version),
        }
    }
}

pub(super) fn unit(it: Unit, urn: &Urn) -> v1::Unit {
    v1::Unit {
        unit_id: it.unit_id.to_string(),
        school_id: it.school_id.to_string(),
        trust_id: it.trust_id.to_string(),
        urn: urn.to_string(),
        kind: it.kind.to_wire(),
        name: it.name,
        year_group: count_if(it.year_group),
        version: count(it.version),
    }
}

pub(super) fn spread(it: Spread, urn: &Urn) -> v1::Spread {
    v1::Spread {
        urn: urn.to_string(),
        phases: it
            .phases
            .into_iter()
            .map(|(phase, units)| v1::PhaseCount { phase: phase.to_wire(), units })
            .collect(),
        units_without_journey: it.without_journey,
        critical_pairs: it
            .critical_pairs
            .into_iter()
            .map(|it| v1::CriticalPair {
                first_unit_id: it.first.to_string(),
                second_unit_id: it.second.to_string(),
                explanation: it.explanation,
            })
            .collect(),
    }
}

impl From<JourneyView> for v1::Journey {
    fn from(it: JourneyView) -> Self {
        let view = it.view;
        let suggestion = view.suggestion.map(|suggestion| v1::Suggestion {
            phase: suggestion.phase.to_wire(),
            rated_domains: suggestion.rated,
            supporting_domains: suggestion.supporting,
            differs_from_settled: view.state.settled != Some(suggestion.phase),
        });
        let dwell = |dwell: Dwell| v1::Dwell {
            phase: dwell.phase.to_wire(),
            from: dwell.from.to_string(),
            until: text(dwell.until),
            days: u32::try_from((dwell.until.unwrap_or(it.on) - dwell.from).num_days())
                .unwrap_or(0),
            quick: dwell.quick,
        };
        Self {
            journey_id: it.journey.journey_id.to_string(),
            trust_id: it.journey.trust_id.to_string(),
            school_id: it.journey.school_id.to_string(),
            urn: it.urn.to_string(),
            unit_id: text(it.journey.unit_id),
            settled: view.state.settled.map(Twin::to_wire),
            emerging: view.state.emerging.map(Twin::to_wire),
            since: text(view.since),
            suggestion,
            dwells: view.dwells.into_iter().map(dwell).collect(),
            version: count(it.journey.version),
            effective_on: None,
            known_at: None,
        }
    }
}

impl From<TransitionView> for v1::Transition {
    fn from(view: TransitionView) -> Self {
        let it = view.transition;
        Self {
            transition_id: it.transition_id.to_string(),
            journey_id: it.journey_id.to_string(),
            kind: it.kind.to_wire(),
            from: it.from.map(Twin::to_wire),
            to: it.to.map(Twin::to_wire),
            rationale: it.rationale,
            evidence: it.evidence.into_iter().map(Into::into).collect(),
            ratings: it.ratings.into_iter().map(Into::into).collect(),
            effective_on: it.effective_on.to_string(),
            recorded_at: Some(it.recorded_at.into()),
            actor: it.actor,
            corrects: text(it.corrects),
            corrected_by: text(view.corrected_by),
            suggested: it.suggested.map(Twin::to_wire),
            quick: it.quick,
            version: count(it.version),
        }
    }
}

impl From<Registered> for v1::Establishment {
    fn from(registered: Registered) -> Self {
        let it = registered.establishment;
        Self {
            urn: it.urn.to_string(),
            name: it.name,
            status: it.status.to_wire(),
            phase: it.phase.to_wire(),
            r#type: it.kind,
            la_code: it.la_code,
            la_name: it.la_name,
            laestab: text(it.laestab),
            ukprn: text(it.ukprn),
            trust_group_uid: text(registered.group_uid),
            trust_name: registered.group_name,
            opened_on: text(it.opened_on),
            closed_on: text(it.closed_on),
            lowest_age: count_if(it.lowest_age),
            highest_age: count_if(it.highest_age),
            capacity: count_if(it.capacity),
            pupils: count_if(it.pupils),
            easting: count_if(it.easting),
            northing: count_if(it.northing),
            postcode: it.postcode,
            region: it.region,
            predecessors: Vec::new(),
            successors: Vec::new(),
        }
    }
}

/// An establishment with what came before and after it. A tie recorded on both sides is told once, in the words of its
/// own side.
pub(super) fn establishment(registered: Registered, links: Vec<Link>) -> v1::Establishment {
    let urn = registered.establishment.urn.clone();
    let closed = registered.establishment.status == EstablishmentStatus::Closed;
    let mut answer = v1::Establishment::from(registered);
    let (own, others): (Vec<_>, Vec<_>) = links.into_iter().partition(|it| it.urn == urn);
    for it in own {
        let after = it.to_successor() && (it.kind.starts_with("Successor") || closed);
        let list = if after {
            &mut answer.successors
        } else if it.to_predecessor() || it.to_successor() {
            &mut answer.predecessors
        } else {
            continue;
        };
        list.push(link(&it.link_urn, it.name, it.kind, it.established_on));
    }
    for it in others {
        let list = if it.to_predecessor() {
            &mut answer.successors
        } else if it.kind.starts_with("Successor") {
            &mut answer.predecessors
        } else {
            continue;
        };
        let known = list.iter().any(|known| known.urn == it.urn.as_str());
        if !known {
            // The name recorded there is this establishment's own.
            list.push(link(&it.urn, None, it.kind, it.established_on));
        }
    }
    answer
}

fn link(
    urn: &Urn,
    name: Option<String>,
    kind: String,
    established_on: Option<chrono::NaiveDate>,
) -> v1::EstablishmentLink {
    v1::EstablishmentLink {
        urn: urn.to_string(),
        name,
        r#type: kind,
        established_on: text(established_on),
    }
}

impl From<ImportReport> for v1::EstablishmentImport {
    fn from(it: ImportReport) -> Self {
        let row = |it: Quarantined| v1::QuarantinedRow {
            line: it.line,
            urn: it.urn,
            column: it.column,
            problem: it.problem,
        };
        let change = |it: SchoolChange| v1::SchoolChange {
            trust_id: it.trust_id.to_string(),
            urn: it.urn.to_string(),
            change: it.change,
            previous_urn: text(it.previous_urn),
        };
        Self {
            import_id: it.import_id.to_string(),
            file: it.file.to_wire(),
            sha256: it.sha256,
            rows: it.rows,
            added: it.counts.added,
            changed: it.counts.changed,
            unchanged: it.counts.unchanged,
            closed: it.counts.closed,
            quarantined: it.quarantined,
            quarantine: it.quarantine.into_iter().map(row).collect(),
            unknown_columns: it.unknown_columns,
            imported_at: Some(it.imported_at.into()),
            school_changes: it.school_changes.into_iter().map(change).collect(),
            ignored: it.ignored,
        }
    }
}
