//! Trigger jobs and child pipelines: what the exporter serves of them, and what they cost.

use std::collections::BTreeSet;
use std::time::Duration;

use gitlab_simulator::{CiStatus, Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Daemon, Place, holds, minutes};
use testkit::samples::Samples;
use testkit::truth::{equal, polled, project_ids};

const PROJECT: &str = "acme/monorepo";
const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";
const BRIDGES: &str = "GET /projects/:id/pipelines/:pid/bridges";

/// A GitLab with one project, and what is pushed to it.
struct Stage {
    gitlab: Handle,
    place: Place,
}

impl Stage {
    async fn new(watch: &str) -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        gitlab.with(|world| world.create_project(PROJECT));
        let watch = format!("projects: [{PROJECT}]{watch}");
        let place = Place::new(gitlab.url(), &watch);
        Self { gitlab, place }
    }

    fn push(&self, jobs: impl Into<Vec<JobPlan>>) -> u64 {
        self.gitlab.with(|world| {
            let project = world.project_by_path(PROJECT).unwrap().id;
            world.push_pipeline(project, PipelinePlan::new(jobs))
        })
    }

    /// The child that the last attempt of a trigger job started.
    fn child(&self, pipeline: u64, bridge: &str) -> u64 {
        let child = |world: &mut gitlab_simulator::World| {
            world.latest(pipeline, bridge).unwrap().downstream.unwrap()
        };
        self.gitlab.with(child)
    }

    fn retry(&self, pipeline: u64, job: &str) {
        self.gitlab.with(|world| {
            let id = world.latest(pipeline, job).unwrap().id;
            world.retry_job(id).unwrap();
        });
    }

    /// Waits until all is served that is true now.
    async fn is_true(&self, daemon: &Daemon) -> Samples {
        let truths = self.gitlab.truth();
        daemon.shows("the truth", |s| equal(s, &truths)).await
    }

    async fn polled(&self, daemon: &Daemon) {
        polled(&self.gitlab, daemon, &project_ids(&self.gitlab)).await;
    }
}

fn child(jobs: impl Into<Vec<JobPlan>>) -> PipelinePlan {
    PipelinePlan::new(jobs)
}

fn value(samples: &Samples, family: &str, job: &str) -> Option<f64> {
    samples.value(family, &[("job_name", job)])
}

fn names(samples: &Samples) -> BTreeSet<String> {
    let jobs = samples
        .iter()
        .filter_map(|sample| sample.labels.get("job_name"));
    jobs.cloned().collect()
}

fn is_name(samples: &Samples, wanted: &[&str]) -> Result<(), String> {
    let found = names(samples);
    let wanted: BTreeSet<_> = wanted.iter().map(ToString::to_string).collect();
    holds(found == wanted, format!("{found:?}"))
}

#[tokio::test]
async fn jobs_of_children_and_their_children_count_under_the_parents_ref_by_their_own_names() {
    let stage = Stage::new("").await;
    let deep = JobPlan::triggers("shards", child([JobPlan::fails("tests")]));
    let one = JobPlan::triggers("frontend", child([JobPlan::passes("tests"), deep]));
    let other = JobPlan::triggers("backend", child([JobPlan::fails("tests")]));
    stage.push([JobPlan::passes("tests"), one, other]);
    stage.gitlab.advance(minutes(2));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    let samples = stage.is_true(&daemon).await;
    let wanted = [
        ("tests", 0.0),
        ("frontend", 1.0),
        ("frontend / tests", 0.0),
        ("frontend / shards", 1.0),
        ("frontend / shards / tests", 1.0),
        ("backend", 1.0),
        ("backend / tests", 1.0),
    ];
    is_name(&samples, &wanted.map(|(name, _)| name)).unwrap();
    for (job, streak) in wanted {
        let found = value(&samples, "job_consecutive_failures", job);
        assert_eq!(found, Some(streak), "{job}");
        assert_eq!(value(&samples, "job_window_executions", job), Some(1.0));
    }
    let info = samples
        .one("job_failure_info", &[("job_name", "backend")])
        .unwrap();
    assert_eq!(info.labels["failure_class"], "dependency");
    assert_eq!(info.labels["failure_reason"], "downstream_pipeline_failed");
    daemon.stop().await;
}

