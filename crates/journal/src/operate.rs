//! What operators do about streams that consumers set aside, as RPCs.

use contract::journal as pb;
use rpc::{Ctx, Error, Fields, Reason, Result};

use crate::{Journals, ParkedStream};

impl Journals {
    pub(crate) async fn list_parked(
        &self,
        ctx: &Ctx,
        request: pb::ListParkedRequest,
    ) -> Result<pb::ListParkedResponse> {
        for_the_platform(ctx)?;
        let parked = self.of(&request.service)?.parked().await?;
        Ok(pb::ListParkedResponse { parked: parked.into_iter().map(show).collect::<Result<_>>()? })
    }

    pub(crate) async fn replay_parked(
        &self,
        ctx: &Ctx,
        request: pb::ReplayParkedRequest,
    ) -> Result<pb::ReplayParkedResponse> {
        for_the_platform(ctx)?;
        let reason = reason(request.reason)?;
        let journal = self.of(&request.service)?;
        let events = journal.replay_parked(ctx, &request.source, &request.stream, &reason).await?;
        Ok(pb::ReplayParkedResponse { events })
    }

    pub(crate) async fn skip_parked(
        &self,
        ctx: &Ctx,
        request: pb::SkipParkedRequest,
    ) -> Result<pb::SkipParkedResponse> {
        for_the_platform(ctx)?;
        let reason = reason(request.reason)?;
        let journal = self.of(&request.service)?;
        let position = i64::try_from(request.position).unwrap_or(i64::MAX);
        let (source, stream) = (&request.source, &request.stream);
        let next = journal.skip_parked(ctx, source, stream, position, &reason).await?;
        let parked_at_position = next.map(u64::try_from).transpose().map_err(Error::internal)?;
        Ok(pb::SkipParkedResponse { parked_at_position })
    }
}

/// Streams of every trust are parked together, so a trust's credential sees none of them.
fn for_the_platform(ctx: &Ctx) -> Result<()> {
    if ctx.own_trust().is_some() {
        let detail = "a credential confined to one trust does not operate consumers";
        return Err(Error::new(Reason::ScopeMissing, detail));
    }
    Ok(())
}

fn reason(text: String) -> Result<String> {
    let mut fields = Fields::new();
    let reason = fields.text("/reason", text);
    fields.done(|| reason)
}

fn show(parked: ParkedStream) -> Result<pb::Parked> {
    Ok(pb::Parked {
        source: parked.source,
        stream: parked.stream,
        position: u64::try_from(parked.position).map_err(Error::internal)?,
        event_id: parked.event_id.to_string(),
        r#type: parked.kind,
        reason: parked.reason,
        attempts: u32::try_from(parked.attempts).map_err(Error::internal)?,
        parked_at: Some(parked.parked_at.into()),
    })
}
