//! Jobs that run or wait while the exporter looks: what is served of them, by whose clock.

use std::time::Duration;

use gitlab_simulator::{Ending, Handle, JobPlan, Moment, Options, Pace, PipelinePlan, start};

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::equal;

const PROJECT: &str = "acme/ml";
const RUNNING: &str = "job_running_start_timestamp_seconds";
const PENDING: &str = "job_pending_start_timestamp_seconds";
const USUAL: &str = "job_usual_duration_seconds";
const OFFSET: &str = "job_failure_exporter_gitlab_clock_offset_seconds";
const POLLED: &str = "project_last_successful_poll_timestamp_seconds";

async fn gitlab() -> Handle {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    gitlab
}

fn push(gitlab: &Handle, jobs: impl Into<Vec<JobPlan>>) -> u64 {
    gitlab.with(|world| {
        let project = world.project_by_path(PROJECT).unwrap().id;
        world.push_pipeline(project, PipelinePlan::new(jobs))
    })
}

async fn exporter(gitlab: &Handle) -> (Place, Daemon) {
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    (place, daemon)
}

async fn truth(gitlab: &Handle, daemon: &Daemon) -> Samples {
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await
}

fn value(samples: &Samples, family: &str, job: &str) -> Option<f64> {
    samples.value(family, &[("job_name", job)])
}

fn near(found: Option<f64>, wanted: f64, tolerance: f64) -> bool {
    found.is_some_and(|found| (found - wanted).abs() <= tolerance)
}

fn seconds(moment: Moment) -> f64 {
    moment.unix() as f64
}

