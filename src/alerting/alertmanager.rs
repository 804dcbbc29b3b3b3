//! Alertmanager's API: the alerts, what holds them back, and who receives them.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::asker::Asker;
use super::client::{AskError, Client, ClientError, unix};
use super::labels::Labels;
use super::links::Annotations;
use super::routes::Routing;
use super::survey::{AlertmanagerSurvey, Receivers};
use crate::base::server_access::ServerAccess;

pub(super) struct Alertmanager(Client);

/// Shipped alerts whose receivers a survey tells, with their severities.
const SURVEYED: [(&str, &str); 2] = [
    ("CIWatchdog", "none"),
    ("CIJobFailingRepeatedly", "warning"),
];

/// `GET /api/v2/status`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerStatus {
    #[serde(default)]
    version_info: Option<VersionInfo>,
    #[serde(default)]
    config: Option<LoadedConfig>,
}

#[derive(Deserialize)]
struct VersionInfo {
    version: String,
}

/// The configuration in force, without its secrets.
#[derive(Deserialize)]
struct LoadedConfig {
    original: String,
}

/// An alert as Alertmanager has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KnownAlert {
    pub(super) labels: Labels,
    #[serde(default)]
    pub(super) annotations: Annotations,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// Names of the receivers.
    pub receivers: Vec<String>,
    /// The silences on it.
    pub silences: Vec<Silence>,
    /// The labels of the inhibiting alerts.
    pub inhibited_by: Vec<Labels>,
    /// Names of time intervals.
    pub muted_by: Vec<String>,
}

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct Silence {
    /// Its id in Alertmanager.
    pub id: String,
    /// Who silenced.
    #[serde(rename(deserialize = "createdBy"))]
    pub author: String,
    /// Why.
    pub comment: String,
    /// When it ends, in Unix seconds.
    #[serde(
        rename(deserialize = "endsAt", serialize = "until_timestamp_seconds"),
        deserialize_with = "unix"
    )]
    pub until: i64,
}

/// All that Alertmanager has.
#[derive(Debug, Default)]
pub(super) struct Routed {
    pub(super) alerts: Vec<KnownAlert>,
    silences: HashMap<String, Silence>,
    /// Positions of the alerts that inhibit others, by fingerprint.
    inhibitors: HashMap<String, usize>,
}

impl Alertmanager {
    pub(super) fn new(server: ServerAccess, asker: Asker) -> Result<Self, ClientError> {
        Client::new("Alertmanager", server, asker).map(Self)
    }

    pub(super) fn url(&self) -> String {
        self.0.url()
    }

    /// What it is, and who would receive alerts of ours.
    pub(super) async fn survey(&self) -> Result<AlertmanagerSurvey, AskError> {
        let asking = async {
            let status: ServerStatus = self.0.get("api/v2/status", &[]).await?;
            let alerts = self.ask().await?.alerts;
            let config = status.config.map(|config| config.original);
            Ok(AlertmanagerSurvey {
                url: self.url(),
                version: status.version_info.map(|info| info.version),
                receivers: surveyed(config.as_deref().unwrap_or_default()),
                alerts: alerts.into_iter().map(|alert| alert.labels).collect(),
            })
        };
        self.0.in_time(asking).await
    }

    /// All alerts, and the silences on them.
    pub(super) async fn routed(&self) -> Result<Routed, AskError> {
        self.0.in_time(self.ask()).await
    }

    async fn ask(&self) -> Result<Routed, AskError> {
        let alerts: Vec<KnownAlert> = self.0.get("api/v2/alerts", &[]).await?;
        let mut silences = Vec::new();
        if alerts.iter().any(|alert| !alert.status.silences.is_empty()) {
            silences = self.0.get("api/v2/silences", &[]).await?;
        }
        Ok(Routed::of(alerts, silences))
    }
}

/// The receivers of some shipped alerts by this configuration.
fn surveyed(config: &str) -> Result<Vec<(&'static str, Receivers)>, String> {
    let routing = Routing::read(config)?;
    let mut all = Vec::new();
    for (name, severity) in SURVEYED {
        let labels = [("alertname", name), ("severity", severity)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        all.push((name, routing.receivers(&Labels::from(labels))?));
    }
    Ok(all)
}

impl Routed {
    pub(super) fn of(alerts: Vec<KnownAlert>, silences: Vec<Silence>) -> Self {
        let fingerprints = alerts.iter().map(|alert| alert.fingerprint.clone());
        let inhibitors = fingerprints.zip(0..).collect();
        let silences = silences.into_iter();
        Self {
            silences: silences.map(|it| (it.id.clone(), it)).collect(),
            inhibitors,
            alerts,
        }
    }

    /// What holds an alert back, and who receives it.
    pub(super) fn delivery(&self, alert: &KnownAlert) -> Delivery {
        let status = &alert.status;
        let silences = status.silences.iter();
        let inhibitors = status.inhibitors.iter();
        let inhibitors = inhibitors.filter_map(|it| self.alerts.get(*self.inhibitors.get(it)?));
        Delivery {
            receivers: alert.receivers.iter().map(|it| it.name.clone()).collect(),
            silences: silences
                .filter_map(|id| self.silences.get(id).cloned())
                .collect(),
            inhibited_by: inhibitors.map(|other| other.labels.clone()).collect(),
            muted_by: status.intervals.clone(),
        }
    }
}

impl Delivery {
    /// Who receives it. By convention, the receiver without any address is called `null`.
    pub fn receivers_in_words(&self) -> String {
        let names = self.receivers.iter().map(String::as_str);
        let names = names.map(|name| if name == "null" { "nobody" } else { name });
        names.collect::<Vec<_>>().join(", ")
    }

    /// Whether nobody is told.
    pub fn is_held_back(&self) -> bool {
        !self.silences.is_empty() || !self.inhibited_by.is_empty() || !self.muted_by.is_empty()
    }
}
