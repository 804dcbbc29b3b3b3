//! The jobs of running pipelines of several projects, by one GraphQL request: the same as by REST, and by REST where GraphQL does
//! not tell enough.

use std::time::Duration;

use gitlab_simulator::{GraphqlFaults, Handle, JobPlan, Options, PipelinePlan, start};
use testkit::daemon::{Daemon, Place, holds, minutes, until};
use testkit::truth::equal;

const JOBS: &str = "GET /projects/:id/pipelines/:pid/jobs";
const GRAPHQL: &str = "graphql";
const PROJECTS: usize = 5;

/// Sweeps, and as many requests for jobs.
const REQUESTS: usize = 30;

/// More than cycles that no sweep starts take, on a loaded machine.
const FEW: usize = 2 * PROJECTS;

fn path(project: usize) -> String {
    format!("acme/project-{project}")
}

fn runs_for_hours(name: &str) -> JobPlan {
    JobPlan::passes(name).taking(Duration::from_secs(10), minutes(600))
}

fn push(gitlab: &Handle, project: usize, jobs: Vec<JobPlan>) {
    gitlab.with(|world| {
        let id = world.project_by_path(&path(project)).unwrap().id;
        let pipeline = world.push_pipeline(id, PipelinePlan::new(jobs));
        world.set_title(pipeline, "Break it");
    });
    gitlab.advance(minutes(1));
}

/// A GitLab with these faults, and an exporter that has read everything, with a running pipeline in each project.
async fn stage(faults: impl FnOnce(&mut GraphqlFaults)) -> (Handle, Place, Daemon) {
    let gitlab = start(Options::default()).await.unwrap();
    gitlab.faults(|all| faults(&mut all.graphql));
    gitlab.with(|world| {
        for project in 0..PROJECTS {
            let id = world.create_project(&path(project));
            let plan = PipelinePlan::new([JobPlan::passes("unit"), JobPlan::passes("long")]);
            world.push_pipeline(id, plan.instant());
        }
    });
    gitlab.advance(minutes(60));
    let place = Place::new(gitlab.url(), "groups: [{path: acme}], schedules: false");
    place.reconfigure("api: rest", "api: graphql");
    let daemon = place.start().await;
    daemon.is_ready().await;
    for project in 0..PROJECTS {
        let jobs = vec![JobPlan::passes("unit"), runs_for_hours("long")];
        push(&gitlab, project, jobs);
    }
    is_true(&gitlab, &daemon).await;
    (gitlab, place, daemon)
}

async fn is_true(gitlab: &Handle, daemon: &Daemon) {
    let truths = gitlab.truth();
    daemon
        .shows("the truth", |samples| equal(samples, &truths))
        .await;
}

/// Requests for the jobs of single pipelines while GraphQL answers so many requests.
async fn meanwhile_by_rest(gitlab: &Handle) -> usize {
    gitlab.forget_requests();
    until("requests", async || {
        let found = gitlab.count(GRAPHQL);
        holds(found >= REQUESTS, found)
    })
    .await;
    gitlab.count(JOBS)
}

#[tokio::test]
async fn what_moves_in_running_pipelines_is_seen_without_a_request_for_each() {
    let (gitlab, _place, daemon) = stage(|_| {}).await;
    let by_rest = meanwhile_by_rest(&gitlab).await;
    assert!(by_rest <= FEW, "{by_rest}");
    // GraphQL tells neither the reason nor the commit.
    let fails = JobPlan::fails_with("unit", "runner_system_failure");
    push(&gitlab, 1, vec![fails, runs_for_hours("long")]);
    is_true(&gitlab, &daemon).await;
    let samples = daemon.scrape().await;
    let labels = [("project", &*path(1)), ("job_name", "unit")];
    let info = samples.one("job_failure_info", &labels).unwrap();
    assert_eq!(info.labels["failure_reason"], "runner_system_failure");
    assert_eq!(info.labels["commit_title"], "Break it");
    let by_rest = meanwhile_by_rest(&gitlab).await;
    assert!(by_rest <= FEW, "{by_rest}");
    gitlab.advance(minutes(700));
    is_true(&gitlab, &daemon).await;
    daemon.stop().await;
}

#[tokio::test]
async fn what_graphql_does_not_tell_is_read_by_rest() {
    let (gitlab, _place, daemon) = stage(|_| {}).await;
    let mut large: Vec<_> = (0..120)
        .map(|n| runs_for_hours(&format!("part-{n}")))
        .collect();
    large.push(JobPlan::passes("unit"));
    push(&gitlab, 0, large);
    let child = PipelinePlan::new([JobPlan::fails("unit"), runs_for_hours("inner")]);
    push(
        &gitlab,
        1,
        vec![JobPlan::triggers("child", child), runs_for_hours("long")],
    );
    // Of a project with many running pipelines only the newest ones are told.
    for _ in 0..7 {
        push(
            &gitlab,
            2,
            vec![JobPlan::fails("unit"), runs_for_hours("long")],
        );
    }
    is_true(&gitlab, &daemon).await;
    let by_rest = meanwhile_by_rest(&gitlab).await;
    assert!(by_rest > FEW, "{by_rest}");
    gitlab.advance(minutes(700));
    is_true(&gitlab, &daemon).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_gitlab_that_does_not_know_the_question_or_takes_too_long_for_it_is_asked_by_rest() {
    let slow = stage(|graphql| graphql.job_lists = Some(0)).await;
    let old = stage(|graphql| graphql.forget("CiJob.failureMessage")).await;
    for (gitlab, _place, daemon) in [slow, old] {
        daemon.says("are read one by one by REST").await;
        let by_rest = meanwhile_by_rest(&gitlab).await;
        assert!(by_rest > FEW, "{by_rest}");
        push(
            &gitlab,
            0,
            vec![JobPlan::fails("unit"), runs_for_hours("long")],
        );
        is_true(&gitlab, &daemon).await;
        let log = daemon.log();
        assert!(!log.contains("so each project is listed by REST"), "{log}");
        daemon.stop().await;
    }
}

#[tokio::test]
async fn fewer_pipelines_are_asked_for_where_gitlab_takes_too_long_for_many() {
    let (gitlab, _place, daemon) = stage(|graphql| graphql.job_lists = Some(2)).await;
    // The first answers are cut, and later ones ask for two at most.
    meanwhile_by_rest(&gitlab).await;
    let by_rest = meanwhile_by_rest(&gitlab).await;
    assert!(by_rest <= FEW, "{by_rest}");
    let log = daemon.log();
    assert!(!log.contains("are read one by one by REST"), "{log}");
    daemon.stop().await;
}