#[tokio::test]
async fn a_job_that_runs_far_longer_than_usual_is_seen_by_its_start_and_its_usual_duration() {
    let gitlab = gitlab().await;
    for run in [100, 140, 120] {
        let run = Duration::from_secs(run);
        push(
            &gitlab,
            [JobPlan::passes("train").taking(Duration::ZERO, run)],
        );
        gitlab.advance(minutes(5));
    }
    let start = seconds(gitlab.with(|world| world.now()));
    push(
        &gitlab,
        [JobPlan::new("train", [Ending::Runs]).taking(Duration::ZERO, Duration::ZERO)],
    );
    let (_place, daemon) = exporter(&gitlab).await;
    let samples = truth(&gitlab, &daemon).await;
    assert!(
        near(value(&samples, USUAL, "train"), 120.0, 0.01),
        "{samples:?}"
    );
    assert!(near(value(&samples, RUNNING, "train"), start, 0.0));
    assert_eq!(value(&samples, PENDING, "train"), None);

    // Hours later, and although newer pipelines pass, it is still the same job that runs.
    for _ in 0..3 {
        gitlab.advance(minutes(60));
        push(&gitlab, [JobPlan::passes("train")]);
        gitlab.advance(minutes(1));
        let samples = truth(&gitlab, &daemon).await;
        assert!(near(value(&samples, RUNNING, "train"), start, 0.0));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_that_waits_for_a_runner_is_seen_by_when_it_began_to_wait_and_goes_when_one_takes_it()
{
    let gitlab = gitlab().await;
    // Created with the pipeline, it waits only once the first stage is done.
    let build = JobPlan::passes("build")
        .in_stage("build")
        .taking(Duration::ZERO, minutes(30));
    let pipeline = push(&gitlab, [build, JobPlan::held("gpu-tests")]);
    gitlab.advance(minutes(30));
    let since = seconds(gitlab.with(|world| world.now()));
    gitlab.advance(minutes(90));
    let (_place, daemon) = exporter(&gitlab).await;
    let samples = truth(&gitlab, &daemon).await;
    let waits = value(&samples, PENDING, "gpu-tests");
    assert!(near(waits, since, 2.0), "{waits:?}, not {since}");
    assert_eq!(value(&samples, RUNNING, "gpu-tests"), None);

    let status = |status| {
        gitlab.with(|world| {
            let job = world.latest(pipeline, "gpu-tests").unwrap().id;
            world.set_job_status(job, status);
        });
    };
    status(gitlab_simulator::CiStatus::Running);
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(value(&samples, PENDING, "gpu-tests"), None);
    assert!(value(&samples, RUNNING, "gpu-tests").is_some());
    gitlab.advance(minutes(1));
    status(gitlab_simulator::CiStatus::Success);
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(value(&samples, RUNNING, "gpu-tests"), None);
    daemon.stop().await;
}

/// GitLab's clock goes wrong by so many seconds: its times are served as they are, how long a job waits
/// is taken from its own clock, and when it was polled from ours.
async fn is_taken_out(skew: i64) {
    let ours = || {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        i64::try_from(since.as_secs()).unwrap()
    };
    let wait = minutes(45);
    let begin = ours() + skew - i64::try_from(wait.as_secs()).unwrap();
    let gitlab = start(Options {
        pace: Pace::still(Moment::from_unix(begin)),
        ..Options::default()
    });
    let gitlab = gitlab.await.unwrap();
    gitlab.with(|world| world.create_project(PROJECT));
    let quick = |plan: JobPlan| plan.taking(Duration::ZERO, Duration::ZERO);
    let jobs = [
        quick(JobPlan::fails("broken")),
        quick(JobPlan::new("train", [Ending::Runs])),
        JobPlan::held("gpu-tests"),
    ];
    push(&gitlab, jobs);
    gitlab.advance(wait);
    let asked_at = ours() as f64;
    let (_place, daemon) = exporter(&gitlab).await;
    let samples = truth(&gitlab, &daemon).await;
    let begin = begin as f64;
    assert!(
        near(value(&samples, RUNNING, "train"), begin, 0.0),
        "{samples:?}"
    );
    assert!(near(value(&samples, PENDING, "gpu-tests"), begin, 30.0));
    let failing = value(&samples, "job_failing_since_timestamp_seconds", "broken");
    assert!(near(failing, begin, 0.0));
    let offset = samples.value(OFFSET, &[]);
    assert!(near(offset, skew as f64, 30.0), "{offset:?}, not {skew}");
    let polled = samples.value(POLLED, &[]);
    assert!(near(polled, asked_at, 60.0), "{polled:?}, not {asked_at}");

    // What happens later is not missed, whatever our clock says.
    gitlab.advance(minutes(1));
    push(&gitlab, [quick(JobPlan::fails("broken"))]);
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(
        value(&samples, "job_consecutive_failures", "broken"),
        Some(2.0)
    );
    let waits = value(&samples, PENDING, "gpu-tests");
    assert!(
        near(waits, begin, 30.0),
        "the wait did not grow shorter: {waits:?}"
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_gitlab_whose_clock_is_an_hour_ahead_changes_no_wait_and_no_age_of_a_poll() {
    is_taken_out(3600).await;
}

#[tokio::test]
async fn a_gitlab_whose_clock_is_an_hour_behind_changes_no_wait_and_no_age_of_a_poll() {
    is_taken_out(-3600).await;
}

#[tokio::test]
async fn a_retry_by_hand_hours_later_changes_the_outcome_in_place_and_the_gauges_fall() {
    let gitlab = gitlab().await;
    let passes_later = || JobPlan::new("tests", [Ending::fails(), Ending::Passes]);
    let mut pipelines = Vec::new();
    for _ in 0..3 {
        pipelines.push(push(&gitlab, [passes_later(), JobPlan::passes("lint")]));
        gitlab.advance(minutes(5));
    }
    let (_place, daemon) = exporter(&gitlab).await;
    let look = |samples: &Samples| {
        [
            "job_consecutive_failures",
            "job_window_executions",
            "job_window_failures",
            "job_window_flaky",
            "job_flaky_executions_total",
            "job_retries_total",
        ]
        // Counts of 0 are not exposed.
        .map(|family| Some(samples.sum(family, &[("job_name", "tests")])))
    };
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(look(&samples), [3.0, 3.0, 3.0, 0.0, 0.0, 0.0].map(Some));

    // The newest: the streak ends there, and what failed before it stays failed.
    let retry = |pipeline: u64| {
        gitlab.advance(minutes(240));
        gitlab.with(|world| {
            let job = world.latest(pipeline, "tests").unwrap().id;
            world.retry_job(job).unwrap();
        });
        gitlab.advance(Duration::from_secs(10));
    };
    retry(pipelines[2]);
    let samples = truth(&gitlab, &daemon).await;
    // While the retry runs, nothing is decided: the execution is out of the window.
    assert_eq!(look(&samples), [2.0, 2.0, 2.0, 0.0, 0.0, 1.0].map(Some));
    gitlab.advance(minutes(1));
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(look(&samples), [0.0, 3.0, 2.0, 1.0, 1.0, 1.0].map(Some));

    // An older one: it becomes flaky where it stands.
    retry(pipelines[0]);
    gitlab.advance(minutes(1));
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(look(&samples), [0.0, 3.0, 1.0, 2.0, 2.0, 2.0].map(Some));

    let outcomes = |samples: &Samples, outcome: &str| {
        let labels = [("job_name", "tests"), ("outcome", outcome)];
        samples.value("job_executions_total", &labels)
    };
    // A counter does not go back: each execution counts once under each outcome it was seen with.
    assert_eq!(outcomes(&samples, "failed"), Some(3.0));
    assert_eq!(outcomes(&samples, "passed"), Some(2.0));
    let told = daemon
        .shows("no failure", |s| {
            let info = s.one("job_failure_info", &[("job_name", "tests")]);
            holds(info.is_none(), "job_failure_info")
        })
        .await;
    assert_eq!(
        value(&told, "job_failing_since_timestamp_seconds", "tests"),
        None
    );
    daemon.stop().await;
}

#[tokio::test]
async fn a_retry_that_another_start_of_the_exporter_sees_counts_as_if_it_had_never_stopped() {
    let gitlab = gitlab().await;
    let tests = JobPlan::new("tests", [Ending::fails(), Ending::Passes]);
    let pipeline = push(&gitlab, [tests]);
    gitlab.advance(minutes(5));
    let (place, daemon) = exporter(&gitlab).await;
    truth(&gitlab, &daemon).await;
    daemon.stop().await;
    gitlab.advance(minutes(300));
    gitlab.with(|world| {
        let job = world.latest(pipeline, "tests").unwrap().id;
        world.retry_job(job).unwrap();
    });
    gitlab.advance(minutes(5));
    let daemon = place.start().await;
    let samples = truth(&gitlab, &daemon).await;
    assert_eq!(
        value(&samples, "job_flaky_executions_total", "tests"),
        Some(1.0)
    );
    assert_eq!(value(&samples, "job_retries_total", "tests"), Some(1.0));
    assert_eq!(value(&samples, "job_window_executions", "tests"), Some(1.0));
    daemon.stop().await;
}
