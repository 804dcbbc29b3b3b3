//! Retry, cancelation and creation of pipelines through the API.

use gitlab_simulator::{ActionKind, CiStatus, Ending, JobPlan, PipelinePlan, Role};
use serde_json::json;

use super::stage::{BOT, Stage, message};
use super::{minutes, seconds};

fn base(complaint: &str) -> serde_json::Value {
    json!({ "message": { "base": [complaint] } })
}

#[tokio::test]
async fn a_pipeline_retry_clones_failed_and_canceled_jobs_and_allowed_failures_but_no_trigger_jobs()
{
    let stage = Stage::new().await;
    let child = PipelinePlan::new([JobPlan::fails("inner")]);
    let pipeline = stage.ended([
        JobPlan::fails("test"),
        JobPlan::fails("style").allowed_to_fail(),
        JobPlan::new("stopped", [Ending::IsCanceled]),
        JobPlan::passes("lint"),
        JobPlan::triggers("frontend", child),
        JobPlan::passes("deploy").in_stage("deploy"),
    ]);
    let before = |name: &str| stage.job(pipeline, name).id;
    let (lint, frontend) = (before("lint"), before("frontend"));
    let (status, answer) = stage.post(&format!("/pipelines/{pipeline}/retry")).await;
    assert_eq!(status, 201);
    assert_eq!(
        answer["status"], "failed",
        "the status before the jobs start"
    );
    for name in ["test", "style", "stopped"] {
        let job = stage.job(pipeline, name);
        assert_eq!((job.attempt, job.user), (1, stage.bot), "{name}");
    }
    assert_eq!((before("lint"), before("frontend")), (lint, frontend));
    assert_eq!(stage.status(pipeline, "deploy"), CiStatus::Created);
    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Running);
    let kinds = stage.gitlab.actions();
    assert_eq!(kinds.len(), 3);
    assert!(
        kinds
            .iter()
            .all(|action| action.kind == ActionKind::RetryPipeline)
    );
}

#[tokio::test]
async fn a_pipeline_retry_with_nothing_to_do_is_201_as_well() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::passes("test")]);
    let path = format!("/pipelines/{pipeline}/retry");
    let (status, answer) = stage.post(&path).await;
    assert_eq!(
        (status.as_u16(), &answer["status"]),
        (201, &json!("success"))
    );
    assert_eq!(stage.pipeline_status(pipeline), CiStatus::Success);
    assert!(stage.gitlab.actions().is_empty());
    let missing = stage.post("/pipelines/7/retry").await;
    assert_eq!(missing, message(404, "404 Not found"));
}

#[tokio::test]
async fn a_failed_manual_job_waits_again_after_a_pipeline_retry_and_runs_after_a_job_retry() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::passes("build"), JobPlan::fails("gate").manual()]);
    let gate = stage.job(pipeline, "gate").id;
    assert_eq!(stage.post(&format!("/jobs/{gate}/play")).await.0, 200);
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.status(pipeline, "gate"), CiStatus::Failed);
    stage.post(&format!("/pipelines/{pipeline}/retry")).await;
    let again = stage.job(pipeline, "gate");
    assert_eq!((again.attempt, again.status), (1, CiStatus::Manual));

    let (_, played) = stage.post(&format!("/jobs/{}/play", again.id)).await;
    assert_eq!(played["user"]["id"], stage.bot);
    stage.gitlab.advance(minutes(1));
    stage.retry(pipeline, "gate").await;
    assert_eq!(stage.status(pipeline, "gate"), CiStatus::Pending);
}

#[tokio::test]
async fn a_pipeline_retry_in_a_child_sets_the_trigger_job_above_back() {
    let stage = Stage::new().await;
    let child = PipelinePlan::new([JobPlan::fails("tests")]);
    let pipeline = stage.ended([JobPlan::triggers("frontend", child)]);
    let started = stage.job(pipeline, "frontend").downstream.unwrap();
    stage.post(&format!("/pipelines/{started}/retry")).await;
    assert_eq!(stage.status(pipeline, "frontend"), CiStatus::Pending);
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.status(pipeline, "frontend"), CiStatus::Failed);
}

