use contract::registry as pb;
use db::Tx;
use futures::future::BoxFuture;
use identity::{Laestab, SchoolId, TrustId, Ukprn, Urn};
use journal::{Handler, Recorded};
use rpc::{Ctx, Error, Result};

use super::told;
use crate::store::school::{self, Departure, School};

/// Learns the trusts' schools from the registry.
#[derive(Clone, Copy, Debug)]
pub struct Schools;

impl Handler for Schools {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        _ctx: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(learn(tx, event))
    }
}

async fn learn(tx: &mut Tx, event: &Recorded) -> Result<()> {
    if let Some(it) = event.decode::<pb::SchoolJoined>()? {
        return put(tx, event, &it.school_id, it.details, false).await;
    }
    if let Some(it) = event.decode::<pb::SchoolUpdated>()? {
        return put(tx, event, &it.school_id, it.details, true).await;
    }
    if let Some(it) = event.decode::<pb::SchoolConverted>()? {
        return put(tx, event, &it.school_id, it.details, true).await;
    }
    if let Some(it) = event.decode::<pb::SchoolMerged>()? {
        let (school_id, into) =
            (told(SchoolId::parse(&it.school_id))?, told(Urn::parse(&it.into_urn))?);
        return school::depart(tx, school_id, Departure::Merged, Some(&into)).await;
    }
    if let Some(it) = event.decode::<pb::SchoolLeft>()? {
        let school_id = told(SchoolId::parse(&it.school_id))?;
        let departure = if it.closed { Departure::Closed } else { Departure::Moved };
        return school::depart(tx, school_id, departure, None).await;
    }
    Ok(())
}

/// Stores a school as the registry now has it. Joining ends a departure; an update leaves one as it is.
///
/// A LAESTAB or UKPRN that is not well formed only means that nobody can name the school by it here.
async fn put(
    tx: &mut Tx,
    event: &Recorded,
    school_id: &str,
    details: Option<pb::SchoolDetails>,
    keep_departure: bool,
) -> Result<()> {
    let school_id = told(SchoolId::parse(school_id))?;
    let details = details.ok_or_else(|| Error::internal("a school without details"))?;
    let before = if keep_departure { school::find(tx, school_id).await? } else { None };
    let (departure, successor_urn) =
        before.map_or((None, None), |it| (it.departure, it.successor_urn));
    let school = School {
        school_id,
        trust_id: TrustId(event.trust_id),
        urn: told(Urn::parse(&details.urn))?,
        laestab: details.laestab.as_deref().and_then(|it| Laestab::parse(it).ok()),
        ukprn: details.ukprn.as_deref().and_then(|it| Ukprn::parse(it).ok()),
        departure,
        successor_urn,
    };
    school::put(tx, &school).await
}
