//! A simulated GitLab with one project and a bot that may write to it, and an exporter with rules.

use std::sync::Mutex;
use std::time::Duration;

use gitlab_simulator::{
    ActionKind, CiStatus, Handle, Job, JobPlan, Options, PipelinePlan, Role, Scope, World, start,
};
use regex::Regex;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use testkit::client;
use testkit::daemon::{Daemon, Place, Ran, holds, minutes, program, until};
use testkit::samples::Samples;
use tokio::process::Command;

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
    /// Of the last page with a form.
    cookie: Mutex<String>,
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
            cookie: Mutex::default(),
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

    /// Ends the exporter.
    pub(super) async fn stop(&self) {
        let daemon = self.daemon.lock().unwrap().take();
        daemon.expect("a daemon").stop().await;
    }

    pub(super) fn log(&self) -> String {
        let daemon = self.daemon.lock().unwrap();
        daemon.as_ref().expect("a daemon").log()
    }

    /// Pushes a pipeline and lets it end.
    pub(super) fn ended(&self, jobs: impl Into<Vec<JobPlan>>) -> u64 {
        self.ended_as(PipelinePlan::new(jobs))
    }

    pub(super) fn ended_as(&self, plan: PipelinePlan) -> u64 {
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

    /// How many actions of the bot GitLab has carried out.
    pub(super) fn retries(&self) -> usize {
        self.done().len()
    }

    /// The actions of the bot that GitLab has carried out, each with the job.
    pub(super) fn done(&self) -> Vec<(ActionKind, Option<String>)> {
        let mut done = self.gitlab.actions();
        done.retain(|action| action.user == self.bot);
        done.into_iter()
            .map(|action| (action.kind, action.job_name))
            .collect()
    }

    /// How many requests to retry a job the bot has sent.
    pub(super) fn sent(&self) -> usize {
        self.gitlab.count("POST /projects/:id/jobs/:jid/retry")
    }

    pub(super) async fn record(&self) -> Value {
        serde_json::from_str(&self.get("/api/v1/remediations").await).unwrap()
    }

    pub(super) async fn get(&self, path: &str) -> String {
        let answer = client().get(self.url(path)).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Waits until a metric has this value.
    pub(super) async fn shows(&self, name: &str, labels: &[(&str, &str)], wanted: f64) {
        until(&format!("{name}{labels:?} to be {wanted}"), async || {
            let samples = Samples::parse(&self.get("/metrics").await);
            let found = samples.value(name, labels);
            holds(
                found == Some(wanted),
                format!("{found:?}\n{}", samples.kept()),
            )
        })
        .await;
    }

    /// Waits until remediation is paused for so many of this reason.
    pub(super) async fn is_paused(&self, reason: &str, wanted: f64) {
        let name = "job_failure_exporter_remediation_paused";
        self.shows(name, &[("reason", reason)], wanted).await;
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
        self.results_while(wanted, Duration::ZERO).await;
    }

    /// The same while time passes in GitLab.
    pub(super) async fn results_in_time(&self, wanted: &[&str]) {
        self.results_while(wanted, Duration::from_secs(1)).await;
    }

    async fn results_while(&self, wanted: &[&str], step: Duration) {
        until("the results of the actions", async || {
            self.gitlab.advance(step);
            let record = self.record().await;
            let results: Vec<String> = results_of(&record);
            holds(
                results == wanted,
                format!("{results:?}, wanted {wanted:?}: {record:#}\n{}", self.log()),
            )
        })
        .await;
    }

    /// Lets the exporter look at everything some more times, and compares the results of the actions.
    pub(super) async fn stays(&self, wanted: &[&str]) {
        let polls = async || {
            let samples = Samples::parse(&self.get("/metrics").await);
            let labels = [("result", "success")];
            samples
                .value("job_failure_exporter_polls_total", &labels)
                .unwrap()
        };
        let enough = polls().await + 5.0;
        until("some more polls", async || {
            let found = polls().await;
            holds(found >= enough, found)
        })
        .await;
        assert_eq!(results_of(&self.record().await), wanted);
    }

    /// A subcommand that asks this exporter.
    pub(super) fn command(&self, args: &[&str]) -> Command {
        let token = self.place.config().with_file_name("ops-token");
        let mut command = Command::new(program());
        command
            .args(args)
            .args(["--exporter.url", &self.url("/"), "--exporter.token-file"])
            .arg(token)
            .stdin(std::process::Stdio::null());
        command
    }

    /// Runs it.
    pub(super) async fn run(&self, args: &[&str]) -> Ran {
        Ran::of(&self.command(args).output().await.unwrap())
    }

    /// Waits for a text on a page, and returns the hidden fields of its form.
    pub(super) async fn form_on(&self, page: &str, text: &str) -> Vec<(String, String)> {
        let page = until(&format!("{text} on {page}"), async || {
            let answer = client().get(self.url(page)).send().await.unwrap();
            let cookie = answer.headers().get("set-cookie").cloned();
            let page = answer.text().await.unwrap();
            if !page.contains(text) {
                return Err(page);
            }
            let cookie = cookie.unwrap().to_str().unwrap().to_owned();
            assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
            let (cookie, _) = cookie.split_once(';').unwrap();
            cookie.clone_into(&mut self.cookie.lock().unwrap());
            Ok(page)
        })
        .await;
        let field = Regex::new(r#"<input type="hidden" name="([a-z_]+)" value="([^"]*)""#).unwrap();
        let fields = field.captures_iter(&page);
        fields
            .map(|found| (found[1].to_owned(), found[2].to_owned()))
            .collect()
    }

    /// A form as a browser sends it, without the name and secret of a caller.
    pub(super) fn post(&self, fields: &[(String, String)]) -> RequestBuilder {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        client()
            .post(self.url("/actions/retry"))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", self.cookie.lock().unwrap().clone())
            .body(body)
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
        let mut request = client().request(method, self.url(path));
        if let Some(secret) = secret {
            request = request.bearer_auth(secret);
        }
        let answer = request.body(body.to_string()).send().await.unwrap();
        let status = answer.status().as_u16();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(json!(text)))
    }
}

/// The results of the actions in a record, oldest first.
pub(super) fn results_of(record: &Value) -> Vec<String> {
    let actions = record["actions"].as_array().unwrap().iter().rev();
    actions
        .map(|action| action["result"].as_str().unwrap().to_owned())
        .collect()
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
