//! How things stood on a date, as they were known at an instant: one mechanism for every resource of every service.
//!
//! The events that were known by then and in effect by then are replayed by the service's own projection into an empty
//! database in memory, and the service's own statements read the answer there.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, SubsecRound, Utc};
use db::{Tenant, Tx};
use rpc::{Ctx, Error, Fault, Fields, Reason, Result};
use uuid::Uuid;

use crate::{Journal, Query, Recorded, event_types, list, text};

/// Events read at once.
const CHUNK: i64 = 1000;

/// The two times a question may be put by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    pub effective_on: NaiveDate,
    pub known_at: DateTime<Utc>,
}

impl AsOf {
    /// The times a request names, neither of them in the future; nothing when it names none. The one left out is now.
    pub fn read(
        ctx: &Ctx,
        effective_on: Option<&str>,
        known_at: Option<pbjson_types::Timestamp>,
    ) -> Result<Option<Self>> {
        if effective_on.is_none() && known_at.is_none() {
            return Ok(None);
        }
        let mut fields = Fields::new();
        let past = |it| identity::past_date(it, ctx.today());
        let on = fields.optional("/effectiveOn", effective_on, past).flatten();
        let at = known_at.and_then(|it| fields.take("/knownAt", instant(ctx, it)));
        fields.done(|| {
            let (effective_on, known_at) = (on.unwrap_or(ctx.today()), at.unwrap_or(ctx.now));
            Some(Some(Self { effective_on, known_at }))
        })
    }
}

impl AsOf {
    /// What is said of something that was not there, or not known, by these times.
    pub fn absent(&self, what: &str, id: impl std::fmt::Display) -> Error {
        let detail = format!(
            "no {what} {id} in effect on {} as known at {}: ask for a later effectiveOn or knownAt",
            self.effective_on,
            self.known_at.to_rfc3339()
        );
        Error::new(Reason::NotFound, detail)
    }
}

fn instant(ctx: &Ctx, it: pbjson_types::Timestamp) -> Result<DateTime<Utc>, Fault> {
    let instant: DateTime<Utc> = it.try_into().map_err(|_| Fault::invalid("is not an instant"))?;
    if instant > ctx.now {
        return Err(Fault::new(Reason::DateInFuture, "lies in the future"));
    }
    Ok(instant.trunc_subsecs(6))
}

/// Which of a trust's events an answer is made of; the fewer, the sooner.
#[derive(Clone, Debug)]
pub enum Of<'a> {
    Stream(String),
    /// Every stream of these kinds.
    Kinds(&'a [&'a str]),
}

impl Journal {
    /// The service's tables as the trust's events had made them by both times, for any statement that reads.
    ///
    /// An event takes effect on its effective date, or on the day it was recorded in England; a correction with what it
    /// corrects; none before the one that began its stream. Rows are numbered as if no other event had been.
    pub async fn as_of(&self, trust_id: Uuid, at: AsOf, of: Of<'_>) -> Result<Tx> {
        let mut live = self.log.db.read_as(Tenant::Trust(trust_id)).await?;
        let known = known(&mut live, trust_id, at.known_at, of).await?;
        let known = self.log.current(&known)?.into_owned();
        let mut events = in_effect(known, at.effective_on);
        text::load(&mut live, &mut events).await?;
        drop(live);
        let mut then = self.log.reading.replica.begin().await?;
        self.log.project(&mut then, &events).await?;
        Ok(then)
    }
}

async fn known(
    tx: &mut Tx,
    trust_id: Uuid,
    by: DateTime<Utc>,
    of: Of<'_>,
) -> Result<Vec<Recorded>> {
    let mut query = Query { trust_id: Some(trust_id), ..Query::default() };
    match of {
        Of::Stream(stream) => query.stream = Some(stream),
        Of::Kinds(kinds) => {
            let of_kind =
                event_types().iter().filter(|it| kinds.contains(&it.1.stream_kind.as_str()));
            query.types = Some(of_kind.map(|it| it.0.clone()).collect());
        }
    }
    let mut known = Vec::new();
    loop {
        let chunk = list(tx, &query, CHUNK).await?;
        let full = i64::try_from(chunk.len()).is_ok_and(|it| it == CHUNK);
        query.after = chunk.last().map_or(query.after, |it| it.trust_position);
        let before = known.len() + chunk.len();
        known.extend(chunk.into_iter().take_while(|it| it.recorded_at <= by));
        if !full || known.len() < before {
            return Ok(known);
        }
    }
}

/// Those of the known events that are in effect by a day, in the order they were recorded.
fn in_effect(known: Vec<Recorded>, by: NaiveDate) -> Vec<Recorded> {
    let days = days(&known);
    let mut versions: HashMap<String, u32> = HashMap::new();
    let held = known.into_iter().zip(days).filter(|(_, day)| *day <= by);
    held.map(|(event, _)| {
        let version = versions.entry(event.stream.clone()).or_insert(0);
        *version += 1;
        Recorded { version: *version, ..event }
    })
    .collect()
}

/// The day each event takes effect.
fn days(known: &[Recorded]) -> Vec<NaiveDate> {
    let begun = begun(known);
    let place: HashMap<Uuid, usize> =
        known.iter().enumerate().map(|(index, it)| (it.event_id, index)).collect();
    let mut days: Vec<NaiveDate> = Vec::with_capacity(known.len());
    for event in known {
        let corrected = event.corrects.and_then(|it| days.get(*place.get(&it)?));
        let day = corrected.copied().unwrap_or_else(|| said(event));
        days.push(match begun.get(event.stream.as_str()) {
            Some((first, begins)) if *first == event.event_id => *begins,
            Some((_, begins)) => day.max(*begins),
            None => day,
        });
    }
    days
}

/// The first event of each stream, and the day the stream begins: that of the first event of the same type that nobody
/// has corrected. What began a stream wrongly, and was corrected, keeps nothing from taking effect.
fn begun(known: &[Recorded]) -> BTreeMap<&str, (Uuid, NaiveDate)> {
    let wrong: HashSet<Uuid> = known.iter().filter_map(|it| it.corrects).collect();
    let mut firsts: BTreeMap<&str, &Recorded> = BTreeMap::new();
    let mut begun: BTreeMap<&str, (Uuid, NaiveDate)> = BTreeMap::new();
    for event in known {
        let stream = event.stream.as_str();
        let first = firsts.entry(stream).or_insert(event);
        let counts = event.corrects.is_none() && !wrong.contains(&event.event_id);
        if event.kind == first.kind && counts {
            begun.entry(stream).or_insert((first.event_id, said(event)));
        }
    }
    for (stream, first) in firsts {
        begun.entry(stream).or_insert((first.event_id, said(first)));
    }
    begun
}

fn said(event: &Recorded) -> NaiveDate {
    event.effective_on.unwrap_or_else(|| calendar::london_date(event.recorded_at))
}
