//! The events of erasures, holds, retention and pseudonyms, and what state they leave.

use contract::{common::TextCommitment, intelligence as pb};
use db::{Tx, on};
use identity::TrustId;
use journal::{Draft, Recorded, text::Text};
use rpc::{Error, Result, Twin};
use uuid::Uuid;

use super::{erasure, hold, retention};
use crate::domain::{Erasure, ErasureId, HoldId, LegalHold, Went};

pub(crate) fn person_erased(it: &Erasure, authority: Text, event_id: Uuid) -> Draft {
    let message = pb::PersonErased {
        erasure_id: it.erasure_id.to_string(),
        subject: it.subject.to_wire(),
        erased: rows(&it.erased),
        authority: Some(authority.commitment()),
    };
    draft_of_erasure(it, 1, &message, event_id).with_texts([authority])
}

pub(crate) fn erasure_scrubbed(it: &Erasure, how: &str, event_id: Uuid) -> Draft {
    let message =
        pb::ErasureScrubbed { erasure_id: it.erasure_id.to_string(), how: how.to_owned() };
    draft_of_erasure(it, it.version + 1, &message, event_id)
}

pub(crate) fn erasure_lifted(it: &Erasure, reason: Text, event_id: Uuid) -> Draft {
    let message = pb::ErasureLifted {
        erasure_id: it.erasure_id.to_string(),
        reason: Some(reason.commitment()),
    };
    draft_of_erasure(it, it.version + 1, &message, event_id).with_texts([reason])
}

fn draft_of_erasure<M>(it: &Erasure, version: u32, message: &M, event_id: Uuid) -> Draft
where
    M: prost::Message + prost::Name,
{
    let stream = format!("erasure/{}", it.erasure_id);
    Draft::new(event_id, it.trust_id.0, stream, version, message)
}

pub(crate) fn legal_hold_given(it: &LegalHold, reason: Text, event_id: Uuid) -> Draft {
    let message = pb::LegalHoldGiven {
        hold_id: it.hold_id.to_string(),
        kinds: it.kinds.iter().copied().map(Twin::to_wire).collect(),
        of_person: it.of_person,
        reason: Some(reason.commitment()),
    };
    let stream = format!("legal-hold/{}", it.hold_id);
    Draft::new(event_id, it.trust_id.0, stream, 1, &message).with_texts([reason])
}

pub(crate) fn legal_hold_lifted(it: &LegalHold, reason: Text, event_id: Uuid) -> Draft {
    let message =
        pb::LegalHoldLifted { hold_id: it.hold_id.to_string(), reason: Some(reason.commitment()) };
    let stream = format!("legal-hold/{}", it.hold_id);
    Draft::new(event_id, it.trust_id.0, stream, it.version + 1, &message).with_texts([reason])
}

pub(crate) fn retention_set(
    (trust_id, what): (TrustId, &str),
    months: Option<u32>,
    version: u32,
    event_id: Uuid,
) -> Draft {
    let message = pb::RetentionSet { what: what.to_owned(), months };
    Draft::new(event_id, trust_id.0, format!("retention/{trust_id}:{what}"), version, &message)
}

pub(crate) fn retention_applied(
    trust_id: TrustId,
    before: &str,
    went: &[Went],
    event_id: Uuid,
) -> Draft {
    let message = pb::RetentionApplied { before: before.to_owned(), erased: rows(went) };
    Draft::new(event_id, trust_id.0, format!("retention-run/{event_id}"), 1, &message)
}

pub(crate) fn pseudonyms_renewed(
    trust_id: TrustId,
    (generation, people): (u32, u64),
    version: u32,
    event_id: Uuid,
) -> Draft {
    let message = pb::PseudonymsRenewed { generation, people };
    Draft::new(event_id, trust_id.0, format!("pseudonyms/{trust_id}"), version, &message)
}

fn rows(went: &[Went]) -> Vec<pb::ErasedRows> {
    went.iter().map(|it| pb::ErasedRows { what: it.what.clone(), rows: it.rows }).collect()
}

