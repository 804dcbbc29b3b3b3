//! The jobs of a pipeline: how many are in which state, and each in a table.

use ci_history::{ExecutionRow, ExecutionState, Outcome, Timestamp};
use maud::{Markup, html};

use super::format::{ago, link};
use super::job_path::job_page_path;
use super::status::PipelineEntry;
use super::window::sign;
use crate::base::human;

/// Rows of the table at most. The ones that did not fail are left out first.
const MOST_ROWS: usize = 2000;

/// How many jobs are in which state.
pub(super) fn job_counts(jobs: &[ExecutionRow]) -> Markup {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for job in in_order(jobs) {
        let (_, _, words) = state(job);
        match counts.iter_mut().find(|(known, _)| *known == words) {
            Some((_, count)) => *count += 1,
            None => counts.push((words, 1)),
        }
    }
    html! {
        div.panel {
            h2 { "Jobs" }
            dl.facts {
                @for (words, count) in counts { dt { (words) } dd { (count) } }
            }
        }
    }
}

/// The table, failed jobs first.
pub(super) fn job_list(pipeline: &PipelineEntry, now: Timestamp) -> Markup {
    let jobs = in_order(&pipeline.row.jobs);
    if jobs.is_empty() {
        return html! {
            section.empty { p { "No execution of a watched job is kept of this pipeline." } }
        };
    }
    let left_out = jobs.len().saturating_sub(MOST_ROWS);
    html! {
        h2 { "Jobs of this pipeline, failed ones first" }
        table.pipeline-jobs {
            thead {
                tr { th scope="col" { "Job" } th scope="col" { "State" } th.number scope="col" { "Attempts" } th scope="col" { "Why" } th.number scope="col" { "Ran for" } th scope="col" { "Ended" } th scope="col" { "In GitLab" } }
            }
            tbody { @for job in jobs.iter().take(MOST_ROWS) { (job_row(pipeline, job, now)) } }
        }
        @if left_out > 0 { p.more { (left_out) " more jobs did not fit here. GitLab's page of the pipeline lists them." } }
        p.faint { "The table has the jobs of which the exporter keeps an execution in this pipeline, also those of child pipelines." }
    }
}

/// Failures that can be brought back first, then other failures, then as GitLab created them.
fn in_order(jobs: &[ExecutionRow]) -> Vec<&ExecutionRow> {
    let mut jobs: Vec<_> = jobs.iter().collect();
    let rank = |job: &ExecutionRow| match job.state {
        _ if job.is_newest_failure => 0,
        ExecutionState::Ended(Outcome::Failed) => 1,
        ExecutionState::Ended(Outcome::AllowedFailure) => 2,
        ExecutionState::Uncounted => 3,
        ExecutionState::Ended(_) => 5,
        _ => 4,
    };
    jobs.sort_by_key(|job| (rank(job), job.job_id));
    jobs
}

/// CSS class, sign and words of an execution.
fn state(job: &ExecutionRow) -> (&'static str, &'static str, &'static str) {
    match job.state {
        ExecutionState::Ended(outcome) => sign(outcome, job.flaky),
        ExecutionState::Running => ("other", "…", "running"),
        ExecutionState::Pending => ("other", "…", "waiting for a runner"),
        ExecutionState::Waiting => ("other", "…", "waiting for earlier jobs"),
        ExecutionState::Blocked => ("other", "…", "waiting for a person or a time"),
        ExecutionState::Uncounted => ("other", "–", "ended, not counted"),
    }
}

fn job_row(pipeline: &PipelineEntry, job: &ExecutionRow, now: Timestamp) -> Markup {
    let (class, sign, words) = state(job);
    let is_ended = matches!(
        job.state,
        ExecutionState::Ended(_) | ExecutionState::Uncounted
    );
    let track = pipeline.track.as_deref();
    let page = job_page_path(&pipeline.project, &pipeline.ref_name, track, &job.job_name);
    html! {
        tr.failing[job.is_newest_failure] {
            th.name scope="row" {
                @match page {
                    Some(page) => a href=(page) { bdi.job { (job.job_name) } },
                    None => bdi.job { (job.job_name) },
                }
                @if !job.stage.is_empty() { small { bdi { (job.stage) } } }
            }
            td { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (words) }
            td.number data-label="Attempts" { (job.attempts) }
            td.reason { (why(job)) }
            td.number data-label="Ran for" { @if let Some(took) = job.duration { (human::span(took.seconds())) } }
            td data-label=(if is_ended { "Ended" } else { "Since" }) {
                @if let Some(at) = job.at { @if !is_ended { "since " } (ago(at, now)) }
            }
            td data-label="In GitLab" { (link(job.web_url.as_deref(), &html! { (job.job_id) })) }
        }
    }
}

fn why(job: &ExecutionRow) -> Markup {
    let Some(class) = job.failure_class else {
        return html! {};
    };
    html! {
        span.badge { (class.as_str()) } " "
        @match job.failure_reason.as_deref() {
            Some(reason) => bdi { (reason.replace('_', " ")) },
            None => "GitLab gives no reason",
        }
        @if let Some(rule) = &job.log_rule { ", log rule " bdi { (rule) } }
    }
}
