//! The alerts of Prometheus and those of Alertmanager, put together.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::alertmanager::{Delivery, KnownAlert, Routed};
use super::labels::{Labels, label};
use super::prometheus::{ActiveAlert, AlertRule};
use super::report::{Alert, AlertState};

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
    let mut places = Places::of(&alerts);
    let mut deliveries = Vec::new();
    let mut others = Vec::new();
    for known in routed.alerts.iter().filter(|it| is_wanted(&it.labels)) {
        if let Some(place) = places.find(&alerts, known) {
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

/// Alerts that are compared with all others to learn which labels Prometheus adds on the way.
const MOST_SEARCHES: usize = 500;

/// Finds the alert of Prometheus that Alertmanager has, among ten thousands.
struct Places {
    by_labels: HashMap<Labels, usize>,
    /// Another Prometheus may send alerts of other names.
    names: HashSet<String>,
    /// Sets of labels that a Prometheus adds on the way, as far as they are known.
    external: Vec<BTreeSet<String>>,
    searches: usize,
}

impl Places {
    fn of(alerts: &[Alert]) -> Self {
        let places = alerts.iter().map(|alert| alert.labels.clone()).zip(0..);
        Self {
            by_labels: places.collect(),
            names: alerts.iter().map(|alert| alert.name.clone()).collect(),
            external: vec![BTreeSet::new()],
            searches: 0,
        }
    }

    fn find(&mut self, alerts: &[Alert], known: &KnownAlert) -> Option<usize> {
        let without = |external: &BTreeSet<String>| {
            let mut labels = known.labels.clone();
            labels.retain(|name, _| !external.contains(name));
            self.by_labels.get(&labels).copied()
        };
        if let Some(place) = self.external.iter().find_map(without) {
            return Some(place);
        }
        let is_known = self.names.contains(label(&known.labels, "alertname"));
        if !is_known || self.searches >= MOST_SEARCHES {
            return None;
        }
        self.searches += 1;
        let place = alerts.iter().position(|alert| is_sent_as(alert, known))?;
        let own = &alerts[place].labels;
        let added = known.labels.keys().filter(|name| !own.contains_key(*name));
        self.external.push(added.cloned().collect());
        Some(place)
    }
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn five_thousand_alerts_that_differ_in_one_label_find_their_receivers_quickly() {
        let labels = |n: usize| json!({"alertname": "CIMassFailure", "severity": "warning", "n": n.to_string()});
        let active = (0..5_000).map(
            |n| json!({"labels": labels(n), "state": "firing", "activeAt": "2026-01-05T08:00:00Z"}),
        );
        let rule = json!({"name": "CIMassFailure", "query": "x", "duration": 0, "alerts": active.collect::<Vec<_>>()});
        let rules: Vec<AlertRule> = serde_json::from_value(json!([rule])).unwrap();
        // In another order, with a label of Prometheus; every second one is of another Prometheus.
        let sent = (0..10_000).rev().map(|n| {
            let mut labels = labels(n);
            labels["cluster"] = json!("eu");
            json!({
                "labels": labels, "startsAt": "2026-01-05T08:00:00Z", "fingerprint": n.to_string(),
                "receivers": [{"name": n.to_string()}], "status": {"silencedBy": [], "inhibitedBy": []}
            })
        });
        let mut sent = sent.collect::<Vec<_>>();
        sent.rotate_left(5_010);
        let routed = Routed::of(serde_json::from_value(json!(sent)).unwrap(), Vec::new());
        let begun = std::time::Instant::now();
        let alerts = joined(Some(&rules), Some(&routed), |_| true);
        assert!(begun.elapsed().as_secs() < 10, "{:?}", begun.elapsed());
        assert_eq!(alerts.len(), 5_000);
        for alert in &alerts {
            let receivers = &alert.delivery.as_ref().unwrap().receivers;
            assert_eq!(receivers[0], alert.label("n"));
        }
    }
}