/// Writes what an event of these changes; false for any other.
pub(crate) async fn project(tx: &mut Tx, event: &Recorded) -> Result<bool> {
    if let Some(it) = event.decode::<pb::PersonErased>()? {
        erasure::insert(tx, &erased(event, it)?).await?;
    } else if let Some(it) = event.decode::<pb::ErasureScrubbed>()? {
        let erasure_id = ErasureId(id(&it.erasure_id)?);
        erasure::scrubbed(tx, erasure_id, (event.recorded_at, &it.how), event.version).await?;
    } else if let Some(it) = event.decode::<pb::ErasureLifted>()? {
        let erasure_id = ErasureId(id(&it.erasure_id)?);
        erasure::lifted(tx, erasure_id, event.recorded_at, event.version).await?;
    } else if let Some(it) = event.decode::<pb::LegalHoldGiven>()? {
        hold::insert(tx, &given(event, &it)?).await?;
    } else if let Some(it) = event.decode::<pb::LegalHoldLifted>()? {
        let reason = text_id(it.reason.as_ref())?;
        let by = (event.recorded_at, event.actor.as_str(), reason);
        hold::lift(tx, HoldId(id(&it.hold_id)?), by, event.version).await?;
    } else if let Some(it) = event.decode::<pb::RetentionSet>()? {
        let trust_id = TrustId(event.trust_id);
        retention::put(tx, (trust_id, &it.what), it.months, event.version).await?;
    } else if let Some(it) = event.decode::<pb::PseudonymsRenewed>()? {
        renewed(tx, event, &it).await?;
    } else {
        return Ok(event.decode::<pb::RetentionApplied>()?.is_some());
    }
    Ok(true)
}

fn erased(event: &Recorded, it: pb::PersonErased) -> Result<Erasure> {
    Ok(Erasure {
        erasure_id: ErasureId(id(&it.erasure_id)?),
        trust_id: TrustId(event.trust_id),
        subject: Twin::told(it.subject)?,
        erased: it.erased.into_iter().map(|it| Went { what: it.what, rows: it.rows }).collect(),
        authority: text_id(it.authority.as_ref())?,
        erased_at: event.recorded_at,
        erased_by: event.actor.clone(),
        position: event.trust_position,
        scrubbed_at: None,
        scrubbed_how: None,
        lifted_at: None,
        version: event.version,
    })
}

fn given(event: &Recorded, it: &pb::LegalHoldGiven) -> Result<LegalHold> {
    Ok(LegalHold {
        hold_id: HoldId(id(&it.hold_id)?),
        trust_id: TrustId(event.trust_id),
        kinds: it.kinds.iter().map(|it| Twin::told(*it)).collect::<Result<_>>()?,
        of_person: it.of_person,
        person: None,
        reason: text_id(it.reason.as_ref())?,
        given_at: event.recorded_at,
        given_by: event.actor.clone(),
        lifted_at: None,
        lifted_by: None,
        lifted_reason: None,
        version: event.version,
    })
}

async fn renewed(tx: &mut Tx, event: &Recorded, it: &pb::PseudonymsRenewed) -> Result<()> {
    on!(tx, |c| {
        sqlx::query(
        "INSERT INTO pseudonym (trust_id, generation, renewed_at, version) VALUES ($1, $2, $3, $4)
         ON CONFLICT (trust_id) DO UPDATE
         SET generation = excluded.generation, renewed_at = excluded.renewed_at, version = excluded.version"
    )
    .bind(event.trust_id)
    .bind(i32::try_from(it.generation).map_err(Error::internal)?)
    .bind(event.recorded_at)
    .bind(i32::try_from(event.version).map_err(Error::internal)?)
    .execute(c)
    .await
    .map(drop)
    })?;
    Ok(())
}

fn text_id(it: Option<&TextCommitment>) -> Result<Option<Uuid>> {
    it.map(|it| id(&it.text_id)).transpose()
}

fn id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(Error::internal)
}
