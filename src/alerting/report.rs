//! What the servers say of all alerts, and of one job.

use serde::Serialize;

use super::alertmanager::Delivery;
use super::labels::{Labels, label};
use super::links::{alertmanager_of, alerts_with, silence_of_alert, silence_of_job};
use super::thresholds::{Check, Threshold};

/// All alerts that are pending or fire.
#[derive(Debug, Default)]
pub struct Overview {
    /// `None` if Prometheus was not asked.
    pub prometheus: Option<ServerReport>,
    /// `None` if Alertmanager was not asked.
    pub alertmanager: Option<ServerReport>,
    /// In any order.
    pub alerts: Vec<Alert>,
    /// Where people reach Alertmanager.
    pub(super) for_people: Option<String>,
}

/// What the servers say of one job.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// `None` if Prometheus was not asked.
    pub prometheus: Option<ServerReport>,
    /// `None` if Alertmanager was not asked.
    pub alertmanager: Option<ServerReport>,
    pub(super) thresholds: Vec<Threshold>,
    /// Why a server that was asked, or was not, does not tell.
    #[serde(skip)]
    pub(super) problems: Vec<String>,
    /// What each alert compares for the job.
    pub checks: Vec<Check>,
    /// The alerts on the job.
    pub alerts: Vec<Alert>,
    /// A sentence for each alert, and for each server that does not tell.
    pub conclusions: Vec<String>,
    /// Alertmanager's form that silences all alerts on exactly this job; `None` unless a server knows its labels.
    pub silence_url: Option<String>,
}

/// A server that was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ServerReport {
    /// Its address, without a user.
    pub url: String,
    /// Why it does not tell.
    pub error: Option<String>,
}

/// An alert, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alert {
    /// Name of the rule.
    pub name: String,
    /// Empty without one.
    pub severity: String,
    /// All its labels.
    pub labels: Labels,
    /// Its annotation `summary`.
    pub summary: String,
    /// Pending or firing.
    pub state: AlertState,
    /// Since when it is in this state.
    pub since_timestamp_seconds: i64,
    /// When it fires if its condition goes on to hold.
    pub fires_at_timestamp_seconds: Option<i64>,
    /// When it ends, because its condition holds no longer.
    pub ends_at_timestamp_seconds: Option<i64>,
    /// Its annotation `runbook_url`; empty without one.
    pub runbook_url: String,
    /// Its annotation `silence_url`; empty without one.
    pub silence_url: String,
    /// `None` if Alertmanager does not have the alert, or was not asked.
    pub delivery: Option<Delivery>,
}

/// How far an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// Its condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
}

impl Alert {
    /// The value of a label, empty without one.
    pub fn label(&self, name: &str) -> &str {
        label(&self.labels, name)
    }

    /// Whether it fires, and nobody is told.
    pub fn is_held_back(&self) -> bool {
        self.delivery.as_ref().is_some_and(Delivery::is_held_back)
    }
}

impl Overview {
    /// Alertmanager's form that silences an alert, and if it is on a job, all alerts on exactly that job. `None` if no
    /// address of Alertmanager is known.
    pub fn silence_url(&self, alert: &Alert) -> Option<String> {
        let base = self.base(alert)?;
        Some(if alert.label("job_name").is_empty() {
            silence_of_alert(base, &alert.labels)
        } else {
            silence_of_job(base, &alert.labels)
        })
    }

    /// The page of Alertmanager with an alert.
    pub fn alertmanager_url(&self, alert: &Alert) -> Option<String> {
        Some(alerts_with(self.base(alert)?, &alert.labels))
    }

    fn base<'a>(&'a self, alert: &'a Alert) -> Option<&'a str> {
        alertmanager_of(&alert.silence_url).or(self.for_people.as_deref())
    }
}

impl Report {
    /// What the thresholds are, for a table.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    /// Why a server does not tell, or knows nothing of the job.
    pub fn problems(&self) -> impl Iterator<Item = &str> {
        self.problems.iter().map(String::as_str)
    }

    pub(super) fn is_told_by_alertmanager(&self) -> bool {
        (self.alertmanager.as_ref()).is_some_and(|server| server.error.is_none())
    }

    /// The active alert of a check.
    pub fn active(&self, check: &Check) -> Option<&Alert> {
        let is_it = |alert: &&Alert| alert.name == check.alert && alert.severity == check.severity;
        self.alerts.iter().find(is_it)
    }
}
