use std::collections::HashSet;

use chrono::NaiveDate;
use contract::intelligence as pb;
use rpc::{Fault, Problem, Reason};

use super::{ID_LIMIT, reader::Reader};
use crate::domain::{BehaviourIncident, Body, Content, Fact, Kind, Session, Suspension};

/// The longest suspension: 45 days are the most a pupil may be suspended in a school year.
const SESSIONS: u32 = 90;
/// Reasons a suspension may have (DfE, school census).
const REASONS: usize = 3;
/// Points of an incident, either way.
const POINTS: i32 = 1000;

pub(super) fn suspension(
    it: pb::Suspension,
    today: NaiveDate,
) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::Suspension.field());
    reader.school(&it.urn);
    let pupil = reader.pupil("pupil", it.pupil);
    let starts_on = reader.past("startsOn", &it.starts_on, today);
    let session = reader.take("session", Session::parse(&it.session));
    let said = if it.deleted {
        Some(None)
    } else {
        let list = "suspension_categories";
        let category = reader.code("category", list, &it.category, starts_on);
        let reasons = reasons(&mut reader, &it.reasons, starts_on);
        let said = category.zip(reasons).zip(starts_on).zip(session);
        let said = said.map(|(((category, reasons), starts_on), session)| {
            let sessions = it.sessions;
            Suspension { category, starts_on, session, sessions, reasons }
        });
        if let Some(said) = &said {
            let fits = if said.is_permanent() { 0..=0 } else { 1..=SESSIONS };
            if !fits.contains(&said.sessions) {
                let detail = format!("must be 1 to {SESSIONS}, or 0 for a permanent exclusion");
                reader.refuse("sessions", Fault::invalid(detail));
            }
        }
        said.map(Some)
    };
    reader.done(it.urn, || {
        let (kind, person, on) = (Kind::Suspension, Some(pupil?), starts_on?);
        let key = Suspension::key(on, session?);
        Some(Fact { kind, person, on, key, content: said?.map(Content::Suspension) })
    })
}

fn reasons(
    reader: &mut Reader,
    codes: &[String],
    starts_on: Option<NaiveDate>,
) -> Option<Vec<String>> {
    if codes.is_empty() {
        reader.refuse("reasons", Fault::new(Reason::FieldRequired, "must hold one to three"));
        return None;
    }
    if codes.len() > REASONS {
        reader.refuse("reasons", Fault::invalid("must hold one to three"));
        return None;
    }
    let mut seen = HashSet::new();
    let mut reasons = Vec::with_capacity(codes.len());
    for (index, code) in codes.iter().enumerate() {
        let name = format!("reasons/{index}");
        let found = reader.code(&name, "suspension_reasons", code, starts_on);
        if !seen.insert(code.trim()) {
            reader.refuse(&name, Fault::invalid("is given already"));
        }
        reasons.push(found);
    }
    reasons.into_iter().collect()
}

pub(super) fn incident(
    it: pb::BehaviourIncident,
    today: NaiveDate,
) -> Result<Body<String>, Vec<Problem>> {
    let mut reader = Reader::new(Kind::BehaviourIncident.field());
    reader.school(&it.urn);
    let incident = reader.id("incident", it.incident, ID_LIMIT);
    let on = reader.past("on", &it.on, today);
    let pupil = match it.pupil {
        None => Some(None),
        Some(pupil) => reader.pupil("pupil", pupil).map(Some),
    };
    let said = if it.deleted {
        Some(None)
    } else {
        if it.points.is_some_and(|it| !(-POINTS..=POINTS).contains(&it)) {
            let detail = format!("must be −{POINTS} to {POINTS}");
            reader.refuse("points", Fault::invalid(detail));
        }
        let category = reader.code("category", "behaviour_categories", &it.category, on);
        let said = category.zip(on).zip(incident.clone());
        said.map(|((category, on), incident)| {
            Some(BehaviourIncident { incident, on, category, points: it.points })
        })
    };
    reader.done(it.urn, || {
        let content = said?.map(Content::BehaviourIncident);
        let (kind, key) = (Kind::BehaviourIncident, incident?);
        Some(Fact { kind, person: pupil?, on: on?, key, content })
    })
}
