use contract::registry as pb;
use db::Tx;
use futures::future::BoxFuture;
use identity::{SchoolId, TrustId};
use journal::{Handler, Journal, Recorded};
use rpc::{Ctx, Error, Result};
use uuid::Uuid;

use crate::{
    domain::{School, Unit, UnitId, UnitKind},
    store,
};

/// Keeps the schools and their units as the registry's journal tells of them.
#[derive(Clone, Debug)]
pub struct RegistryFollower(Journal);

impl RegistryFollower {
    /// For the journal of this service, in which it is told that a school is named otherwise.
    pub fn new(journal: Journal) -> Self {
        Self(journal)
    }

    async fn renumber(
        &self,
        tx: &mut Tx,
        ctx: &Ctx,
        event: &Recorded,
        it: &pb::SchoolConverted,
    ) -> Result<()> {
        let urn = it.details.as_ref().map(|it| it.urn.as_str()).unwrap_or_default();
        if urn == it.previous_urn {
            return Ok(());
        }
        let times = store::change::times_renumbered(tx, id(&it.school_id)?).await?;
        let version = u32::try_from(times).map_err(Error::internal)? + 1;
        let draft = store::event::school_renumbered(
            (event.trust_id, &it.school_id),
            (&it.previous_urn, urn),
            (version, ctx.new_id()),
        );
        self.0.record(tx, ctx, vec![draft]).await.map(drop)
    }
}

impl Handler for RegistryFollower {
    fn handle<'t>(
        &'t self,
        tx: &'t mut Tx,
        ctx: &'t Ctx,
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
                self.renumber(tx, ctx, event, &it).await?;
                put(tx, event, &it.school_id, it.details).await
            } else if let Some(it) = event.decode::<pb::SchoolMerged>()? {
                leave(tx, event, &it.school_id, Some(&it.into_urn)).await
            } else if let Some(it) = event.decode::<pb::SchoolLeft>()? {
                leave(tx, event, &it.school_id, None).await
            } else if let Some(it) = event.decode::<pb::UnitCreated>()? {
                store::unit::put(tx, &unit(event.trust_id, it)?).await
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

/// A kind that this version does not know has no records that are known to be its.
fn unit(trust_id: Uuid, it: pb::UnitCreated) -> Result<Unit> {
    let kind = match it.kind() {
        pb::UnitKind::YearGroup => UnitKind::YearGroup,
        pb::UnitKind::KeyStage => UnitKind::KeyStage,
        pb::UnitKind::Subject => UnitKind::Subject,
        pb::UnitKind::Department => UnitKind::Department,
        pb::UnitKind::Team | pb::UnitKind::Unspecified => UnitKind::Team,
    };
    Ok(Unit {
        unit_id: UnitId(Uuid::try_parse(&it.unit_id).map_err(Error::internal)?),
        trust_id: TrustId(trust_id),
        school_id: id(&it.school_id)?,
        kind,
        name: it.name,
        year_group: it.year_group.and_then(|it| i32::try_from(it).ok()),
    })
}

fn id(text: &str) -> Result<SchoolId> {
    Uuid::try_parse(text).map(SchoolId).map_err(Error::internal)
}