#[tokio::test]
async fn a_canceled_pipeline_ends_its_waiting_jobs_at_once_and_running_ones_when_the_runner_has() {
    let stage = Stage::new().await;
    stage.with(|world| world.settings_mut().cancel_takes = seconds(10));
    let pipeline = stage.push(PipelinePlan::new([
        JobPlan::passes("test"),
        JobPlan::held("gpu"),
    ]));
    stage.gitlab.advance(seconds(5));
    let path = format!("/pipelines/{pipeline}/cancel");
    let (status, answer) = stage.post(&path).await;
    assert_eq!(
        (status.as_u16(), &answer["status"]),
        (200, &json!("canceling"))
    );
    assert_eq!(stage.status(pipeline, "gpu"), CiStatus::Canceled);
    stage.gitlab.advance(seconds(10));
    assert_eq!(stage.status(pipeline, "test"), CiStatus::Canceled);
    assert_eq!(
        stage.post(&path).await.0,
        200,
        "also with nothing to cancel"
    );
}

#[tokio::test]
async fn a_new_pipeline_is_on_the_head_of_the_ref_and_every_request_makes_one() {
    let stage = Stage::new().await;
    let old = stage.ended([JobPlan::fails("test")]);
    let head = stage.with(|world| world.commit_to(stage.project, "main").unwrap());
    let body = json!({ "ref": "main", "variables": [{ "key": "A", "value": "b" }] });
    let (status, first) = stage.post_with(BOT, "/pipeline", &body).await;
    assert_eq!(status, 201);
    assert_eq!(
        (&first["sha"], &first["source"]),
        (&json!(head), &json!("api"))
    );
    assert_eq!(first["user"]["id"], stage.bot);
    let (_, second) = stage.post_with(BOT, "/pipeline", &body).await;
    assert!(second["id"].as_u64() > first["id"].as_u64());
    assert_ne!(
        first["sha"],
        json!(stage.with(|w| w.pipeline(old).unwrap().sha.clone()))
    );
    let actions = stage.gitlab.actions();
    let created = actions
        .iter()
        .filter(|action| action.kind == ActionKind::CreatePipeline);
    assert_eq!(created.count(), 2);
}

#[tokio::test]
async fn a_new_pipeline_repeats_the_newest_one_unless_another_configuration_is_set() {
    let stage = Stage::new().await;
    stage.ended([JobPlan::new("test", [Ending::fails(), Ending::Passes])]);
    let restart = async || {
        let (_, answer) = stage.post("/pipeline?ref=main").await;
        stage.gitlab.advance(minutes(1));
        answer["id"].as_u64().unwrap()
    };
    let repeated = restart().await;
    assert_eq!(stage.status(repeated, "test"), CiStatus::Success);
    let plan = PipelinePlan::new([JobPlan::fails("other")]);
    stage.with(|world| world.set_next_plan(stage.project, "main", plan));
    let other = restart().await;
    assert_eq!(stage.status(other, "other"), CiStatus::Failed);
}

#[tokio::test]
async fn what_the_creation_refuses_is_400_with_its_complaint() {
    let stage = Stage::new().await;
    stage.ended([JobPlan::fails("test")]);
    let (status, body) = stage.post("/pipeline").await;
    assert_eq!(
        (status.as_u16(), body),
        (400, json!({ "error": "ref is missing" }))
    );
    let (status, body) = stage.post("/pipeline?ref=gone").await;
    assert_eq!((status.as_u16(), body), (400, base("Reference not found")));

    stage.with(|world| world.settings_mut().pipelines_per_minute = Some(1));
    assert_eq!(stage.post("/pipeline?ref=main").await.0, 201);
    let (status, body) = stage.post("/pipeline?ref=main").await;
    let complaint = "Too many pipelines created in the last minute. Try again later.";
    assert_eq!((status.as_u16(), body), (400, base(complaint)));
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.post("/pipeline?ref=main").await.0, 201);

    stage.with(|world| {
        world.settings_mut().pipelines_per_minute = None;
        let project = world.project_mut(stage.project).unwrap();
        project.pipeline_error = Some("jobs config should contain a visible job".to_owned());
    });
    let (status, body) = stage.post("/pipeline?ref=main").await;
    let complaint = "jobs config should contain a visible job";
    assert_eq!((status.as_u16(), body), (400, base(complaint)));

    stage.with(|world| {
        let project = world.project_mut(stage.project).unwrap();
        (project.pipeline_error, project.variables_from) = (None, Role::Maintainer);
    });
    let body = json!({ "ref": "main", "variables": [{ "key": "A", "value": "b" }] });
    let (status, answer) = stage.post_with(BOT, "/pipeline", &body).await;
    let complaint = "Insufficient permissions to set pipeline variables";
    assert_eq!((status.as_u16(), answer), (400, base(complaint)));
    stage.with(|world| world.project_mut(stage.project).unwrap().archived = true);
    let refused = stage.post("/pipeline?ref=main").await;
    assert_eq!(refused, message(403, "403 Forbidden"));
}
