//! Replicas that lag behind the list of pipelines: what they show first is not believed.

use gitlab_simulator::{Fault, Handle, JobPlan, Options, PipelinePlan, start};

use testkit::daemon::{Place, minutes};
use testkit::truth::equal;

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
