//! Webhook messages of Alertmanager: alerts whose labels ask for an action.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use super::request::Wish;
use crate::config::{ActionKind, Word as _};

/// The label that asks for an action.
const LABEL: &str = "remediation";

/// Version of the messages that are understood.
const VERSION: &str = "4";

#[derive(Deserialize)]
struct Message {
    version: String,
    alerts: Vec<Alert>,
}

#[derive(Deserialize)]
struct Alert {
    status: String,
    labels: BTreeMap<String, String>,
    /// Of the labels.
    #[serde(default)]
    fingerprint: String,
    #[serde(default, rename = "startsAt")]
    starts_at: String,
}

/// What the firing alerts of a message ask for, and how many ask for something that nobody understands. Resolved alerts
/// and those without the label ask for nothing. A repeated one has the same [`Wish::alert`], and the guard does nothing
/// twice.
///
/// # Errors
///
/// What is wrong with the message.
pub fn wishes_of(body: &[u8]) -> Result<(Vec<Wish>, Vec<String>), String> {
    let message: Message = serde_json::from_slice(body)
        .map_err(|error| format!("this is no webhook message of Alertmanager: {error}"))?;
    if message.version != VERSION {
        let found = &message.version;
        return Err(format!(
            "this message of Alertmanager has version `{found}`, wanted `{VERSION}`"
        ));
    }
    let (mut wishes, mut problems) = (Vec::new(), Vec::new());
    let firing = message
        .alerts
        .iter()
        .filter(|alert| alert.status == "firing");
    for alert in firing {
        let wish = wish_of(&alert.labels);
        match wish {
            Ok(None) => {}
            Ok(Some(wish)) => {
                let wish = Wish {
                    alert: alert.id(),
                    ..wish
                };
                if !wishes.contains(&wish) {
                    wishes.push(wish);
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    Ok((wishes, problems))
}

impl Alert {
    /// One that fires again is another one.
    fn id(&self) -> Option<Arc<str>> {
        let Self {
            fingerprint,
            starts_at,
            ..
        } = self;
        (!fingerprint.is_empty()).then(|| format!("{fingerprint} since {starts_at}").into())
    }
}

fn wish_of(labels: &BTreeMap<String, String>) -> Result<Option<Wish>, String> {
    let label = |name: &str| labels.get(name).filter(|value| !value.is_empty());
    let Some(word) = label(LABEL) else {
        return Ok(None);
    };
    let name = label("alertname").map_or("an alert", String::as_str);
    let needed = |key: &str| {
        label(key).ok_or_else(|| {
            format!("{name} has the label `{LABEL}: {word}` and no label `{key}`, which it needs")
        })
    };
    let kind = ActionKind::from_word(word).ok_or_else(|| {
        let words = ActionKind::words().join(", ");
        format!("{name} has the label `{LABEL}: {word}`, wanted one of {words}")
    })?;
    let mut wish = Wish {
        track: label("track").map(|track| track.as_str().into()),
        ..Wish::new(kind, needed("project")?)
    };
    if kind == ActionKind::RunSchedule {
        let id = needed("schedule_id")?;
        let id = id.parse().map_err(|_| {
            format!("{name} has the label `schedule_id: {id}`, wanted a whole number")
        })?;
        wish.schedule_id = Some(id);
        wish.ref_name = label("ref").map(|name| name.as_str().into());
        return Ok(Some(wish));
    }
    wish.ref_name = Some(needed("ref")?.as_str().into());
    wish.job = Some(needed("job_name")?.as_str().into());
    if kind == ActionKind::Play {
        wish.play = Some(needed("play")?.as_str().into());
    }
    Ok(Some(wish))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn message(alerts: &Value) -> Vec<u8> {
        json!({"version": "4", "groupKey": "{}", "status": "firing", "receiver": "remediation",
               "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {},
               "externalURL": "http://a", "truncatedAlerts": 0, "alerts": alerts})
        .to_string()
        .into_bytes()
    }

    fn alert(status: &str, labels: &Value) -> Value {
        json!({"status": status, "labels": labels, "annotations": {}, "startsAt": "2026-01-01T00:00:00Z",
               "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "", "fingerprint": "0"})
    }

    #[test]
    fn a_firing_alert_with_the_label_asks_for_its_action_once() {
        let labels = json!({"alertname": "A", "project": "acme/shop", "ref": "main", "job_name": "unit",
                            "remediation": "recover", "track": ""});
        let firing = alert("firing", &labels);
        let body = message(&json!([firing, firing, alert("resolved", &labels)]));
        let (wishes, problems) = wishes_of(&body).unwrap();
        assert_eq!((wishes.len(), problems.len()), (1, 0));
        assert_eq!(wishes[0].kind, ActionKind::Recover);
        assert_eq!(wishes[0].job.as_deref(), Some("unit"));
        assert_eq!(wishes[0].track, None);
        let alert = wishes[0].alert.as_deref();
        assert_eq!(alert, Some("0 since 2026-01-01T00:00:00Z"));
    }

    #[test]
    fn alerts_without_the_label_ask_for_nothing() {
        let labels = json!({"alertname": "A", "project": "acme/shop"});
        let empty = json!({"alertname": "A", "remediation": ""});
        let body = message(&json!([alert("firing", &labels), alert("firing", &empty)]));
        assert_eq!(wishes_of(&body), Ok((Vec::new(), Vec::new())));
    }

    #[test]
    fn an_alert_that_lacks_a_label_is_told_and_stops_no_other() {
        let good = json!({"alertname": "B", "project": "acme/shop", "remediation": "run_schedule", "schedule_id": "7"});
        for (labels, wanted) in [
            (
                json!({"alertname": "A", "remediation": "recover"}),
                "no label `project`",
            ),
            (
                json!({"alertname": "A", "project": "p", "ref": "m", "remediation": "recover"}),
                "no label `job_name`",
            ),
            (
                json!({"alertname": "A", "project": "p", "remediation": "retry"}),
                "wanted one of recover, restart",
            ),
            (
                json!({"alertname": "A", "project": "p", "remediation": "run_schedule", "schedule_id": "x"}),
                "whole number",
            ),
        ] {
            let body = message(&json!([alert("firing", &labels), alert("firing", &good)]));
            let (wishes, problems) = wishes_of(&body).unwrap();
            assert_eq!(wishes.len(), 1);
            assert!(problems[0].contains(wanted), "{}", problems[0]);
        }
    }

    #[test]
    fn what_is_no_message_of_alertmanager_is_refused() {
        assert!(wishes_of(b"{}").unwrap_err().contains("no webhook message"));
        let old = br#"{"version": "3", "alerts": []}"#;
        assert!(wishes_of(old).unwrap_err().contains("wanted `4`"));
    }
}
