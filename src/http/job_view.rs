//! One job as JSON, for `/api/v1/jobs`, `state show --json` and `explain --json`; `docs/api.md` has its shape.

use std::borrow::Cow;
use std::collections::BTreeMap;

use ci_history::{Failing, FailureClass, Figures, Outcome, Span, Timestamp, WindowEntry};
use serde::Serialize;

use super::format::is_web;
use super::job_path::page_of;
use super::status::JobEntry;

/// A job with its names and figures.
#[derive(Debug, Serialize)]
pub struct JobView<'a> {
    project: &'a str,
    #[serde(rename = "ref")]
    ref_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    track: Option<&'a str>,
    job_name: &'a str,
    stage: &'a str,
    team: Option<&'a str>,
    allow_failure: bool,
    page: Option<String>,
    #[serde(flatten)]
    figures: FiguresView<'a>,
}

/// The figures of a job, or of a ref's pipelines: named as the metrics, times in Unix seconds.
#[derive(Debug, Serialize)]
pub struct FiguresView<'a> {
    consecutive_failures: u64,
    failure_ratio: f64,
    window_executions: usize,
    window_failures: usize,
    window_flaky: usize,
    window: Vec<ExecutionView<'a>>,
    executions_total: BTreeMap<&'static str, u64>,
    failures_total: BTreeMap<&'static str, u64>,
    flaky_executions_total: u64,
    retries_total: u64,
    first_seen_timestamp_seconds: Option<i64>,
    last_execution_timestamp_seconds: Option<i64>,
    last_success_timestamp_seconds: Option<i64>,
    last_failure_timestamp_seconds: Option<i64>,
    duration_seconds: Option<f64>,
    queued_duration_seconds: Option<f64>,
    usual_duration_seconds: Option<f64>,
    running_start_timestamp_seconds: Option<i64>,
    pending_start_timestamp_seconds: Option<i64>,
    failing: Option<FailingView<'a>>,
}

#[derive(Debug, Serialize)]
struct ExecutionView<'a> {
    outcome: &'static str,
    flaky: bool,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    commit: Option<&'a str>,
    finished_timestamp_seconds: Option<i64>,
    duration_seconds: Option<f64>,
    web_url: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
struct FailingView<'a> {
    since_timestamp_seconds: Option<i64>,
    first_failing_commit: Option<&'a str>,
    first_failing_title: Option<&'a str>,
    first_failing_author: Option<&'a str>,
    last_passing_commit: Option<&'a str>,
    compare_url: Option<String>,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    commit: Option<&'a str>,
    failure_reason: Option<&'a str>,
    failure_class: &'static str,
    web_url: Option<&'a str>,
    log_excerpt: Option<ExcerptView<'a>>,
}

#[derive(Debug, Serialize)]
struct ExcerptView<'a> {
    job_id: u64,
    text: &'a str,
}

impl<'a> JobView<'a> {
    /// The view of a job that is served or saved.
    pub fn of(entry: &'a JobEntry) -> Self {
        let row = &entry.row;
        Self {
            project: &entry.project,
            ref_name: &entry.ref_name,
            track: entry.track.as_deref(),
            job_name: &row.name,
            stage: &row.stage,
            team: entry.team.as_deref(),
            allow_failure: row.allow_failure,
            page: page_of(entry),
            figures: FiguresView::of(&row.figures, entry.project_url.as_deref()),
        }
    }
}

impl<'a> FiguresView<'a> {
    /// Of a ref's pipelines, the pages of which do not follow from the project's.
    pub fn of_pipelines(figures: &'a Figures, project_url: Option<&str>) -> Self {
        let window = figures.window.iter();
        Self {
            window: window.map(|entry| ExecutionView::of(entry, None)).collect(),
            ..Self::of(figures, project_url)
        }
    }

    /// Of a job. `project_url` is the project's page in GitLab.
    pub fn of(figures: &'a Figures, project_url: Option<&str>) -> Self {
        let unix = |time: Option<Timestamp>| time.map(Timestamp::unix);
        let seconds = |span: Option<Span>| span.map(Span::seconds);
        let executions = Outcome::ALL.map(|o| (o.as_str(), figures.executions.get(o)));
        let failures = FailureClass::ALL.map(|c| (c.as_str(), figures.failures.get(c)));
        let failing = figures.failing.as_ref();
        let window = figures.window.iter();
        let window = window.map(|entry| ExecutionView::of(entry, project_url));
        Self {
            consecutive_failures: figures.consecutive_failures,
            failure_ratio: figures.failure_ratio(),
            window_executions: figures.window_executions,
            window_failures: figures.window_failures,
            window_flaky: figures.window_flaky,
            window: window.collect(),
            executions_total: executions.into(),
            failures_total: failures.into(),
            flaky_executions_total: figures.flaky_executions,
            retries_total: figures.retries,
            first_seen_timestamp_seconds: unix(figures.first_seen),
            last_execution_timestamp_seconds: unix(figures.last_execution),
            last_success_timestamp_seconds: unix(figures.last_success),
            last_failure_timestamp_seconds: unix(figures.last_failure),
            duration_seconds: seconds(figures.duration),
            queued_duration_seconds: seconds(figures.queued_duration),
            usual_duration_seconds: seconds(figures.usual_duration),
            running_start_timestamp_seconds: unix(figures.running_since),
            pending_start_timestamp_seconds: unix(figures.pending_since),
            failing: failing.map(|failing| FailingView::of(failing, project_url)),
        }
    }
}

impl<'a> ExecutionView<'a> {
    fn of(entry: &'a WindowEntry, project_url: Option<&str>) -> Self {
        Self {
            outcome: entry.outcome.as_str(),
            flaky: entry.flaky,
            job_id: entry.job_id,
            pipeline_id: entry.pipeline_id,
            commit: entry.commit.as_deref(),
            finished_timestamp_seconds: entry.finished_at.map(Timestamp::unix),
            duration_seconds: entry.duration.map(Span::seconds),
            web_url: entry.web_url(project_url).filter(|url| is_web(url)),
        }
    }
}

impl<'a> FailingView<'a> {
    fn of(failing: &'a Failing, project_url: Option<&str>) -> Self {
        let class = failing.failure_class.unwrap_or(FailureClass::Unknown);
        let info = failing.first_failing_info.as_deref();
        let known = |text: &'a str| Some(text).filter(|text| !text.is_empty());
        Self {
            since_timestamp_seconds: failing.since.map(Timestamp::unix),
            first_failing_commit: failing.first_failing_commit.as_deref(),
            first_failing_title: info.and_then(|info| known(info.title())),
            first_failing_author: info.and_then(|info| known(info.author())),
            last_passing_commit: failing.last_passing_commit.as_deref(),
            compare_url: failing.compare_url(project_url.filter(|url| is_web(url))),
            job_id: failing.job_id,
            pipeline_id: failing.pipeline_id,
            commit: failing.commit.as_deref(),
            failure_reason: failing.failure_reason.as_deref(),
            failure_class: class.as_str(),
            web_url: failing.web_url.as_deref().filter(|url| is_web(url)),
            log_excerpt: failing.excerpt.as_deref().map(|excerpt| ExcerptView {
                job_id: excerpt.job_id,
                text: &excerpt.text,
            }),
        }
    }
}
