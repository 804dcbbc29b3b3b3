//! What the servers say of one job.

use serde::Serialize;

use super::alertmanager::Delivery;
use super::labels::Labels;
use super::thresholds::{Check, Threshold};

/// What the servers say of one job.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    pub(super) prometheus: Option<ServerReport>,
    pub(super) alertmanager: Option<ServerReport>,
    pub(super) thresholds: Vec<Threshold>,
    pub(super) alerts: Vec<Alert>,
    /// A sentence for each alert, and for each server that does not tell.
    pub conclusions: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ServerReport {
    pub(super) url: String,
    pub(super) error: Option<String>,
}

/// An alert on the job, and what becomes of it.
#[derive(Debug, Serialize)]
pub(super) struct Alert {
    pub(super) name: String,
    pub(super) severity: String,
    pub(super) labels: Labels,
    pub(super) state: AlertState,
    pub(super) since_timestamp_seconds: i64,
    /// When it fires if its condition goes on to hold.
    pub(super) fires_at_timestamp_seconds: Option<i64>,
    /// When it ends, because its condition holds no longer.
    pub(super) ends_at_timestamp_seconds: Option<i64>,
    /// `None` if Alertmanager does not have the alert, or was not asked.
    pub(super) delivery: Option<Delivery>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum AlertState {
    Pending,
    Firing,
}

impl Report {
    /// What the thresholds are, for a table.
    pub fn thresholds(&self) -> &[Threshold] {
        &self.thresholds
    }

    pub(super) fn is_told_by_prometheus(&self) -> bool {
        is_told_by(self.prometheus.as_ref())
    }

    pub(super) fn is_told_by_alertmanager(&self) -> bool {
        is_told_by(self.alertmanager.as_ref())
    }

    pub(super) fn is_active(&self, check: &Check) -> bool {
        let is_it = |alert: &Alert| alert.name == check.alert && alert.severity == check.severity;
        self.alerts.iter().any(is_it)
    }
}

fn is_told_by(server: Option<&ServerReport>) -> bool {
    server.is_some_and(|server| server.error.is_none())
}
