//! The events of this service: how they are written, and what state they leave.

pub(crate) mod batch;

use contract::intelligence as pb;
use db::{Migrations, Tx};
use futures::future::BoxFuture;
use identity::{SchoolId, TrustId};
use journal::{Draft, Projection, Recorded, text::Text};
use rpc::{Error, Result, Twin};
use uuid::Uuid;

use crate::{
    domain::{Feed, FeedId, Measure, Signal, SignalEvent, SignalId},
    store,
};

pub(crate) fn feed_created(feed: &Feed, event_id: Uuid) -> Draft {
    let message = pb::FeedCreated {
        feed_id: feed.feed_id.to_string(),
        name: feed.name.clone(),
        client_id: feed.client_id.clone(),
        kinds: feed.kinds.iter().copied().map(Twin::to_wire).collect(),
        school_ids: feed.school_ids.iter().map(ToString::to_string).collect(),
    };
    Draft::new(event_id, feed.trust_id.0, format!("feed/{}", feed.feed_id), 1, &message)
}

/// A school is named by another URN.
pub(crate) fn school_renumbered(
    (trust_id, school_id): (Uuid, &str),
    (previous_urn, urn): (&str, &str),
    (version, event_id): (u32, Uuid),
) -> Draft {
    let message = pb::SchoolRenumbered {
        school_id: school_id.to_owned(),
        previous_urn: previous_urn.to_owned(),
        urn: urn.to_owned(),
    };
    Draft::new(event_id, trust_id, format!("school/{school_id}"), version, &message)
}

pub(crate) fn signal_raised(signal: &Signal, event_id: Uuid) -> Draft {
    let message = pb::SignalRaised {
        signal_id: signal.signal_id.to_string(),
        school_id: signal.school_id.to_string(),
        urn: signal.urn.clone(),
        measure: signal.measure.definition().key.to_owned(),
        rule: signal.rule.to_wire(),
        direction: signal.direction.to_wire(),
        week: signal.week.to_string(),
        value: signal.value,
        centre: signal.centre,
        lower_limit: signal.lower_limit,
        upper_limit: signal.upper_limit,
        owner_role: signal.owner_role.clone(),
        respond_by: signal.respond_by.to_string(),
    };
    Draft::new(event_id, signal.trust_id.0, format!("signal/{}", signal.signal_id), 1, &message)
}

/// The move of a signal; its reason is kept beside the journal.
pub(crate) fn signal_moved(signal: &Signal, event: SignalEvent, event_id: Uuid) -> Result<Draft> {
    let SignalEvent { from, to, project_id, rationale } = event;
    let rationale = rationale.map(Text::new).transpose()?;
    let message = pb::SignalMoved {
        signal_id: signal.signal_id.to_string(),
        from: from.to_wire(),
        to: to.to_wire(),
        project_id: project_id.map(|it| it.to_string()),
        rationale: rationale.as_ref().map(Text::commitment),
    };
    let stream = format!("signal/{}", signal.signal_id);
    let draft = Draft::new(event_id, signal.trust_id.0, stream, signal.version + 1, &message);
    Ok(draft.with_texts(rationale))
}

/// Feeds, mappings, batches and signals, as the journal tells of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct State;

impl Projection for State {
    fn tables(&self) -> &'static [&'static str] {
        &[
            "pseudonym",
            "retention",
            "legal_hold",
            "erasure",
            "school_change",
            "signal",
            "batch",
            "mapping",
            "feed_school",
            "feed",
        ]
    }

    fn schema(&self) -> Migrations {
        crate::migrations()
    }

    fn project<'t>(&'t self, tx: &'t mut Tx, events: &'t [Recorded]) -> BoxFuture<'t, Result<()>> {
        Box::pin(async move {
            let mut batches = batch::Batches::default();
            for (index, event) in events.iter().enumerate() {
                if !batches.take(index, event)? {
                    project(tx, event).await?;
                }
            }
            batches.write(tx, events).await
        })
    }

    fn clear<'t>(&'t self, tx: &'t mut Tx, stream: &'t str) -> BoxFuture<'t, Result<bool>> {
        Box::pin(async move {
            let Some(signal) = stream.strip_prefix("signal/") else { return Ok(false) };
            store::signal::remove(tx, SignalId(id(signal)?)).await?;
            Ok(true)
        })
    }
}

async fn project(tx: &mut Tx, event: &Recorded) -> Result<()> {
    if let Some(it) = event.decode::<pb::FeedCreated>()? {
        store::feed::insert(tx, &feed(event, &it)?).await
    } else if let Some(it) = event.decode::<pb::MappingSaved>()? {
        store::mapping::put(tx, event, it).await
    } else if let Some(it) = event.decode::<pb::SignalRaised>()? {
        store::signal::insert(tx, &raised(event, it)?).await
    } else if let Some(it) = event.decode::<pb::SignalMoved>()? {
        moved(tx, event, &it).await
    } else if let Some(it) = event.decode::<pb::SchoolRenumbered>()? {
        let (trust_id, school_id) = (TrustId(event.trust_id), SchoolId(id(&it.school_id)?));
        let urns = (it.previous_urn.as_str(), it.urn.as_str());
        store::change::renumber(tx, trust_id, event.position, school_id, urns).await
    } else if store::privacy::event::project(tx, event).await? {
        Ok(())
    } else {
        Err(Error::internal(format!("{} is not an event of this service", event.kind)))
    }
}

fn feed(event: &Recorded, it: &pb::FeedCreated) -> Result<Feed> {
    Ok(Feed {
        feed_id: FeedId(id(&it.feed_id)?),
        trust_id: TrustId(event.trust_id),
        name: it.name.clone(),
        client_id: it.client_id.clone(),
        kinds: it.kinds.iter().map(|it| Twin::told(*it)).collect::<Result<_>>()?,
        school_ids: it.school_ids.iter().map(|it| id(it).map(SchoolId)).collect::<Result<_>>()?,
        version: event.version,
        created_at: event.recorded_at,
    })
}

fn raised(event: &Recorded, it: pb::SignalRaised) -> Result<Signal> {
    Ok(Signal {
        signal_id: SignalId(id(&it.signal_id)?),
        trust_id: TrustId(event.trust_id),
        school_id: SchoolId(id(&it.school_id)?),
        measure: known(Measure::parse(&it.measure))?,
        rule: Twin::told(it.rule)?,
        direction: Twin::told(it.direction)?,
        week: it.week.parse().map_err(Error::internal)?,
        value: it.value,
        centre: it.centre,
        lower_limit: it.lower_limit,
        upper_limit: it.upper_limit,
        state: crate::domain::SignalState::Raised,
        owner_role: it.owner_role,
        respond_by: it.respond_by.parse().map_err(Error::internal)?,
        urn: it.urn,
        project_id: None,
        rationale: None,
        version: event.version,
        raised_at: event.recorded_at,
    })
}

async fn moved(tx: &mut Tx, event: &Recorded, it: &pb::SignalMoved) -> Result<()> {
    let state = Twin::told(it.to)?;
    let project_id = it.project_id.as_deref().map(id).transpose()?;
    let rationale = match &it.rationale {
        Some(commitment) => event.text(commitment)?,
        None => None,
    };
    let signal_id = SignalId(id(&it.signal_id)?);
    store::signal::advance(tx, signal_id, event.version, state, project_id, rationale).await
}

fn id(text: &str) -> Result<Uuid> {
    Uuid::try_parse(text).map_err(Error::internal)
}

fn known<T>(value: Option<T>) -> Result<T> {
    value.ok_or_else(|| Error::internal("an event holds a value this version does not know"))
}
