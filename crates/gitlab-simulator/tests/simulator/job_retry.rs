//! Retries of jobs through the API: the new attempt, what it revives, and refusals.

use gitlab_simulator::{CiStatus, JobPlan, PipelinePlan};
use serde_json::json;

use super::stage::{BOT, Stage, message};
use super::{column, minutes, seconds};

const REFUSED: &str = "403 Forbidden - Job is not retryable";

fn deploy() -> JobPlan {
    JobPlan::passes("deploy").in_stage("deploy")
}

#[tokio::test]
async fn the_new_attempt_has_the_old_name_stage_and_commit_a_higher_id_and_the_caller_as_user() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test"), JobPlan::passes("lint")]);
    let old = stage.job(pipeline, "test").id;
    let (status, new) = stage.retry(pipeline, "test").await;
    assert_eq!(status, 201);
    assert!(new["id"].as_u64() > Some(old));
    let before = stage.json(&format!("/jobs/{old}")).await;
    for field in ["name", "stage", "ref", "commit", "allow_failure"] {
        assert_eq!(new[field], before[field], "{field}");
    }
    assert_eq!(new["status"], "pending");
    assert_eq!(new["user"]["id"], stage.bot);
    assert_eq!(before["user"]["id"], 1);
    assert_eq!(before["failure_reason"], "script_failure");

    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Running);
    let path = format!("/pipelines/{pipeline}/jobs?include_retried=true");
    let attempts = stage.json(&path).await;
    assert_eq!(column(&attempts, "name"), ["test", "lint", "test"]);
    let again = stage.post(&format!("/jobs/{old}/retry")).await;
    assert_eq!(again, message(403, REFUSED));
    assert_eq!(stage.gitlab.retried_twice(), []);
}

#[tokio::test]
async fn a_passed_job_is_retryable_and_running_skipped_and_manual_ones_are_not() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([
        JobPlan::passes("lint"),
        JobPlan::fails("test"),
        JobPlan::passes("gate").manual(),
        deploy(),
    ]);
    assert_eq!(stage.retry(pipeline, "lint").await.0, 201);
    for name in ["lint", "deploy", "gate"] {
        let refused = stage.retry(pipeline, name).await;
        assert_eq!(refused, message(403, REFUSED), "{name}");
    }
    assert_eq!(
        stage.post("/jobs/77/retry").await,
        message(404, "404 Not found")
    );
}

#[tokio::test]
async fn a_retry_that_passes_starts_the_skipped_deployment_behind_it_as_the_caller() {
    let stage = Stage::new().await;
    let test = JobPlan::new(
        "test",
        [JobPlan::fails("").ending(0), JobPlan::passes("").ending(0)],
    );
    let pipeline = stage.ended([test, deploy()]);
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Skipped);
    let first = stage.with(|world| world.pipeline(pipeline).unwrap().clone());
    stage.retry(pipeline, "test").await;
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Created);
    stage.gitlab.advance(minutes(1));
    let deployed = stage.job(pipeline, "deploy");
    assert_eq!(
        (deployed.status, deployed.user),
        (CiStatus::Success, stage.bot)
    );
    let last = stage.with(|world| world.pipeline(pipeline).unwrap().clone());
    assert_eq!(last.status, CiStatus::Success);
    assert_eq!(last.started_at, first.started_at);
    assert!(last.finished_at > first.finished_at && last.updated_at > first.updated_at);
}

#[tokio::test]
async fn jobs_that_need_the_job_come_back_directly_or_not_and_others_of_the_stage_stay() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([
        JobPlan::fails("build"),
        JobPlan::fails("docs"),
        JobPlan::passes("unit").needing(["build"]),
        JobPlan::passes("report").needing(["unit"]),
        JobPlan::passes("links").needing(["docs"]),
    ]);
    stage.retry(pipeline, "build").await;
    let statuses = ["unit", "report", "links"].map(|name| stage.status(pipeline, name));
    let expected = [CiStatus::Created, CiStatus::Created, CiStatus::Skipped];
    assert_eq!(statuses, expected);
}

#[tokio::test]
async fn a_job_with_needs_starts_before_the_stage_in_front_of_it_has_ended() {
    let stage = Stage::new().await;
    let pipeline = stage.push(PipelinePlan::new([
        JobPlan::passes("quick").taking(seconds(0), seconds(1)),
        JobPlan::passes("slow"),
        deploy().needing(["quick"]),
    ]));
    stage.gitlab.advance(seconds(2));
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Pending);
    assert_eq!(stage.status(pipeline, "slow"), CiStatus::Running);
}

#[tokio::test]
async fn the_automatic_retries_of_a_job_share_their_budget_with_those_of_the_api() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test").retried(2)]);
    assert_eq!(stage.job(pipeline, "test").attempt, 2);
    stage.retry(pipeline, "test").await;
    stage.gitlab.advance(minutes(5));
    assert_eq!(stage.job(pipeline, "test").attempt, 3, "no budget is left");

    // A retry before the failure has used up the only automatic one.
    let pipeline = stage.ended([JobPlan::held("test").retried(1)]);
    let job = stage.job(pipeline, "test").id;
    stage.with(|world| world.set_job_status(job, CiStatus::Canceled));
    stage.retry(pipeline, "test").await;
    let job = stage.job(pipeline, "test").id;
    stage.with(|world| world.fail_job(job, "script_failure"));
    assert_eq!(stage.job(pipeline, "test").id, job);
}