#[tokio::test]
async fn children_that_are_not_to_be_followed_are_not_asked_for() {
    let stage = Stage::new(", child_pipelines: ignore").await;
    let bridge = JobPlan::triggers("frontend", child([JobPlan::fails("tests")]));
    stage.push([JobPlan::passes("lint"), bridge]);
    stage.gitlab.advance(minutes(2));
    let daemon = stage.place.start().await;
    let samples = daemon.shows("the job", |s| is_name(s, &["lint"])).await;
    is_name(&samples, &["lint"]).unwrap();
    assert_eq!(stage.gitlab.count(JOBS), 1);
    daemon.stop().await;
}

#[tokio::test]
async fn trigger_jobs_that_do_not_count_are_asked_for_only_where_the_jobs_do_not_explain_the_status()
 {
    for (job, requests) in [(JobPlan::fails("unit"), 0), (JobPlan::passes("unit"), 1)] {
        let stage = Stage::new(", child_pipelines: ignore").await;
        let bridge = JobPlan::triggers("frontend", child([JobPlan::fails("tests")]));
        stage.push([job, bridge]);
        stage.gitlab.advance(minutes(10));
        let daemon = stage.place.start().await;
        daemon.shows("the job", |s| is_name(s, &["unit"])).await;
        assert_eq!(stage.gitlab.count(BRIDGES), requests);
        stage.polled(&daemon).await;
        assert_eq!(stage.gitlab.count(BRIDGES), 0, "it is known");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn the_preset_of_datadog_agent_asks_for_no_children_unless_told_to() {
    for (watch, wanted) in [("", 0), (", child_pipelines: follow", 1)] {
        let stage = Stage::new(watch).await;
        stage
            .place
            .configure_also("counting: {preset: datadog-agent}\n");
        stage.push([JobPlan::fails("lint")]);
        stage.gitlab.advance(minutes(2));
        let daemon = stage.place.start().await;
        daemon.shows("the job", |s| is_name(s, &["lint"])).await;
        assert_eq!(stage.gitlab.count(BRIDGES), wanted, "{watch}");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn a_child_that_nobody_waits_for_is_read_until_it_has_ended_also_after_a_restart() {
    let stage = Stage::new("").await;
    let slow = JobPlan::fails("tests").taking(Duration::ZERO, minutes(30));
    let bridge = JobPlan::triggers("nightly", child([slow])).detached();
    let pipeline = stage.push([JobPlan::passes("lint"), bridge]);
    stage.gitlab.advance(minutes(1));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    let parent = stage
        .gitlab
        .with(|world| world.pipeline(pipeline).unwrap().status);
    assert_eq!(parent, CiStatus::Success);
    let samples = stage.is_true(&daemon).await;
    let running = value(
        &samples,
        "job_running_start_timestamp_seconds",
        "nightly / tests",
    );
    assert!(running.is_some(), "{samples:?}");

    stage.gitlab.advance(minutes(10));
    stage.polled(&daemon).await;
    assert!(stage.gitlab.count(JOBS) > 0, "it is still read");
    daemon.stop().await;
    stage.gitlab.advance(minutes(30));
    let daemon = stage.place.start().await;
    let samples = stage.is_true(&daemon).await;
    let streak = value(&samples, "job_consecutive_failures", "nightly / tests");
    assert_eq!(streak, Some(1.0));

    stage.polled(&daemon).await;
    stage.polled(&daemon).await;
    assert_eq!(stage.gitlab.count(JOBS), 0, "all has ended");
    daemon.stop().await;
}

#[tokio::test]
async fn a_child_of_a_parent_that_waits_for_somebody_is_read_until_it_has_ended_also_after_a_restart()
 {
    let stage = Stage::new("").await;
    let slow = JobPlan::fails("tests").taking(Duration::ZERO, minutes(30));
    let bridge = JobPlan::triggers("nightly", child([slow])).detached();
    let gate = JobPlan::passes("approve").in_stage("deploy").manual();
    let rollout = JobPlan::passes("rollout").in_stage("rollout");
    let pipeline = stage.push([JobPlan::passes("lint"), bridge, gate, rollout]);
    stage.gitlab.advance(minutes(1));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    let parent = stage
        .gitlab
        .with(|world| world.pipeline(pipeline).unwrap().status);
    assert_eq!(parent, CiStatus::Manual);
    stage.is_true(&daemon).await;

    // A later one, so that the first is not listed again.
    stage.gitlab.advance(minutes(15));
    stage.push([JobPlan::passes("lint")]);
    stage.gitlab.advance(minutes(2));
    stage.is_true(&daemon).await;
    stage.polled(&daemon).await;
    daemon.stop().await;

    stage.gitlab.advance(minutes(60));
    let daemon = stage.place.start().await;
    let samples = stage.is_true(&daemon).await;
    let streak = value(&samples, "job_consecutive_failures", "nightly / tests");
    assert_eq!(streak, Some(1.0));
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_of_a_child_that_somebody_starts_later_counts_although_the_parent_does_not_move() {
    let stage = Stage::new("").await;
    let gate = JobPlan::passes("rollout").in_stage("deploy").manual();
    let bridge = JobPlan::triggers("deploy", child([JobPlan::passes("tests"), gate])).detached();
    let pipeline = stage.push([JobPlan::passes("lint"), bridge]);
    stage.gitlab.advance(minutes(2));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    stage.is_true(&daemon).await;
    stage.polled(&daemon).await;
    let started = stage.child(pipeline, "deploy");
    stage.gitlab.with(|world| {
        assert_eq!(world.pipeline(started).unwrap().status, CiStatus::Manual);
        let id = world.latest(started, "rollout").unwrap().id;
        world.set_job_status(id, CiStatus::Failed);
    });
    let samples = stage.is_true(&daemon).await;
    let streak = value(&samples, "job_consecutive_failures", "deploy / rollout");
    assert_eq!(streak, Some(1.0));
    daemon.stop().await;
}

#[tokio::test]
async fn a_trigger_job_that_starts_nothing_fails_by_itself_and_counts() {
    let stage = Stage::new("").await;
    let reason = "downstream_pipeline_creation_failed";
    let mut bridge = JobPlan::triggers("frontend", child([JobPlan::passes("tests")]));
    bridge.attempts = JobPlan::fails_with("frontend", reason).attempts;
    for _ in 0..2 {
        stage.push([JobPlan::passes("lint"), bridge.clone()]);
        stage.gitlab.advance(minutes(1));
    }
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    let streak = |s: &Samples| {
        let found = value(s, "job_consecutive_failures", "frontend");
        holds(found == Some(2.0), format!("{found:?}"))
    };
    let samples = daemon.shows("the streak", streak).await;
    let info = samples
        .one("job_failure_info", &[("job_name", "frontend")])
        .unwrap();
    assert_eq!(info.labels["failure_reason"], reason);
    assert_eq!(info.labels["failure_class"], "dependency");
    is_name(&samples, &["lint", "frontend"]).unwrap();
    daemon.stop().await;
}

#[tokio::test]
async fn a_retried_trigger_job_starts_another_child_whose_jobs_are_later_attempts() {
    let stage = Stage::new("").await;
    let tests = JobPlan::fails("tests");
    let pipeline = stage.push([JobPlan::triggers("frontend", child([tests]))]);
    stage.gitlab.advance(minutes(1));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    let samples = stage.is_true(&daemon).await;
    let streak = |s: &Samples, job: &str| value(s, "job_consecutive_failures", job);
    assert_eq!(streak(&samples, "frontend / tests"), Some(1.0));

    stage.retry(pipeline, "frontend");
    stage.gitlab.with(|world| {
        let bridge = world.latest(pipeline, "frontend").unwrap();
        let job = world
            .latest(bridge.downstream.unwrap(), "tests")
            .unwrap()
            .id;
        world.set_job_status(job, CiStatus::Success);
    });
    stage.gitlab.advance(minutes(1));
    let samples = stage.is_true(&daemon).await;
    for job in ["frontend", "frontend / tests"] {
        assert_eq!(streak(&samples, job), Some(0.0), "{job}");
        assert_eq!(value(&samples, "job_window_executions", job), Some(1.0));
        assert_eq!(value(&samples, "job_retries_total", job), Some(1.0));
        assert_eq!(
            value(&samples, "job_flaky_executions_total", job),
            Some(1.0)
        );
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_job_of_a_child_that_is_retried_hours_later_changes_its_outcome_in_place() {
    let stage = Stage::new("").await;
    let flaky = |name: &str| {
        let plan = JobPlan::fails(name).attempts[0].clone();
        JobPlan::new(name, [plan, JobPlan::passes(name).attempts[0].clone()])
    };
    let waited_for = JobPlan::triggers("frontend", child([flaky("tests")]));
    let detached = JobPlan::triggers("docs", child([flaky("links")])).detached();
    let pipeline = stage.push([waited_for, detached]);
    stage.gitlab.advance(minutes(1));
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    stage.is_true(&daemon).await;

    stage.gitlab.advance(minutes(180));
    stage.polled(&daemon).await;
    stage.retry(stage.child(pipeline, "frontend"), "tests");
    stage.gitlab.advance(minutes(1));
    let samples = stage.is_true(&daemon).await;
    for job in ["frontend", "frontend / tests"] {
        assert_eq!(value(&samples, "job_consecutive_failures", job), Some(0.0));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn of_a_pipeline_in_another_project_only_the_trigger_job_counts() {
    let stage = Stage::new("").await;
    stage
        .gitlab
        .with(|world| world.create_project("acme/other"));
    let there = JobPlan::triggers("deploy", child([JobPlan::fails("rollout")]));
    stage.push([JobPlan::passes("lint"), there.in_project("acme/other")]);
    stage.gitlab.advance(minutes(2));
    let daemon = stage.place.start().await;
    let streak = |s: &Samples| {
        let found = value(s, "job_consecutive_failures", "deploy");
        holds(found == Some(1.0), format!("{found:?}"))
    };
    let samples = daemon.shows("the streak", streak).await;
    is_name(&samples, &["lint", "deploy"]).unwrap();
    let downstream = stage.gitlab.requests();
    let other = stage
        .gitlab
        .with(|world| world.project_by_path("acme/other").unwrap().id);
    let asked = downstream
        .iter()
        .filter(|r| r.target.contains(&format!("/projects/{other}/")));
    assert_eq!(asked.count(), 0);
    daemon.stop().await;
}

#[tokio::test]
async fn trigger_jobs_are_asked_for_once_where_there_are_none_and_an_ended_child_is_read_once() {
    let stage = Stage::new("").await;
    let long = |name: &str| JobPlan::passes(name).taking(Duration::ZERO, minutes(60));
    let plain = stage.push([long("plain")]);
    let quick = JobPlan::triggers("frontend", child([JobPlan::passes("tests")]));
    let parent = stage.push([long("slow"), quick]);
    stage.gitlab.advance(minutes(2));
    let ended = stage.child(parent, "frontend");
    let daemon = stage.place.start().await;
    daemon.is_ready().await;
    stage.is_true(&daemon).await;
    let asked = |pipeline: u64, what: &str| {
        let path = format!("/pipelines/{pipeline}/{what}?");
        let requests = stage.gitlab.requests();
        requests.iter().filter(|r| r.target.contains(&path)).count()
    };
    assert_eq!(asked(plain, "bridges"), 1);
    assert_eq!((asked(ended, "jobs"), asked(ended, "bridges")), (1, 1));
    for _ in 0..3 {
        // Forgets the requests so far.
        stage.polled(&daemon).await;
        assert!(asked(plain, "jobs") > 0 && asked(parent, "jobs") > 0);
        assert!(
            asked(parent, "bridges") > 0,
            "a retried trigger job would show there"
        );
        assert_eq!(asked(plain, "bridges"), 0);
        assert_eq!((asked(ended, "jobs"), asked(ended, "bridges")), (0, 0));
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_child_that_cannot_be_read_holds_nothing_else_back_and_is_read_later() {
    use gitlab_simulator::Fault;

    let stage = Stage::new("").await;
    let bridge = JobPlan::triggers("frontend", child([JobPlan::fails("tests")]));
    let pipeline = stage.push([JobPlan::fails("lint"), bridge]);
    stage.gitlab.advance(minutes(2));
    let path = format!("/pipelines/{}/jobs", stage.child(pipeline, "frontend"));
    stage.gitlab.faults(|faults| {
        for _ in 0..4 {
            faults.inject_at(&path, Fault::InvalidJson);
        }
    });
    let daemon = stage.place.start().await;
    let first = |s: &Samples| is_name(s, &["frontend", "lint"]);
    daemon.shows("what could be read", first).await;
    stage.is_true(&daemon).await;
    daemon.stop().await;
}
