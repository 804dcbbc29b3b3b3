//! From GitLab to the message and its end: the real programs, with what is shipped.

mod acknowledged;
mod exporter_down;
mod outage;
mod recovery;
mod several;
mod streak;
mod troubles;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ci_history::clock::{Clock as _, SystemClock};
use gitlab_simulator::{Handle, JobPlan, Moment, Options, Pace, PipelinePlan, World, start};
use serde_json::Value;

use crate::monitoring::{Message, Receiver, Shipped, Tool};
use testkit::daemon::{Daemon, Place, holds, until};

/// How long before now a world with a past begins.
const PAST: Duration = Duration::from_hours(3);

/// The way of an alert: the exporter, Prometheus and Alertmanager, and whoever is told.
pub(crate) struct Chain {
    pub(crate) place: Place,
    /// None while it is away.
    exporter: Option<Daemon>,
    /// Another one beside it, of a replica, a shard or another GitLab, until it is killed.
    pub(crate) second: Option<(Place, Daemon)>,
    receiver: Receiver,
    pub(crate) alertmanager: Tool,
    pub(crate) prometheus: Tool,
    _shipped: Shipped,
}

impl Chain {
    /// Starts it all. Jobs of the projects below `acme/payments` are the team's of that name.
    async fn start(gitlab: &Handle) -> Self {
        Self::start_with(gitlab, Shipped::copy()).await
    }

    /// The same with rules and routes that were edited.
    pub(crate) async fn start_with(gitlab: &Handle, shipped: Shipped) -> Self {
        Self::start_watching(gitlab, "groups: [{path: acme}]", shipped).await
    }

    async fn start_watching(gitlab: &Handle, watch: &str, shipped: Shipped) -> Self {
        let place = owned(gitlab, watch);
        let exporter = place.start().await;
        let receiver = Receiver::start().await;
        let alertmanager = shipped.alertmanager(receiver.address).await;
        let prometheus = shipped
            .prometheus(exporter.address(), alertmanager.address)
            .await;
        exporter.is_ready().await;
        Self {
            place,
            exporter: Some(exporter),
            second: None,
            receiver,
            alertmanager,
            prometheus,
            _shipped: shipped,
        }
    }

    /// Starts it all with two exporters. Each has a GitLab, what it watches, and labels that the scrape configuration adds.
    async fn start_two(first: (&Handle, &str, &str), second: (&Handle, &str, &str)) -> Self {
        let beside = owned(second.0, second.1);
        let other = beside.start().await;
        let shipped = Shipped::copy();
        let targets = format!(
            "- {{targets: ['127.0.0.1:10141'], labels: {{{}}}}}\n      - {{targets: ['{}'], labels: {{{}}}}}",
            first.2,
            other.address(),
            second.2
        );
        let file = "deploy/prometheus/prometheus.yml";
        shipped.edit(file, r"- targets: \['127.0.0.1:10141'\]", &targets);
        // No rule may depend on the name of the scrape job.
        shipped.edit(file, "job_name: job-failure-exporter", "job_name: renamed");
        other.is_ready().await;
        let mut chain = Self::start_watching(first.0, first.1, shipped).await;
        chain.second = Some((beside, other));
        chain
    }

    /// `kill -9` of the second exporter, which does not come back.
    async fn kill_second(&mut self) {
        let (_, exporter) = self.second.take().expect("it runs");
        exporter.kill().await;
    }

    pub(crate) fn exporter(&self) -> &Daemon {
        self.exporter.as_ref().expect("it runs")
    }

    /// `kill -9`; the one that comes after it is to serve at the same place.
    async fn kill_exporter(&mut self) {
        let exporter = self.exporter.take().expect("it runs");
        let address = exporter.address();
        let fixed = format!("'{address}'");
        self.place.reconfigure("'127.0.0.1:0'", &fixed);
        exporter.kill().await;
    }

    async fn start_exporter(&mut self) {
        let exporter = self.place.start().await;
        exporter.is_ready().await;
        self.exporter = Some(exporter);
    }

    /// The heartbeat shows that alerts are delivered.
    async fn is_alive(&self) {
        until("the heartbeat", async || {
            let messages = self.receiver.messages();
            let arrived = messages.iter().any(|m| m.path == "/dead-mans-switch");
            holds(arrived, format!("{messages:?}"))
        })
        .await;
    }

