//! Every school against every core measure, with its phase.

use contract::{
    intelligence::{Absent, Observation, Standing, observation},
    registry::{EducationPhase, Journey, School},
};
use maud::{Markup, html};

use super::{
    CORE, is_core, or_why,
    spark::{Limits, Series},
    words::{self, PHASES},
};
use crate::view::View;

/// A measure of the whole trust: numerators over denominators, never a mean of schools.
pub(super) struct Total {
    pub(super) percent: f64,
    pub(super) schools: usize,
    pub(super) period: String,
}

/// Sums the schools that have a value for the latest period any has.
pub(super) fn total(standings: &[Standing], measure: &str) -> Option<Total> {
    let shown = || {
        standings
            .iter()
            .filter(|it| is_core(it, measure))
            .filter_map(|it| it.latest.as_ref())
            .filter(|it| matches!(it.result, Some(observation::Result::Value(_))))
    };
    let newest = shown().max_by_key(|it| it.starts_on.as_str())?;
    let (mut numerator, mut denominator, mut schools) = (0_u64, 0_u64, 0);
    for observation in shown().filter(|it| it.starts_on == newest.starts_on) {
        if let (Some(over), Some(under)) = (observation.numerator, observation.denominator) {
            numerator += u64::from(over);
            denominator += u64::from(under);
            schools += 1;
        }
    }
    let (over, under) = (u32::try_from(numerator).ok()?, u32::try_from(denominator).ok()?);
    (under > 0).then(|| Total {
        percent: 100.0 * f64::from(over) / f64::from(under),
        schools,
        period: words::period(newest.period_kind(), &newest.starts_on, &newest.ends_on),
    })
}

pub(super) fn section(view: &View) -> Markup {
    html! {
        section id="schools" aria-labelledby="schools-heading" {
            h2 id="schools-heading" { "Schools" }
            @if let Err(why) = &view.standings { (super::unavailable(why)) }
            @if let Err(why) = &view.journeys { (super::unavailable(why)) }
            (or_why(&view.schools, |schools| table(view, schools)))
        }
    }
}

fn table(view: &View, schools: &[School]) -> Markup {
    let open: Vec<&School> = schools.iter().filter(|it| it.left_on.is_none()).collect();
    let standings = view.standings.as_deref().unwrap_or_default();
    // Roles are given because narrow screens lay the table out as cards, which hides its nature from some readers.
    html! {
        table role="table" class="standings" {
            caption {
                (words::count(open.len(), "school", "schools"))
                ": the latest value of each measure, its change against the school's own earlier weeks, and the phase of its improvement journey"
            }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "School" }
                    @for measure in CORE {
                        th scope="col" role="columnheader" {
                            (heading(view, measure))
                            @if let Some(total) = total(standings, measure) {
                                span class="period" { (total.period) }
                            }
                        }
                    }
                    th scope="col" role="columnheader" { "Phase of the journey" }
                }
            }
            tbody role="rowgroup" {
                @for school in &open { (row(view, school)) }
            }
            @if open.len() > 1 {
                tfoot role="rowgroup" {
                    tr role="row" {
                        th scope="row" role="rowheader" { "Trust as a whole" }
                        @for measure in CORE {
                            td role="cell" data-label=(heading(view, measure)) {
                                (whole(total(standings, measure).as_ref(), open.len()))
                            }
                        }
                        td role="cell" data-label="Phases" { (spread(view, &open)) }
                    }
                }
            }
        }
    }
}

fn heading(view: &View, measure: &str) -> String {
    let known = view
        .measures
        .as_ref()
        .ok()
        .and_then(|it| it.iter().find(|it| it.measure.replace('-', "_") == measure));
    known.map_or_else(|| view.measure_name(measure), |it| it.name.clone())
}

fn whole(total: Option<&Total>, schools: usize) -> Markup {
    html! {
        @match total {
            Some(total) => {
                strong class="value" { (format!("{:.1} %", total.percent)) }
                @if total.schools < schools {
                    span class="aside" { "of " (total.schools) " of " (schools) " schools" }
                }
            }
            None => span class="missing" { "not available" },
        }
    }
}

fn row(view: &View, school: &School) -> Markup {
    html! {
        tr role="row" {
            th scope="row" role="rowheader" id={ "school-" (school.school_id) } {
                (school.name)
                span class="aside" {
                    @if let Some(kind) = kind(school.phase()) { (kind) ", " }
                    @if let Some(pupils) = school.pupils { (words::thousands(pupils.into())) " pupils, " }
                    "URN " (school.urn)
                    @if !school.previous_urns.is_empty() {
                        ", formerly " (school.previous_urns.join(", "))
                    }
                }
            }
            @for measure in CORE {
                td role="cell" data-label=(heading(view, measure)) { (cell(view, school, measure)) }
            }
            td role="cell" class="journey" data-label="Phase of the journey" { (journey(view, school)) }
        }
    }
}

fn kind(phase: EducationPhase) -> Option<&'static str> {
    Some(match phase {
        EducationPhase::Nursery => "Nursery",
        EducationPhase::Primary => "Primary",
        EducationPhase::MiddleDeemedPrimary | EducationPhase::MiddleDeemedSecondary => "Middle",
        EducationPhase::Secondary => "Secondary",
        EducationPhase::AllThrough => "All-through",
        EducationPhase::SixteenPlus => "16 plus",
        EducationPhase::NotApplicable | EducationPhase::Unspecified => return None,
    })
}

fn is_of(school: &School, urn: &str) -> bool {
    school.urn == urn || school.previous_urns.iter().any(|it| it == urn)
}

