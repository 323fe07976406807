//! What a caller asks of the log, checked.

use chrono::{DateTime, NaiveDate, Utc};
use contract::journal::ListEventsRequest;
use rpc::{Ctx, Fault, Fields, Result};

use crate::{Query, event_types};

const PAGE_CAP: u32 = 1000;
const PAGE_DEFAULT: u32 = 100;

/// The question, and how many events at the most.
pub(crate) fn read(ctx: &Ctx, it: &ListEventsRequest, head: i64) -> Result<(Query, i64)> {
    let mut fields = Fields::new();
    let size = it.page_size.unwrap_or(PAGE_DEFAULT);
    if size == 0 || size > PAGE_CAP {
        fields.refuse("/pageSize", Fault::invalid(format!("must be 1 to {PAGE_CAP}")));
    }
    let (after, before) = positions(&mut fields, it, head);
    let types = types(&mut fields, it);
    if it.stream.is_some() && it.subject.is_some() {
        let fault = "goes without stream, whose events are about one thing already";
        fields.refuse("/subject", Fault::invalid(fault));
    }
    let stream = named(&mut fields, "/stream", it.stream.as_deref());
    let subject = named(&mut fields, "/subject", it.subject.as_deref());
    let effective = days(&mut fields, it);
    let recorded = instants(&mut fields, it);
    let query = fields.done(|| {
        Some(Query {
            trust_id: ctx.own_trust(),
            after: after?,
            before: before?,
            newest_first: it.newest_first,
            stream: stream?,
            subject: subject?,
            types,
            effective,
            recorded,
        })
    })?;
    Ok((query, i64::from(size)))
}

/// A position to go on from is refused when the log has not come that far.
fn positions(fields: &mut Fields, it: &ListEventsRequest, head: i64) -> (Option<i64>, Option<i64>) {
    let beyond = || Fault::invalid(format!("is beyond the newest position, {head}"));
    let after = i64::try_from(it.after).ok().filter(|it| *it <= head);
    let after = fields.take("/after", after.ok_or_else(beyond));
    let before = match it.before {
        None => Some(i64::MAX),
        Some(0) => fields.take("/before", Err(Fault::invalid("must be 1 or more"))),
        Some(it) => {
            let before = i64::try_from(it).ok().filter(|it| *it <= head + 1);
            fields.take("/before", before.ok_or_else(beyond))
        }
    };
    if let (Some(after), Some(before)) = (after, before)
        && before <= after
    {
        fields.refuse("/before", Fault::invalid(format!("is not beyond after, {after}")));
    }
    (after, before)
}

/// The types asked for: one by name, or all of a kind of stream.
fn types(fields: &mut Fields, it: &ListEventsRequest) -> Option<Vec<String>> {
    let one = it.r#type.as_deref().map(|name| {
        let found = event_types().get(name);
        fields.take("/type", found.ok_or_else(|| Fault::invalid("is not a type of event")))
    });
    let Some(kind) = &it.stream_kind else { return it.r#type.clone().map(|it| vec![it]) };
    if it.stream.is_some() {
        fields.refuse("/streamKind", Fault::invalid("goes without stream, which has its kind"));
    }
    let package = format!("headway.{}.", it.service);
    let kinds = event_types().iter().filter(|(name, _)| name.starts_with(&package));
    let mut kinds: Vec<_> = kinds.map(|it| it.1.stream_kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    if !kinds.contains(&kind.as_str()) {
        let fault = Fault::invalid("is not a kind of stream of this journal").accepting(kinds);
        fields.refuse("/streamKind", fault);
    }
    match one {
        None => {
            let of_kind = event_types().iter().filter(|it| it.1.stream_kind == *kind);
            Some(of_kind.map(|it| it.0.clone()).collect())
        }
        Some(one) => {
            if let Some(other) = one.filter(|it| it.stream_kind != *kind) {
                let fault = format!("is recorded in streams of the kind {}", other.stream_kind);
                fields.refuse("/type", Fault::invalid(fault));
            }
            it.r#type.clone().map(|it| vec![it])
        }
    }
}

#[expect(clippy::option_option, reason = "absent and wrong are different answers")]
fn named(fields: &mut Fields, pointer: &str, name: Option<&str>) -> Option<Option<String>> {
    fields.optional(pointer, name, |it| {
        if it.is_empty() || it.contains('\0') {
            return Err(Fault::invalid("must be written as kind/id"));
        }
        Ok(it.to_owned())
    })
}

fn days(fields: &mut Fields, it: &ListEventsRequest) -> (Option<NaiveDate>, Option<NaiveDate>) {
    let (from, to) = (it.effective_from.as_deref(), it.effective_to.as_deref());
    let from = fields.optional("/effectiveFrom", from, identity::date).flatten();
    let to = fields.optional("/effectiveTo", to, identity::date).flatten();
    if from > to && to.is_some() {
        fields.refuse("/effectiveTo", Fault::invalid("is before effectiveFrom"));
    }
    (from, to)
}

fn instants(
    fields: &mut Fields,
    it: &ListEventsRequest,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let mut instant = |pointer, value: Option<pbjson_types::Timestamp>| {
        let value = value?;
        fields.take(pointer, value.try_into().map_err(|_| Fault::invalid("is not an instant")))
    };
    let from: Option<DateTime<Utc>> = instant("/recordedFrom", it.recorded_from);
    let to: Option<DateTime<Utc>> = instant("/recordedTo", it.recorded_to);
    if from > to && to.is_some() {
        fields.refuse("/recordedTo", Fault::invalid("is before recordedFrom"));
    }
    (from, to)
}
