//! The shipped routes with the example receivers, on a real Alertmanager that sends to this process.

use serde_json::{Value, json};

use super::mail::{Mail, Mailbox};
use crate::monitoring::{Message, Receiver, Shipped, Tool};
use crate::silence_link::silence;
use testkit::daemon::{holds, until};

const ROUTES: &str = "deploy/alertmanager/alertmanager.yml";
const EXAMPLES: &str = "deploy/alertmanager/receivers.example.yml";

pub(super) struct Stage {
    pub(super) alertmanager: Tool,
    receiver: Receiver,
    mailbox: Mailbox,
    _shipped: Shipped,
}

/// An alert of a failing job. `labels` come on top of those of every such alert, and an empty one removes its label.
pub(super) fn alert(name: &str, severity: &str, labels: &[(&str, &str)]) -> Value {
    let mut all = json!({
        "alertname": name, "severity": severity, "team": "payments",
        "project": "acme/payments/api", "ref": "main", "job_name": "unit-tests",
    });
    for (label, value) in labels {
        all[*label] = json!(value);
    }
    all.as_object_mut().unwrap().retain(|_, value| value != "");
    let link = "https://gitlab.example.com/acme/payments/api/-";
    json!({
        "labels": all,
        "annotations": {
            "summary": "A CI job fails repeatedly.",
            "description": format!("Job {} failed 6 times in a row.", all["job_name"]),
            "failures": "6 in a row",
            "details": format!(
                "since: 2026-01-02 02:41 UTC\nreason: script_failure (test)\n\
                 log: AssertionError: 10.005 EUR: expected 10.01, got 10.00 (test_rounding.py:88)\n\
                 first bad commit: 8c1f0a5b Round half to even (Ada Lovelace)\n\
                 last good commit: aa1f0a5b\njob: {link}/jobs/4711\n\
                 page: https://ci.example.com/jobs/unit\n\
                 compare: {link}/compare/aa1f0a5b...8c1f0a5b"
            ),
            "runbook_url": format!("https://runbooks.example.com/{name}.md"),
            "dashboard_url": "https://grafana.example.com/d/jfe-job?var-project=acme%2Fpayments%2Fapi",
        },
    })
}

impl Stage {
    /// Slack for teams and chat, PagerDuty for pagers, mail for the platform.
    pub(super) async fn start() -> Self {
        Self::start_with_mail_for("platform").await
    }

    pub(super) async fn start_with_mail_for(mailed: &str) -> Self {
        let (receiver, mailbox) = (Receiver::start().await, Mailbox::open().await);
        let shipped = Shipped::copy();
        let parsed = |file| -> Value { serde_yaml::from_str(&shipped.read(file)).unwrap() };
        let (mut config, examples) = (parsed(ROUTES), parsed(EXAMPLES));
        for found in config["receivers"].as_array_mut().unwrap() {
            let name = found["name"].as_str().unwrap().to_owned();
            let url = format!("http://{}/{name}", receiver.address);
            let example = |kind: &str| {
                let receivers = examples["receivers"].as_array().unwrap();
                let found = receivers.iter().find_map(|it| it.get(kind));
                found.expect(kind)[0].clone()
            };
            let (kind, change) = match name.as_str() {
                "null" => continue,
                name if name == mailed => ("email_configs", mailbox.settings()),
                name if name.ends_with("pager") => (
                    "pagerduty_configs",
                    json!({"routing_key_file": null, "routing_key": "0123456789", "url": url}),
                ),
                "dead-mans-switch" | "team-research" => {
                    ("webhook_configs", json!({"http_config": null, "url": url}))
                }
                _ => (
                    "slack_configs",
                    json!({"api_url_file": null, "api_url": url}),
                ),
            };
            *found = json!({"name": name, kind: [changed(example(kind), &change)]});
        }
        shipped.write(ROUTES, &serde_yaml::to_string(&config).unwrap());
        Self {
            alertmanager: shipped.start_alertmanager().await,
            receiver,
            mailbox,
            _shipped: shipped,
        }
    }

    pub(super) async fn fire(&self, alerts: &[Value]) {
        self.alertmanager.post("alerts", &json!(alerts)).await;
    }

    /// Ends alerts that fire.
    pub(super) async fn end(&self, alerts: &[Value]) {
        let mut ended = alerts.to_vec();
        for alert in &mut ended {
            alert["endsAt"] = json!("2026-01-02T04:04:05Z");
        }
        self.fire(&ended).await;
    }

    pub(super) async fn silence(&self, link: &str) {
        silence(&self.alertmanager, link).await;
    }

    /// All that was sent to a receiver.
    pub(super) fn sent(&self, to: &str) -> Vec<Value> {
        let messages = self.receiver.messages().into_iter();
        let to = format!("/{to}");
        let those = messages.filter(|message: &Message| message.path == to);
        those.map(|message| message.body).collect()
    }

    /// Waits for a message to a receiver.
    pub(super) async fn message(&self, to: &str, is_it: impl Fn(&Value) -> bool) -> Value {
        until(&format!("a message to {to}"), async || {
            let sent = self.sent(to);
            let found = sent.iter().find(|message| is_it(message)).cloned();
            found.ok_or_else(|| format!("{sent:#?}"))
        })
        .await
    }

    pub(super) async fn mail(&self) -> Mail {
        until("a mail", async || {
            self.mailbox.mails().pop().ok_or_else(|| "none".to_owned())
        })
        .await
    }

    /// Waits until this many alerts are silenced; gives their labels.
    pub(super) async fn silenced(&self, count: usize) -> Vec<Value> {
        until("silenced alerts", async || {
            let all = self.alertmanager.get("alerts").await;
            let silenced: Vec<_> = all
                .as_array()
                .unwrap()
                .iter()
                .filter(|alert| alert["status"]["silencedBy"] != json!([]))
                .map(|alert| alert["labels"].clone())
                .collect();
            holds(silenced.len() == count, format!("{silenced:#?}"))?;
            Ok(silenced)
        })
        .await
    }
}

/// A receiver of the examples with other addresses; null removes a setting.
fn changed(mut settings: Value, change: &Value) -> Value {
    let fields = settings.as_object_mut().unwrap();
    for (key, value) in change.as_object().unwrap() {
        fields.insert(key.clone(), value.clone());
    }
    fields.retain(|_, value| !value.is_null());
    settings
}
