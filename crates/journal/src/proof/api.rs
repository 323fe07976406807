//! Checkpoints and proofs for callers.

use contract::journal::{
    Checkpoint as Message, CheckpointKey, ConsistencyProof, GetCheckpointRequest,
    GetConsistencyProofRequest, GetInclusionProofRequest, InclusionProof,
    ListCheckpointKeysRequest, ListCheckpointKeysResponse,
};
use db::{Tx, on};
use rpc::{Ctx, Error, Fault, Reason, Result};
use uuid::Uuid;

use super::{
    Checkpoint, damaged, store,
    tiles::{HEIGHT, Stored, Tree},
    verify_consistency, verify_inclusion,
};
use crate::{
    Filter, Journal, Journals, Recorded,
    read::{events, head},
    service::show,
};

impl Journals {
    pub(crate) async fn get_checkpoint(
        &self,
        _: &Ctx,
        request: GetCheckpointRequest,
    ) -> Result<Message> {
        let mut tx = self.of(&request.service)?.db().read().await?;
        Ok(message(checkpoint(&mut tx, "/size", request.size).await?))
    }

    #[expect(clippy::unused_async, reason = "a door awaits every room")]
    pub(crate) async fn list_checkpoint_keys(
        &self,
        _: &Ctx,
        request: ListCheckpointKeysRequest,
    ) -> Result<ListCheckpointKeysResponse> {
        keys(self.of(&request.service)?)
    }

    pub(crate) async fn get_inclusion_proof(
        &self,
        ctx: &Ctx,
        request: GetInclusionProofRequest,
    ) -> Result<InclusionProof> {
        let journal = self.of(&request.service)?;
        let mut own = journal.db().read_as(ctx.tenant()).await?;
        let event = find(&mut own, ctx, &request).await?;
        drop(own);
        // The tree is over the events of all trusts; of others' a proof holds nothing but hashes.
        let mut tx = journal.db().read().await?;
        let checkpoint = checkpoint(&mut tx, "/size", request.size).await?;
        let position = u64::try_from(event.position).map_err(Error::internal)?;
        if position > checkpoint.size {
            return Err(not_yet(journal, &request, checkpoint.size));
        }
        let index = position - 1;
        let hashes = Tree::new(Stored(&mut tx), HEIGHT).inclusion(index, checkpoint.size).await?;
        verify_inclusion(&event.leaf(), index, checkpoint.size, &hashes, &checkpoint.root)
            .map_err(|_| contradicted(&checkpoint))?;
        Ok(InclusionProof {
            event: Some(show(&event, ctx.caller.reach, true)?),
            log_position: position,
            trust_position: u64::try_from(event.trust_position).map_err(Error::internal)?,
            leaf_index: index,
            hashes: hashes.into_iter().map(Into::into).collect(),
            checkpoint: Some(message(checkpoint)),
        })
    }

    pub(crate) async fn get_consistency_proof(
        &self,
        _: &Ctx,
        request: GetConsistencyProofRequest,
    ) -> Result<ConsistencyProof> {
        let mut tx = self.of(&request.service)?.db().read().await?;
        let second = checkpoint(&mut tx, "/second", request.second).await?;
        let first = request.first;
        if first == 0 || first > second.size {
            let fault = Fault::invalid(format!("must be 1 to the later size, {}", second.size));
            return Err(Error::field("/first", fault));
        }
        let mut tree = Tree::new(Stored(&mut tx), HEIGHT);
        let first_root = tree.root(first).await?;
        let hashes = tree.consistency(first, second.size).await?;
        verify_consistency(first, &first_root, second.size, &second.root, &hashes)
            .map_err(|_| contradicted(&second))?;
        let hashes = hashes.into_iter().map(Into::into).collect();
        Ok(ConsistencyProof { first, hashes, checkpoint: Some(message(second)) })
    }
}

pub(crate) fn keys(journal: &Journal) -> Result<ListCheckpointKeysResponse> {
    let keys = journal.keys()?;
    let listed = keys.verifiers(journal.service()).map_err(Error::internal)?;
    let keys_listed = listed
        .into_iter()
        .map(|(verifier, signing)| CheckpointKey { verifier_key: verifier.to_string(), signing });
    Ok(ListCheckpointKeysResponse {
        origin: keys.origin(journal.service()),
        keys: keys_listed.collect(),
    })
}

