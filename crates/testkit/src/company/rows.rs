//! A synthetic company: projects of 40 jobs in four timelines, owned by twenty teams.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use ci_history::clock::{Clock as _, SystemClock};
use ci_history::{
    CommitInfo, Failing, FailureClass, Figures, JobRow, LogExcerpt, Outcome, Span, TimelineRows,
    Timestamp,
};
use job_failure_exporter::metrics::ScheduleRow;

/// Ref, track and number of jobs of each timeline of a project.
const TIMELINES: [(&str, Option<&str>, u64); 4] = [
    ("main", None, 20),
    ("develop", None, 8),
    ("release/1.0", None, 8),
    ("main", Some("nightly"), 4),
];

/// Jobs of one project.
const PROJECT_JOBS: u64 = 40;

/// Jobs of one stage of a timeline. Their names end in `1/4` to `4/4`.
pub const STAGE_JOBS: u64 = 4;

const STAGES: [&str; 5] = ["build", "test", "lint", "integration", "deploy"];

const TEAMS: u64 = 20;

/// Seconds since the beginning of a mass failure.
const HIT_SECONDS: u64 = 600;

/// Seconds between two executions of a job.
const PAUSE: u64 = 1800;

/// GitLab's reasons of failures with their classes, each as often as it is here.
const REASONS: [(&str, FailureClass); 8] = [
    ("script_failure", FailureClass::Script),
    ("script_failure", FailureClass::Script),
    ("script_failure", FailureClass::Script),
    ("script_failure", FailureClass::Script),
    ("script_failure", FailureClass::Script),
    ("runner_system_failure", FailureClass::Infrastructure),
    ("job_execution_timeout", FailureClass::Timeout),
    ("missing_dependency_failure", FailureClass::Dependency),
];

/// The time of this machine.
pub fn now() -> Timestamp {
    let since = SystemClock.now().duration_since(UNIX_EPOCH).unwrap();
    Timestamp::of_clock(since.as_secs().cast_signed())
}

/// How many jobs fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// 8 % of the jobs, most of them for hours.
    Usual,
    /// Besides, 60 % of the jobs of 70 % of the projects since ten minutes ago.
    MassFailure,
}

