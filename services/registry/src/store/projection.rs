//! What each event changes in the tables.

use contract::{common::TextCommitment, registry as v1};
use db::{Migrations, Tx};
use futures::future::BoxFuture;
use identity::{CompaniesHouseNumber, GroupUid, TrustId, Ukprn, Urn};
use journal::{Projection, Recorded};
use rpc::{Error, Result, Twin};

use super::{
    access,
    event::{details, number, school_id, whole},
    journey, school, trust, unit, webhook_event,
};
use crate::domain::{
    history::RatingRound,
    journey::{Journey, JourneyId, Transition, TransitionId},
    register::Change,
    school::School,
    trust::Trust,
    unit::{Unit, UnitId},
};

/// The tables of trusts, schools, units and journeys, made from the journal.
#[derive(Debug)]
pub struct Tables;

impl Projection for Tables {
    fn tables(&self) -> &'static [&'static str] {
        &[
            "revoked_token",
            "identity_provider",
            "access_grant",
            "client",
            "webhook",
            "rating_round",
            "transition",
            "journey",
            "unit",
            "previous_urn",
            "school",
            "trust",
        ]
    }

    fn schema(&self) -> Migrations {
        crate::migrations()
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            for event in events {
                project(tx, event).await?;
            }
            Ok(())
        })
    }

    fn clear<'t>(&'t self, tx: &'t mut Tx, stream: &'t str) -> BoxFuture<'t, Result<bool>> {
        Box::pin(async move {
            let Some(id) = stream.strip_prefix("journey/") else { return Ok(false) };
            journey::remove(tx, number(id, JourneyId::parse)?).await?;
            Ok(true)
        })
    }
}

async fn project(tx: &mut Tx, event: &Recorded) -> Result<()> {
    if let Some(it) = event.decode::<v1::JourneyMoved>()? {
        return journey_moved(tx, event, it).await;
    }
    if let Some(it) = event.decode::<v1::JourneyRated>()? {
        return journey_rated(tx, event, it).await;
    }
    if let Some((id, change)) = school_change(event)? {
        return school_changed(tx, event, &id, &change).await;
    }
    if let Some(it) = event.decode::<v1::UnitCreated>()? {
        let unit = Unit {
            unit_id: number(&it.unit_id, UnitId::parse)?,
            school_id: school_id(&it.school_id)?,
            trust_id: TrustId(event.trust_id),
            kind: Twin::told(it.kind)?,
            name: it.name,
            year_group: whole(it.year_group)?,
            version: version(event)?,
        };
        return unit::insert(tx, &unit).await;
    }
    if let Some(it) = event.decode::<v1::TrustCreated>()? {
        return trust_created(tx, event, it).await;
    }
    if event.decode::<v1::RegisterImported>()?.is_some() {
        // The register itself is reference data; the event says that it changed.
        return Ok(());
    }
    if access::projection::project(tx, event).await? || webhook_event::project(tx, event).await? {
        return Ok(());
    }
    Err(Error::internal(format!("no table knows the event {}", event.kind)))
}

async fn trust_created(tx: &mut Tx, event: &Recorded, it: v1::TrustCreated) -> Result<()> {
    let trust = Trust {
        trust_id: TrustId(event.trust_id),
        name: it.name,
        group_uid: it.group_uid.map(|it| number(&it, GroupUid::parse)).transpose()?,
        ukprn: it.ukprn.map(|it| number(&it, Ukprn::parse)).transpose()?,
        companies_house_number: it
            .companies_house_number
            .map(|it| number(&it, CompaniesHouseNumber::parse))
            .transpose()?,
        version: version(event)?,
        created_at: event.recorded_at,
    };
    trust::insert(tx, &trust).await
}

