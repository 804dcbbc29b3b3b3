//! Tokens, roles and protected refs: who may write, and how others are refused.

use gitlab_simulator::{JobPlan, PipelinePlan, Role, Scope};
use http::StatusCode;
use serde_json::json;

use super::stage::{BOT, SHOP, Stage, message};
use super::{get, get_json, minutes};

#[tokio::test]
async fn a_read_token_reads_and_every_write_is_403_insufficient_scope() {
    let stage = Stage::new().await;
    stage.with(|world| world.add_token("glpat-read", stage.bot, &[Scope::ReadApi]));
    let pipeline = stage.ended([JobPlan::fails("test")]);
    let job = stage.job(pipeline, "test").id;
    for path in [
        format!("/jobs/{job}/retry"),
        format!("/jobs/{job}/play"),
        format!("/jobs/{job}/cancel"),
        format!("/pipelines/{pipeline}/retry"),
        format!("/pipelines/{pipeline}/cancel"),
        "/pipeline?ref=main".to_owned(),
    ] {
        let (status, body) = stage.post_with("glpat-read", &path, &json!({})).await;
        assert_eq!(status, 403, "{path}");
        assert_eq!(body["error"], "insufficient_scope", "{path}");
        assert_eq!(body["scope"], "api");
    }
    let url = format!("{}/api/v4{SHOP}/jobs/{job}", stage.gitlab.url());
    let read = reqwest::Client::new().get(url).bearer_auth("glpat-read");
    assert_eq!(read.send().await.unwrap().status(), 200);
    assert!(stage.gitlab.actions().is_empty());
}

#[tokio::test]
async fn each_token_has_its_user_and_a_revoked_one_is_401() {
    let stage = Stage::new().await;
    let user = async |token: &str| {
        let url = format!("{}/api/v4/user", stage.gitlab.url());
        let asked = reqwest::Client::new()
            .get(url)
            .header("private-token", token);
        let answer = asked.send().await.unwrap();
        let status = answer.status();
        let body = answer.bytes().await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        (status, body)
    };
    let (status, body) = user(BOT).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&body["id"], &body["bot"]),
        (&json!(stage.bot), &json!(true))
    );
    let name = body["username"].as_str().unwrap().to_owned();
    assert!(
        name.starts_with(&format!("project_{}_bot_", stage.project)),
        "{name}"
    );
    let (_, owner) = user(stage.gitlab.token()).await;
    assert_eq!((&owner["id"], &owner["bot"]), (&json!(1), &json!(false)));
    stage.with(|world| world.revoke_token(BOT));
    assert_eq!(user(BOT).await, message(401, "401 Unauthorized"));
    let token = get_json(&stage.gitlab, "/personal_access_tokens/self").await;
    assert_eq!(token["scopes"], json!(["api", "read_api"]));
}

#[tokio::test]
async fn a_developer_cannot_retry_on_a_protected_branch_unless_allowed_there() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test")]);
    let feature = stage.push(PipelinePlan::new([JobPlan::fails("test")]).on("feature/a"));
    stage.gitlab.advance(minutes(1));
    stage.with(|world| world.protect_ref(stage.project, "main", Role::Maintainer));
    let forbidden = message(403, "403 Forbidden");
    assert_eq!(stage.retry(pipeline, "test").await, forbidden);
    let whole = format!("/pipelines/{pipeline}/retry");
    assert_eq!(stage.post(&whole).await, forbidden);
    assert_eq!(stage.retry(feature, "test").await.0, 201);

    let (status, body) = stage.post("/pipeline?ref=main").await;
    assert_eq!(status, 400);
    let complaint = body["message"]["base"][0].as_str().unwrap();
    assert!(complaint.starts_with("You do not have sufficient permission to run a pipeline"));

    stage.with(|world| world.allow_on_ref(stage.project, "main", stage.bot));
    assert_eq!(stage.retry(pipeline, "test").await.0, 201);

    stage.with(|world| world.protect_ref(stage.project, "feature/*", Role::Maintainer));
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.retry(feature, "test").await, forbidden);
    stage.with(|world| world.set_role(stage.bot, stage.project, Some(Role::Maintainer)));
    assert_eq!(stage.retry(feature, "test").await.0, 201);
}

#[tokio::test]
async fn a_reporter_a_restricted_project_an_archived_one_and_an_archived_job_are_plainly_403() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test")]);
    let refused = async |why: &str| {
        let retried = stage.retry(pipeline, "test").await;
        assert_eq!(retried, message(403, "403 Forbidden"), "{why}");
    };
    let role = |role| stage.with(|world| world.set_role(stage.bot, stage.project, role));
    role(Some(Role::Reporter));
    refused("a reporter").await;
    role(Some(Role::Developer));
    let project = |change: fn(&mut gitlab_simulator::Project)| {
        stage.with(|world| change(world.project_mut(stage.project).unwrap()));
    };
    project(|project| project.archived = true);
    refused("an archived project").await;
    project(|project| (project.archived, project.refuses_writes) = (false, true));
    refused("a restricted project").await;
    project(|project| project.refuses_writes = false);
    stage.with(|world| world.settings_mut().archive_after = Some(minutes(5)));
    refused("an old job").await;
    stage.with(|world| world.settings_mut().archive_after = None);
    let job = stage.job(pipeline, "test").id;
    stage.with(|world| world.archive_job(job));
    refused("an archived job").await;
    let shown = stage.json(&format!("/jobs/{job}")).await;
    assert_eq!(shown["archived"], true);
}

#[tokio::test]
async fn a_project_that_the_user_does_not_see_is_404() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test")]);
    stage.with(|world| world.set_role(stage.bot, stage.project, None));
    let refused = stage.retry(pipeline, "test").await;
    assert_eq!(refused, message(404, "404 Project Not Found"));
    let owner = get(&stage.gitlab, SHOP).await;
    assert_eq!(owner.status(), StatusCode::OK);
}

#[tokio::test]
async fn above_its_limit_the_application_answers_429_without_headers() {
    let stage = Stage::new().await;
    let pipeline = stage.ended([JobPlan::fails("test"), JobPlan::fails("lint")]);
    stage
        .gitlab
        .faults(|faults| faults.writes.limit_rate(Some(1)));
    assert_eq!(stage.retry(pipeline, "test").await.0, 201);
    let job = stage.job(pipeline, "lint").id;
    let path = format!("/jobs/{job}/retry");
    let answer = stage.send(BOT, &path, &json!({})).await.unwrap();
    assert_eq!(answer.status(), 429);
    let headers = answer.headers().keys().map(|name| name.as_str().to_owned());
    let told = |name: &String| name.starts_with("ratelimit") || name == "retry-after";
    assert_eq!(headers.filter(told).count(), 0);
    let body: serde_json::Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let error = "This endpoint has been requested too many times. Try again later.";
    assert_eq!(body, json!({ "message": { "error": error } }));
    stage.gitlab.advance(minutes(1));
    assert_eq!(stage.retry(pipeline, "lint").await.0, 201);
}