/// A number from 0 to `below`, the same for the same job and question.
fn draw(job: u64, question: u64, below: u64) -> u64 {
    // Splitmix64.
    let mut mixed =
        (job ^ question.wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (mixed ^ (mixed >> 31)) % below
}

/// Projects of so many jobs.
pub(super) fn projects(jobs: u64) -> std::ops::Range<u64> {
    0..jobs.div_ceil(PROJECT_JOBS)
}

pub(super) fn project_path(project: u64) -> Arc<str> {
    format!("company/group-{}/service-{project}", project % 50).into()
}

/// The owner of a project, by its path. One of 21 has none.
pub fn team(path: &str) -> Option<Arc<str>> {
    let number: u64 = path.rsplit_once('-')?.1.parse().ok()?;
    let team = number % (TEAMS + 1);
    (team < TEAMS).then(|| format!("team-{team:02}").into())
}

/// The timelines of a company with so many jobs, as they usually are.
pub fn all_timelines(jobs: u64) -> Vec<TimelineRows> {
    let now = now();
    let of_each = projects(jobs).map(|project| timelines(project, Scene::Usual, now));
    of_each.flatten().collect()
}

/// The timelines of a project at a moment.
pub(super) fn timelines(project: u64, scene: Scene, now: Timestamp) -> Vec<TimelineRows> {
    let mut first = project * PROJECT_JOBS;
    let timeline = |(ref_name, track, jobs): (&str, Option<&str>, u64)| {
        let rows: Vec<_> = (0..jobs)
            .map(|job| row(first + job, job, scene, now))
            .collect();
        let rows = TimelineRows {
            project_id: project + 1,
            project: project_path(project),
            project_url: None,
            ref_name: ref_name.into(),
            track: track.map(Arc::from),
            pipelines: pipelines(first, &rows, now),
            jobs: rows,
        };
        first += jobs;
        rows
    };
    TIMELINES.into_iter().map(timeline).collect()
}

/// `number` tells the job apart from all others, `place` is its number in the timeline.
fn row(number: u64, place: u64, scene: Scene, now: Timestamp) -> JobRow {
    let block = place / STAGE_JOBS;
    let stage = STAGES[usize::try_from(block).unwrap() % STAGES.len()];
    JobRow {
        name: format!(
            "{stage}: [linux, {block}] {}/{STAGE_JOBS}",
            place % STAGE_JOBS + 1
        )
        .into(),
        stage: stage.into(),
        tags: if draw(number, 1, 3) == 0 {
            "docker,linux"
        } else {
            ""
        }
        .into(),
        allow_failure: draw(number, 1, 20) == 0,
        figures: figures(number, scene, now),
    }
}

fn before(now: Timestamp, seconds: u64) -> Option<Timestamp> {
    Timestamp::from_unix(now.unix() - seconds.cast_signed())
}

/// The length of a job's streak, and the seconds since it began.
///
/// Failures come in heaps: 30 % of the jobs of a fifth of the timelines, and 2.5 % of all others.
fn streak(number: u64, scene: Scene) -> Option<(u64, u64)> {
    let is_bad = draw(timeline_of(number), 5, 5) == 0;
    if draw(number, 2, 1000) < if is_bad { 300 } else { 25 } {
        // Half of them below the usual threshold of three.
        let streak = 1 + draw(number, 3, 6) * draw(number, 4, 4);
        return Some((streak, streak * PAUSE));
    }
    let is_hit = draw(number / PROJECT_JOBS, 6, 10) < 7 && draw(number, 7, 10) < 6;
    (scene == Scene::MassFailure && is_hit).then(|| (1 + draw(number, 30, 4), HIT_SECONDS))
}

/// The number of the first job of a job's timeline.
fn timeline_of(number: u64) -> u64 {
    let mut first = number / PROJECT_JOBS * PROJECT_JOBS;
    for (_, _, jobs) in TIMELINES {
        if number < first + jobs {
            break;
        }
        first += jobs;
    }
    first
}

fn figures(number: u64, scene: Scene, now: Timestamp) -> Figures {
    let streak = streak(number, scene);
    let is_idle = streak.is_none() && draw(number, 8, 10) == 0;
    // Idle jobs have not run for eight days.
    let last = draw(number, 9, PAUSE) + if is_idle { 691_200 } else { 0 };
    let (failures, since) = streak.unwrap_or_default();
    let stray = u64::from(draw(number, 10, 8) == 0);
    let is_flaky = draw(number, 11, 100) < 3;
    let total = 50 + draw(number, 12, 4000);
    let mut figures = Figures {
        consecutive_failures: failures,
        window_executions: 10,
        window_failures: usize::try_from(failures + stray).unwrap().min(10),
        window_flaky: if is_flaky {
            1 + usize::try_from(draw(number, 13, 4)).unwrap()
        } else {
            0
        },
        flaky_executions: if is_flaky { 40 } else { 0 },
        retries: draw(number, 14, 60),
        last_execution: before(now, last),
        last_success: before(now, since + last),
        last_failure: before(now, if failures > 0 { last } else { 200_000 + last }),
        first_seen: before(now, 8_000_000),
        duration: Span::from_seconds(draw(number, 15, 9000) as f64 / 7.0),
        queued_duration: Span::from_seconds(draw(number, 16, 900) as f64 / 9.0),
        usual_duration: Span::from_seconds(draw(number, 17, 9000) as f64 / 7.0),
        running_since: before(now, draw(number, 18, 1200)).filter(|_| draw(number, 19, 100) == 0),
        pending_since: before(now, draw(number, 20, 1200)).filter(|_| draw(number, 21, 100) == 0),
        absent_pipelines: if draw(number, 22, 200) == 0 { 2 } else { 0 },
        failing: streak.map(|(_, since)| failing(number, scene, now, since)),
        ..Figures::default()
    };
    let executions = &mut figures.executions;
    executions.set(Outcome::Passed, total);
    executions.set(Outcome::Failed, total / 20 + failures);
    executions.set(Outcome::Canceled, total / 50);
    for (_, class) in REASONS {
        let known = figures.failures.get(class);
        figures.failures.set(class, known + total / 160);
    }
    figures
}

fn failing(number: u64, scene: Scene, now: Timestamp, since: u64) -> Failing {
    let drawn = usize::try_from(draw(number, 23, 8)).unwrap();
    // What breaks everywhere at once is a runner.
    let is_hit = scene == Scene::MassFailure && since == HIT_SECONDS;
    let (reason, class) = REASONS[if is_hit { 5 } else { drawn }];
    let commit = |question| {
        let drawn = draw(number, question, u64::MAX);
        Some(format!("{drawn:040x}").into())
    };
    let project = project_path(number / PROJECT_JOBS);
    let title = format!("Raise the limit of requests to {}", draw(number, 31, 900));
    let info = CommitInfo::saved(title.into(), "Ann Example".into(), Some("ann".into()));
    let line = format!("error: test_checkout_{number} failed: expected 200, found 503");
    let job_id = 1_000_000_000 + number;
    Failing {
        since: before(now, since),
        first_failing_commit: commit(24),
        first_failing_info: Some(Arc::new(info)),
        last_passing_commit: commit(25),
        job_id: Some(job_id),
        pipeline_id: Some(500_000_000 + number / 20),
        commit: commit(26),
        failure_reason: Some(reason.into()),
        failure_class: Some(class),
        excerpt: Some(Box::new(LogExcerpt::of_text(job_id, line.into()))),
        web_url: Some(format!("https://gitlab.example/{project}/-/jobs/{job_id}").into()),
        ..Failing::default()
    }
}

/// A pipeline fails where one of its jobs does.
fn pipelines(first: u64, jobs: &[JobRow], now: Timestamp) -> Figures {
    let worst = jobs
        .iter()
        .max_by_key(|job| job.figures.consecutive_failures);
    let mut figures = worst.unwrap().figures.clone();
    figures.running_since = None;
    figures.pending_since = None;
    figures.absent_pipelines = 0;
    figures.last_execution = before(now, draw(first, 27, PAUSE));
    figures
}

/// A nightly of each project. One of fifty was missed, one of thirty is off.
pub(super) fn schedules(project: u64, now: Timestamp) -> Vec<ScheduleRow> {
    let missed = draw(project, 28, 50) == 0;
    vec![ScheduleRow {
        id: project + 1,
        description: "nightly".into(),
        ref_name: "main".into(),
        next_run: Timestamp::from_unix(now.unix() + 40_000),
        last_run: before(now, 46_000),
        missed: before(now, 40_000).filter(|_| missed),
        switched_off: None,
        active: draw(project, 29, 30) != 0,
    }]
}
