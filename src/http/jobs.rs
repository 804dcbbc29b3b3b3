//! The table of jobs: each with its last executions as cells.

use maud::{Markup, html};

use super::address;
use super::shown::{ago, link, short, utc};
use super::status::{JobEntry, JobPage};
use crate::model::{Outcome, Timestamp, WindowEntry};

/// Executions that are drawn for a job.
const DRAWN: usize = 10;

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
                @match address::of(&job.project, &job.ref_name, &job.row.name) {
                    Some(page) => a href=(page) { bdi.job { (job.row.name) } },
                    None => bdi.job { (job.row.name) },
                }
                small {
                    (link(job.project_url.as_deref(), &project)) " · " bdi { (job.ref_name) }
                    @if !job.row.stage.is_empty() { " · " bdi { (job.row.stage) } }
                }
            }
            td { (window(&figures.window, DRAWN)) }
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

/// The window as cells, oldest first. Shape and letter tell outcomes apart, not colour alone.
pub(super) fn window(window: &[WindowEntry], most: usize) -> Markup {
    let drawn = &window[window.len().saturating_sub(most)..];
    html! {
        span.window {
            // The newest is always at the right end.
            @for _ in drawn.len()..most { span.cell { } }
            @for entry in drawn { (cell(entry)) }
        }
    }
}

/// Class, sign and words of an execution.
pub(super) fn sign(entry: &WindowEntry) -> (&'static str, &'static str, &'static str) {
    match (entry.outcome, entry.flaky) {
        (Outcome::Passed, false) => ("passed", "✓", "passed"),
        (Outcome::Passed, true) => ("flaky", "↻", "passed on a retry"),
        (Outcome::Failed, _) => ("failed", "✕", "failed"),
        (Outcome::AllowedFailure, _) => ("allowed", "!", "failed, which is allowed"),
        (Outcome::Canceled | Outcome::Skipped, _) => ("other", "–", entry.outcome.as_str()),
    }
}

fn cell(entry: &WindowEntry) -> Markup {
    let (class, sign, outcome) = sign(entry);
    let pipeline = entry.pipeline_id.map(|id| format!("pipeline {id}"));
    let commit = entry
        .commit
        .as_deref()
        .map(|commit| format!("commit {}", short(commit)));
    let finished = entry.finished_at.map(utc);
    let known = [Some(outcome.to_owned()), pipeline, commit, finished];
    let words = known.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let cell = html! {
        span class={ "cell " (class) } role="img" aria-label=(outcome) title=(words) { (sign) }
    };
    link(entry.web_url.as_deref(), &cell)
}

/// What the cells mean.
pub(super) fn legend() -> Markup {
    let of = |class: &str, sign: &str, words: &str| {
        html! { li { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (words) } }
    };
    html! {
        ul.legend {
            (of("passed", "✓", "passed"))
            (of("flaky", "↻", "passed on a retry"))
            (of("failed", "✕", "failed"))
            (of("allowed", "!", "allowed failure"))
            li { "oldest left, newest right" }
        }
    }
}