    /// Waits until Prometheus has such a streak of that job.
    pub(crate) async fn streak_is(&self, job: &str, wanted: f64) {
        let query = format!("ci_job:consecutive_failures{{job_name={job:?}}}");
        until("the streak in Prometheus", async || {
            let found = self.prometheus.query(&query).await;
            holds(found == [wanted], format!("{found:?}, not {wanted}"))
        })
        .await;
    }

    /// Names of the alerts that fire in Prometheus, each with what it is about.
    async fn firing(&self) -> BTreeSet<(String, String)> {
        let query = "ALERTS{alertstate=\"firing\",alertname!=\"CIWatchdog\",severity!=\"none\"}";
        let series = self.prometheus.series(query).await;
        series
            .iter()
            .map(|it| name_and_subject(&it["metric"]))
            .collect()
    }

    /// All but the heartbeat.
    fn messages(&self) -> Vec<Message> {
        let heartbeat = |message: &Message| message.path == "/dead-mans-switch";
        let messages = self.receiver.messages().into_iter();
        messages.filter(|message| !heartbeat(message)).collect()
    }

    /// The alerts of all messages with this status, each with where it was sent.
    fn told(&self, status: &str) -> Vec<(String, Value)> {
        let mut told = Vec::new();
        for message in self.messages() {
            let alerts = message.body["alerts"].as_array().unwrap().iter();
            let alerts = alerts.filter(|alert| alert["status"] == status);
            told.extend(alerts.map(|alert| (message.path.clone(), alert.clone())));
        }
        told
    }

    /// Waits for an alert with this status to be sent there.
    async fn alert(&self, path: &str, name: &str, status: &str) -> Value {
        until(&format!("{name}, {status}, at {path}"), async || {
            let told = self.told(status);
            let is_it =
                |(to, alert): &&(String, Value)| to == path && alert["labels"]["alertname"] == name;
            let found = told.iter().find(is_it).map(|(_, alert)| alert.clone());
            found.ok_or_else(|| format!("{told:#?}"))
        })
        .await
    }

    pub(crate) async fn end(self) {
        drop((self.prometheus, self.alertmanager));
        let exporters = [self.exporter, self.second.map(|(_, exporter)| exporter)];
        for exporter in exporters.into_iter().flatten() {
            exporter.stop().await;
        }
    }
}

/// Where jobs of the projects below `acme/payments` are the team's of that name.
fn owned(gitlab: &Handle, watch: &str) -> Place {
    let place = Place::new(gitlab.url(), watch);
    place.configure_also(
        "owners: {rules: [{projects: 'acme/payments/**', jobs: '*', team: payments}]}\n",
    );
    place
}

/// An alert's name, and its job, schedule or project.
fn name_and_subject(labels: &Value) -> (String, String) {
    let text = |key: &str| labels[key].as_str().unwrap_or_default();
    let subject = ["job_name", "schedule", "project"].map(text);
    let subject = subject.iter().find(|text| !text.is_empty());
    let subject = subject.copied().unwrap_or_default();
    (text("alertname").to_owned(), subject.to_owned())
}

/// A GitLab in the present; `past` fills its world, which begins three hours earlier.
pub(crate) async fn gitlab(past: impl FnOnce(&mut World)) -> Handle {
    let clock = Arc::new(SystemClock);
    let pace = Pace {
        start: Moment::from(clock.now()) - PAST,
        clock,
        speed: 1.0,
        catches_up: false,
    };
    let options = Options {
        pace,
        ..Options::default()
    };
    let gitlab = start(options).await.unwrap();
    gitlab.with(past);
    gitlab.advance(PAST);
    gitlab
}

/// One more pipeline of a project, which is created where it is not there yet. It ends at once.
pub(crate) fn push(world: &mut World, project: &str, jobs: Vec<JobPlan>) -> u64 {
    let known = world.project_by_path(project).map(|project| project.id);
    let project = known.unwrap_or_else(|| world.create_project(project));
    world.push_pipeline(project, PipelinePlan::new(jobs).instant())
}
