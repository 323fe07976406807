//! The newest entries of the three journals, as sentences.

use chrono::{DateTime, Utc};
use contract::{
    improvement as imp, intelligence as int,
    journal::Event,
    registry::{self as reg, TransitionKind},
};
use maud::{Markup, html};
use prost::{Message, Name};

use super::{or_why, words};
use crate::view::{Journal, Tail, View, sentence};

pub(super) fn section(view: &View) -> Markup {
    html! {
        section id="journals" aria-labelledby="journals-heading" {
            h2 id="journals-heading" { "What was recorded last" }
            p { (totals(&view.journals)) }
            div class="journals" {
                @for journal in &view.journals {
                    div class="journal" {
                        h3 { (sentence(journal.service)) }
                        (or_why(&journal.tail, |tail| entries(view, tail)))
                    }
                }
            }
        }
    }
}

fn totals(journals: &[Journal]) -> String {
    let held: Vec<(&str, u64)> =
        journals.iter().filter_map(|it| Some((it.service, it.tail.as_ref().ok()?.head))).collect();
    if held.is_empty() {
        return "How many events the journals hold is not available.".to_owned();
    }
    let sum: u64 = held.iter().map(|(_, head)| head).sum();
    let each: Vec<String> = held
        .iter()
        .map(|(service, head)| format!("{service} {}", words::thousands(*head)))
        .collect();
    let missing =
        if held.len() < journals.len() { "; not every journal could be read" } else { "" };
    format!(
        "The journals hold {} events, none of which is ever changed: {}{missing}.",
        words::thousands(sum),
        each.join(", ")
    )
}

fn entries(view: &View, tail: &Tail) -> Markup {
    if tail.events.is_empty() {
        return html! { p { "Nothing yet." } };
    }
    html! {
        ol class="entries" {
            @for event in &tail.events {
                @let told = tell(view, event);
                li {
                    span class="when" {
                        "No. " (event.position)
                        @if let Some(at) = recorded_at(event) {
                            ", " time datetime=(at.to_rfc3339()) { (words::instant(at)) }
                        }
                    }
                    span class="what" {
                        @if let Some(school) = &told.school { strong { (school) } ": " }
                        (told.what)
                    }
                }
            }
        }
    }
}

fn recorded_at(event: &Event) -> Option<DateTime<Utc>> {
    let at = event.recorded_at.as_ref()?;
    DateTime::from_timestamp(at.seconds, u32::try_from(at.nanos).ok()?)
}

struct Told {
    school: Option<String>,
    what: String,
}

fn told(school: Option<String>, what: impl Into<String>) -> Told {
    Told { school, what: what.into() }
}

