//! Jobs and schedules that are started by hand, canceled jobs, and deployments.

use gitlab_simulator::{CiStatus, JobPlan, OutdatedDeployments, PipelinePlan, Role};
use serde_json::json;

use super::stage::{BOT, Stage, message};
use super::{minutes, seconds};

fn deployments(stage: &Stage, outdated: OutdatedDeployments) {
    stage.with(|world| {
        let project = world.project_mut(stage.project).unwrap();
        project.outdated_deployments = outdated;
    });
}

#[tokio::test]
async fn playing_starts_a_waiting_job_retries_an_ended_manual_one_and_refuses_others() {
    let stage = Stage::new().await;
    let gate = JobPlan::passes("gate").in_stage("deploy").manual();
    let after = JobPlan::passes("after").in_stage("last");
    let pipeline = stage.ended([JobPlan::passes("build"), gate, after]);
    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Manual);
    let play = async |job: u64| stage.post(&format!("/jobs/{job}/play")).await;
    let gate = stage.job(pipeline, "gate").id;
    let (status, started) = play(gate).await;
    assert_eq!(
        (status.as_u16(), &started["status"]),
        (200, &json!("pending"))
    );
    assert_eq!(started["user"]["id"], stage.bot);
    let unplayable = message(400, "400 Bad request - Unplayable Job");
    assert_eq!(play(gate).await, unplayable, "it is on its way");
    stage.gitlab.advance(minutes(2));
    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Success);

    let (status, answer) = play(gate).await;
    assert_eq!(
        (status.as_u16(), &answer["id"]),
        (200, &json!(gate)),
        "the old attempt"
    );
    assert_eq!(stage.job(pipeline, "gate").attempt, 1);
    assert_eq!(play(stage.job(pipeline, "build").id).await, unplayable);
    assert_eq!(play(7).await, message(404, "404 Not found"));
}

#[tokio::test]
async fn job_variables_need_the_right_to_set_them() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::passes("build"), JobPlan::passes("gate").manual()]);
    stage.with(|world| {
        world.project_mut(stage.project).unwrap().variables_from = Role::Maintainer;
    });
    let path = format!("/jobs/{}/play", stage.job(pipeline, "gate").id);
    let body = json!({ "job_variables_attributes": [{ "key": "A", "value": "b" }] });
    let refused = stage.post_with(BOT, &path, &body).await;
    assert_eq!(refused, message(403, "403 Forbidden"));
    assert_eq!(stage.post(&path).await.0, 200);
}

#[tokio::test]
async fn canceling_a_job_is_201_also_if_it_has_ended() {
    let stage = Stage::new().await;
    stage.with(|world| world.settings_mut().cancel_takes = seconds(10));
    let pipeline = stage.push(PipelinePlan::new([JobPlan::passes("test")]));
    stage.gitlab.advance(seconds(5));
    let path = format!("/jobs/{}/cancel", stage.job(pipeline, "test").id);
    let (status, job) = stage.post(&path).await;
    assert_eq!(
        (status.as_u16(), &job["status"]),
        (201, &json!("canceling"))
    );
    stage.gitlab.advance(seconds(10));
    assert_eq!(stage.status(pipeline, "test"), CiStatus::Canceled);
    assert_eq!(stage.post(&path).await.0, 201);
    assert_eq!(
        stage.retry(pipeline, "test").await.0,
        201,
        "a canceled job is retryable"
    );
    assert_eq!(stage.gitlab.actions().len(), 2);
}

#[tokio::test]
async fn a_schedule_that_is_played_makes_its_pipeline_later_as_the_callers() {
    let stage = Stage::new().await;
    let plan = PipelinePlan::new([JobPlan::passes("nightly")]);
    let schedule =
        stage.with(|world| world.create_schedule(stage.project, "nightly", minutes(600), plan));
    let path = format!("/pipeline_schedules/{schedule}/play");
    let next = stage.with(|world| world.schedule(schedule).unwrap().next_run_at);
    assert_eq!(stage.post(&path).await, message(201, "201 Created"));
    assert_eq!(stage.json("/pipelines").await, json!([]));
    let refused = stage.post(&path).await;
    assert_eq!(
        refused,
        message(500, "Unable to schedule pipeline run immediately")
    );
    stage.gitlab.advance(seconds(3));
    let rows = stage.json("/pipelines").await;
    assert_eq!(
        (rows.as_array().unwrap().len(), &rows[0]["source"]),
        (1, &json!("schedule"))
    );
    let detail = stage.json(&format!("/pipelines/{}", rows[0]["id"])).await;
    assert_eq!(detail["user"]["id"], stage.bot);
    let shown = stage.json(&format!("/pipeline_schedules/{schedule}")).await;
    assert_eq!(shown["last_pipeline"]["id"], rows[0]["id"]);
    assert_eq!(
        stage.with(|world| world.schedule(schedule).unwrap().next_run_at),
        next
    );

    let missing = stage.post("/pipeline_schedules/9/play").await;
    assert_eq!(missing, message(404, "404 Pipeline Schedule Not Found"));
    stage.with(|world| world.protect_ref(stage.project, "main", Role::Maintainer));
    assert_eq!(stage.post(&path).await, message(403, "403 Forbidden"));
    stage.with(|world| world.project_mut(stage.project).unwrap().archived = true);
    assert_eq!(stage.post(&path).await, message(201, "201 Created"));
    stage.gitlab.advance(minutes(1));
    assert_eq!(
        stage.json("/pipelines").await.as_array().unwrap().len(),
        1,
        "nothing happens"
    );
}

#[tokio::test]
async fn an_outdated_deployment_is_rolled_back_by_a_retry_unless_the_project_forbids_it() {
    let stage = Stage::new().await;
    let deploy = || JobPlan::passes("deploy").deploying_to("production");
    let old = stage.ended([deploy()]);
    stage.ended([deploy()]);
    deployments(&stage, OutdatedDeployments::Refused);
    assert_eq!(
        stage.retry(old, "deploy").await,
        message(403, "403 Forbidden")
    );
    deployments(&stage, OutdatedDeployments::RollBack);
    assert_eq!(stage.retry(old, "deploy").await.0, 201);
    stage.gitlab.advance(minutes(1));
    assert_eq!(
        stage.status(old, "deploy"),
        CiStatus::Success,
        "the old commit is live again"
    );
}

#[tokio::test]
async fn a_revived_deployment_of_an_old_commit_fails_as_outdated_where_a_newer_one_is_live() {
    let stage = Stage::new().await;
    let deploy = || {
        let job = JobPlan::passes("deploy").in_stage("deploy");
        job.deploying_to("production")
    };
    let broken = JobPlan::new(
        "test",
        [JobPlan::fails("").ending(0), JobPlan::passes("").ending(0)],
    );
    let old = stage.ended([broken.clone(), deploy()]);
    stage.ended([JobPlan::passes("test"), deploy()]);
    stage.retry(old, "test").await;
    stage.gitlab.advance(minutes(1));
    let outdated = stage.job(old, "deploy");
    assert_eq!(outdated.status, CiStatus::Failed);
    assert_eq!(
        outdated.failure_reason.as_deref(),
        Some("failed_outdated_deployment_job")
    );
    assert_eq!(outdated.started_at, None);

    deployments(&stage, OutdatedDeployments::Run);
    let old = stage.ended([broken, deploy()]);
    stage.ended([JobPlan::passes("test"), deploy()]);
    stage.retry(old, "test").await;
    stage.gitlab.advance(minutes(1));
    assert_eq!(
        stage.status(old, "deploy"),
        CiStatus::Success,
        "the damage of a late retry"
    );
}
