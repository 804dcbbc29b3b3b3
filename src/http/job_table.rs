//! The table of jobs: each with its states and its last executions as cells.

use ci_history::Timestamp;
use maud::{Markup, html};

use super::format::{ago, breakable, link, short};
use super::grid_path::grid_path;
use super::job_column::JobColumn;
use super::job_path::page_of;
use super::job_state::{JobFacts, JobState};
use super::listing::heading;
use super::query::PageQuery;
use super::status::{JobEntry, JobPage};
use super::window::window;
use crate::base::human::span;

/// Executions in a row of the table.
const CELLS: usize = 10;

/// The jobs of one page.
pub(super) fn job_table(jobs: &JobPage, query: &PageQuery, now: Timestamp) -> Markup {
    let columns = [
        JobColumn::Job,
        JobColumn::Project,
        JobColumn::State,
        JobColumn::LastExecution,
        JobColumn::Streak,
        JobColumn::Ratio,
        JobColumn::Since,
        JobColumn::Reason,
        JobColumn::Team,
    ];
    let sorting = query.wanted.sorting();
    html! {
        div.scroll tabindex="0" role="region" aria-label="Jobs" {
            table.jobs {
                thead {
                    tr {
                        @for column in columns {
                            (heading(column, sorting, |sorting| query.sorted_url(sorting, 1)))
                        }
                    }
                }
                tbody { @for job in &jobs.items { (job_row(job, now)) } }
            }
        }
    }
}

fn job_row(job: &JobEntry, now: Timestamp) -> Markup {
    let figures = &job.row.figures;
    let streak = figures.consecutive_failures;
    let percent = format!("{:.0} %", figures.failure_ratio() * 100.0);
    html! {
        tr.failing[streak > 0] {
            th.name scope="row" {
                @match page_of(job) {
                    Some(page) => a href=(page) { bdi.job { (job.row.name) } },
                    None => bdi.job { (job.row.name) },
                }
                @if !job.row.stage.is_empty() { small { bdi { (job.row.stage) } } }
            }
            td.place data-label="Project" { (place(job)) }
            td.states { (states(job, now)) }
            td.cells { (window(&figures.window, CELLS, job.project_url.as_deref())) }
            td.number data-label="Streak" { (streak) }
            td.number data-label="Failing" { (percent) }
            td data-label="Since" {
                @if let Some(since) = figures.failing.as_ref().and_then(|failing| failing.since) {
                    (ago(since, now))
                }
            }
            td.reason data-label="Last failure" { (last_failure(job)) }
            td.team data-label="Team" { @if let Some(team) = &job.team { bdi { (team) } } }
        }
    }
}

/// Project, ref and track.
fn place(job: &JobEntry) -> Markup {
    let track = job.track.as_deref();
    let of_ref =
        html! { bdi { (job.ref_name) } @if let Some(track) = track { " · " bdi { (track) } } };
    html! {
        a href=(PageQuery::of_project(&job.project).url(1)) { (breakable(&job.project)) }
        small {
            @match grid_path(&job.project, &job.ref_name, track) {
                Some(path) => a href=(path) { (of_ref) },
                None => (of_ref),
            }
        }
    }
}

/// The states as badges, with a sign each, and what they are about.
fn states(job: &JobEntry, now: Timestamp) -> Markup {
    let facts = JobFacts::of(&job.row);
    let figures = &job.row.figures;
    let mut states = facts.states(now).peekable();
    let since = |since: Option<Timestamp>| since.map(|since| span_since(since, now));
    let usual = figures.usual_duration.map(|usual| span(usual.seconds()));
    html! {
        @if states.peek().is_none() && figures.window_executions > 0 { span.faint { "Not failing" } }
        @for state in states {
            span class={ "badge " (state.as_str()) } {
                span aria-hidden="true" { (sign(state)) } " " (state.words())
            }
            @match state {
                JobState::Stuck => small {
                    "running for " (since(figures.running_since).unwrap_or_default())
                    @if let Some(usual) = &usual { ", usually " (usual) }
                },
                JobState::Waiting => small {
                    "for a runner for " (since(figures.pending_since).unwrap_or_default())
                    @if !job.row.tags.is_empty() { " with the tags " bdi { (job.row.tags) } }
                },
                JobState::Flaky => small { (figures.window_flaky) " of " (figures.window_executions) " passed on a retry" },
                JobState::Failing | JobState::AllowedFailure | JobState::Gone => {},
            }
        }
    }
}

fn span_since(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.unix().saturating_sub(since.unix());
    span(std::time::Duration::from_secs(seconds.try_into().unwrap_or(0)).as_secs_f64())
}

fn sign(state: JobState) -> &'static str {
    match state {
        JobState::Failing => "✕",
        JobState::Stuck => "▶",
        JobState::Waiting => "…",
        JobState::Flaky => "↻",
        JobState::AllowedFailure => "!",
        JobState::Gone => "–",
    }
}

fn last_failure(job: &JobEntry) -> Markup {
    let Some(failing) = &job.row.figures.failing else {
        return html! {};
    };
    let reason = failing
        .failure_reason
        .as_deref()
        .unwrap_or("no reason given");
    let words = html! { bdi { (reason.replace('_', " ")) } };
    html! {
        (link(failing.web_url.as_deref(), &words))
        @if let Some(commit) = &failing.commit { " " code { bdi { (short(commit)) } } }
    }
}
