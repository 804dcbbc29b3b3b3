//! The alerts of Prometheus and those of Alertmanager, put together.

use std::collections::HashMap;

use super::alertmanager::{Delivery, KnownAlert, Routed};
use super::labels::{Labels, label};
use super::prometheus::{ActiveAlert, AlertRule};
use super::report::{Alert, AlertState};

/// The labels by which alerts are looked up. Alerts that have all of them in common are few.
const SUBJECT: [&str; 6] = [
    "project", "ref", "track", "job_name", "schedule", "severity",
];

/// The wanted alerts that are pending or fire. `None` stands for a server that does not tell: Alertmanager knows what
/// fires if Prometheus does not tell.
pub(super) fn joined(
    rules: Option<&[AlertRule]>,
    routed: Option<&Routed>,
    is_wanted: impl Fn(&Labels) -> bool,
) -> Vec<Alert> {
    let mut alerts: Vec<_> = rules.unwrap_or_default().iter().flat_map(active).collect();
    alerts.retain(|alert| is_wanted(&alert.labels));
    let Some(routed) = routed else {
        return alerts;
    };
    let mut places: HashMap<_, Vec<usize>> = HashMap::new();
    for (place, alert) in alerts.iter().enumerate() {
        let same = places.entry(subject(&alert.labels)).or_default();
        same.push(place);
    }
    let mut deliveries = Vec::new();
    let mut others = Vec::new();
    for known in routed.alerts.iter().filter(|it| is_wanted(&it.labels)) {
        let same = places.get(&subject(&known.labels));
        let mut same = same.into_iter().flatten().copied();
        if let Some(place) = same.find(|place| is_sent_as(&alerts[*place], known)) {
            deliveries.push((place, routed.delivery(known)));
        } else if rules.is_none() {
            others.push(known_alert(known, routed.delivery(known)));
        }
    }
    for (place, delivery) in deliveries {
        alerts[place].delivery = Some(delivery);
    }
    alerts.append(&mut others);
    alerts
}

fn subject(labels: &Labels) -> [String; SUBJECT.len()] {
    SUBJECT.map(|name| label(labels, name).to_owned())
}

/// Prometheus adds its external labels on the way.
fn is_sent_as(alert: &Alert, known: &KnownAlert) -> bool {
    let mut labels = alert.labels.iter();
    labels.all(|(name, value)| known.labels.get(name) == Some(value))
}

fn active(rule: &AlertRule) -> impl Iterator<Item = Alert> {
    rule.alerts.iter().map(|alert| active_alert(rule, alert))
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
        summary: alert.annotations.summary.clone(),
        state,
        since_timestamp_seconds: since,
        fires_at_timestamp_seconds: is_pending.then_some(fires_at),
        ends_at_timestamp_seconds: alert
            .kept_since
            .map(|at| at.saturating_add(rule.kept_for())),
        runbook_url: alert.annotations.runbook_url.clone(),
        silence_url: alert.annotations.silence_url.clone(),
        delivery: None,
    }
}

fn known_alert(known: &KnownAlert, delivery: Delivery) -> Alert {
    Alert {
        name: label(&known.labels, "alertname").to_owned(),
        severity: label(&known.labels, "severity").to_owned(),
        labels: known.labels.clone(),
        summary: known.annotations.summary.clone(),
        state: AlertState::Firing,
        since_timestamp_seconds: known.starts_at,
        fires_at_timestamp_seconds: None,
        ends_at_timestamp_seconds: None,
        runbook_url: known.annotations.runbook_url.clone(),
        silence_url: known.annotations.silence_url.clone(),
        delivery: Some(delivery),
    }
}
