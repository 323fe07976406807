//! The domain's facts as the events of the contract, and back.

use contract::registry as v1;
use identity::{Laestab, SchoolId, Ukprn, Urn};
use journal::{Draft, text::Text};
use rpc::{Error, Fault, Result, Twin};
use uuid::Uuid;

use crate::{
    domain::{
        history::RatingRound,
        import::ImportReport,
        journey::{Journey, Transition},
        register::{Change, Step},
        school::Details,
        trust::Trust,
        unit::Unit,
    },
    wire::count_if,
};

pub(crate) fn trust_created(event_id: Uuid, it: &Trust) -> Draft {
    let message = v1::TrustCreated {
        trust_id: it.trust_id.to_string(),
        name: it.name.clone(),
        group_uid: it.group_uid.as_ref().map(ToString::to_string),
        ukprn: it.ukprn.as_ref().map(ToString::to_string),
        companies_house_number: it.companies_house_number.as_ref().map(ToString::to_string),
    };
    Draft::new(event_id, it.trust_id.0, format!("trust/{}", it.trust_id), 1, &message)
}

pub(crate) fn unit_created(event_id: Uuid, it: &Unit) -> Draft {
    let message = v1::UnitCreated {
        unit_id: it.unit_id.to_string(),
        school_id: it.school_id.to_string(),
        kind: it.kind.to_wire(),
        name: it.name.clone(),
        year_group: count_if(it.year_group),
    };
    Draft::new(event_id, it.trust_id.0, format!("unit/{}", it.unit_id), 1, &message)
}

pub(crate) fn school_changed(event_id: Uuid, step: &Step) -> Result<Draft> {
    let school_id = step.school_id.to_string();
    let version = u32::try_from(step.version).map_err(Error::internal)?;
    let stream = format!("school/{school_id}");
    let trust_id: Uuid = step.trust_id.0;
    let draft = match &step.change {
        Change::Joined { details } => {
            let message = v1::SchoolJoined { school_id, details: Some(told_of(details)) };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        Change::Updated { details } => {
            let message = v1::SchoolUpdated { school_id, details: Some(told_of(details)) };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        Change::Converted { previous_urn, details } => {
            let previous_urn = previous_urn.to_string();
            let details = Some(told_of(details));
            let message = v1::SchoolConverted { school_id, previous_urn, details };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        Change::Merged { urn, into, into_urn } => {
            let message = v1::SchoolMerged {
                school_id,
                urn: urn.to_string(),
                into_school_id: into.to_string(),
                into_urn: into_urn.to_string(),
            };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
        Change::Left { urn, closed } => {
            let message = v1::SchoolLeft { school_id, urn: urn.to_string(), closed: *closed };
            Draft::new(event_id, trust_id, stream, version, &message)
        }
    };
    Ok(match step.effective_on {
        Some(date) => draft.effective_on(date),
        None => draft,
    })
}

pub(crate) fn journey_moved(journey: &Journey, it: &Transition, rationale: Text) -> Result<Draft> {
    let message = v1::JourneyMoved {
        journey_id: journey.journey_id.to_string(),
        school_id: journey.school_id.to_string(),
        unit_id: journey.unit_id.map(|it| it.to_string()),
        kind: it.kind.to_wire(),
        from: it.from.map(Twin::to_wire),
        to: it.to.map(Twin::to_wire),
        rationale: Some(rationale.commitment()),
        evidence: it.evidence.iter().cloned().map(Into::into).collect(),
        ratings: it.ratings.iter().cloned().map(Into::into).collect(),
        suggested: it.suggested.map(Twin::to_wire),
        quick: it.quick,
    };
    let version = u32::try_from(it.version).map_err(Error::internal)?;
    let stream = format!("journey/{}", journey.journey_id);
    let draft = Draft::new(it.transition_id.0, journey.trust_id.0, stream, version, &message)
        .effective_on(it.effective_on)
        .with_texts([rationale]);
    Ok(match it.corrects {
        Some(wrong) => draft.correcting(wrong.0),
        None => draft,
    })
}

pub(crate) fn journey_rated(
    event_id: Uuid,
    journey: &Journey,
    round: &RatingRound,
    rationale: Text,
) -> Result<Draft> {
    let message = v1::JourneyRated {
        journey_id: journey.journey_id.to_string(),
        ratings: round.ratings.iter().cloned().map(Into::into).collect(),
        rationale: Some(rationale.commitment()),
    };
    let version = u32::try_from(round.version).map_err(Error::internal)?;
    let stream = format!("journey/{}", journey.journey_id);
    Ok(Draft::new(event_id, journey.trust_id.0, stream, version, &message)
        .effective_on(round.effective_on)
        .with_texts([rationale]))
}

/// `version` is that of the stream of all imports.
pub(crate) fn register_imported(event_id: Uuid, version: u32, it: &ImportReport) -> Draft {
    let message = v1::RegisterImported {
        import_id: it.import_id.to_string(),
        file: it.file.to_wire(),
        sha256: it.sha256.clone(),
        rows: it.rows,
        added: it.counts.added,
        changed: it.counts.changed,
        unchanged: it.counts.unchanged,
        closed: it.counts.closed,
        quarantined: it.quarantined,
    };
    Draft::new(event_id, Uuid::nil(), REGISTER, version, &message)
}

/// The stream of all imports.
pub(crate) const REGISTER: &str = "register";

fn told_of(it: &Details) -> v1::SchoolDetails {
    v1::SchoolDetails {
        urn: it.urn.to_string(),
        name: it.name.clone(),
        phase: it.phase.to_wire(),
        status: it.status.to_wire(),
        la_code: it.la_code.clone(),
        laestab: it.laestab.as_ref().map(ToString::to_string),
        ukprn: it.ukprn.as_ref().map(ToString::to_string),
        capacity: count_if(it.capacity),
        pupils: count_if(it.pupils),
        easting: count_if(it.easting),
        northing: count_if(it.northing),
        lowest_age: count_if(it.lowest_age),
        highest_age: count_if(it.highest_age),
    }
}

pub(crate) fn details(message: Option<v1::SchoolDetails>) -> Result<Details> {
    let it = message.ok_or_else(|| Error::internal("an event lacks its school's details"))?;
    Ok(Details {
        urn: number(&it.urn, Urn::parse)?,
        name: it.name,
        phase: Twin::told(it.phase)?,
        status: Twin::told(it.status)?,
        la_code: it.la_code,
        laestab: it.laestab.map(|it| number(&it, Laestab::parse)).transpose()?,
        ukprn: it.ukprn.map(|it| number(&it, Ukprn::parse)).transpose()?,
        capacity: whole(it.capacity)?,
        pupils: whole(it.pupils)?,
        easting: whole(it.easting)?,
        northing: whole(it.northing)?,
        lowest_age: whole(it.lowest_age)?,
        highest_age: whole(it.highest_age)?,
    })
}

/// A number that our own event must hold.
pub(crate) fn number<T>(text: &str, parse: impl FnOnce(&str) -> Result<T, Fault>) -> Result<T> {
    parse(text).map_err(Error::internal)
}

pub(crate) fn whole(value: Option<u32>) -> Result<Option<i32>> {
    value.map(i32::try_from).transpose().map_err(Error::internal)
}

pub(crate) fn school_id(text: &str) -> Result<SchoolId> {
    number(text, SchoolId::parse)
}
