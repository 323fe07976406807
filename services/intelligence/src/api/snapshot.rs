//! What a push says it is all of.

use contract::intelligence as pb;
use rpc::{Ctx, Error, Fault, Fields, Result};

use crate::{
    App,
    domain::{Feed, Kind, Snapshot, SnapshotAsked},
};

/// The snapshot a push asks for, with its schools found.
pub(super) async fn read(
    app: &App,
    ctx: &Ctx,
    feed: &Feed,
    header: &pb::PushRecordsRequest,
) -> Result<Option<Snapshot>> {
    let Some(snapshot) = &header.snapshot else {
        if header.confirm_removal.is_some() {
            let fault = Fault::invalid("is of a snapshot, and this push has none");
            return Err(Error::field("/confirmRemoval", fault));
        }
        return Ok(None);
    };
    let asked = asked(snapshot, header.confirm_removal)?;
    app.snapshot(ctx, feed, asked).await.map(Some)
}

fn asked(it: &pb::Snapshot, confirmed: Option<u32>) -> Result<SnapshotAsked> {
    let mut fields = Fields::new();
    let kind = fields.listed::<Kind>("/snapshot/kind", it.kind);
    if kind.is_some_and(|it| !it.has_snapshots()) {
        fields.refuse("/snapshot/kind", Fault::invalid("has no snapshots"));
    }
    let starts_on = fields.optional("/snapshot/startsOn", it.starts_on.as_deref(), identity::date);
    let ends_on = fields.optional("/snapshot/endsOn", it.ends_on.as_deref(), identity::date);
    if let (Some(Some(starts_on)), Some(Some(ends_on))) = (starts_on, ends_on)
        && ends_on < starts_on
    {
        fields.refuse("/snapshot/endsOn", Fault::invalid("is before startsOn"));
    }
    let urns = it.urns.clone();
    fields.done(|| {
        Some(SnapshotAsked {
            kind: kind?,
            urns,
            starts_on: starts_on?,
            ends_on: ends_on?,
            confirmed,
        })
    })
}
