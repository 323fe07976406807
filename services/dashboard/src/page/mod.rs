//! The page: its frame, and the part of it that changes.

mod chronicle;
mod lists;
mod schools;
mod spark;
mod words;

use contract::intelligence::{Direction, Measure, Standing};
use maud::{DOCTYPE, Markup, html};

use crate::view::{Section, View};

/// The measures of a board page, in this order; others are left to the pages of those who work on them.
const CORE: [&str; 3] = ["attendance", "persistent_absence", "severe_absence"];

/// The whole page.
pub fn page(view: &View) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en-GB" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (trust_name(view)) " – board page" }
                link rel="stylesheet" href="/board.css";
                script src="/board.js" defer {}
            }
            body {
                a class="skip" href="#schools" { "Skip to the schools" }
                main id="board" { (changing(view)) }
                p id="live" hidden { "Updates as events are recorded" }
            }
        }
    }
}

/// What changes when there are news: all that is inside `main`.
pub(crate) fn changing(view: &View) -> Markup {
    html! {
        header {
            h1 { (trust_name(view)) }
            p class="as-of" {
                "Board page: every school against every core measure. As of "
                time datetime=(view.read_at.to_rfc3339()) { (words::instant(view.read_at)) } "."
            }
            @if let Err(missing) = &view.trust { (unavailable(missing)) }
            @if view.demonstration {
                p class="notice" role="note" {
                    strong { "Synthetic demonstration data: not about the real schools." }
                    " The names come from the public register; every figure, judgement and project is made up."
                }
            }
        }
        (headlines(view))
        (schools::section(view))
        (schools::gone(view))
        div class="beside" {
            (lists::signals(view))
            (lists::projects(view))
        }
        (chronicle::section(view))
        (key(view))
    }
}

fn trust_name(view: &View) -> &str {
    view.trust.as_ref().map_or("Trust", |it| it.name.as_str())
}

fn unavailable(why: &str) -> Markup {
    html! { p class="unavailable" { span aria-hidden="true" { "⚠ " } (why) "." } }
}

/// A section's content, or why there is none.
fn or_why<T>(section: &Section<T>, show: impl FnOnce(&T) -> Markup) -> Markup {
    match section {
        Ok(content) => show(content),
        Err(why) => unavailable(why),
    }
}

fn is_core(standing: &Standing, measure: &str) -> bool {
    standing.measure.replace('-', "_") == measure
}

/// What a reader with one minute should take away.
fn headlines(view: &View) -> Markup {
    let open = view.schools.as_ref().map(|it| it.iter().filter(|it| it.left_on.is_none()).count());
    html! {
        ul class="headlines" aria-label="In short" {
            @if let Ok(open) = open {
                li { strong { (open) } " " (if open == 1 { "school" } else { "schools" }) }
            }
            @if let Ok(standings) = &view.standings {
                li { (attendance(standings)) }
                @for direction in [Direction::Worse, Direction::Better] {
                    @let change = words::change(direction);
                    @let number = standings
                        .iter()
                        .filter(|it| is_core(it, CORE[0]) && it.direction() == direction)
                        .count();
                    li {
                        strong { (number) } " " span class={ "mark " (change.class) } aria-hidden="true" { (change.symbol) }
                        " " (change.words) " on attendance"
                    }
                }
            }
            @if let Ok(signals) = &view.signals {
                @let overdue = signals.iter().filter(|it| it.overdue).count();
                li {
                    strong { (signals.len()) } " open " (if signals.len() == 1 { "signal" } else { "signals" })
                    @if overdue > 0 { ", " strong { (overdue) } " overdue" }
                }
            }
            @if let Ok(projects) = &view.projects {
                @let number = projects.iter().filter(|it| lists::is_open(it)).count();
                li { strong { (number) } " improvement " (if number == 1 { "project" } else { "projects" }) }
            }
        }
    }
}

fn attendance(standings: &[Standing]) -> Markup {
    html! {
        @if let Some(total) = schools::total(standings, CORE[0]) {
            strong { (format!("{:.1} %", total.percent)) } " attendance, " (total.period)
        } @else {
            "attendance of the trust not available"
        }
    }
}

/// How to read the page, and what the measures are.
fn key(view: &View) -> Markup {
    let defined = |id: &str| -> Option<&Measure> {
        view.measures.as_ref().ok()?.iter().find(|it| it.measure.replace('-', "_") == id)
    };
    html! {
        footer {
            h2 { "How to read this page" }
            ul class="key" {
                @for direction in [
                    Direction::Better, Direction::Worse, Direction::NoSignificantChange, Direction::TooLittleData,
                ] {
                    @let change = words::change(direction);
                    li {
                        span class={ "mark " (change.class) } aria-hidden="true" { (change.symbol) } " " (change.words)
                    }
                }
            }
            p {
                "Better and worse are changes of the school against its own earlier weeks that are unlikely to be chance. "
                "In the small charts the line is the weekly value, the shaded band its usual range, the dot the latest week. "
                "Persistent absence: pupils who missed 10 % or more of their possible sessions; severe: 50 % or more."
            }
            dl class="definitions" {
                @for measure in CORE.iter().filter_map(|it| defined(it)) {
                    div {
                        dt { (measure.name) }
                        dd {
                            (measure.numerator) " ÷ " (measure.denominator)
                            @if !measure.source.is_empty() { " (" (measure.source) ")" }
                        }
                    }
                }
            }
        }
    }
}
