//! Figures in the machine form of `state show`: named as the metrics, times in seconds since 1970.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::model::{FailureClass, Figures, JobRow, Outcome, Timestamp, WindowEntry};
use crate::store::Saved;

#[derive(Serialize)]
pub(super) struct TimelineShown {
    project: Arc<str>,
    project_id: u64,
    #[serde(rename = "ref")]
    ref_name: Arc<str>,
    /// The newest one that was seen finished; 0 for none.
    newest_finished_pipeline_id: u64,
    /// Up to when everything of the project is in the saved documents, by this one's own word.
    watermark_timestamp_seconds: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipelines: Option<Shown>,
    jobs: Vec<JobShown>,
}

#[derive(Serialize)]
struct JobShown {
    job_name: Arc<str>,
    stage: Arc<str>,
    allow_failure: bool,
    #[serde(flatten)]
    figures: Shown,
}

#[derive(Serialize)]
struct Shown {
    consecutive_failures: u64,
    failure_ratio: f64,
    window_executions: usize,
    window_failures: usize,
    window_flaky: usize,
    executions_total: BTreeMap<&'static str, u64>,
    failures_total: BTreeMap<&'static str, u64>,
    flaky_executions_total: u64,
    retries_total: u64,
    first_seen_timestamp_seconds: Option<i64>,
    last_execution_timestamp_seconds: Option<i64>,
    last_success_timestamp_seconds: Option<i64>,
    last_failure_timestamp_seconds: Option<i64>,
    failing: Option<FailingShown>,
    window: Vec<ExecutionShown>,
}

#[derive(Serialize)]
struct FailingShown {
    since_timestamp_seconds: Option<i64>,
    first_failing_commit: Option<Arc<str>>,
    last_passing_commit: Option<Arc<str>>,
    failure_reason: Option<Arc<str>>,
    failure_class: Option<&'static str>,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    web_url: Option<Box<str>>,
}

#[derive(Serialize)]
struct ExecutionShown {
    outcome: &'static str,
    flaky: bool,
    job_id: Option<u64>,
    pipeline_id: Option<u64>,
    commit: Option<Arc<str>>,
    finished_timestamp_seconds: Option<i64>,
}

impl TimelineShown {
    /// With these of its jobs; `pipelines` unless single jobs were asked for.
    pub(super) fn of(saved: &Saved, pipelines: Option<&Figures>, jobs: &[&JobRow]) -> Self {
        let timeline = &saved.timeline;
        let job = |row: &&JobRow| JobShown {
            job_name: row.name.clone(),
            stage: row.stage.clone(),
            allow_failure: row.allow_failure,
            figures: Shown::of(&row.figures),
        };
        Self {
            project: timeline.project.clone(),
            project_id: timeline.key.project_id,
            ref_name: timeline.key.ref_name.clone(),
            newest_finished_pipeline_id: timeline.newest_finished(),
            watermark_timestamp_seconds: saved.watermark.map(Timestamp::unix),
            pipelines: pipelines.map(Shown::of),
            jobs: jobs.iter().map(job).collect(),
        }
    }
}

impl Shown {
    fn of(figures: &Figures) -> Self {
        let seconds = |time: Option<Timestamp>| time.map(Timestamp::unix);
        let outcomes = Outcome::ALL.map(|o| (o.as_str(), figures.executions.get(o)));
        let classes = FailureClass::ALL.map(|class| (class.as_str(), figures.failures.get(class)));
        Self {
            consecutive_failures: figures.consecutive_failures,
            failure_ratio: figures.failure_ratio(),
            window_executions: figures.window_executions,
            window_failures: figures.window_failures,
            window_flaky: figures.window_flaky,
            executions_total: outcomes.into(),
            failures_total: classes.into(),
            flaky_executions_total: figures.flaky_executions,
            retries_total: figures.retries,
            first_seen_timestamp_seconds: seconds(figures.first_seen),
            last_execution_timestamp_seconds: seconds(figures.last_execution),
            last_success_timestamp_seconds: seconds(figures.last_success),
            last_failure_timestamp_seconds: seconds(figures.last_failure),
            failing: figures.failing.clone().map(|failing| FailingShown {
                since_timestamp_seconds: seconds(failing.since),
                first_failing_commit: failing.first_failing_commit,
                last_passing_commit: failing.last_passing_commit,
                failure_reason: failing.failure_reason,
                failure_class: failing.failure_class.map(FailureClass::as_str),
                job_id: failing.job_id,
                pipeline_id: failing.pipeline_id,
                web_url: failing.web_url,
            }),
            window: figures.window.iter().map(ExecutionShown::of).collect(),
        }
    }
}

impl ExecutionShown {
    fn of(entry: &WindowEntry) -> Self {
        Self {
            outcome: entry.outcome.as_str(),
            flaky: entry.flaky,
            job_id: entry.job_id,
            pipeline_id: entry.pipeline_id,
            commit: entry.commit.clone(),
            finished_timestamp_seconds: entry.finished_at.map(Timestamp::unix),
        }
    }
}
