//! A grid as a table and as JSON, and who broke what.

use ci_history::{
    ExecutionState, FailureClass, GridCell, GridJob, GridPipeline, Outcome, Timestamp,
};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::format::{ago, commit, is_web, short};
use super::job_path::job_page_path;
use super::pipeline_path::pipeline_path;
use super::selection::Paging;
use super::status::GridEntry;
use super::window::sign;

/// Jobs that are named beside the commit that broke them.
const NAMED_JOBS: usize = 12;

/// The jobs that began to fail in each pipeline, the newest pipeline first.
fn broken(entry: &GridEntry) -> Vec<(&GridPipeline, Vec<&GridJob>)> {
    let of = |pipeline: &GridPipeline| {
        let jobs = entry.grid.jobs.iter();
        jobs.filter(|job| job.broken_by == Some(pipeline.id))
            .collect()
    };
    let pipelines = entry.grid.pipelines.iter();
    pipelines.map(|pipeline| (pipeline, of(pipeline))).collect()
}

/// Which commit broke which jobs.
pub(super) fn culprits(entry: &GridEntry, now: Timestamp) -> Markup {
    let broken = broken(entry);
    let failing = entry
        .grid
        .jobs
        .iter()
        .filter(|job| job.consecutive_failures > 0)
        .count();
    let told: usize = broken.iter().map(|(_, jobs)| jobs.len()).sum();
    html! {
        section.culprits aria-label="What broke" {
            @if failing == 0 { p { span.badge.good { "✓ No job is failing" } } }
            ul {
                @for (pipeline, jobs) in broken.iter().filter(|(_, jobs)| !jobs.is_empty()) {
                    li {
                        b { (jobs.len()) @if jobs.len() == 1 { " job" } @else { " jobs" } }
                        " began to fail at " (commit(Some(&pipeline.commit), entry.project_url.as_deref()))
                        @if let Some(info) = &pipeline.info {
                            @if !info.title().is_empty() { " “" bdi { (info.title()) } "”" }
                            @if !info.author().is_empty() { " by " b { bdi { (info.author()) } } }
                        }
                        @if let Some(at) = pipeline.at { ", " (ago(at, now)) }
                        ": "
                        @for (at, job) in jobs.iter().take(NAMED_JOBS).enumerate() {
                            @if at > 0 { ", " }
                            (job_link(entry, job))
                        }
                        @if jobs.len() > NAMED_JOBS { " and " (jobs.len() - NAMED_JOBS) " more" }
                    }
                }
                @if failing > told { li { b { (failing - told) } " failed already before these pipelines" } }
            }
        }
    }
}

fn job_link(entry: &GridEntry, job: &GridJob) -> Markup {
    let track = entry.track.as_deref();
    let words = html! { bdi.job { (job.name) } };
    html! {
        @match job_page_path(&entry.project, &entry.ref_name, track, &job.name) {
            Some(page) => a href=(page) { (words) },
            None => (words),
        }
    }
}

