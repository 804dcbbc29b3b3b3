//! The families of jobs, pipelines and projects: one table row each, with how its samples are made.

use std::sync::Arc;

use ci_history::{Failing, FailureClass, Figures, JobRow, Outcome};

use super::catalog::{Described, Family, Kind, OfRow};
use super::polls::ProjectPolls;
use super::schedules::SCHEDULES;
use super::telemetry::OWN;
use super::text::{LABEL_BYTES, Lines};
use crate::base::api::ErrorClass;
use crate::base::label::Label as _;

/// Every family that this program exposes, but those of the process.
pub fn families() -> impl Iterator<Item = Described> {
    let jobs = JOBS.iter().map(|family| family.described);
    let pipelines = PIPELINES.iter().map(|family| family.described);
    let projects = PROJECTS.iter().map(|family| family.described);
    let schedules = SCHEDULES.iter().map(|family| family.described);
    jobs.chain(pipelines)
        .chain(projects)
        .chain(schedules)
        .chain(OWN.iter().copied())
}

/// A job with its owner.
pub(super) struct Job<'a> {
    pub(super) row: &'a JobRow,
    pub(super) team: Option<Arc<str>>,
    /// The address of its page; only while it fails.
    pub(super) url: Option<String>,
    /// Whether a line of its log is exposed.
    pub(super) shows_log_line: bool,
}

impl Job<'_> {
    /// Whether samples of a family are exposed. Of a job that is gone only those remain that no alert is
    /// about.
    pub(super) fn has(&self, family: &Described) -> bool {
        self.row.figures.gone_since.is_none()
            || family.kind == Kind::Counter
            || family.name == "job_absent_pipelines"
    }
}

/// Makes the samples of one job.
pub(super) type OfJob = fn(&Job<'_>, &mut Lines<'_>);

macro_rules! family {
    ($kind:ident $name:literal, [$($label:literal),+], $help:literal, $emit:expr) => {
        Family {
            described: Described {
                name: $name,
                kind: Kind::$kind,
                help: $help,
                labels: &[$($label),+],
            },
            emit: $emit,
        }
    };
}

macro_rules! job {
    ($kind:ident $name:literal $(+ [$($label:literal),+])?, $help:literal, $emit:expr) => {
        family!($kind $name, ["project", "ref", "job_name" $($(, $label)+)?], $help, $emit)
    };
}

macro_rules! pipeline {
    ($kind:ident $name:literal $(+ [$($label:literal),+])?, $help:literal, $emit:expr) => {
        family!($kind $name, ["project", "ref" $($(, $label)+)?], $help, $emit)
    };
}

