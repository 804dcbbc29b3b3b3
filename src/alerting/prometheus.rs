//! Prometheus' API: queries, and the alert rules with their alerts.

use serde::Deserialize;

use super::asker::Asker;
use super::client::{AskError, Client, ClientError, optional_unix, unix};
use super::labels::{JobLabels, Labels, label, quoted};
use super::links::Annotations;
use super::survey::PrometheusSurvey;
use crate::base::server_access::ServerAccess;

pub(super) struct Prometheus(Client);

/// An alert rule, with all alerts that are pending or fire.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AlertRule {
    pub(super) name: String,
    query: String,
    #[serde(rename = "duration")]
    duration: f64,
    #[serde(default)]
    keep_firing_for: f64,
    #[serde(default)]
    pub(super) last_error: String,
    /// As templates.
    #[serde(default)]
    pub(super) annotations: Annotations,
    #[serde(default)]
    pub(super) alerts: Vec<ActiveAlert>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ActiveAlert {
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
    pub(super) state: String,
    /// Since when its condition holds.
    #[serde(deserialize_with = "unix")]
    pub(super) active_at: i64,
    /// Since when it fires although its condition does not hold.
    #[serde(
        default,
        rename = "keepFiringSince",
        deserialize_with = "optional_unix"
    )]
    pub(super) kept_since: Option<i64>,
}

/// A series with its newest value.
#[derive(Debug, Deserialize)]
pub(super) struct Series {
    metric: Labels,
    value: (f64, String),
}

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct RuleData {
    groups: Vec<RuleGroup>,
}

#[derive(Deserialize)]
struct RuleGroup {
    rules: Vec<AlertRule>,
}

#[derive(Deserialize)]
struct BuildData {
    version: String,
}

#[derive(Deserialize)]
struct QueryData {
    result: Vec<Series>,
}

impl Prometheus {
    pub(super) fn new(server: ServerAccess, asker: Asker) -> Result<Self, ClientError> {
        Client::new("Prometheus", server, asker).map(Self)
    }

    pub(super) fn url(&self) -> String {
        self.0.url()
    }

    /// Bounds the time of several requests together.
    pub(super) async fn in_time<T>(
        &self,
        asking: impl Future<Output = Result<T, AskError>>,
    ) -> Result<T, AskError> {
        self.0.in_time(asking).await
    }

    pub(super) async fn rules(&self) -> Result<Vec<AlertRule>, AskError> {
        let asking = self.0.get("api/v1/rules", &[("type", "alert")]);
        let rules: Envelope<RuleData> = self.0.in_time(asking).await?;
        let groups = rules.data.groups.into_iter();
        Ok(groups.flat_map(|group| group.rules).collect())
    }

    /// A job's streak and what else is known of it, as scraped.
    pub(super) async fn series(&self, job: JobLabels<'_>) -> Result<Vec<Series>, AskError> {
        let selector = job.selector();
        let names = "__name__=~\"job_consecutive_failures|job_info\"";
        self.query(&format!("{{{names},{selector}}}")).await
    }

    pub(super) async fn query(&self, query: &str) -> Result<Vec<Series>, AskError> {
        let answer: Envelope<QueryData> = self.0.get("api/v1/query", &[("query", query)]).await?;
        Ok(answer.data.result)
    }

    /// What it is, and whether it knows of us.
    pub(super) async fn survey(&self) -> Result<PrometheusSurvey, AskError> {
        let rules = self.rules().await?;
        let asking = async {
            let build = self.0.get("api/v1/status/buildinfo", &[]).await;
            let build: Option<Envelope<BuildData>> = build.ok();
            Ok(PrometheusSurvey {
                url: self.url(),
                version: build.map(|build| build.data.version),
                alert_rules: rules.iter().map(|rule| rule.name.clone()).collect(),
                failing: failing(&rules),
                exporters: self.count("job_failure_exporter_build_info").await?,
                jobs: self.count("job_consecutive_failures").await?,
            })
        };
        self.in_time(asking).await
    }

    /// The number of series of this name.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "`as` saturates, and a count is not negative"
    )]
    async fn count(&self, name: &str) -> Result<usize, AskError> {
        let series = self.query(&format!("count({name})")).await?;
        Ok(series.first().map_or(0, |series| series.value() as usize))
    }

    /// Why the rules say nothing of the job, and what to do.
    pub(super) async fn missing(
        &self,
        rules: &[AlertRule],
        series: &[Series],
        job: JobLabels<'_>,
    ) -> Result<Option<String>, AskError> {
        let uses_jobs = |rule: &&AlertRule| rule.query.contains("ci_job:");
        let Some(rule) = rules.iter().find(uses_jobs) else {
            return Ok(Some(format!(
                "Prometheus at {} has none of the shipped rules: add the files of alert-rules/ to its \
                 `rule_files`, and reload it.",
                self.url()
            )));
        };
        if !rule.last_error.is_empty() {
            let (name, error) = (&rule.name, &rule.last_error);
            return Ok(Some(format!(
                "Prometheus fails to evaluate {name}: {error}"
            )));
        }
        let project = quoted(job.project);
        let seen = format!("count(ci_instance:exposed:count{{project={project}}})");
        let is_seen = !self.query(&seen).await?.is_empty();
        let why = if !series.is_empty() && is_seen {
            return Ok(None);
        } else if !series.is_empty() {
            "its rules have not seen the series that it scraped: wait for their next evaluation"
        } else if self
            .query("count(job_consecutive_failures)")
            .await?
            .is_empty()
        {
            "it has no series of any job: look at its targets, and see that it scrapes the exporter"
        } else {
            "the exporters that it scrapes do not expose it: the job was never executed, or another \
             exporter watches it"
        };
        Ok(Some(format!(
            "Prometheus has no series of this job: {why}."
        )))
    }
}

/// The rules about series of ours that fail, with their errors.
fn failing(rules: &[AlertRule]) -> Vec<(String, String)> {
    let ours = ["ci_", "job_", "ci:"];
    let is_ours = |rule: &&AlertRule| ours.iter().any(|part| rule.query.contains(part));
    let failing = rules.iter().filter(|rule| !rule.last_error.is_empty());
    failing
        .filter(is_ours)
        .map(|rule| (rule.name.clone(), rule.last_error.clone()))
        .collect()
}

impl AlertRule {
    /// Seconds for which its condition has to hold.
    pub(super) fn duration(&self) -> i64 {
        whole(self.duration)
    }

    /// Seconds for which it fires after its condition.
    pub(super) fn kept_for(&self) -> i64 {
        whole(self.keep_firing_for)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "`as` saturates, and no rule waits for longer"
)]
pub(super) fn whole(seconds: f64) -> i64 {
    seconds.round() as i64
}

impl Series {
    pub(super) fn name(&self) -> &str {
        self.label("__name__")
    }

    pub(super) fn label(&self, name: &str) -> &str {
        label(&self.metric, name)
    }

    pub(super) fn labels(&self) -> &Labels {
        &self.metric
    }

    pub(super) fn value(&self) -> f64 {
        // Go's `+Inf` parses as well.
        self.value.1.parse().unwrap_or(f64::NAN)
    }
}