#[tokio::test]
async fn gitlab_never_retries_a_spent_quota_by_itself_and_a_scheduler_failure_twice_unasked() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([
        JobPlan::fails_with("quota", "ci_quota_exceeded").retried(2),
        JobPlan::fails_with("scheduler", "scheduler_failure"),
    ]);
    assert_eq!(stage.job(pipeline, "quota").attempt, 0);
    assert_eq!(stage.job(pipeline, "scheduler").attempt, 2);
}

#[tokio::test]
async fn a_retried_trigger_job_starts_another_pipeline_as_the_caller() {
    let stage = Stage::new().await;
    let child = PipelinePlan::new([JobPlan::fails("tests")]);
    let pipeline = stage.ended([JobPlan::triggers("frontend", child)]);
    let old = stage.job(pipeline, "frontend");
    assert_eq!(old.status, CiStatus::Failed);
    let (status, new) = stage.retry(pipeline, "frontend").await;
    assert_eq!(status, 201);
    assert_eq!(new["downstream_pipeline"], json!(null), "not yet started");
    stage.gitlab.advance(seconds(1));
    let started = stage.job(pipeline, "frontend").downstream;
    assert!(started > old.downstream);
    let user = stage.with(|world| world.pipeline(started.unwrap()).unwrap().user);
    assert_eq!(user, stage.bot);

    let hopeless = JobPlan::fails_with("", "pipeline_loop_detected").attempts;
    let mut bridge = JobPlan::triggers("loop", PipelinePlan::new([JobPlan::passes("a")]));
    bridge.attempts = hopeless;
    let pipeline = stage.ended([bridge]);
    assert_eq!(stage.retry(pipeline, "loop").await, message(403, REFUSED));
}

#[tokio::test]
async fn the_trigger_job_above_a_retried_job_waits_again_under_its_old_id_and_so_on_upwards() {
    let stage = Stage::new().await;
    let tests = JobPlan::new(
        "tests",
        [JobPlan::fails("").ending(0), JobPlan::passes("").ending(0)],
    );
    let inner = PipelinePlan::new([JobPlan::triggers("inner", PipelinePlan::new([tests]))]);
    let pipeline = stage.ended([JobPlan::triggers("outer", inner), deploy()]);
    let outer = stage.job(pipeline, "outer");
    let middle = outer.downstream.unwrap();
    let inner = stage.job(middle, "inner").downstream.unwrap();
    assert_eq!(outer.status, CiStatus::Failed);

    stage.retry(inner, "tests").await;
    let revived = stage.job(pipeline, "outer");
    assert_eq!((revived.id, revived.status), (outer.id, CiStatus::Pending));
    assert_eq!(revived.user, stage.bot);
    assert_eq!(stage.status(middle, "inner"), CiStatus::Pending);
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Created);
    assert_ne!(stage.pipeline_status(pipeline), CiStatus::Failed);
    stage.gitlab.advance(minutes(2));
    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Success);
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Success);
}

#[tokio::test]
async fn with_no_compute_minutes_left_a_retry_is_201_and_fails_at_once_without_reviving_anything() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test"), deploy()]);
    stage.with(|world| {
        world.project_mut(stage.project).unwrap().drop_reason =
            Some("ci_quota_exceeded".to_owned());
    });
    let (status, new) = stage.retry(pipeline, "test").await;
    assert_eq!(status, 201);
    assert_eq!(new["status"], "failed");
    assert_eq!(new["failure_reason"], "ci_quota_exceeded");
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Skipped);
    let (status, _) = stage.post_with(BOT, "/jobs/x/retry", &json!({})).await;
    assert_eq!(status, 404);
}

#[tokio::test]
async fn a_parent_that_the_caller_may_not_update_is_silently_left_out() {
    let stage = Stage::new().await;
    let child = PipelinePlan::new([JobPlan::fails("tests")]);
    let bridge = JobPlan::triggers("child", child).in_project("acme/shop");
    let parent = stage.with(|world| {
        let other = world.create_project("acme/other");
        world.push_pipeline(other, PipelinePlan::new([bridge]))
    });
    stage.gitlab.advance(minutes(1));
    let child = stage.job(parent, "child").downstream.unwrap();
    assert_eq!(stage.retry(child, "tests").await.0, 201);
    assert_eq!(stage.pipeline_status(child), CiStatus::Pending);
    assert_eq!(stage.status(parent, "child"), CiStatus::Failed);
    assert_eq!(stage.pipeline_status(parent), CiStatus::Failed);
}

#[tokio::test]
async fn a_retry_sends_the_webhooks_of_the_new_attempt_and_of_the_pipeline_again() {
    let stage = Stage::new().await;
    let deploy = JobPlan::passes("deploy").deploying_to("production");
    let pipeline = stage.ended([JobPlan::fails("test"), deploy]);
    let mut hooks = stage.gitlab.hooks();
    stage.retry(pipeline, "test").await;
    stage.retry(pipeline, "deploy").await;
    stage.gitlab.advance(minutes(1));
    let mut jobs = Vec::new();
    let mut pipelines = Vec::new();
    while let Ok(hook) = hooks.try_recv() {
        match hook.event {
            "Job Hook" => jobs.push(hook.body),
            _ => pipelines.push(hook.body["object_attributes"]["status"].clone()),
        }
    }
    let of = |name: &str| jobs.iter().find(|job| job["build_name"] == name).unwrap();
    let test = of("test");
    assert_eq!(
        (&test["build_status"], &test["retries_count"]),
        (&json!("pending"), &json!(1))
    );
    assert_eq!(test["user"]["id"], stage.bot);
    assert_eq!(test["environment"], json!(null));
    assert_eq!(of("deploy")["environment"]["name"], "production");
    assert_eq!(pipelines, ["running", "pending", "running", "failed"]);
}
