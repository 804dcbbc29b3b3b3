//! What the servers tell of themselves and of what is shipped, for a check of the configuration.

use std::collections::BTreeSet;

use super::labels::Labels;

/// What each server told, or its error in words; `None` if its address is not known.
#[derive(Debug)]
pub struct Survey {
    /// Prometheus.
    pub prometheus: Option<Result<PrometheusSurvey, String>>,
    /// Alertmanager.
    pub alertmanager: Option<Result<AlertmanagerSurvey, String>>,
}

/// What Prometheus tells.
#[derive(Debug)]
pub struct PrometheusSurvey {
    /// Its address, without a user.
    pub url: String,
    /// Thanos and Mimir may not tell one.
    pub version: Option<String>,
    /// Names of all alert rules.
    pub alert_rules: BTreeSet<String>,
    /// Alert rules that use series of ours and fail, with their errors.
    pub failing: Vec<(String, String)>,
    /// Exporters that it scrapes.
    pub exporters: usize,
    /// Jobs of which it has a streak.
    pub jobs: usize,
}

/// What Alertmanager tells.
#[derive(Debug)]
pub struct AlertmanagerSurvey {
    /// Its address, without a user.
    pub url: String,
    /// Its version.
    pub version: Option<String>,
    /// Who would receive some of the shipped alerts, by name; or why that is not known.
    pub receivers: Result<Vec<(&'static str, Receivers)>, String>,
    /// The labels of all alerts.
    pub(super) alerts: Vec<Labels>,
}

/// The receivers of an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receivers {
    /// Their names, in the order of the routes.
    pub named: Vec<String>,
    /// Those of all receivers that send nothing anywhere.
    pub silent: BTreeSet<String>,
}

impl AlertmanagerSurvey {
    /// Whether an alert of this name has arrived.
    pub fn has_alert(&self, name: &str) -> bool {
        let names = self.alerts.iter().map(|labels| labels.get("alertname"));
        names.flatten().any(|found| found == name)
    }
}
