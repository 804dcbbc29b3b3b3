//! A simulated GitLab with one project and a bot that may write to it, and an exporter with rules.

use std::sync::Mutex;

use gitlab_simulator::{
    CiStatus, Handle, Job, JobPlan, Options, PipelinePlan, Role, Scope, World, start,
};
use serde_json::{Value, json};
use testkit::daemon::{Daemon, Place, holds, minutes, until};

/// Token of the bot.
pub(super) const BOT: &str = "glpat-bot";

/// Secret of the caller `ops`.
pub(super) const OPS: &str = "0123456789abcdef";

/// Path of the project.
pub(super) const SHOP: &str = "acme/shop";

/// A rule that retries failures of the infrastructure after 10 s, 20 s and 30 s.
pub(super) const RULES: &str = "rules: [{name: runner-trouble, match: {failure_classes: [infrastructure]}, \
                                action: recover, delays: [10s, 20s, 30s]}]";

pub(super) struct Stage {
    pub(super) gitlab: Handle,
    pub(super) place: Place,
    pub(super) project: u64,
    pub(super) bot: u64,
    /// Kept so that it is not dropped before its end.
    pub(super) daemon: Mutex<Option<Daemon>>,
}

impl Stage {
    /// `keys` are further keys of `remediation`, in YAML's flow style.
    pub(super) async fn new(mode: &str, keys: &str) -> Self {
        let stage = Self::without_daemon(mode, keys).await;
        stage.start().await;
        stage
    }

    pub(super) async fn without_daemon(mode: &str, keys: &str) -> Self {
        let gitlab = start(Options::default()).await.unwrap();
        let (project, bot) = gitlab.with(|world| {
            let project = world.create_project(SHOP);
            let bot = world.add_bot(project, Role::Maintainer);
            world.add_token(BOT, bot, &[Scope::Api]);
            (project, bot)
        });
        let place = Place::new(gitlab.url(), &format!("projects: [{SHOP}]"));
        std::fs::write(place.config().with_file_name("bot-token"), BOT).unwrap();
        std::fs::write(place.config().with_file_name("ops-token"), OPS).unwrap();
        place.configure_also(&format!(
            "classification: {{read_logs: false}}\n\
             remediation: {{mode: {mode}, token_file: bot-token, \
             callers: [{{name: ops, token_file: ops-token}}], {keys}}}\n"
        ));
        Self {
            gitlab,
            place,
            project,
            bot,
            daemon: Mutex::new(None),
        }
    }

    pub(super) async fn start(&self) {
        let daemon = self.place.start().await;
        daemon.is_ready().await;
        *self.daemon.lock().unwrap() = Some(daemon);
    }

    pub(super) fn with<R>(&self, work: impl FnOnce(&mut World) -> R) -> R {
        self.gitlab.with(work)
    }

    pub(super) fn url(&self, path: &str) -> String {
        let daemon = self.daemon.lock().unwrap();
        let address = daemon.as_ref().expect("a daemon").address();
        format!("http://{address}{path}")
    }

    /// Pushes a pipeline and lets it end.
    pub(super) fn ended(&self, jobs: impl Into<Vec<JobPlan>>) -> u64 {
        let plan = PipelinePlan::new(jobs);
        let id = self.with(|world| world.push_pipeline(self.project, plan));
        self.gitlab.advance(minutes(2));
        id
    }

    /// The newest attempt of a job.
    pub(super) fn job(&self, pipeline: u64, name: &str) -> Job {
        self.with(|world| world.latest(pipeline, name).unwrap().clone())
    }

    pub(super) fn status(&self, pipeline: u64, name: &str) -> CiStatus {
        self.job(pipeline, name).status
    }

    /// How many attempts of jobs the bot has started.
    pub(super) fn retries(&self) -> usize {
        let counts = self.gitlab.actions();
        counts
            .iter()
            .filter(|action| action.user == self.bot)
            .count()
    }

    pub(super) async fn record(&self) -> Value {
        let text = reqwest::get(self.url("/api/v1/remediations"))
            .await
            .unwrap();
        serde_json::from_str(&text.text().await.unwrap()).unwrap()
    }

    /// Waits until the newest decision about a job has this word and reason.
    pub(super) async fn decides(&self, job: &str, decision: &str, reason: &str) {
        until(&format!("{decision} {reason} about {job}"), async || {
            let record = self.record().await;
            let decisions = record["decisions"].as_array().unwrap().clone();
            let mut newest = decisions.iter().filter(|it| it["job"] == job);
            let found = newest.next_back();
            let is_it =
                found.is_some_and(|it| it["decision"] == decision && it["reason"] == reason);
            holds(is_it, format!("{found:?}"))
        })
        .await;
    }

    /// Waits until the results of the actions are these, oldest first.
    pub(super) async fn results(&self, wanted: &[&str]) {
        until("the results of the actions", async || {
            let record = self.record().await;
            let actions = record["actions"].as_array().unwrap().clone();
            let results: Vec<&str> = actions
                .iter()
                .rev()
                .filter_map(|it| it["result"].as_str())
                .collect();
            holds(results == wanted, format!("{results:?}, wanted {wanted:?}"))
        })
        .await;
    }

    /// Asks as `ops`.
    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        self.ask_as(Some(OPS), method, path, body).await
    }

    pub(super) async fn ask_as(
        &self,
        secret: Option<&str>,
        method: &str,
        path: &str,
        body: &Value,
    ) -> (u16, Value) {
        let method = method.parse().unwrap();
        let mut request = reqwest::Client::new().request(method, self.url(path));
        if let Some(secret) = secret {
            request = request.bearer_auth(secret);
        }
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    }
}

/// A job that fails because of its runner, and passes when it is retried.
pub(super) fn flaky_runner(name: &str) -> JobPlan {
    let fails = JobPlan::fails_with("", "runner_system_failure").ending(0);
    JobPlan::new(name, [fails, JobPlan::passes("").ending(0)])
}

/// A job that fails because of its runner, however often it is retried.
pub(super) fn broken_runner(name: &str) -> JobPlan {
    JobPlan::fails_with(name, "runner_system_failure")
}
