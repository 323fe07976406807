//! What has changed beyond chance and waits for an answer, and what is being done.

use contract::{
    improvement::{Project, ProjectState},
    intelligence::Signal,
};
use maud::{Markup, html};

use super::{or_why, words};
use crate::view::View;

/// Rows shown of a list that is longer; the line below it says how many more there are.
const SHOWN: usize = 8;

pub(super) fn signals(view: &View) -> Markup {
    html! {
        section id="signals" aria-labelledby="signals-heading" {
            h2 id="signals-heading" { "Open signals" }
            (or_why(&view.signals, |signals| {
                let mut order: Vec<&Signal> = signals.iter().collect();
                order.sort_by_key(|it| !it.overdue);
                signal_table(view, &order)
            }))
        }
    }
}

fn signal_table(view: &View, signals: &[&Signal]) -> Markup {
    if signals.is_empty() {
        return html! { p { "None: nothing has changed beyond chance that still waits for an answer." } };
    }
    html! {
        table role="table" {
            caption { "Changes beyond chance that wait for an answer, overdue ones first" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "School" }
                    th scope="col" role="columnheader" { "What changed" }
                    th scope="col" role="columnheader" { "Answer" }
                }
            }
            tbody role="rowgroup" {
                @for signal in signals.iter().take(SHOWN) { (signal_row(view, signal)) }
            }
        }
        (more(signals.len()))
    }
}

fn signal_row(view: &View, signal: &Signal) -> Markup {
    let change = words::change(signal.direction());
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (view.name_of(&signal.urn)) }
            td role="cell" data-label="What changed" {
                span class={ "mark " (change.class) } aria-hidden="true" { (change.symbol) } " "
                strong { (view.measure_name(&signal.measure)) " " (change.words) }
                ": " (format!("{:.1} %", signal.value)) " in the week of " (words::date(&signal.week))
                ", " (words::rule(signal.rule()))
                " (" (format!("{:.1}", signal.lower_limit)) " to " (format!("{:.1} %", signal.upper_limit)) ")"
            }
            td role="cell" data-label="Answer" {
                (words::signal_state(signal.state()))
                @if !signal.owner_role.is_empty() { "; with " (signal.owner_role.replace('_', " ")) }
                @if !signal.respond_by.is_empty() { ", by " (words::date(&signal.respond_by)) }
                @if signal.overdue { " " strong class="overdue" { "overdue" } }
            }
        }
    }
}

/// Whether a project is still being worked on.
pub(super) fn is_open(project: &Project) -> bool {
    !matches!(project.state(), ProjectState::Closed | ProjectState::Abandoned)
}

pub(super) fn projects(view: &View) -> Markup {
    html! {
        section id="projects" aria-labelledby="projects-heading" {
            h2 id="projects-heading" { "Improvement projects" }
            (or_why(&view.projects, |projects| project_table(view, projects)))
        }
    }
}

fn project_table(view: &View, projects: &[Project]) -> Markup {
    let open: Vec<&Project> = projects.iter().filter(|it| is_open(it)).collect();
    if open.is_empty() {
        return html! { p { "None is open." } };
    }
    html! {
        table role="table" {
            caption { "Open projects, newest first" }
            thead role="rowgroup" {
                tr role="row" {
                    th scope="col" role="columnheader" { "School" }
                    th scope="col" role="columnheader" { "Project" }
                    th scope="col" role="columnheader" { "State" }
                }
            }
            tbody role="rowgroup" {
                @for project in open.iter().take(SHOWN) { (project_row(view, project)) }
            }
        }
        (more(open.len()))
    }
}

fn project_row(view: &View, project: &Project) -> Markup {
    let name = view
        .school(&project.school_id)
        .map_or_else(|| view.name_of(&project.urn), |it| it.name.clone());
    let reached = project.milestones.iter().filter(|it| it.reached_on.is_some()).count();
    html! {
        tr role="row" {
            th scope="row" role="rowheader" { (name) }
            td role="cell" data-label="Project" {
                (project.title.as_deref().unwrap_or("title erased"))
                @for goal in project.goals.iter().take(2) {
                    span class="aside" {
                        (view.measure_name(&goal.measure)) " from " (format!("{:.1}", goal.baseline))
                        " to " (format!("{:.1} %", goal.target)) " by " (words::date(&goal.due_on))
                    }
                }
            }
            td role="cell" data-label="State" {
                strong { (words::project_state(project.state())) }
                @if !project.milestones.is_empty() {
                    span class="aside" { (reached) " of " (project.milestones.len()) " milestones reached" }
                }
                @if !project.next_needs.is_empty() {
                    span class="aside" {
                        "next step still needs " (words::count(project.next_needs.len(), "thing", "things"))
                    }
                }
            }
        }
    }
}

fn more(number: usize) -> Markup {
    html! {
        @if let Some(rest) = number.checked_sub(SHOWN).filter(|it| *it > 0) {
            p class="aside" { "and " (rest) " more." }
        }
    }
}