pub(crate) fn message(checkpoint: Checkpoint) -> Message {
    Message {
        size: checkpoint.size,
        root: checkpoint.root.into(),
        note: checkpoint.note,
        signed_at: Some(checkpoint.signed_at.into()),
    }
}

/// The checkpoint of a size, or the newest.
async fn checkpoint(tx: &mut Tx, pointer: &str, size: Option<u64>) -> Result<Checkpoint> {
    let latest = store::latest(tx).await?;
    let latest = latest.ok_or_else(|| {
        Error::new(Reason::NotFound, "no checkpoint yet: the first is signed with the first event")
    })?;
    let Some(size) = size.filter(|it| *it != latest.size) else { return Ok(latest) };
    if size > latest.size {
        let fault =
            Fault::invalid(format!("is beyond the newest checkpoint, of size {}", latest.size));
        return Err(Error::field(pointer, fault));
    }
    let next = store::after(tx, size.saturating_sub(1)).await?.unwrap_or(latest);
    if next.size != size {
        let fault =
            Fault::invalid(format!("no checkpoint has this size; the next has {}", next.size));
        return Err(Error::field(pointer, fault));
    }
    Ok(next)
}

/// The event a proof is asked for, as far as the caller reaches.
async fn find(tx: &mut Tx, ctx: &Ctx, request: &GetInclusionProofRequest) -> Result<Recorded> {
    let trust_id = ctx.own_trust();
    let (position, name) = match (&request.event_id, request.position) {
        (Some(id), None) => {
            let position = match Uuid::try_parse(id) {
                Ok(event_id) => located(tx, event_id, trust_id).await?,
                Err(_) => None,
            };
            (position.ok_or_else(|| Error::not_found("event", id))?, id.clone())
        }
        (None, Some(position)) => {
            let head = head(tx, trust_id).await?;
            let known = i64::try_from(position).ok().filter(|it| (1..=head).contains(it));
            let beyond = || Fault::invalid(format!("must be 1 to the newest position, {head}"));
            (known.ok_or_else(|| Error::field("/position", beyond()))?, position.to_string())
        }
        _ => {
            let fault = Fault::new(Reason::FieldRequired, "give either eventId or position");
            return Err(Error::field("/eventId", fault));
        }
    };
    let filter = Filter { trust_id, ..Filter::default() };
    let found = events(tx, position - 1, &filter, 1).await?.pop();
    found.ok_or_else(|| Error::not_found("event", name))
}

/// Where an event stands, as the caller counts.
async fn located(tx: &mut Tx, event_id: Uuid, trust_id: Option<Uuid>) -> Result<Option<i64>> {
    let Some(trust_id) = trust_id else {
        // The index is by trust and id: step from trust to trust instead of keeping another index for this.
        return Ok(on!(tx, |c| sqlx::query_scalar(
            "WITH RECURSIVE trust (id) AS (
                 SELECT * FROM (SELECT trust_id FROM event ORDER BY trust_id LIMIT 1) AS first
                 UNION ALL
                 SELECT (SELECT trust_id FROM event WHERE trust_id > id ORDER BY trust_id LIMIT 1)
                 FROM trust WHERE id IS NOT NULL
             )
             SELECT min(position) FROM trust JOIN event ON trust_id = id WHERE event_id = $1"
        )
        .bind(event_id)
        .fetch_one(c)
        .await)?);
    };
    Ok(on!(tx, |c| sqlx::query_scalar(
        "SELECT trust_position FROM event WHERE trust_id = $1 AND event_id = $2"
    )
    .bind(trust_id)
    .bind(event_id)
    .fetch_optional(c)
    .await)?)
}

fn not_yet(journal: &Journal, request: &GetInclusionProofRequest, size: u64) -> Error {
    if let Err(damaged) = journal.proof.intact() {
        return damaged;
    }
    if request.size.is_some() {
        return Error::field(
            "/size",
            Fault::invalid("the event was recorded after this checkpoint"),
        );
    }
    let detail = format!("the newest checkpoint, of size {size}, does not cover the event yet");
    Error::new(Reason::Unavailable, detail)
}

/// A proof that does not hold is not given out.
fn contradicted(checkpoint: &Checkpoint) -> Error {
    damaged(format!("its events are not those that checkpoint {} was signed over", checkpoint.size))
}
