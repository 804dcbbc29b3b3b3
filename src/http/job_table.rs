//! The table of jobs: each with its last executions as cells.

use ci_history::Timestamp;
use maud::{Markup, html};

use super::format::{ago, link, short};
use super::job_path::page_of;
use super::status::{JobEntry, JobPage};
use super::window::window;

/// Executions in a row of the table.
const CELLS: usize = 10;

/// The jobs of one page.
pub(super) fn job_table(jobs: &JobPage, now: Timestamp) -> Markup {
    if jobs.items.is_empty() {
        return html! { section.empty { p { "No job matches." } } };
    }
    html! {
        table.jobs {
            thead {
                tr {
                    th { "Job" }
                    th { "Last executions" }
                    th.number { "Streak" }
                    th.number { "Failing" }
                    th { "Since" }
                    th { "Last failure" }
                    th { "Team" }
                }
            }
            tbody { @for job in &jobs.items { (job_row(job, now)) } }
        }
    }
}

fn job_row(job: &JobEntry, now: Timestamp) -> Markup {
    let figures = &job.row.figures;
    let streak = figures.consecutive_failures;
    let percent = format!("{:.0} %", figures.failure_ratio() * 100.0);
    let project = html! { bdi { (job.project) } };
    html! {
        tr.failing[streak > 0] {
            th.name scope="row" {
                @match page_of(job) {
                    Some(page) => a href=(page) { bdi.job { (job.row.name) } },
                    None => bdi.job { (job.row.name) },
                }
                small {
                    (link(job.project_url.as_deref(), &project)) " · " bdi { (job.ref_name) }
                    @if let Some(track) = &job.track { " · " (track) }
                    @if !job.row.stage.is_empty() { " · " bdi { (job.row.stage) } }
                }
            }
            td { (window(&figures.window, CELLS)) }
            td.number data-label="Streak" { (streak) }
            td.number data-label="Failing" { (percent) }
            td data-label="Since" {
                @if let Some(since) = figures.failing.as_ref().and_then(|failing| failing.since) {
                    (ago(since, now))
                }
            }
            td.reason data-label="Last failure" { (last_failure(job)) }
            td data-label="Team" { @if let Some(team) = &job.team { bdi { (team) } } }
        }
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