/// The families of jobs.
pub(super) static JOBS: &[Family<OfJob>] = &[
    job!(Gauge "job_consecutive_failures",
        "Failing executions in a row, up to the newest; it may be longer than the window.",
        |job, lines| lines.sample(job.row.figures.consecutive_failures)),
    job!(Gauge "job_failure_ratio",
        "Failing share of the executions in the window, 0 to 1.",
        |job, lines| lines.sample(job.row.figures.failure_ratio())),
    job!(Gauge "job_window_executions",
        "Executions in the window.",
        |job, lines| lines.sample(job.row.figures.window_executions)),
    job!(Gauge "job_window_failures",
        "Failing executions in the window.",
        |job, lines| lines.sample(job.row.figures.window_failures)),
    job!(Gauge "job_window_flaky",
        "Executions in the window that passed on a later attempt after a failed one; only while above 0.",
        |job, lines| lines.rare(&[], job.row.figures.window_flaky as u64)),
    job!(Counter "job_executions_total" + ["outcome"],
        "Executions seen, by outcome; one that a retry changed counts once under each. The outcomes `passed` and `failed` begin with 0, and `allowed_failure` where the job may fail.",
        |job, lines| executions(&job.row.figures, job.row.allow_failure, lines)),
    job!(Counter "job_failures_total" + ["failure_class"],
    "Failing executions seen, by class of GitLab's failure reason; only while above 0.",
    |job, lines| {
        for class in FailureClass::ALL {
            let labels = [("failure_class", class.as_str())];
            lines.rare(&labels, job.row.figures.failures.get(class));
        }
    }),
    job!(Counter "job_flaky_executions_total",
        "Executions seen that passed on a later attempt after a failed one; only while above 0.",
        |job, lines| lines.rare(&[], job.row.figures.flaky_executions)),
    job!(Counter "job_retries_total",
        "Attempts seen that followed another attempt of the same execution; only while above 0.",
        |job, lines| lines.rare(&[], job.row.figures.retries)),
    job!(Gauge "job_last_execution_timestamp_seconds",
        "When the latest decided execution ended.",
        |job, lines| lines.maybe(job.row.figures.last_execution)),
    job!(Gauge "job_last_success_timestamp_seconds",
        "When the latest passed execution ended.",
        |job, lines| lines.maybe(job.row.figures.last_success)),
    job!(Gauge "job_last_failure_timestamp_seconds",
        "When the latest failing execution ended.",
        |job, lines| lines.maybe(job.row.figures.last_failure)),
    job!(Gauge "job_first_seen_timestamp_seconds",
        "When the first known execution was created.",
        |job, lines| lines.maybe(job.row.figures.first_seen)),
    job!(Gauge "job_failing_since_timestamp_seconds",
        "When the first failing execution of the streak ended; only while the streak is above 0.",
        |job, lines| lines.maybe(job.row.figures.failing.as_ref().and_then(|failing| failing.since))),
    job!(Gauge "job_duration_seconds",
        "How long the last finished attempt ran.",
        |job, lines| lines.maybe(job.row.figures.duration)),
    job!(Gauge "job_queued_duration_seconds",
        "How long the last finished attempt waited for a runner.",
        |job, lines| lines.maybe(job.row.figures.queued_duration)),
    job!(Gauge "job_usual_duration_seconds",
        "Median duration of the passed executions in the window.",
        |job, lines| lines.maybe(job.row.figures.usual_duration)),
    job!(Gauge "job_running_start_timestamp_seconds",
        "When the oldest running attempt started; only while one runs.",
        |job, lines| lines.maybe(job.row.figures.running_since)),
    job!(Gauge "job_pending_start_timestamp_seconds",
        "Since when the oldest pending attempt waits for a runner; only while one waits.",
        |job, lines| lines.maybe(job.row.figures.pending_since)),
    job!(Gauge "job_absent_pipelines",
    "Pipelines in a row without the job, from its usual time on; only while above 0. From `counting.absent_after` on the job is gone: it has only this gauge and its counters, for a day.",
    |job, lines| {
        let absent = Some(job.row.figures.absent_pipelines);
        lines.maybe(absent.filter(|pipelines| *pipelines > 0));
    }),
    job!(Gauge "job_info" + ["stage", "team", "allow_failure", "tags"],
        "Always 1; what is known of the job apart from its executions.",
        info),
    job!(Gauge "job_failure_info" + [
        "job_id", "pipeline_id", "commit", "failure_reason", "failure_class", "web_url",
        "first_failing_commit", "last_passing_commit", "commit_title", "commit_author", "job_url"
    ],
    "Always 1; the latest failure of the streak. Only while the streak is above 0.",
    |job, lines| {
        if let Some(failing) = &job.row.figures.failing {
            failure_info(failing, job.url.as_deref(), lines);
        }
    }),
    job!(Gauge "job_failure_log_info" + ["job_id", "line"],
        "Always 1; the line that tells most of the newest failure log that was read, secrets masked. Only while the streak is above 0, and with `metrics.log_line`.",
        log_info),
];

/// The families of a ref's pipelines.
pub(super) static PIPELINES: &[Family<OfRow<Figures>>] = &[
    pipeline!(Gauge "pipeline_consecutive_failures",
        "Failing pipelines of the ref in a row, up to the newest.",
        |figures, lines| lines.sample(figures.consecutive_failures)),
    pipeline!(Gauge "pipeline_failure_ratio",
        "Failing share of the ref's pipelines in the window, 0 to 1.",
        |figures, lines| lines.sample(figures.failure_ratio())),
    pipeline!(Counter "pipeline_executions_total" + ["outcome"],
        "Pipelines of the ref seen, by outcome. The outcomes `passed` and `failed` begin with 0.",
        |figures, lines| executions(figures, false, lines)),
    pipeline!(Gauge "pipeline_last_success_timestamp_seconds",
        "When the latest passed pipeline of the ref ended.",
        |figures, lines| lines.maybe(figures.last_success)),
    pipeline!(Gauge "pipeline_failing_since_timestamp_seconds",
        "When the first failing pipeline of the ref's streak ended; only while the streak is above 0.",
        |figures, lines| lines.maybe(figures.failing.as_ref().and_then(|failing| failing.since))),
    pipeline!(Gauge "pipeline_failure_info" + [
        "pipeline_id", "commit", "failure_reason", "web_url", "first_failing_commit", "last_passing_commit",
        "commit_title", "commit_author"
    ],
    "Always 1; the newest failing pipeline of the ref's streak. Only while the streak is above 0.",
    |figures, lines| {
        if let Some(failing) = &figures.failing {
            pipeline_failure_info(failing, lines);
        }
    }),
    pipeline!(Gauge "pipeline_duration_seconds",
        "How long the last finished pipeline of the ref ran.",
        |figures, lines| lines.maybe(figures.duration)),
];

