//! Asks the servers, and puts their answers together.

use url::Url;

use super::alertmanager::{Alertmanager, Delivery, KnownAlert};
use super::client::{AskError, ClientError};
use super::conclude;
use super::figures::{Figures, figures_query};
use super::labels::{JobLabels, label};
use super::levels::{Owner, written_query};
use super::prometheus::{ActiveAlert, AlertRule, Prometheus};
use super::report::{Alert, AlertState, Report, ServerReport};
use super::thresholds::{Threshold, checks};

/// The servers to ask, as far as their addresses are known.
pub struct Servers {
    prometheus: Option<Prometheus>,
    alertmanager: Option<Alertmanager>,
}

/// What Prometheus knows of a job.
struct Known {
    rules: Vec<AlertRule>,
    thresholds: Vec<Threshold>,
    /// Why it has no series of the job.
    missing: Option<String>,
}

impl Servers {
    /// Asks no server whose address is not given.
    ///
    /// # Errors
    ///
    /// If this machine cannot speak TLS.
    pub fn new(prometheus: Option<Url>, alertmanager: Option<Url>) -> Result<Self, ClientError> {
        Ok(Self {
            prometheus: prometheus.map(Prometheus::new).transpose()?,
            alertmanager: alertmanager.map(Alertmanager::new).transpose()?,
        })
    }

    /// Asks for everything about a job at `now`, in Unix seconds. A server's error becomes a conclusion.
    pub async fn ask(&self, job: JobLabels<'_>, now: i64) -> Report {
        let mut report = Report::default();
        let rules = self.ask_prometheus(job, &mut report).await;
        self.ask_alertmanager(job, &mut report).await;
        let active = report.alerts.iter();
        let mut conclusions: Vec<_> = active
            .map(|alert| conclude::active(alert, &report, now))
            .collect();
        let checks = checks(&rules, &report.thresholds);
        let quiet = checks.iter().filter(|check| !report.is_active(check));
        conclusions.extend(quiet.map(conclude::quiet));
        report.conclusions.extend(conclusions);
        report
    }

    /// Gives the alert rules.
    async fn ask_prometheus(&self, job: JobLabels<'_>, report: &mut Report) -> Vec<AlertRule> {
        let Some(prometheus) = &self.prometheus else {
            let hint = "Prometheus was not asked for thresholds and alerts: give --prometheus.url, or \
                        `prometheus.url` in the configuration.";
            report.conclusions.push(hint.to_owned());
            return Vec::new();
        };
        let url = prometheus.url();
        match known(prometheus, job).await {
            Ok(known) => {
                report.prometheus = Some(ServerReport { url, error: None });
                report.alerts = alerts(&known.rules, job);
                if let Some(missing) = known.missing {
                    report.conclusions.push(missing);
                    return Vec::new();
                }
                report.thresholds = known.thresholds;
                known.rules
            }
            Err(error) => {
                let error = error.to_string();
                report.conclusions.push(error.clone());
                report.prometheus = Some(ServerReport {
                    url,
                    error: Some(error),
                });
                Vec::new()
            }
        }
    }

    async fn ask_alertmanager(&self, job: JobLabels<'_>, report: &mut Report) {
        let Some(alertmanager) = &self.alertmanager else {
            let hint = "Alertmanager was not asked for silences, inhibitions and receivers: give \
                        --alertmanager.url, or `alertmanager.url` in the configuration.";
            report.conclusions.push(hint.to_owned());
            return;
        };
        let error = deliver(alertmanager, job, report).await.err();
        let error = error.map(|error| error.to_string());
        report.conclusions.extend(error.clone());
        let url = alertmanager.url();
        report.alertmanager = Some(ServerReport { url, error });
    }
}

async fn known(prometheus: &Prometheus, job: JobLabels<'_>) -> Result<Known, AskError> {
    let rules = prometheus.rules().await?;
    let series = prometheus.series(job).await?;
    let info = series.iter().find(|series| series.name() == "job_info");
    let of_info = |name| info.map_or("", |info| info.label(name)).to_owned();
    let owner = Owner {
        team: of_info("team"),
        stage: of_info("stage"),
    };
    let written = prometheus.query(&written_query(job, &owner)).await?;
    let figures = Figures::of(&prometheus.query(&figures_query(job)).await?);
    Ok(Known {
        thresholds: Threshold::all(&written, &figures),
        missing: prometheus.missing(&rules, &series, job).await?,
        rules,
    })
}

/// The alerts on a job that are pending or fire.
fn alerts(rules: &[AlertRule], job: JobLabels<'_>) -> Vec<Alert> {
    let of_job = |alert: &&ActiveAlert| job.are_in(&alert.labels);
    let active = rules.iter().flat_map(|rule| {
        let alerts = rule.alerts.iter().filter(of_job);
        alerts.map(move |alert| active_alert(rule, alert))
    });
    active.collect()
}

fn active_alert(rule: &AlertRule, alert: &ActiveAlert) -> Alert {
    let holds_since = alert.active_at;
    let fires_at = holds_since.saturating_add(rule.duration());
    let is_pending = alert.state == "pending";
    let (state, since) = if is_pending {
        (AlertState::Pending, holds_since)
    } else {
        (AlertState::Firing, fires_at)
    };
    Alert {
        name: rule.name.clone(),
        severity: label(&alert.labels, "severity").to_owned(),
        labels: alert.labels.clone(),
        state,
        since_timestamp_seconds: since,
        fires_at_timestamp_seconds: is_pending.then_some(fires_at),
        ends_at_timestamp_seconds: alert
            .kept_since
            .map(|at| at.saturating_add(rule.kept_for())),
        delivery: None,
    }
}

/// Looks the alerts up in Alertmanager, which knows those that fire if Prometheus does not tell.
async fn deliver(
    alertmanager: &Alertmanager,
    job: JobLabels<'_>,
    report: &mut Report,
) -> Result<(), AskError> {
    let by_prometheus = report.is_told_by_prometheus();
    for known in alertmanager.alerts(job).await? {
        let delivery = alertmanager.delivery(&known).await?;
        // Prometheus adds its external labels on the way.
        let is_same = |alert: &&mut Alert| {
            let mut labels = alert.labels.iter();
            labels.all(|(name, value)| known.labels.get(name) == Some(value))
        };
        if let Some(alert) = report.alerts.iter_mut().find(is_same) {
            alert.delivery = Some(delivery);
        } else if !by_prometheus {
            report.alerts.push(known_alert(known, delivery));
        }
    }
    Ok(())
}

fn known_alert(known: KnownAlert, delivery: Delivery) -> Alert {
    Alert {
        name: label(&known.labels, "alertname").to_owned(),
        severity: label(&known.labels, "severity").to_owned(),
        labels: known.labels,
        state: AlertState::Firing,
        since_timestamp_seconds: known.starts_at,
        fires_at_timestamp_seconds: None,
        ends_at_timestamp_seconds: None,
        delivery: Some(delivery),
    }
}
