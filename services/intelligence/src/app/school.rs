use contract::registry as pb;
use db::Tx;
use futures::future::BoxFuture;
use identity::{SchoolId, TrustId};
use journal::{Handler, Recorded};
use rpc::{Ctx, Error, Result};
use uuid::Uuid;

use crate::{domain::School, store};

/// Keeps the schools as the registry's journal tells of them.
#[derive(Clone, Copy, Debug)]
pub struct RegistryFollower;

impl Handler for RegistryFollower {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        _ctx: &'t Ctx,
        event: &'t Recorded,
    ) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            if let Some(it) = event.decode::<pb::SchoolJoined>()? {
                put(tx, event, &it.school_id, it.details).await?;
                store::school::leave(tx, id(&it.school_id)?, None, None).await
            } else if let Some(it) = event.decode::<pb::SchoolUpdated>()? {
                put(tx, event, &it.school_id, it.details).await
            } else if let Some(it) = event.decode::<pb::SchoolConverted>()? {
                let school_id = id(&it.school_id)?;
                store::school::name(tx, TrustId(event.trust_id), &it.previous_urn, school_id)
                    .await?;
                put(tx, event, &it.school_id, it.details).await
            } else if let Some(it) = event.decode::<pb::SchoolMerged>()? {
                leave(tx, event, &it.school_id, Some(&it.into_urn)).await
            } else if let Some(it) = event.decode::<pb::SchoolLeft>()? {
                leave(tx, event, &it.school_id, None).await
            } else {
                Ok(())
            }
        })
    }
}

async fn put(
    tx: &mut Tx,
    event: &Recorded,
    school_id: &str,
    details: Option<pb::SchoolDetails>,
) -> Result<()> {
    let details = details.ok_or_else(|| Error::internal("a school without details"))?;
    let (trust_id, school_id) = (TrustId(event.trust_id), id(school_id)?);
    let numbers = [Some(&details.urn), details.laestab.as_ref(), details.ukprn.as_ref()];
    for number in numbers.into_iter().flatten() {
        store::school::name(tx, trust_id, &number.replace('/', ""), school_id).await?;
    }
    let school = School {
        school_id,
        trust_id,
        urn: details.urn,
        name: details.name,
        left_on: None,
        successor_urn: None,
    };
    store::school::put(tx, &school).await
}

/// The day it was effective is the school's last.
async fn leave(
    tx: &mut Tx,
    event: &Recorded,
    school_id: &str,
    successor_urn: Option<&str>,
) -> Result<()> {
    let last = event.effective_on.unwrap_or_else(|| calendar::london_date(event.recorded_at));
    store::school::leave(tx, id(school_id)?, Some(last), successor_urn).await
}

fn id(text: &str) -> Result<SchoolId> {
    Uuid::try_parse(text).map(SchoolId).map_err(Error::internal)
}
