//! The figures that an exporter should show: counted from the world itself, by the exporter's default rules.
//!
//! Counts the visible pipelines of the default branches of all projects that are not archived, for the
//! sources that the exporter watches by default. Jobs of child pipelines count under the parent as
//! `bridge / job`. An execution is one job name in one pipeline, decided by its last attempt.

use std::collections::BTreeMap;

use serde::Serialize;

use super::entity::{CiStatus, Job, Pipeline, Project};
use super::moment::Moment;
use super::world::World;

/// Executions in a full window.
pub const WINDOW: usize = 10;

/// Counted pipeline sources.
pub const SOURCES: [&str; 7] = [
    "push", "web", "api", "schedule", "trigger", "chat", "webide",
];

/// The truth of one job. Times are whole seconds since the Unix epoch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobTruth {
    /// Full path of the project.
    pub project: String,
    /// Default branch of the project.
    #[serde(rename = "ref")]
    pub ref_name: String,
    /// Full name of the job.
    pub job_name: String,
    /// Failing executions in a row, up to the newest.
    pub consecutive_failures: usize,
    /// Failing share of the window; 0 for an empty window.
    pub failure_ratio: f64,
    /// Executions in the window.
    pub window_executions: usize,
    /// Failing executions in the window.
    pub window_failures: usize,
    /// Executions in the window that passed after a failed attempt.
    pub window_flaky: usize,
    /// Outcomes of the window, oldest first: `passed`, `failed`, `allowed_failure`.
    pub window: Vec<&'static str>,
    /// Latest end of a passed execution.
    pub last_success: Option<i64>,
    /// End of the first execution of the streak.
    pub failing_since: Option<i64>,
    /// Commit of the first execution of the streak.
    pub first_failing_commit: Option<String>,
    /// Commit of the newest passed execution before the streak.
    pub last_passing_commit: Option<String>,
    /// `failure_reason` of the newest execution of the streak.
    pub failure_reason: Option<String>,
    /// Earliest start of a running attempt.
    pub running_start: Option<i64>,
    /// Earliest creation of a pending attempt.
    pub pending_created: Option<i64>,
    /// Earliest time at which a pending attempt began to wait for a runner.
    pub pending_since: Option<i64>,
}

/// One decided execution.
struct Execution<'a> {
    outcome: &'static str,
    flaky: bool,
    finished: Option<Moment>,
    sha: &'a str,
    reason: Option<&'a str>,
}

/// Source of a child pipeline.
const CHILD: &str = "parent_pipeline";

const PASSED: &str = "passed";
const FAILED: &str = "failed";
const ALLOWED_FAILURE: &str = "allowed_failure";

/// The truth of every job, ordered by project and name.
pub fn of(world: &World) -> Vec<JobTruth> {
    let watched = world.projects.values().filter(|project| !project.archived);
    let mut truths: Vec<JobTruth> = watched
        .flat_map(|project| of_project(world, project))
        .collect();
    truths.sort_by(|a, b| (&a.project, &a.job_name).cmp(&(&b.project, &b.job_name)));
    truths
}

fn of_project(world: &World, project: &Project) -> Vec<JobTruth> {
    let counts = |pipeline: &&Pipeline| {
        pipeline.ref_name == project.default_branch && SOURCES.contains(&pipeline.source.as_str())
    };
    // Job name -> pipeline id -> attempts, ordered by job id.
    let mut runs: BTreeMap<String, BTreeMap<u64, Vec<&Job>>> = BTreeMap::new();
    for pipeline in world.visible_pipelines(project.id).filter(counts) {
        let mut jobs = Vec::new();
        with_children(world, pipeline.id, "", &mut jobs);
        jobs.sort_by_key(|(_, job)| job.id);
        for (name, job) in jobs {
            let attempts = runs.entry(name).or_default();
            attempts.entry(pipeline.id).or_default().push(job);
        }
    }
    runs.into_iter()
        .map(|(name, pipelines)| of_job(world, project, &name, &pipelines))
        .collect()
}