/// Jobs down, pipelines across, the newest at the left.
pub(super) fn grid_table(entry: &GridEntry, offset: usize, most: usize, now: Timestamp) -> Markup {
    let broken = broken(entry);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Jobs by pipelines" {
            table.grid {
                thead {
                    tr {
                        th scope="col" { "Job" small { "Newest pipeline at the left" } }
                        @for pipeline in &entry.grid.pipelines { (pipeline_heading(entry, pipeline, now)) }
                    }
                    tr {
                        th scope="row" { "Pipeline" }
                        @for pipeline in &entry.grid.pipelines {
                            td { (drawn(state_sign(pipeline.state, false), None, &pipeline_words(pipeline))) }
                        }
                    }
                    tr {
                        th scope="row" { "Jobs that began to fail" }
                        @for (_, jobs) in &broken { td.count { @if !jobs.is_empty() { b { (jobs.len()) } } } }
                    }
                }
                tbody {
                    @for job in entry.grid.jobs.iter().skip(offset).take(most) {
                        tr.failing[job.consecutive_failures > 0] {
                            th scope="row" { (job_link(entry, job)) @if !job.stage.is_empty() { small { bdi { (job.stage) } } } }
                            @for (cell, pipeline) in job.cells.iter().zip(&entry.grid.pipelines) {
                                td.broke[job.broken_by == Some(pipeline.id)] { (grid_cell(cell.as_ref(), pipeline)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn pipeline_heading(entry: &GridEntry, pipeline: &GridPipeline, now: Timestamp) -> Markup {
    let author = pipeline.info.as_ref().map(|info| info.author().to_owned());
    let title = pipeline.info.as_ref().map(|info| info.title().to_owned());
    let words = html! { code { bdi { (short(&pipeline.commit)) } } };
    html! {
        th scope="col" {
            span.upright title=[title] {
                @match pipeline_path(&entry.project, pipeline.id) {
                    Some(path) => a href=(path) aria-label={ "Pipeline " (pipeline.id) ", commit " (short(&pipeline.commit)) } { (words) },
                    None => (words),
                }
                @if let Some(author) = author { bdi.author { (author) } }
                @if let Some(at) = pipeline.at { small { (ago(at, now)) } }
            }
        }
    }
}

fn pipeline_words(pipeline: &GridPipeline) -> String {
    let (_, _, words) = state_sign(pipeline.state, false);
    format!(
        "{words}, pipeline {}, commit {}",
        pipeline.id,
        short(&pipeline.commit)
    )
}

fn grid_cell(cell: Option<&GridCell>, pipeline: &GridPipeline) -> Markup {
    let Some(cell) = cell else {
        return html! { span.cell.none role="img" aria-label="not run" {} };
    };
    let sign = state_sign(cell.state, cell.flaky);
    let class = cell
        .failure_class
        .map(|class| format!(" ({})", class.as_str()));
    let words = format!(
        "{}{}, pipeline {}, commit {}",
        sign.2,
        class.unwrap_or_default(),
        pipeline.id,
        short(&pipeline.commit)
    );
    drawn(sign, cell.web_url.as_deref(), &words)
}

/// A cell with its sign, its words for readers that see neither, and a link if there is one.
fn drawn(
    (class, sign, _): (&'static str, &'static str, &'static str),
    url: Option<&str>,
    words: &str,
) -> Markup {
    html! {
        @match url.filter(|url| is_web(url)) {
            Some(url) => a class={ "cell " (class) } href=(url) aria-label=(words) title=(words) { (sign) },
            None => span class={ "cell " (class) } role="img" aria-label=(words) title=(words) { (sign) },
        }
    }
}

/// CSS class, sign and words of an execution.
fn state_sign(state: ExecutionState, flaky: bool) -> (&'static str, &'static str, &'static str) {
    match state {
        ExecutionState::Ended(outcome) => sign(outcome, flaky),
        ExecutionState::Running => ("running", "▶", "running"),
        ExecutionState::Pending => ("other", "…", "waiting for a runner"),
        ExecutionState::Waiting => ("other", "…", "waiting for earlier jobs"),
        ExecutionState::Blocked => ("other", "‖", "waiting for a person or a time"),
        ExecutionState::Uncounted => ("other", "–", "ended, not counted"),
    }
}

/// The value of a state in JSON.
pub(super) fn state_name(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Ended(outcome) => outcome.as_str(),
        ExecutionState::Running => "running",
        ExecutionState::Pending => "pending",
        ExecutionState::Waiting => "waiting",
        ExecutionState::Blocked => "blocked",
        ExecutionState::Uncounted => "uncounted",
    }
}

pub(super) fn legend() -> Markup {
    let ended = [
        (Outcome::Passed, false),
        (Outcome::Passed, true),
        (Outcome::Failed, false),
        (Outcome::AllowedFailure, false),
        (Outcome::Canceled, false),
    ];
    let ended = ended.map(|(outcome, flaky)| sign(outcome, flaky));
    let open = [
        ExecutionState::Running,
        ExecutionState::Pending,
        ExecutionState::Blocked,
    ];
    let open = open.map(|state| state_sign(state, false));
    html! {
        ul.legend {
            @for (class, sign, words) in ended.into_iter().chain(open) {
                li { span class={ "cell " (class) } aria-hidden="true" { (sign) } " " (words) }
            }
            li { span.cell.broke aria-hidden="true" { "✕" } " began to fail here" }
        }
    }
}

/// The grid with a part of its jobs.
pub(super) fn grid_json(entry: &GridEntry, paging: Paging, now: Timestamp) -> Value {
    let pipelines = entry.grid.pipelines.iter().map(|pipeline| {
        json!({
            "pipeline_id": pipeline.id,
            "commit": pipeline.commit,
            "title": pipeline.info.as_ref().map(|info| info.title()),
            "author": pipeline.info.as_ref().map(|info| info.author()),
            "state": state_name(pipeline.state),
            "timestamp_seconds": pipeline.at.map(Timestamp::unix),
        })
    });
    let jobs = entry
        .grid
        .jobs
        .iter()
        .skip(paging.offset)
        .take(paging.limit);
    let jobs = jobs.map(|job| {
        let cells = job.cells.iter().map(|cell| cell.as_ref().map(cell_json));
        json!({
            "job_name": job.name,
            "stage": job.stage,
            "consecutive_failures": job.consecutive_failures,
            "broken_by_pipeline_id": job.broken_by,
            "executions": cells.collect::<Vec<_>>(),
        })
    });
    json!({
        "as_of_timestamp_seconds": now,
        "project": entry.project,
        "ref": entry.ref_name,
        "track": entry.track,
        "pipelines": pipelines.collect::<Vec<_>>(),
        "jobs": jobs.collect::<Vec<_>>(),
        "offset": paging.offset,
        "limit": paging.limit,
        "matching": entry.grid.jobs.len(),
        "total": entry.grid.jobs.len(),
    })
}

fn cell_json(cell: &GridCell) -> Value {
    json!({
        "state": state_name(cell.state),
        "flaky": cell.flaky,
        "failure_class": cell.failure_class.map(FailureClass::as_str),
        "web_url": cell.web_url.as_deref().filter(|url| is_web(url)),
    })
}
