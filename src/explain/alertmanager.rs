//! Alertmanager's API: the alerts on a job, what holds them back, and who receives them.

use serde::{Deserialize, Serialize};
use url::Url;

use super::client::{AskError, Client, ClientError, unix};
use super::labels::{JobLabels, Labels, quoted};

pub(super) struct Alertmanager(Client);

/// An alert as Alertmanager has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnownAlert {
    pub(super) labels: Labels,
    #[serde(deserialize_with = "unix")]
    pub(super) starts_at: i64,
    fingerprint: String,
    receivers: Vec<Receiver>,
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Receiver {
    name: String,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(rename = "silencedBy")]
    silences: Vec<String>,
    #[serde(rename = "inhibitedBy")]
    inhibitors: Vec<String>,
    /// Time intervals; older versions do not tell them.
    #[serde(default, rename = "mutedBy")]
    intervals: Vec<String>,
}

/// Who receives an alert, and what holds it back.
#[derive(Debug, Serialize)]
pub(super) struct Delivery {
    pub(super) receivers: Vec<String>,
    pub(super) silences: Vec<Silence>,
    /// The labels of the inhibiting alerts.
    pub(super) inhibited_by: Vec<Labels>,
    pub(super) muted_by: Vec<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Silence {
    pub(super) id: String,
    #[serde(rename(deserialize = "createdBy"))]
    pub(super) author: String,
    pub(super) comment: String,
    #[serde(
        rename(deserialize = "endsAt", serialize = "until_timestamp_seconds"),
        deserialize_with = "unix"
    )]
    pub(super) until: i64,
}

impl Alertmanager {
    pub(super) fn new(url: Url) -> Result<Self, ClientError> {
        Client::new("Alertmanager", "--alertmanager.url", url).map(Self)
    }

    pub(super) fn url(&self) -> String {
        self.0.url()
    }

    /// All alerts on a job.
    pub(super) async fn alerts(&self, job: JobLabels<'_>) -> Result<Vec<KnownAlert>, AskError> {
        let project = format!("project={}", quoted(job.project));
        let name = format!("job_name={}", quoted(job.job_name));
        let filters = [("filter", &*project), ("filter", &*name)];
        let mut alerts: Vec<KnownAlert> = self.0.get("api/v2/alerts", &filters).await?;
        alerts.retain(|alert| job.are_in(&alert.labels));
        Ok(alerts)
    }

    /// Looks up what holds an alert back.
    pub(super) async fn delivery(&self, alert: &KnownAlert) -> Result<Delivery, AskError> {
        let status = &alert.status;
        let mut silences = Vec::new();
        for id in &status.silences {
            silences.push(self.0.get(&format!("api/v2/silence/{id}"), &[]).await?);
        }
        let mut inhibited_by = Vec::new();
        if !status.inhibitors.is_empty() {
            let all: Vec<KnownAlert> = self.0.get("api/v2/alerts", &[]).await?;
            let inhibits = |other: &KnownAlert| status.inhibitors.contains(&other.fingerprint);
            inhibited_by.extend(all.into_iter().filter(inhibits).map(|other| other.labels));
        }
        Ok(Delivery {
            receivers: alert.receivers.iter().map(|it| it.name.clone()).collect(),
            silences,
            inhibited_by,
            muted_by: status.intervals.clone(),
        })
    }
}