/// Collects every attempt in a pipeline and its children, with the job name that counts it.
fn with_children<'a>(
    world: &'a World,
    pipeline: u64,
    prefix: &str,
    jobs: &mut Vec<(String, &'a Job)>,
) {
    for job in world.jobs_of(pipeline) {
        let name = format!("{prefix}{}", job.name());
        let downstream = job.downstream.and_then(|id| world.pipeline(id));
        if let Some(child) = downstream.filter(|child| child.source == CHILD) {
            with_children(world, child.id, &format!("{name} / "), jobs);
        }
        jobs.push((name, job));
    }
}

fn of_job(
    world: &World,
    project: &Project,
    name: &str,
    pipelines: &BTreeMap<u64, Vec<&Job>>,
) -> JobTruth {
    let executions: Vec<Execution<'_>> = pipelines
        .iter()
        .filter_map(|(id, attempts)| execution(world.pipeline(*id)?, attempts))
        .collect();
    let window = &executions[executions.len().saturating_sub(WINDOW)..];
    let failures = window.iter().filter(|e| e.outcome == FAILED).count();
    let healthy = executions.iter().rposition(|e| e.outcome != FAILED);
    let (before, streak) = executions.split_at(healthy.map_or(0, |position| position + 1));
    let passed = |e: &&Execution<'_>| e.outcome == PASSED;
    let passing = before.iter().rfind(passed).filter(|_| !streak.is_empty());
    let successes = executions.iter().filter(passed);
    let open = |status| attempts_in(pipelines, status);
    JobTruth {
        project: project.path.clone(),
        ref_name: project.default_branch.clone(),
        job_name: name.to_owned(),
        consecutive_failures: streak.len(),
        failure_ratio: failures as f64 / window.len().max(1) as f64,
        window_executions: window.len(),
        window_failures: failures,
        window_flaky: window.iter().filter(|e| e.flaky).count(),
        window: window.iter().map(|e| e.outcome).collect(),
        last_success: earliest(successes.filter_map(|e| e.finished).max()),
        failing_since: earliest(streak.first().and_then(|e| e.finished)),
        first_failing_commit: streak.first().map(|e| e.sha.to_owned()),
        last_passing_commit: passing.map(|e| e.sha.to_owned()),
        failure_reason: streak.last().and_then(|e| e.reason.map(str::to_owned)),
        running_start: earliest(open(CiStatus::Running).filter_map(|job| job.started_at)),
        pending_created: earliest(open(CiStatus::Pending).map(|job| job.created_at)),
        pending_since: earliest(open(CiStatus::Pending).filter_map(|job| job.queued_at)),
    }
}

/// Last attempts with this status.
fn attempts_in<'a>(
    pipelines: &'a BTreeMap<u64, Vec<&Job>>,
    status: CiStatus,
) -> impl Iterator<Item = &'a Job> {
    let attempts = pipelines.values().flatten().copied();
    attempts.filter(move |job| !job.retried && job.status == status)
}

fn earliest(moments: impl IntoIterator<Item = Moment>) -> Option<i64> {
    moments.into_iter().min().map(Moment::unix)
}

fn execution<'a>(pipeline: &'a Pipeline, attempts: &[&'a Job]) -> Option<Execution<'a>> {
    let (last, earlier) = attempts.split_last()?;
    let outcome = match last.status {
        CiStatus::Success => PASSED,
        CiStatus::Failed if last.plan.allow_failure => ALLOWED_FAILURE,
        CiStatus::Failed => FAILED,
        _ => return None,
    };
    Some(Execution {
        outcome,
        flaky: outcome == PASSED && earlier.iter().any(|job| job.status == CiStatus::Failed),
        finished: last.finished_at,
        sha: &pipeline.sha,
        // GitLab gives no reason for a bridge that failed with its pipeline; the exporter sets this one.
        reason: match last.downstream {
            Some(_) => Some("downstream_pipeline_failed"),
            None => last.failure_reason.as_deref(),
        },
    })
}
