//! Replicas that lag behind the list of pipelines: what they show first is not believed.

use gitlab_simulator::{Ending, Fault, Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Place, holds, minutes};
use testkit::truth::{equal, polled, project_ids};

const PROJECT: &str = "acme/shop";

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

/// Counts a pipeline with a child whose first answers for `part` are these.
async fn counts_in_spite_of(part: &str, faults: &[Fault]) {
    let gitlab = gitlab().await;
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    push(&gitlab, [JobPlan::passes("lint")]);
    gitlab.advance(minutes(2));
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the beginning", |s| equal(s, &truths)).await;

    let child = PipelinePlan::new([JobPlan::fails("tests")]);
    let jobs = [
        JobPlan::passes("lint"),
        JobPlan::triggers("frontend", child),
    ];
    // The next id is known, so that the first request already meets the fault.
    let pipeline = gitlab.with(|world| {
        let project = world.project_by_path(PROJECT).unwrap().id;
        world.push_pipeline(project, PipelinePlan::new(jobs))
    });
    gitlab.faults(|all| {
        for fault in faults {
            all.inject_at(&format!("/pipelines/{pipeline}/{part}"), *fault);
        }
    });
    gitlab.advance(minutes(1));
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn trigger_jobs_that_are_not_yet_there_are_asked_for_again() {
    counts_in_spite_of("bridges", &[Fault::NotYetThere, Fault::NotYetThere]).await;
}

#[tokio::test]
async fn jobs_that_are_not_yet_there_are_asked_for_again() {
    counts_in_spite_of("jobs", &[Fault::NotYetThere, Fault::NotYetThere]).await;
}

/// Counts a pipeline whose own jobs a lagging replica hides at first, while its trigger job explains its status.
async fn counts_hidden_jobs(child_passes: bool) {
    let gitlab = gitlab().await;
    let child = if child_passes {
        JobPlan::passes("tests")
    } else {
        JobPlan::fails("tests")
    };
    let child = PipelinePlan::new([child]).instant();
    let flaky = JobPlan::new("e2e", [Ending::fails(), Ending::Passes]).retried(1);
    let jobs = [flaky, JobPlan::triggers("child", child)];
    let pipeline = push(&gitlab, PipelinePlan::new(jobs).instant().jobs);
    gitlab.advance(minutes(2));
    let part = format!("/pipelines/{pipeline}/jobs");
    gitlab.faults(|all| all.inject_at(&part, Fault::EmptyList));
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    daemon
        .shows("the trigger job", |samples| {
            let found = samples.of("job_consecutive_failures", &[("job_name", "child")]);
            holds(found.len() == 1, found.len())
        })
        .await;
    // The pauses are minutes.
    gitlab.advance(minutes(10));
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn jobs_are_asked_for_again_although_trigger_jobs_explain_the_status() {
    counts_hidden_jobs(true).await;
    counts_hidden_jobs(false).await;
}

#[tokio::test]
async fn a_pipeline_of_trigger_jobs_alone_is_not_read_for_ever() {
    const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";
    let gitlab = gitlab().await;
    let child = PipelinePlan::new([JobPlan::passes("tests")]).instant();
    push(&gitlab, [JobPlan::triggers("child", child)]);
    gitlab.advance(minutes(2));
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    gitlab.advance(minutes(7 * 60));
    polled(&gitlab, &daemon, &project_ids(&gitlab)).await;
    polled(&gitlab, &daemon, &project_ids(&gitlab)).await;
    assert_eq!(gitlab.count(JOBS), 0);
    daemon.stop().await;
}

#[tokio::test]
async fn a_child_whose_jobs_are_hidden_at_first_is_read_again() {
    let gitlab = gitlab().await;
    let child = PipelinePlan::new([JobPlan::passes("tests"), JobPlan::passes("docs")]).instant();
    let jobs = [JobPlan::passes("lint"), JobPlan::triggers("child", child)];
    let pipeline = push(&gitlab, PipelinePlan::new(jobs).instant().jobs);
    gitlab.advance(minutes(2));
    let child = gitlab.with(|world| world.latest(pipeline, "child").unwrap().downstream);
    let part = format!("/pipelines/{}/jobs", child.unwrap());
    gitlab.faults(|all| {
        all.inject_at(&part, Fault::EmptyList);
        all.inject_at(&part, Fault::EmptyList);
    });
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn trigger_jobs_that_were_hidden_are_asked_for_when_the_status_needs_them() {
    let gitlab = gitlab().await;
    let child = PipelinePlan::new([JobPlan::fails("tests")]).instant();
    let jobs = [JobPlan::passes("lint"), JobPlan::triggers("child", child)];
    let pipeline = push(&gitlab, PipelinePlan::new(jobs).instant().jobs);
    gitlab.advance(minutes(2));
    let part = format!("/pipelines/{pipeline}/bridges");
    gitlab.faults(|all| all.inject_at(&part, Fault::EmptyList));
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_failed_pipeline_without_jobs_is_read_again() {
    let gitlab = gitlab().await;
    let pipeline = push(&gitlab, [JobPlan::fails("unit")]);
    gitlab.advance(minutes(2));
    let jobs = format!("/pipelines/{pipeline}/jobs");
    gitlab.faults(|all| {
        all.inject_at(&jobs, Fault::EmptyList);
        all.inject_at(&jobs, Fault::EmptyList);
    });
    let place = Place::new(gitlab.url(), &format!("projects: [{PROJECT}]"));
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_failed_pipeline_without_jobs_is_read_again_where_children_do_not_count() {
    let gitlab = gitlab().await;
    let pipeline = push(&gitlab, [JobPlan::passes("lint"), JobPlan::fails("unit")]);
    // The age of the pipeline does not matter.
    gitlab.advance(minutes(7 * 60));
    let jobs = format!("/pipelines/{pipeline}/jobs");
    gitlab.faults(|all| {
        all.inject_at(&jobs, Fault::EmptyList);
        all.inject_at(&jobs, Fault::EmptyList);
    });
    let watch = format!("projects: [{PROJECT}], child_pipelines: ignore");
    let place = Place::new(gitlab.url(), &watch);
    let daemon = place.start().await;
    let truths = gitlab.truth();
    daemon.shows("the truth", |s| equal(s, &truths)).await;
    daemon.stop().await;
}
