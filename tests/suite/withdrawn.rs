//! Attempts that the exporter knows and GitLab does not have: withdrawn once GitLab has said so for each.

use std::time::Duration;

use gitlab_simulator::{CiStatus, Fault, Faults, Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::{differences, equal, polled, project_ids};

const PROJECT: &str = "acme/shop";
const JOB: &str = "GET /projects/:id/jobs/:jid";
const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";

/// A GitLab with a job `deploy` that failed three times, an exporter that counted it, and the last pipeline.
async fn failing() -> (Handle, Place, Daemon, u64) {
    let gitlab = start(Options::default()).await.unwrap();
    let mut last = 0;
    for _ in 0..3 {
        last = push(&gitlab, [JobPlan::fails("deploy"), JobPlan::passes("lint")]);
        gitlab.advance(minutes(2));
    }
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let exporter = place.start().await;
    is_true(&gitlab, &exporter).await;
    (gitlab, place, exporter, last)
}

fn push(gitlab: &Handle, jobs: impl Into<Vec<JobPlan>>) -> u64 {
    gitlab.with(|world| {
        let known = world.project_by_path(PROJECT).map(|project| project.id);
        let project = known.unwrap_or_else(|| world.create_project(PROJECT));
        world.push_pipeline(project, PipelinePlan::new(jobs))
    })
}

async fn is_true(gitlab: &Handle, exporter: &Daemon) -> Samples {
    let truths = gitlab.truth();
    exporter.shows("the truth", |s| equal(s, &truths)).await
}

/// Retries a job, which then ends like this; returns the new attempt.
fn retry(gitlab: &Handle, pipeline: u64, job: &str, ending: CiStatus) -> u64 {
    gitlab.with(|world| {
        let last = world.latest(pipeline, job).unwrap().id;
        let new = world.retry_job(last).unwrap();
        world.set_job_status(new, ending);
        new
    })
}

fn forget(gitlab: &Handle, attempt: u64) {
    gitlab.with(|world| world.forget_attempt(attempt));
}

/// The pipeline moves, so that its jobs are read again.
fn moves(gitlab: &Handle, pipeline: u64) {
    retry(gitlab, pipeline, "lint", CiStatus::Success);
}

fn counted(samples: &Samples, job: &str) -> [f64; 3] {
    let labels = [("job_name", job)];
    [
        "job_executions_total",
        "job_retries_total",
        "job_flaky_executions_total",
    ]
    .map(|family| samples.sum(family, &labels))
}

/// Two polling cycles later the exporter knows the same as before.
async fn stays(gitlab: &Handle, exporter: &Daemon) {
    let projects = project_ids(gitlab);
    polled(gitlab, exporter, &projects).await;
    polled(gitlab, exporter, &projects).await;
    let found = differences(&exporter.scrape().await, &gitlab.truth());
    assert!(found.is_empty(), "{}", found.join("\n"));
    let log = exporter.log();
    assert!(!log.contains("count no more"), "{log}");
}

#[tokio::test]
async fn an_attempt_that_gitlab_never_had_counts_no_more_and_no_counter_goes_back() {
    let (gitlab, place, exporter, pipeline) = failing().await;
    let passed = retry(&gitlab, pipeline, "deploy", CiStatus::Success);
    let before = is_true(&gitlab, &exporter).await;
    forget(&gitlab, passed);
    gitlab.advance(minutes(3));
    moves(&gitlab, pipeline);
    gitlab.advance(minutes(3));
    let after = is_true(&gitlab, &exporter).await;
    let streak = after.value("job_consecutive_failures", &[("job_name", "deploy")]);
    assert_eq!(streak, Some(3.0));
    let (before, after) = (counted(&before, "deploy"), counted(&after, "deploy"));
    let pairs = before.iter().zip(after);
    assert!(
        pairs.clone().all(|(before, after)| *before <= after),
        "{before:?} and then {after:?}"
    );
    push(&gitlab, [JobPlan::fails("deploy"), JobPlan::passes("lint")]);
    gitlab.advance(minutes(2));
    is_true(&gitlab, &exporter).await;
    exporter.stop().await;
    let again = place.start().await;
    let restarted = is_true(&gitlab, &again).await;
    let kept = counted(&restarted, "deploy");
    assert!(kept.iter().zip(after).all(|(kept, after)| *kept >= after));
    again.stop().await;
}

#[tokio::test]
async fn a_job_that_gitlab_never_had_is_shown_nowhere() {
    let (gitlab, place, exporter, _) = failing().await;
    let jobs = ["made-up", "made / up"].map(JobPlan::fails);
    let pipeline = push(
        &gitlab,
        [jobs.to_vec(), vec![JobPlan::passes("lint")]].concat(),
    );
    gitlab.advance(minutes(2));
    is_true(&gitlab, &exporter).await;
    let attempts = ["made-up", "made / up"]
        .map(|job| gitlab.with(|world| world.latest(pipeline, job).unwrap().id));
    for attempt in attempts {
        forget(&gitlab, attempt);
    }
    gitlab.advance(minutes(3));
    moves(&gitlab, pipeline);
    gitlab.advance(minutes(3));
    is_true(&gitlab, &exporter).await;
    exporter.stop().await;
    let again = place.start().await;
    let samples = is_true(&gitlab, &again).await;
    assert!(!format!("{samples:?}").contains("made"));
    for page in ["/", "/api/v1/jobs"] {
        let (status, text) = again.get(page).await;
        assert_eq!(status, 200);
        assert!(text.contains("deploy") && !text.contains("made"), "{text}");
    }
    again.stop().await;
}

#[tokio::test]
async fn what_gitlab_does_not_answer_withdraws_nothing() {
    let (gitlab, _place, exporter, pipeline) = failing().await;
    let passed = retry(&gitlab, pipeline, "deploy", CiStatus::Success);
    let before = is_true(&gitlab, &exporter).await;
    gitlab.advance(minutes(3));
    forget(&gitlab, passed);
    moves(&gitlab, pipeline);
    gitlab.advance(minutes(3));
    let path = format!("/jobs/{passed}");
    let faults = [Fault::Forbidden, Fault::ProxyNotFound, Fault::OriginError];
    gitlab.faults(|all| {
        for fault in faults.into_iter().cycle().take(60) {
            all.inject_at(&path, fault);
        }
    });
    gitlab.forget_requests();
    exporter
        .shows("questions about the attempt", |samples| {
            let streak = samples.value("job_consecutive_failures", &[("job_name", "deploy")]);
            assert_eq!(streak, Some(0.0), "before GitLab answered");
            holds(gitlab.count(JOB) > 3, "not asked")
        })
        .await;
    let now = exporter.scrape().await;
    let figures = [before, now].map(|samples| format!("{:?}", counted(&samples, "deploy")));
    assert_eq!(figures[0], figures[1]);
    gitlab.faults(Faults::clear);
    is_true(&gitlab, &exporter).await;
    exporter.stop().await;
}

#[tokio::test]
async fn a_replica_that_lags_withdraws_nothing() {
    let (gitlab, _place, exporter, pipeline) = failing().await;
    gitlab.advance(minutes(5));
    gitlab.lag(&[JOBS, JOB], 2);
    let retried = gitlab.with(|world| {
        let last = world.latest(pipeline, "deploy").unwrap().id;
        world.retry_job(last).unwrap()
    });
    gitlab.advance(minutes(1));
    gitlab.with(|world| world.set_job_status(retried, CiStatus::Success));
    let streak = |samples: &Samples| {
        let streak = samples.value("job_consecutive_failures", &[("job_name", "deploy")]);
        holds(streak == Some(0.0), format!("{streak:?}"))
    };
    exporter.shows("the retry", streak).await;
    for _ in 0..4 {
        gitlab.advance(Duration::from_secs(10));
        moves(&gitlab, pipeline);
        let projects = project_ids(&gitlab);
        polled(&gitlab, &exporter, &projects).await;
        assert_eq!(streak(&exporter.scrape().await), Ok(()));
    }
    gitlab.catch_up();
    gitlab.advance(minutes(3));
    is_true(&gitlab, &exporter).await;
    stays(&gitlab, &exporter).await;
    exporter.stop().await;
}

/// A parent whose child has an ended job `done` and a running job `unit`, both counted.
async fn family() -> (Handle, Place, Daemon, [u64; 2]) {
    let gitlab = start(Options::default()).await.unwrap();
    let child = PipelinePlan::new([JobPlan::fails("done"), JobPlan::held("unit")]);
    let jobs = [
        JobPlan::passes("lint"),
        JobPlan::triggers("frontend", child),
    ];
    let parent = push(&gitlab, jobs);
    gitlab.advance(minutes(1));
    let child = gitlab.with(|world| {
        let child = world
            .latest(parent, "frontend")
            .unwrap()
            .downstream
            .unwrap();
        let unit = world.latest(child, "unit").unwrap().id;
        world.set_job_status(unit, CiStatus::Running);
        child
    });
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let exporter = place.start().await;
    is_true(&gitlab, &exporter).await;
    (gitlab, place, exporter, [parent, child])
}

#[tokio::test]
async fn a_running_job_of_a_deleted_child_ends_and_what_ended_before_stays() {
    let (gitlab, _place, exporter, [parent, child]) = family().await;
    gitlab.with(|world| world.delete_pipeline(child));
    gitlab.advance(minutes(3));
    moves(&gitlab, parent);
    gitlab.advance(minutes(3));
    let running = "job_running_start_timestamp_seconds";
    let samples = exporter
        .shows("no running job", |samples| {
            let found = samples.of(running, &[("job_name", "frontend / unit")]);
            holds(found.is_empty(), "it runs")
        })
        .await;
    let done = [("job_name", "frontend / done")];
    assert_eq!(samples.value("job_consecutive_failures", &done), Some(1.0));
    exporter.stop().await;
}

#[tokio::test]
async fn a_running_job_of_a_deleted_pipeline_ends_and_what_ended_before_stays() {
    let (gitlab, _place, exporter, [parent, _]) = family().await;
    gitlab.with(|world| world.delete_pipeline(parent));
    gitlab.advance(minutes(3));
    let samples = exporter
        .shows("no running job", |samples| {
            let found = samples.of("job_running_start_timestamp_seconds", &[]);
            holds(found.is_empty(), format!("{found:?}"))
        })
        .await;
    let done = [("job_name", "frontend / done")];
    assert_eq!(samples.value("job_consecutive_failures", &done), Some(1.0));
    exporter.stop().await;
}

#[tokio::test]
async fn a_child_that_cannot_be_read_and_a_hidden_trigger_job_withdraw_nothing() {
    let (gitlab, _place, exporter, [parent, child]) = family().await;
    gitlab.with(|world| {
        let unit = world.latest(child, "unit").unwrap().id;
        world.set_job_status(unit, CiStatus::Failed);
    });
    is_true(&gitlab, &exporter).await;
    gitlab.advance(minutes(5));
    for fault in [Fault::Forbidden, Fault::NotYetThere, Fault::EmptyList] {
        gitlab.faults(|all| {
            all.inject_at(&format!("/pipelines/{parent}/bridges"), fault);
            all.inject_at(&format!("/pipelines/{child}/jobs"), fault);
        });
        moves(&gitlab, parent);
        gitlab.advance(minutes(5));
        stays(&gitlab, &exporter).await;
    }
    // Its former attempt and the jobs of its former child are hidden from now on.
    gitlab.with(|world| {
        let bridge = world.latest(parent, "frontend").unwrap().id;
        world.retry_job(bridge).unwrap();
    });
    gitlab.advance(minutes(5));
    moves(&gitlab, parent);
    gitlab.advance(minutes(5));
    let projects = project_ids(&gitlab);
    polled(&gitlab, &exporter, &projects).await;
    let log = exporter.log();
    assert!(!log.contains("count no more"), "{log}");
    exporter.stop().await;
}