fn decode<M: Message + Name + Default>(event: &Event) -> Option<M> {
    (event.r#type == M::full_name()).then(|| M::decode(event.data.as_ref()).ok())?
}

fn tell(view: &View, event: &Event) -> Told {
    registry(view, event)
        .or_else(|| intelligence(view, event))
        .or_else(|| improvement(view, event))
        .unwrap_or_else(|| told(None, spoken(&event.r#type)))
}

/// The name of a message type that the page does not know yet, in words: `SchoolLeft` as `School left`.
fn spoken(full_name: &str) -> String {
    let name = full_name.rsplit('.').next().unwrap_or(full_name);
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    sentence(text.trim())
}

fn by_id(view: &View, school_id: &str) -> Option<String> {
    view.school(school_id).map(|it| it.name.clone())
}

fn named(details: Option<&reg::SchoolDetails>) -> Option<String> {
    details.map(|it| it.name.clone())
}

fn registry(view: &View, event: &Event) -> Option<Told> {
    if let Some(it) = decode::<reg::TrustCreated>(event) {
        return Some(told(None, format!("{} was set up", it.name)));
    }
    if let Some(it) = decode::<reg::SchoolJoined>(event) {
        return Some(told(named(it.details.as_ref()), "joined the trust"));
    }
    if let Some(it) = decode::<reg::SchoolUpdated>(event) {
        return Some(told(named(it.details.as_ref()), "the register has new details"));
    }
    if let Some(it) = decode::<reg::SchoolConverted>(event) {
        let urn = it.details.as_ref().map_or("", |it| it.urn.as_str());
        let what = format!("goes on under URN {urn}, until now {}", it.previous_urn);
        return Some(told(named(it.details.as_ref()), what));
    }
    if let Some(it) = decode::<reg::SchoolMerged>(event) {
        let what = format!("merged into {}", view.name_of(&it.into_urn));
        return Some(told(by_id(view, &it.school_id), what));
    }
    if let Some(it) = decode::<reg::SchoolLeft>(event) {
        let what = if it.closed { "closed" } else { "left the trust" };
        return Some(told(by_id(view, &it.school_id), what));
    }
    if let Some(it) = decode::<reg::UnitCreated>(event) {
        return Some(told(
            by_id(view, &it.school_id),
            format!("{} is followed by itself", it.name),
        ));
    }
    if let Some(it) = decode::<reg::JourneyMoved>(event) {
        return Some(told(by_id(view, &it.school_id), moved(&it, event)));
    }
    if let Some(it) = decode::<reg::JourneyRated>(event) {
        let journeys = view.journeys.as_deref().unwrap_or_default();
        let journey = journeys.iter().find(|one| one.journey_id == it.journey_id);
        let domains = words::count(it.ratings.len(), "domain", "domains");
        let school = journey.and_then(|one| by_id(view, &one.school_id));
        return Some(told(school, format!("{domains} of the rubric judged anew")));
    }
    None
}

fn moved(moved: &reg::JourneyMoved, event: &Event) -> String {
    let of = if moved.unit_id.is_some() { "a unit's journey: " } else { "" };
    let to = words::phase(moved.to());
    let what = match moved.kind() {
        TransitionKind::Opened => format!("journey opened at {to}"),
        TransitionKind::Emerging => format!("{to} begins to show"),
        TransitionKind::Entered => format!("entered {to}"),
        TransitionKind::EmergenceAbandoned => "what had begun to show did not hold".to_owned(),
        TransitionKind::FellBack => format!("fell back to {to}"),
        TransitionKind::Corrected => "an earlier judgement of the phase was corrected".to_owned(),
        TransitionKind::Unspecified => "journey moved".to_owned(),
    };
    let since =
        event.effective_on.as_deref().map(|it| format!(", with effect from {}", words::date(it)));
    format!("{of}{what}{}", since.unwrap_or_default())
}

fn intelligence(view: &View, event: &Event) -> Option<Told> {
    if let Some(it) = decode::<int::BatchApplied>(event) {
        return Some(batch(view, &it));
    }
    if let Some(it) = decode::<int::FeedCreated>(event) {
        return Some(told(None, format!("feed “{}” opened for {}", it.name, it.client_id)));
    }
    if let Some(it) = decode::<int::SignalRaised>(event) {
        let change = words::change(it.direction()).words;
        let what = format!(
            "{} {change}, {:.1} % in the week of {}, {}",
            view.measure_name(&it.measure),
            it.value,
            words::date(&it.week),
            words::rule(it.rule())
        );
        let school = by_id(view, &it.school_id).unwrap_or_else(|| view.name_of(&it.urn));
        return Some(told(Some(school), what));
    }
    if let Some(it) = decode::<int::SignalMoved>(event) {
        let signals = view.signals.as_deref().unwrap_or_default();
        let signal = signals.iter().find(|one| one.signal_id == it.signal_id);
        let what = format!("signal {}", words::signal_state(it.to()));
        return Some(told(signal.map(|one| view.name_of(&one.urn)), what));
    }
    None
}

fn batch(view: &View, batch: &int::BatchApplied) -> Told {
    let feeds = view.feeds.as_deref().unwrap_or_default();
    let feed = feeds.iter().find(|it| it.feed_id == batch.feed_id);
    let from = feed.map(|it| format!(" from {}", it.name)).unwrap_or_default();
    let outcomes: Vec<String> = [
        (batch.accepted, "new"),
        (batch.corrected, "corrected"),
        (batch.unchanged, "unchanged"),
        (batch.parked, "parked"),
        (batch.rejected, "rejected"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, outcome)| format!("{} {outcome}", words::thousands(number.into())))
    .collect();
    let records = if batch.records == 1 { "record" } else { "records" };
    let number = words::thousands(batch.records.into());
    let what = format!("{number} {records} received{from}: {}", outcomes.join(", "));
    let school = feed.and_then(|it| match it.urns.as_slice() {
        [urn] => Some(view.name_of(urn)),
        _ => None,
    });
    told(school, what.trim_end_matches(": "))
}

fn improvement(view: &View, event: &Event) -> Option<Told> {
    let (project_id, what) = deed(view, event)?;
    let projects = view.projects.as_deref().unwrap_or_default();
    let project = projects.iter().find(|it| it.project_id == project_id);
    let school = project.and_then(|it| by_id(view, &it.school_id));
    let title = project.and_then(|it| it.title.as_deref());
    Some(told(school, title.map_or_else(|| sentence(&what), |title| format!("“{title}”: {what}"))))
}

/// Which project an event of the improvement service is about, and what was done.
fn deed(view: &View, event: &Event) -> Option<(String, String)> {
    if let Some(it) = decode::<imp::ProjectProposed>(event) {
        return Some((it.project_id, "project proposed".to_owned()));
    }
    if let Some(it) = decode::<imp::ProjectDiagnosed>(event) {
        return Some((it.project_id, "what it rests on was recorded".to_owned()));
    }
    if let Some(it) = decode::<imp::ProjectPlanned>(event) {
        return Some((it.project_id, "plan recorded".to_owned()));
    }
    if let Some(it) = decode::<imp::GoalSet>(event) {
        let what = format!(
            "goal set: {} from {:.1} to {:.1} by {}",
            view.measure_name(&it.measure),
            it.baseline,
            it.target,
            words::date(&it.due_on)
        );
        return Some((it.project_id, what));
    }
    if let Some(it) = decode::<imp::MilestoneSet>(event) {
        return Some((it.project_id, format!("milestone set for {}", words::date(&it.due_on))));
    }
    if let Some(it) = decode::<imp::MilestoneReached>(event) {
        return Some((it.project_id, "milestone reached".to_owned()));
    }
    if let Some(it) = decode::<imp::StocktakeScheduled>(event) {
        return Some((it.project_id, format!("stocktake due on {}", words::date(&it.due_on))));
    }
    if let Some(it) = decode::<imp::StocktakeHeld>(event) {
        return Some((it.project_id, "stocktake held".to_owned()));
    }
    if let Some(it) = decode::<imp::ImpactJudged>(event) {
        return Some((it.project_id, "impact judged".to_owned()));
    }
    let it = decode::<imp::ProjectMoved>(event)?;
    let what = format!("moved to {}", words::project_state(it.to()));
    Some((it.project_id, what))
}

#[cfg(test)]
mod tests {
    use super::spoken;

    #[test]
    fn an_unknown_event_is_told_by_its_name() {
        assert_eq!(spoken("headway.registry.v1.HubWasFormed"), "Hub was formed");
        assert_eq!(spoken(""), "");
    }
}