fn cell(view: &View, school: &School, measure: &str) -> Markup {
    let Ok(standings) = &view.standings else {
        return html! { span class="missing" { "not available" } };
    };
    let standing = standings.iter().find(|it| is_core(it, measure) && is_of(school, &it.urn));
    let Some(standing) = standing else {
        return missing(Absent::NotAvailable);
    };
    let change = words::change(standing.direction());
    let limits = match (standing.lower_limit, standing.centre, standing.upper_limit) {
        (Some(lower), Some(centre), Some(upper)) => Some(Limits { lower, centre, upper }),
        _ => None,
    };
    let hidden = observation::Result::Absent(Absent::Suppressed.into());
    let suppressed = standing.latest.as_ref().and_then(|it| it.result) == Some(hidden);
    let series = Series { values: &standing.recent, limits };
    html! {
        div class={ "measure " (change.class) } {
            div class="figures" {
                (value(standing.latest.as_ref()))
                @if let Some(period) = other_period(standings, standing) {
                    span class="aside" { (period) }
                }
                span class="change" {
                    span class={ "mark " (change.class) } aria-hidden="true" { (change.symbol) } " " (change.words)
                }
            }
            @if !standing.recent.is_empty() && !suppressed { (series.svg()) }
        }
    }
}

/// The period of a value that is not the one its column speaks of.
fn other_period(standings: &[Standing], standing: &Standing) -> Option<String> {
    let latest = standing.latest.as_ref().filter(|it| it.result.is_some())?;
    let period = words::period(latest.period_kind(), &latest.starts_on, &latest.ends_on);
    let column = total(standings, &standing.measure.replace('-', "_"))?.period;
    (period != column).then_some(period)
}

fn value(latest: Option<&Observation>) -> Markup {
    match latest.and_then(|it| it.result) {
        Some(observation::Result::Value(value)) => {
            html! { strong class="value" { (format!("{value:.1} %")) } " " }
        }
        Some(observation::Result::Absent(why)) => {
            missing(Absent::try_from(why).unwrap_or(Absent::NotAvailable))
        }
        None => missing(Absent::NotAvailable),
    }
}

fn missing(why: Absent) -> Markup {
    html! { span class="missing" title=(words::why_absent(why)) { (words::absent(why)) } " " }
}

fn school_journey<'a>(view: &'a View, school: &School) -> Option<&'a Journey> {
    let journeys = view.journeys.as_ref().ok()?;
    journeys.iter().find(|it| it.unit_id.is_none() && it.school_id == school.school_id)
}

fn journey(view: &View, school: &School) -> Markup {
    if view.journeys.is_err() {
        return html! { span class="missing" { "not available" } };
    }
    let settled = school_journey(view, school).and_then(|it| Some((it, it.settled?)));
    let Some((journey, _)) = settled else {
        return html! { span class="missing" { "no journey opened" } };
    };
    html! {
        (steps(journey))
        strong { (words::phase(journey.settled())) }
        @if journey.emerging.is_some() {
            span class="emerging" {
                " " span aria-hidden="true" { "→ " } (words::phase(journey.emerging())) " emerging"
            }
        }
        @if let Some(since) = &journey.since {
            span class="aside" { "since " (words::date(since)) }
        }
        @if let Some(suggestion) = journey.suggestion.filter(|it| it.differs_from_settled) {
            span class="differs" {
                span aria-hidden="true" { "≠ " } "rubric suggests " (words::phase(suggestion.phase()))
            }
        }
    }
}

/// The four phases as steps: done and present ones filled, the emerging one half. The words beside it say the same.
fn steps(journey: &Journey) -> Markup {
    html! {
        svg class="steps" viewBox="0 0 68 14" aria-hidden="true" focusable="false" {
            @for (index, phase) in (0_i32..).zip(PHASES) {
                @let x = 1 + 17 * index;
                rect class="step" x=(x) y="2" width="13" height="10" rx="2" {}
                @if phase <= journey.settled() {
                    rect class="reached" x=(x) y="2" width="13" height="10" rx="2" {}
                } @else if journey.emerging.is_some() && phase == journey.emerging() {
                    rect class="emerging" x=(x) y="2" width="6.5" height="10" rx="2" {}
                }
            }
        }
    }
}

fn spread(view: &View, open: &[&School]) -> Markup {
    let number = |phase| {
        open.iter()
            .filter_map(|it| school_journey(view, it)?.settled)
            .filter(|it| *it == i32::from(phase))
            .count()
    };
    let text: Vec<String> = PHASES
        .into_iter()
        .map(|phase| (number(phase), phase))
        .filter(|(number, _)| *number > 0)
        .map(|(number, phase)| format!("{number} {}", words::phase(phase)))
        .collect();
    html! { (if text.is_empty() { "not available".to_owned() } else { text.join(", ") }) }
}

/// Schools that are the trust's no longer, and where they went.
pub(super) fn gone(view: &View) -> Markup {
    let schools = view.schools.as_deref().unwrap_or_default();
    let mut gone: Vec<(&str, &School)> =
        schools.iter().filter_map(|it| Some((it.left_on.as_deref()?, it))).collect();
    gone.sort_by(|one, other| other.0.cmp(one.0));
    html! {
        @if !gone.is_empty() {
            section id="gone" aria-labelledby="gone-heading" {
                h2 id="gone-heading" { "Schools that left or merged" }
                ul {
                    @for (left_on, school) in gone {
                        li {
                            strong { (school.name) } " (URN " (school.urn) ") "
                            @match &school.merged_into_urn {
                                Some(urn) => { "merged into " strong { (view.name_of(urn)) } }
                                None => "left or closed",
                            }
                            " on " (words::date(left_on)) "."
                        }
                    }
                }
            }
        }
    }
}
