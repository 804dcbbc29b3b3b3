//! A simulated GitLab with one project, and a bot that may write to it.

use gitlab_simulator::{
    CiStatus, Handle, Job, JobPlan, Options, PipelinePlan, Role, Scope, World, start,
};
use http::StatusCode;
use serde_json::{Value, json};

use super::{get_json, minutes};

/// Path of the project in URLs.
pub(crate) const SHOP: &str = "/projects/acme%2Fshop";
/// Token of the bot.
pub(crate) const BOT: &str = "glpat-bot";

pub(crate) struct Stage {
    pub(crate) gitlab: Handle,
    pub(crate) project: u64,
    pub(crate) bot: u64,
    client: reqwest::Client,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        let (project, bot) = gitlab.with(|world| {
            let project = world.create_project("acme/shop");
            let bot = world.add_bot(project, Role::Developer);
            world.add_token(BOT, bot, &[Scope::Api]);
            (project, bot)
        });
        Self {
            gitlab,
            project,
            bot,
            client: reqwest::Client::new(),
        }
    }

    /// Pushes a pipeline and lets it end.
    pub(crate) fn ended(&self, jobs: impl Into<Vec<JobPlan>>) -> u64 {
        let id = self.push(PipelinePlan::new(jobs));
        self.gitlab.advance(minutes(5));
        id
    }

    pub(crate) fn push(&self, plan: PipelinePlan) -> u64 {
        self.with(|world| world.push_pipeline(self.project, plan))
    }

    pub(crate) fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        self.gitlab.with(work)
    }

    /// The newest attempt of a job.
    pub(crate) fn job(&self, pipeline: u64, name: &str) -> Job {
        self.with(|world| world.latest(pipeline, name).unwrap().clone())
    }

    pub(crate) fn status(&self, pipeline: u64, name: &str) -> CiStatus {
        self.job(pipeline, name).status
    }

    pub(crate) fn pipeline_status(&self, pipeline: u64) -> CiStatus {
        self.with(|world| world.pipeline(pipeline).unwrap().status)
    }

    /// `POST` below the project, as the bot.
    pub(crate) async fn post(&self, path: &str) -> (StatusCode, Value) {
        self.post_with(BOT, path, &json!({})).await
    }

    pub(crate) async fn post_with(
        &self,
        token: &str,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let sent = self.send(token, path, body).await.unwrap();
        let status = sent.status();
        let body = sent.bytes().await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// `POST` below the project, whose answer may be lost.
    pub(crate) async fn send(
        &self,
        token: &str,
        path: &str,
        body: &Value,
    ) -> reqwest::Result<reqwest::Response> {
        let url = format!("{}/api/v4{SHOP}{path}", self.gitlab.url());
        let request = self.client.post(url);
        let request = request.header("content-type", "application/json");
        let request = request.header("private-token", token);
        request.body(body.to_string()).send().await
    }

    /// Retries the newest attempt of a job as the bot.
    pub(crate) async fn retry(&self, pipeline: u64, name: &str) -> (StatusCode, Value) {
        let job = self.job(pipeline, name).id;
        self.post(&format!("/jobs/{job}/retry")).await
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        get_json(&self.gitlab, &format!("{SHOP}{path}")).await
    }
}

/// An answer with `message`.
pub(crate) fn message(status: u16, text: &str) -> (StatusCode, Value) {
    let status = StatusCode::from_u16(status).unwrap();
    (status, json!({ "message": text }))
}