fn school_change(event: &Recorded) -> Result<Option<(String, Change)>> {
    if let Some(it) = event.decode::<v1::SchoolJoined>()? {
        return Ok(Some((it.school_id, Change::Joined { details: details(it.details)? })));
    }
    if let Some(it) = event.decode::<v1::SchoolUpdated>()? {
        return Ok(Some((it.school_id, Change::Updated { details: details(it.details)? })));
    }
    if let Some(it) = event.decode::<v1::SchoolConverted>()? {
        let previous_urn = number(&it.previous_urn, Urn::parse)?;
        let details = details(it.details)?;
        return Ok(Some((it.school_id, Change::Converted { previous_urn, details })));
    }
    if let Some(it) = event.decode::<v1::SchoolMerged>()? {
        let urn = number(&it.urn, Urn::parse)?;
        let into = school_id(&it.into_school_id)?;
        let into_urn = number(&it.into_urn, Urn::parse)?;
        return Ok(Some((it.school_id, Change::Merged { urn, into, into_urn })));
    }
    if let Some(it) = event.decode::<v1::SchoolLeft>()? {
        let urn = number(&it.urn, Urn::parse)?;
        return Ok(Some((it.school_id, Change::Left { urn, closed: it.closed })));
    }
    Ok(None)
}

async fn school_changed(tx: &mut Tx, event: &Recorded, id: &str, change: &Change) -> Result<()> {
    let id = school_id(id)?;
    let mut school = match (school::find(tx, id).await?, change) {
        (Some(it), _) => it,
        (None, Change::Joined { details }) => School {
            school_id: id,
            trust_id: TrustId(event.trust_id),
            details: details.clone(),
            joined_on: event
                .effective_on
                .ok_or_else(|| Error::internal("a school joined on no day"))?,
            left_on: None,
            merged_into_urn: None,
            version: 0,
        },
        (None, _) => return Err(Error::internal(format!("school {id} never joined"))),
    };
    if change.ends_double() {
        return school::remove(tx, id).await;
    }
    school.take(change, event.effective_on);
    school.version = version(event)?;
    school::put(tx, &school).await?;
    match change {
        Change::Converted { previous_urn, .. } => {
            school::keep_previous_urn(tx, &school, previous_urn).await
        }
        _ => Ok(()),
    }
}

async fn journey_moved(tx: &mut Tx, event: &Recorded, it: v1::JourneyMoved) -> Result<()> {
    let journey = Journey {
        journey_id: number(&it.journey_id, JourneyId::parse)?,
        trust_id: TrustId(event.trust_id),
        school_id: school_id(&it.school_id)?,
        unit_id: it.unit_id.map(|it| number(&it, UnitId::parse)).transpose()?,
        version: version(event)?,
    };
    journey::put(tx, &journey).await?;
    let rationale = rationale(event, it.rationale.as_ref())?;
    let transition = Transition {
        transition_id: TransitionId(event.event_id),
        journey_id: journey.journey_id,
        version: journey.version,
        kind: Twin::told(it.kind)?,
        from: it.from.map(Twin::told).transpose()?,
        to: it.to.map(Twin::told).transpose()?,
        rationale,
        evidence: it.evidence.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        ratings: it.ratings.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        effective_on: effective_on(event)?,
        recorded_at: event.recorded_at,
        actor: event.actor.clone(),
        corrects: event.corrects.map(TransitionId),
        suggested: it.suggested.map(Twin::told).transpose()?,
        quick: it.quick,
    };
    journey::insert_transition(tx, &transition).await
}

async fn journey_rated(tx: &mut Tx, event: &Recorded, it: v1::JourneyRated) -> Result<()> {
    let journey_id = number(&it.journey_id, JourneyId::parse)?;
    let round = RatingRound {
        version: version(event)?,
        ratings: it.ratings.into_iter().map(TryInto::try_into).collect::<Result<_>>()?,
        effective_on: effective_on(event)?,
        recorded_at: event.recorded_at,
    };
    let rationale = rationale(event, it.rationale.as_ref())?;
    journey::set_version(tx, journey_id, round.version).await?;
    journey::insert_round(tx, journey_id, &round, rationale.as_deref(), &event.actor).await
}

/// Nothing when it has been erased.
fn rationale(event: &Recorded, commitment: Option<&TextCommitment>) -> Result<Option<String>> {
    let Some(commitment) = commitment else { return Ok(None) };
    Ok(event.text(commitment)?.map(str::to_owned))
}

fn effective_on(event: &Recorded) -> Result<chrono::NaiveDate> {
    event.effective_on.ok_or_else(|| Error::internal("an event of a journey has no effective date"))
}

fn version(event: &Recorded) -> Result<i32> {
    i32::try_from(event.version).map_err(Error::internal)
}