/// The families of projects.
pub(super) static PROJECTS: &[Family<OfRow<ProjectPolls>>] = &[
    family!(Gauge "project_last_successful_poll_timestamp_seconds", ["project"],
        "When the project was last polled without an error.",
        |polls, lines| lines.maybe(polls.last_success)),
    family!(Gauge "project_last_successful_poll_gitlab_timestamp_seconds", ["project"],
        "When the project was last polled without an error, by GitLab's clock: tells which replica polled it last.",
        |polls, lines| lines.maybe(polls.last_success_by_gitlab)),
    family!(Gauge "project_poll_interval_seconds", ["project"],
        "Time between two polls of the project while it is quiet and its webhooks tell of everything. Absent for other projects.",
        |polls, lines| lines.maybe(polls.seldom_interval)),
    family!(Gauge "project_last_successful_schedules_read_timestamp_seconds", ["project"],
        "When the pipeline schedules of the project were last read without an error.",
        |polls, lines| lines.maybe(polls.schedules_read)),
    family!(Counter "project_poll_errors_total", ["project", "reason"],
    "Polls of the project that failed, by reason.",
    |polls, lines| {
        for reason in ErrorClass::ALL {
            lines.labelled(&[("reason", reason.as_str())], polls.errors(*reason));
        }
    }),
    family!(Gauge "project_info", ["project", "default_branch"],
    "Always 1; the default branch of the project. Absent while it is not known.",
    |polls, lines| {
        if let Some(branch) = &polls.default_branch {
            lines.labelled(&[("default_branch", branch)], 1_u64);
        }
    }),
    family!(Gauge "project_problem_info", ["project", "problem"],
    "Always 1; why the project is not watched as the configuration says. Only while there is a reason.",
    |polls, lines| {
        if let Some(problem) = polls.problem {
            lines.labelled(&[("problem", problem.as_str())], 1_u64);
        }
    }),
];

/// The outcomes that may come any time begin with 0, so that the first one is an increase.
fn executions(figures: &Figures, allow_failure: bool, lines: &mut Lines<'_>) {
    for outcome in Outcome::ALL {
        let labels = [("outcome", outcome.as_str())];
        let count = figures.executions.get(outcome);
        match outcome {
            Outcome::Passed | Outcome::Failed => lines.labelled(&labels, count),
            Outcome::AllowedFailure if allow_failure => lines.labelled(&labels, count),
            _ => lines.rare(&labels, count),
        }
    }
}

fn info(job: &Job<'_>, lines: &mut Lines<'_>) {
    let allow_failure = if job.row.allow_failure {
        "true"
    } else {
        "false"
    };
    let labels = [
        ("stage", &*job.row.stage),
        ("team", job.team.as_deref().unwrap_or_default()),
        ("allow_failure", allow_failure),
        ("tags", &*job.row.tags),
    ];
    lines.labelled(&labels, 1_u64);
}

fn failure_info(failing: &Failing, job_url: Option<&str>, lines: &mut Lines<'_>) {
    let id = |id: Option<u64>| id.map(|id| id.to_string()).unwrap_or_default();
    let class = failing.failure_class.unwrap_or(FailureClass::Unknown);
    let (title, author) = first_failing(failing);
    let labels = [
        ("job_id", &*id(failing.job_id)),
        ("pipeline_id", &*id(failing.pipeline_id)),
        ("commit", failing.commit.as_deref().unwrap_or_default()),
        (
            "failure_reason",
            failing.failure_reason.as_deref().unwrap_or_default(),
        ),
        ("failure_class", class.as_str()),
        ("web_url", address(failing.web_url.as_deref())),
        (
            "first_failing_commit",
            failing.first_failing_commit.as_deref().unwrap_or_default(),
        ),
        (
            "last_passing_commit",
            failing.last_passing_commit.as_deref().unwrap_or_default(),
        ),
        ("commit_title", title),
        ("commit_author", author),
        ("job_url", address(job_url)),
    ];
    lines.labelled(&labels, 1_u64);
}

fn log_info(job: &Job<'_>, lines: &mut Lines<'_>) {
    let failing = job.row.figures.failing.as_ref();
    let excerpt = failing.and_then(|failing| failing.excerpt.as_ref());
    if let Some(excerpt) = excerpt.filter(|it| job.shows_log_line && !it.line.is_empty()) {
        let id = excerpt.job_id.to_string();
        lines.labelled(&[("job_id", &id), ("line", &excerpt.line)], 1_u64);
    }
}

/// Title and author of the first failing commit.
fn first_failing(failing: &Failing) -> (&str, &str) {
    let info = failing.first_failing_info.as_deref();
    info.map_or(("", ""), |info| (info.title(), info.author()))
}

/// An address that is cut leads nowhere: one that is too long for a label is left out.
fn address(url: Option<&str>) -> &str {
    url.filter(|url| url.len() <= LABEL_BYTES)
        .unwrap_or_default()
}

fn pipeline_failure_info(failing: &Failing, lines: &mut Lines<'_>) {
    let id = failing.pipeline_id.map(|id| id.to_string());
    let (title, author) = first_failing(failing);
    let reason = failing.failure_reason.as_deref();
    let first = failing.first_failing_commit.as_deref();
    let last = failing.last_passing_commit.as_deref();
    let labels = [
        ("pipeline_id", id.as_deref().unwrap_or_default()),
        ("commit", failing.commit.as_deref().unwrap_or_default()),
        ("failure_reason", reason.unwrap_or_default()),
        ("web_url", address(failing.web_url.as_deref())),
        ("first_failing_commit", first.unwrap_or_default()),
        ("last_passing_commit", last.unwrap_or_default()),
        ("commit_title", title),
        ("commit_author", author),
    ];
    lines.labelled(&labels, 1_u64);
}
