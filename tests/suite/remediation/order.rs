//! Which attempt, and which first: stages, pipelines, the job's own `retry:`, children.

use gitlab_simulator::{ActionKind, JobPlan, PipelinePlan};

use super::stage::{RULES, Stage, broken_runner, flaky_runner};

#[tokio::test]
async fn what_failed_upstream_comes_first() {
    let stage = Stage::new("act", RULES).await;
    let compile = flaky_runner("compile").in_stage("build");
    stage.ended([compile, flaky_runner("unit").needing([])]);
    stage.results_in_time(&["recovered", "recovered"]).await;
    let retried = |name: &str| (ActionKind::RetryJob, Some(name.to_owned()));
    assert_eq!(stage.done(), [retried("compile"), retried("unit")]);

    let compile = JobPlan::fails("compile").in_stage("build");
    stage.ended([compile, flaky_runner("unit").needing([])]);
    stage.decides("unit", "wait", "upstream_failed").await;
}

#[tokio::test]
async fn a_job_that_may_fail_holds_up_nothing() {
    let stage = Stage::new("act", RULES).await;
    let audit = JobPlan::fails("audit").in_stage("build").allowed_to_fail();
    stage.ended([audit, flaky_runner("unit")]);
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn a_failure_that_a_newer_pipeline_has_overtaken_is_left_alone() {
    let stage = Stage::without_daemon("act", RULES).await;
    stage.ended([flaky_runner("unit"), JobPlan::passes("lint")]);
    stage.ended([JobPlan::passes("lint")]);
    stage.start().await;
    stage.decides("unit", "refuse", "newer_pipeline").await;
    assert_eq!(stage.sent(), 0);
}

#[tokio::test]
async fn a_newer_pipeline_of_another_branch_overtakes_nothing() {
    let stage = Stage::without_daemon("act", RULES).await;
    stage.ended([flaky_runner("unit")]);
    stage.ended_as(PipelinePlan::new([JobPlan::passes("lint")]).on("feature"));
    stage.start().await;
    stage.results_in_time(&["recovered"]).await;
}

#[tokio::test]
async fn a_job_that_gitlab_retries_itself_needs_nobody() {
    let stage = Stage::new("act", RULES).await;
    let pipeline = stage.ended([flaky_runner("unit").retried(1), flaky_runner("lint")]);
    stage.results_in_time(&["recovered"]).await;
    let retried = (ActionKind::RetryJob, Some("lint".to_owned()));
    assert_eq!(stage.done(), [retried]);
    assert_ne!(stage.job(pipeline, "unit").user, stage.bot);
}

#[tokio::test]
async fn tries_are_counted_in_gitlab_so_that_a_lost_record_grants_no_more() {
    let stage = Stage::new("act", RULES).await;
    stage.ended([broken_runner("unit")]);
    stage.results_in_time(&["failed_again"; 3]).await;
    stage.stop().await;
    std::fs::remove_dir_all(stage.place.state()).unwrap();
    stage.start().await;
    stage.gitlab.advance(testkit::daemon::minutes(2));
    stage.decides("unit", "refuse", "tries_used_up").await;
    assert_eq!(stage.retries(), 3);
}

#[tokio::test]
async fn a_failed_job_of_a_child_pipeline_comes_back_with_its_parent() {
    let stage = Stage::new("act", RULES).await;
    let child = || PipelinePlan::new([flaky_runner("unit")]);
    let pipeline = stage.ended([
        JobPlan::triggers("tests", child()),
        JobPlan::passes("report").in_stage("after"),
    ]);
    stage.results_in_time(&["recovered"]).await;
    stage.gitlab.advance(testkit::daemon::minutes(2));
    let passed = gitlab_simulator::CiStatus::Success;
    assert_eq!(stage.status(pipeline, "report"), passed);
    assert_eq!(stage.retries(), 1);

    stage.ended([
        JobPlan::triggers("tests", child()),
        JobPlan::passes("deploy").in_stage("after"),
    ]);
    let decides = stage.decides("tests / unit", "refuse", "revives_deployment");
    decides.await;
    assert_eq!(stage.sent(), 1);
}
